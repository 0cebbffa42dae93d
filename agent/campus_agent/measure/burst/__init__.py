"""The throughput engine `campus`: does this line reach its target? Answered in tens of milliseconds (docs/protocol.md).

In the order of the flow: `spec` (every constant); `messages`, `control`, `datagram`, `report` (the protocol, without sockets);
`channel`, `transport`, `interfaces`, `syscalls`, `stamps`, `batch`, `sender`, `intake`, `receiver`, `stream`, `tickets`, `urgency` (the I/O);
`pulse`, `slope`, `traffic`, `reading`, `stream_reading`, `verdict`, `echoes` (the arithmetic, pure); `caller`, `direction`,
`stream_direction`, `client` on the gateway's side; `session`, `server` on the other.
"""
