"""The burst protocol without sockets: control messages, datagram headers, reports (docs/pages/en/protocol.md)."""
