"""The throughput engine `campus`: does this line reach its target? Answered in tens of milliseconds (docs/protocol.md).

In the order of the flow: `spec` (every constant), `messages` and `control` (the control connection, without sockets), `datagram`
(the test packets), `channel`, `interfaces`, `stamps`, `sender`, `receiver` (all the I/O), `pulse` and `verdict` (all the
arithmetic, pure), then `client` and `server`, which put them together.
"""
