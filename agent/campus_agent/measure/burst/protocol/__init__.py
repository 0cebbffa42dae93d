"""The burst protocol without sockets: control messages, datagram headers, tickets (docs/protocol.md)."""
