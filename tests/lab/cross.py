"""Other people's traffic: `python -m tests.lab.cross HOST LINE_RATE SECONDS` sends paced UDP, `... sink` swallows it."""

import socket
import sys
import time

PORT = 9999
PAYLOAD_BYTES = 1472
WIRE_BYTES = 1538
BURST = 4


def send(host: str, line_rate_bits_per_second: float, seconds: float) -> None:
    """Full frames, a few at a time, on average at the given line rate."""
    channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    payload = bytes(PAYLOAD_BYTES)
    gap = BURST * WIRE_BYTES * 8 / line_rate_bits_per_second
    start = time.monotonic()
    for burst in range(int(seconds / gap)):
        time.sleep(max(0.0, start + burst * gap - time.monotonic()))
        for _ in range(BURST):
            try:
                channel.sendto(payload, (host, PORT))
            except OSError:
                pass


def sink() -> None:
    """Hold the port and read nothing: the kernel drops what does not fit."""
    channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    channel.bind(("0.0.0.0", PORT))
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    if sys.argv[1] == "sink":
        sink()
    else:
        send(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]))
