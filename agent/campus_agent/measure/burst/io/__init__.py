"""Sockets of the burst engine: many datagrams in one system call, TCP streams, the control connection."""
