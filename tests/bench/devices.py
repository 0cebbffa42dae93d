"""What does one poll round of a large school cost? Run: PYTHONPATH=. python tests/bench/devices.py

100 devices of the profile host-resources through the real worker: 90 of them one real net-snmp agent on loopback, 10 on a port where nobody
answers. Half of the live ones by SNMP v2c, half by v3 (SHA-256, AES). Wall time, and the CPU time of the worker with all its libraries.

Beside it Debian's prometheus-snmp-exporter, asked for the same objects of the same 100 targets, as many at once, with the same time-outs and
repetitions. It is a resident daemon: its start is not counted, its memory is shown.
"""

import asyncio
import json
import os
import resource
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from campus_agent.config.model import Device
from campus_agent.measure.equipment.poll import AT_ONCE
from campus_agent.measure.equipment.profile import find_profile
from campus_agent.measure.equipment.snmp import RETRIES, TIMEOUT_SECONDS
from campus_agent.measure.probes.devices import poll
from tests.agent.measure.equipment.peers import AUTH_KEY, COMMUNITY, PRIV_KEY, free_port, snmpd

LIVE, DEAD = 90, 10
EXPORTER = "prometheus-snmp-exporter"
V3 = {
    "username": "monitor", "security_level": "authPriv", "password": AUTH_KEY, "auth_protocol": "SHA256",
    "priv_protocol": "AES", "priv_password": PRIV_KEY,
}  # fmt: skip


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
            print(f"{'load average':<12} {os.getloadavg()[0]:.2f}")
            if shutil.which(EXPORTER) is None:
                print(f"{EXPORTER} is not installed (Debian: prometheus-snmp-exporter)")
                return
            for module in ("v2c", "v3"):
                print(f"{EXPORTER}, {module}:", _exporter(folder, module, port), flush=True)


def _exporter(folder: Path, module: str, port: int) -> str:
    """The same round by the exporter."""
    config = folder / "snmp.yml"
    config.write_text(json.dumps({"v2c": _module({"community": COMMUNITY}, 2), "v3": _module(V3, 3)}))  # JSON is YAML
    at, dead = free_port(), free_port()
    command = [EXPORTER, f"--config.file={config}", f"--web.listen-address=127.0.0.1:{at}", "--log.level=error"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=os.environ | {"GOMAXPROCS": "1"}) as process:
        try:
            end = time.monotonic() + 10
            while time.monotonic() < end and _scraped(f"http://127.0.0.1:{at}/metrics") is None:
                time.sleep(0.1)
            targets = [port if number < LIVE else dead for number in range(LIVE + DEAD)]
            urls = [f"http://127.0.0.1:{at}/snmp?module={module}&target=127.0.0.1:{target}" for target in targets]
            before, began = _cpu_seconds(process.pid), time.monotonic()
            with ThreadPoolExecutor(AT_ONCE) as pool:
                answers = list(pool.map(_scraped, urls))
            wall, cpu = time.monotonic() - began, _cpu_seconds(process.pid) - before
            status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1000
            up = sum(answer is not None and "sysDescr" in answer for answer in answers)
            samples = sum(line[:1] not in ("", "#") for answer in answers if answer for line in answer.splitlines())
            return f"up {up} of {len(answers)}, {samples} samples, {wall:5.1f} s wall, {cpu:5.2f} s CPU, {peak:.0f} MB"
        finally:
            process.kill()


def _module(auth: dict[str, str], version: int) -> dict[str, object]:
    """Everything the profile asks for, as the exporter's configuration (0.21)."""
    wanted = find_profile("host-resources").snmp
    columns = list(dict.fromkeys(column for each in wanted for column in each.columns))
    single = [each.oid for each in wanted if not each.columns]
    metrics: list[dict[str, object]] = [
        {
            "name": f"column{n}",
            "oid": oid,
            "type": "gauge",
            "help": "-",
            "indexes": [{"labelname": "row", "type": "gauge"}],
        }
        for n, oid in enumerate(columns)
    ]
    metrics += [{"name": "uptime", "oid": single[0], "type": "gauge", "help": "-"}]
    metrics += [{"name": "sysDescr", "oid": single[-1], "type": "DisplayString", "help": "-"}]
    return {
        "walk": columns, "get": single, "metrics": metrics, "version": version, "auth": auth, "max_repetitions": 6,
        "timeout": f"{TIMEOUT_SECONDS}s", "retries": RETRIES,
    }  # fmt: skip


def _scraped(url: str) -> str | None:
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=20) as answer:
            return str(answer.read().decode())
    except (OSError, urllib.error.URLError):
        return None


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


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
    up, readings = sum(each.up for each in seen), sum(len(each.readings) + len(each.words) for each in seen)
    return f"up {up} of {len(seen)}, {readings} readings, {wall:5.1f} s wall, {cpu:5.2f} s CPU"


if __name__ == "__main__":
    main()
