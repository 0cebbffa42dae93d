"""A waiting page as a classroom's endpoint: real lines, a real Chromium, compared with stock iperf3 of 10 s on the line of 100 Mbit/s.

    python -m tests.bench.browser_endpoint [--tests 20] [--lines 50,90,97,100,101,110,300] [--waiting 40]

Prints a table: verdicts (a wrong one is an error), rates against the line, seconds and bytes of a direction; and what pages that only wait cost.
"""

import argparse
import contextlib
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from campus_agent.config.read import load_config
from campus_agent.page.keys import RoomKeys
from campus_wire.bandwidth import line_rate_of, verdict_of
from campus_wire.codec import decode_result
from campus_wire.records import ThroughputResult
from tests.flow.programs import python, running, until
from tests.lab.school import IPERF3_PORT, LAN, LabSchool, Room

PORT = 8090


def rooms_of(lines: list[float]) -> list[Room]:
    """A classroom for each line, in Mbit/s."""
    return [Room(f"c{round(line):03}", f"c{round(line):03}", line * 1e6) for line in lines]


def configured(school: LabSchool, folder: Path) -> tuple[Path, dict[str, str]]:
    """An agent's configuration with browsers, and the keys of its classrooms."""
    file = school.agent_toml(folder, engine="browser", more=f"[page]\nport = {PORT}")
    return file, RoomKeys(load_config(file).state_dir).renew([room.id for room in school.rooms])


@contextlib.contextmanager
def served(school: LabSchool, file: Path, log: Path) -> Iterator[int]:
    """The page's process on the gateway; its id."""
    command = python("campus_agent", "page", "--config", str(file))
    with running(school.gateway.argv(*command), log) as process:
        until(lambda: '"listen"' in log.read_text(), 60, "the page is served")
        yield process.pid


@contextlib.contextmanager
def staying(school: LabSchool, room: str, key: str) -> Iterator[None]:
    """A Chromium in the classroom that keeps its page open."""
    url = f"http://{LAN}1:{PORT}/stay?room={room}&key={key}"
    command = school.inside(room).argv(sys.executable, "-m", "tests.lab.stay", url)
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "waiting", "the page did not begin to wait"
        yield
    finally:
        process.communicate(timeout=60)


def measured(school: LabSchool, file: Path, room: str, count: int) -> list[ThroughputResult]:
    """So many tests in a row."""
    done = school.gateway.run(
        sys.executable, "-m", "tests.lab.ask_page", str(file), room, str(count), timeout=60.0 * count
    )
    assert done.returncode == 0, done.stderr[-2000:]
    results = [decode_result(line.encode()) for line in done.stdout.splitlines()]
    return [result for result in results if isinstance(result, ThroughputResult)]


def row_of(room: Room, results: list[ThroughputResult]) -> str:
    """A line of the table."""
    verdicts = [str(verdict_of(result)) for result in results]
    wrong = sum(verdict not in (room.truth, "insufficient") for verdict in verdicts)
    sound = [
        result.record
        for result, verdict in zip(results, verdicts, strict=True)
        if result.record and verdict != "insufficient"
    ]
    both = [(record, each) for record in sound for each in (record.down, record.up) if each is not None]
    truth = room.line_rate_bits_per_second
    errors = sorted(
        abs(line_rate_of(each, record.encapsulation) / truth - 1) for record, each in both if not each.lower_bound
    )
    off = f"{errors[len(errors) // 2]:.2%} / {errors[-1]:.2%}" if errors else "lower bounds"
    seconds = f"{median(each.duration_seconds for _, each in both):.2f}" if both else "-"
    spent = f"{median(each.bytes for _, each in both) / 1e6:.1f}" if both else "-"
    why = "; ".join(sorted({f"{result.validity}" for result in results if str(result.validity) != "ok"}))
    return f"{truth / 1e6:5.0f} | {len(results):3} | {wrong:2} | {verdicts.count('insufficient'):2} | {off:>17} | {seconds:>5} | {spent:>5} | {why}"


def iperf3(school: LabSchool, room: Room) -> tuple[float, float]:
    """Seconds and bytes of payload of a direction by stock iperf3 of 10 s."""
    server = school.inside(room.id).popen("iperf3", "-s", "-1", "-p", str(IPERF3_PORT))
    until(lambda: f":{IPERF3_PORT} " in school.inside(room.id).run("ss", "-Hltn").stdout, 60, "iperf3 listens")
    done = school.gateway.run("iperf3", "-c", room.host, "-p", str(IPERF3_PORT), "-t", "10", "-J", timeout=60)
    server.wait(30)
    sent = json.loads(done.stdout)["end"]["sum_sent"]
    return float(sent["seconds"]), float(sent["bytes"])


