"""What does one poll round of a large school cost? Run: PYTHONPATH=. python tests/bench/devices.py

100 devices of the profile host-resources through the real worker: 90 of them one real net-snmp agent on loopback, 10 on a port where nobody
answers. Half of the live ones by SNMP v2c, half by v3 (SHA-256, AES). Wall time, and the CPU time of the worker with all its libraries.
"""

import asyncio
import resource
import tempfile
import time
from pathlib import Path

from campus_agent.config import Device
from campus_agent.measure.rooms import poll
from tests.agent.devices.peers import AUTH_KEY, COMMUNITY, PRIV_KEY, free_port, snmpd

LIVE, DEAD = 90, 10


def main() -> None:
    """Print a table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in {"community": COMMUNITY, "auth": AUTH_KEY, "priv": PRIV_KEY}.items():
            (folder / file).write_text(text)
        with snmpd(folder) as port:
            v2c = {"version": "2c", "community_file": str(folder / "community")}
            v3 = {
                "version": "3", "user": "monitor", "auth_protocol": "sha256", "priv_protocol": "aes",
                "auth_file": str(folder / "auth"), "priv_file": str(folder / "priv"),
            }  # fmt: skip
            for label, kinds in (("v2c", (v2c,)), ("v3 authPriv", (v3,)), ("half each", (v2c, v3))):
                print(f"{label:<12}", _round(kinds, port), flush=True)


def _round(kinds: tuple[dict[str, str], ...], port: int) -> str:
    dead = free_port()
    devices = []
    for number in range(LIVE + DEAD):
        at = port if number < LIVE else dead
        snmp = kinds[number % len(kinds)] | {"port": str(at)}
        devices.append(Device(f"d{number}", "", "r1", "host-resources", "127.0.0.1", True, snmp, {}))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    seen = asyncio.run(poll(devices, None))
    wall = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    up, readings = sum(one.up for one in seen), sum(len(one.readings) + len(one.words) for one in seen)
    return f"up {up} of {len(seen)}, {readings} readings, {wall:5.1f} s wall, {cpu:5.2f} s CPU"


if __name__ == "__main__":
    main()
