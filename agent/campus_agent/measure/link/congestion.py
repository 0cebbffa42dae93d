"""Which TCP congestion control do our sockets get?"""

import socket
import sys
from contextlib import suppress


def allowed_congestion_control(name: str) -> str | None:
    """The TCP congestion control that our sockets get when they ask for `wanted`; None where the platform does not say.

    A user without CAP_NET_ADMIN gets only what net.ipv4.tcp_allowed_congestion_control lists (ip-sysctl of the kernel's documentation); on a machine
    whose default is bbr, cubic is often not there.
    """
    if not sys.platform.startswith("linux"):
        return None
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        with suppress(OSError):
            probe.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, name.encode())
        return probe.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0").decode(errors="replace")
