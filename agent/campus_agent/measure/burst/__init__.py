"""The throughput engine `campus`: does this line reach its target? Answered in tens of milliseconds (docs/pages/en/protocol.md).

`spec` holds every constant; `protocol/` the messages and packets, without sockets; `io/` what sends and receives them; `estimate/` the arithmetic, pure.
`client_session` and `server_session` are the two ends of one session, `direction` and `stream_direction` the test of one direction,
`client` the whole test, `server` the responder. What the protocol calls a pulse is a burst here.
"""
