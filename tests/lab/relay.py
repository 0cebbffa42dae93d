"""Delay and loss between two TAP devices, where the kernel has no netem: `python -m tests.lab.relay NEAR FAR SECONDS LOSS [SEED]`.

Each frame is held for the delay, in each direction, and dropped with the given probability. Order is kept.
"""

import fcntl
import os
import select
import struct
import sys
import time
from collections import deque
from random import Random

_TUNSETIFF = 0x400454CA  # linux/if_tun.h
_IFF_TAP_NO_PI = 0x0002 | 0x1000
FRAME_BYTES = 2048
HELD_FRAMES = 10_000


def attach(device: str) -> int:
    """A descriptor on an existing TAP device."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH", device.encode(), _IFF_TAP_NO_PI))
    return descriptor


def relay(near: int, far: int, delay_seconds: float, loss_ratio: float, rng: Random) -> None:
    """For ever."""
    other = {near: far, far: near}
    held: dict[int, deque[tuple[float, bytes]]] = {near: deque(), far: deque()}
    while True:
        dues = [queue[0][0] for queue in held.values() if queue]
        wait = max(0.0, min(dues) - time.monotonic()) if dues else None
        readable, _, _ = select.select([near, far], [], [], wait)
        for descriptor in readable:
            try:
                while True:
                    frame = os.read(descriptor, FRAME_BYTES)
                    if rng.random() >= loss_ratio and len(held[other[descriptor]]) < HELD_FRAMES:
                        held[other[descriptor]].append((time.monotonic() + delay_seconds, frame))
            except BlockingIOError:
                pass
        now = time.monotonic()
        for descriptor, queue in held.items():
            while queue and queue[0][0] <= now:
                try:
                    os.write(descriptor, queue.popleft()[1])
                except OSError:  # the far device is down or full: the frame is lost, as on a wire
                    pass


if __name__ == "__main__":
    seed = int(sys.argv[5]) if len(sys.argv) > 5 else 1
    relay(attach(sys.argv[1]), attach(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]), Random(seed))
