"""Other people's traffic, in bursts: `python -m tests.bench.bursty HOST MEAN_LINE_RATE` sends UDP on and off until it is ended.

On and off times are exponential around 20 ms; while on, twice the mean rate.
"""

import socket
import sys
import time
from random import Random

PORT = 9
PAYLOAD_BYTES = 1472
WIRE_BITS = 1538 * 8
MEAN_PHASE_SECONDS = 0.02
STEP_SECONDS = 0.0008
MAX_STEP_PACKETS = 64


def send(host: str, mean_bits_per_second: float, random: Random) -> None:
    """For ever. Nobody listens at the other end: the answers "port unreachable" are few, the kernel limits them."""
    channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    channel.setblocking(False)
    payload = random.randbytes(PAYLOAD_BYTES)
    while True:
        end = time.monotonic() + random.expovariate(1 / MEAN_PHASE_SECONDS)
        began, sent = time.monotonic(), 0
        while (now := time.monotonic()) < end:
            due = int((now - began) * 2 * mean_bits_per_second / WIRE_BITS) - sent
            for _ in range(min(due, MAX_STEP_PACKETS)):
                try:
                    channel.sendto(payload, (host, PORT))
                except OSError:  # the own queue is full: lost, as on a wire
                    pass
            sent += due
            time.sleep(STEP_SECONDS)
        time.sleep(random.expovariate(1 / MEAN_PHASE_SECONDS))


if __name__ == "__main__":
    send(sys.argv[1], float(sys.argv[2]), Random())
