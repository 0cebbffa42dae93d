"""A stock-compatible iperf3 server by libiperf, one test at a time, in a separate process that its parent replaces.

`python -m campus_agent.respond.iperf3_server PORT LISTEN PARENT_PID`. libiperf has no bound on a test's length before 3.20, so a
watchdog ends the process when one client stays longer than any test takes; after a number of tests the process ends by itself,
because libiperf was not made to run for years.
"""

import ctypes
import os
import sys
import threading
import time

import psutil

from campus_agent.measure.link.thread_priority import raised_priority
from campus_agent.measure.worker import set_parent_death_signal

MAX_TEST_SECONDS = 90.0
TESTS_PER_PROCESS = 200
RECEIVE_TIMEOUT_SECONDS = 5
EXIT_BROKEN = 3


class _IperfTime(ctypes.Structure):
    """struct iperf_time of libiperf (iperf_time.h)."""

    _fields_ = [("secs", ctypes.c_uint32), ("usecs", ctypes.c_uint32)]


def serve(port: int, listen: str) -> int:
    """Answer tests until it is time for a fresh process. The exit code: 0 to be replaced, 3 when libiperf cannot serve."""
    import iperf3

    threading.Thread(target=_watchdog, args=(port,), daemon=True).start()
    server = iperf3.Server(verbose=False)
    server.json_output = False
    server.port = port
    if listen:
        server.bind_address = listen
    server.lib.iperf_set_test_rcv_timeout.argtypes = [ctypes.c_void_p, ctypes.POINTER(_IperfTime)]
    server.lib.iperf_set_test_rcv_timeout(server._test, ctypes.byref(_IperfTime(RECEIVE_TIMEOUT_SECONDS, 0)))
    for _ in range(TESTS_PER_PROCESS):
        # Not server.run(): it collects the report in a pipe of 64 KiB that nobody reads before the end.
        with raised_priority():
            failed = server.lib.iperf_run_server(server._test) < 0
        if failed:
            message = server._error_to_string(server._errno)
            if "listener" in message:
                sys.stderr.write(f"{message}\n")
                return EXIT_BROKEN
        server.lib.iperf_reset_test(server._test)
    return 0


def _watchdog(port: int) -> None:
    """End the process when one connection to our port has been there for longer than any test takes."""
    since: dict[tuple[object, ...], float] = {}
    while True:
        time.sleep(5)
        now = time.monotonic()
        since = {peer: since.get(peer, now) for peer in peers_on(port)}
        if any(now - first > MAX_TEST_SECONDS for first in since.values()):
            os._exit(0)


def peers_on(port: int) -> set[tuple[object, ...]]:
    """Whose connections to a port of ours are open; needs psutil 6."""
    return {
        tuple(connection.raddr)
        for connection in psutil.Process().net_connections("tcp")
        if connection.status == psutil.CONN_ESTABLISHED and connection.laddr and connection.laddr.port == port
    }


if __name__ == "__main__":
    set_parent_death_signal(int(sys.argv[3]))
    sys.exit(serve(int(sys.argv[1]), sys.argv[2]))
