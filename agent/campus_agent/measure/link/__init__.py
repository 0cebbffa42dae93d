"""The kernel's figures of a line, each in one module, for all probes.

`path`: the interface that leads to a host, and the largest packet; `interface_counters`, `tcp_info`: what was counted; `rtt`: figures of round
trips; `timestamps`: when a datagram arrived; `resolve`, `connect`: addresses (RFC 8305); `icmp`: echoes; `cpu_wait`: waits for a processor.
"""