def cost_of_waiting(pages: int, seconds: float = 90.0) -> str:
    """What simulated pages that only wait cost the page's process: memory and processor. On loopback; FAKE browsers, real requests."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rooms = [f"c{number:03}" for number in range(pages)]
        classrooms = "".join(
            f'[[classroom]]\nid = "{room}"\nhost = "127.0.0.1"\nengine = "browser"\n' for room in rooms
        )
        file = folder / "agent.toml"
        file.write_text(
            f'[agent]\nschool = "s001"\nstate_dir = "state"\n[page]\nport = {PORT}\nlisten = "127.0.0.1"\n{classrooms}'
        )
        keys = RoomKeys(load_config(file).state_dir).renew(rooms)
        with running(python("campus_agent", "page", "--config", str(file)), folder / "log") as process:
            until(lambda: '"listen"' in (folder / "log").read_text(), 60, "the page is served")
            held = [wait_once(room, keys[room]) for room in rooms[:1]]  # what the first request loads is not the pages'
            time.sleep(2)
            before = memory_bytes(process.pid)
            held += [wait_once(room, keys[room]) for room in rooms[1:]]
            time.sleep(2)
            grown, cpu = memory_bytes(process.pid) - before, processor_seconds(process.pid)
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                for number, line in enumerate(held):
                    if line.sock is not None and readable(line):
                        line.getresponse().read()
                        line.close()
                        held[number] = wait_once(rooms[number], keys[rooms[number]])
                time.sleep(0.5)
            used = (processor_seconds(process.pid) - cpu) / seconds
    return f"{pages} waiting pages: {grown / 1e6:.2f} MB, {used:.3%} of a core over {seconds:.0f} s"


def wait_once(room: str, key: str) -> http.client.HTTPConnection:
    """A request of a page that waits, sent."""
    line = http.client.HTTPConnection("127.0.0.1", PORT, timeout=120)
    line.request("POST", "/wait", json.dumps({"room": room, "key": key, "tab": room}), {"X-CampusMeter": "1"})
    time.sleep(0.05)  # all come from one address here, which may have few connections at a time
    return line


def readable(line: http.client.HTTPConnection) -> bool:
    import select

    return bool(select.select([line.sock], [], [], 0)[0])


def memory_bytes(pid: int) -> int:
    """Resident, of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def processor_seconds(pid: int) -> float:
    """Of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--tests", type=int, default=20)
    parser.add_argument("--lines", default="50,90,97,100,101,110,300")
    parser.add_argument("--waiting", type=int, default=40)
    arguments = parser.parse_args()
    rooms = rooms_of([float(text) for text in arguments.lines.split(",") if text])
    if rooms:
        print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
        print(
            "Mbit/s | tests | wrong | insufficient | off: median / most | s | MB | validities (medians of a direction)"
        )
        with tempfile.TemporaryDirectory() as name, LabSchool(rooms, endpoint="none") as school:
            file, keys = configured(school, Path(name))
            with served(school, file, Path(name) / "log"):
                for room in school.rooms:
                    with staying(school, room.id, keys[room.id]):
                        results = measured(school, file, room.id, arguments.tests)
                    print(row_of(room, results), flush=True)
                    if room.line_rate_bits_per_second == 100e6:
                        compare(school, room, results)
                    for result in results:
                        if verdict_of(result) == "insufficient":
                            print(f"        {result.validity}: {result.detail or result.failure}")
    if arguments.waiting:
        print(cost_of_waiting(arguments.waiting))


def compare(school: LabSchool, room: Room, results: list[ThroughputResult]) -> None:
    """Bytes and time of a direction against iperf3's."""
    seconds, payload = iperf3(school, room)
    loads = [each for result in results if result.record for each in (result.record.down, result.record.up) if each]
    if loads:
        less = payload / median(each.bytes for each in loads)
        faster = seconds / median(each.duration_seconds for each in loads)
        print(
            f"        stock iperf3: {seconds:.1f} s, {payload / 1e6:.0f} MB a direction: {less:.0f} times the bytes, {faster:.0f} times the time"
        )


if __name__ == "__main__":
    main()
