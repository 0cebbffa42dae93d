"""How many packets a second does one reflector answer on one core, and does it lose any at what it promises?

The reflector runs as a process of its own, authenticated. Senders of many sessions offer a rate for some seconds; counted are the answers, what the
reflector refused, and the processor time it took for each packet. The bound is `ReflectorLimits.total_packets_per_second`.
"""

import os
import socket
import subprocess
import sys
import time

from campus_agent.measure.link import timestamps
from campus_agent.measure.stream.packets import SenderPacket, pack_sender, to_timestamp
from campus_agent.measure.stream.reflector import DEFAULT_LIMITS

KEY = b"a key of the county"
SESSIONS, SECONDS = 1500, 5.0
SERVE = """
import sys
from campus_agent.measure.stream.reflector import Reflector
from campus_agent.respond.stream_reflector import open_socket, serve
sock = open_socket("127.0.0.1", 0)
print(sock.getsockname()[1], flush=True)
serve(sock, Reflector(b"a key of the county"))
"""


def cpu_seconds(pid: int) -> float:
    """User and system time of a process."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def offered(port: int, rate: float, seconds: float) -> tuple[int, int]:
    """Packets sent at a steady rate by many sessions, and answers that came."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    timestamps.prepare(sock)
    sock.connect(("127.0.0.1", port))
    sock.setblocking(False)
    sent = answered = 0
    began = time.monotonic()
    while (now := time.monotonic()) < began + seconds + 1.0:
        due = min(int((now - began) * rate), int(seconds * rate)) - sent
        for _ in range(min(due, 200)):
            sender = SenderPacket(sent // SESSIONS, to_timestamp(time.time_ns()), 1, 1 + sent % SESSIONS)
            sock.send(pack_sender(sender, KEY))
            sent += 1
        try:
            while True:
                sock.recv(2048)
                answered += 1
        except BlockingIOError:
            if due <= 0:
                time.sleep(0.0005)
    return sent, answered


def main() -> None:
    """One line for each rate."""
    limit = DEFAULT_LIMITS.total_packets_per_second
    print(
        f"bound of one reflector: {limit:.0f} packets/s = {limit / 20:.0f} gateways at 20 packets/s; beyond, packets are refused and counted"
    )
    for rate in (1000, 2000, 4000, 8000, 12_000):
        with subprocess.Popen([sys.executable, "-c", SERVE], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            before = cpu_seconds(process.pid)
            sent, answered = offered(port, rate, SECONDS)
            spent = cpu_seconds(process.pid) - before
            process.kill()
        each = spent / max(1, answered)
        print(
            f"offered {sent / SECONDS:8.0f}/s  lost {1 - answered / sent:8.4%}  {each * 1e6:6.1f} us each = {1 / each:8.0f}/s on one core"
        )


if __name__ == "__main__":
    main()
