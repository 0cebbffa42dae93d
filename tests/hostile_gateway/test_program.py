"""The resident program on a gateway that fails it: no new process, a clock that runs backwards, name servers that do not answer, a stop at the wrong moment.

The daemon, its spool and its lanes are real; what fails is the system beneath them.
"""

import asyncio
import contextlib
import errno
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from campus_agent.clock.clock import Clock, ClockEstimate, system_clock
from campus_agent.config import fetched
from campus_agent.config.model import AgentConfig
from campus_agent.config.read import load_config
from campus_agent.daemon import MAX_HELD_RESULTS, Daemon, limit_lookup_threads
from campus_agent.measure.burst.server import Responder, ResponderLimits, ResponderSettings, limits_of
from campus_agent.measure.probe import Run
from campus_agent.measure.probes import host
from campus_agent.page.admission import Admission, NotAdmitted
from campus_agent.resident import LOADED_AT_FIRST_USE
from campus_agent.ship.correct import ClockKnowledge, corrected
from campus_agent.ship.shipper import ESTIMATES_KEY
from campus_agent.spool.spool import Spool, open_spool
from campus_agent.spool.time_floor import BEHIND_KEY, FLOOR_KEY, TimeFloor
from campus_base.settings import ConfigurationError
from tests.agent.spool.test_full_disk import limit_pages, pages_of
from tests.agent.spool.things import numbers, result
from tests.flow.programs import ENVIRONMENT, logged, python, running, until

EXAMINATION = datetime(2026, 6, 7, 9, 0, tzinfo=UTC).timestamp()
TWO_WEEKS = 14 * 86_400.0
EVERYTHING = """
[cycle]
device_seconds = 10
network_seconds = 10
throughput_seconds = 10
latency_seconds = 10
host_seconds = 10
service_seconds = 10
reference_days = 0
[[classroom]]
id = "c1"
host = "127.0.0.1"
switch = "sw"
switch_port = "1"
[[service]]
id = "web"
url = "http://127.0.0.1:1/"
[[device]]
id = "rec"
room = "r1"
profile = "web-http"
host = "127.0.0.1"
[[device]]
id = "sw"
profile = "switch-generic"
host = "127.0.0.1"
[device.snmp]
community_file = "community"
"""
BLACKOUT = '[timetable]\nperiods = ["08:00-08:45"]\nblackout = ["2026-06-07/2026-06-08"]\n[[classroom]]\nid = "c1"\nhost = "127.0.0.1"\n'


@pytest.fixture(autouse=True)
def _network_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("campus_agent.measure.probes.network.FIRST_SECONDS", 0.0)


def config_of(folder: Path, more: str) -> AgentConfig:
    (folder / "community").write_text("public")
    (folder / "token").write_text("t" * 40)
    file = folder / "agent.toml"
    file.write_text(f'[agent]\nschool = "s001"\nstate_dir = "state"\n{more}')
    return load_config(file)


def kept(spool: Spool) -> dict[str, list[dict[str, Any]]]:
    """What the spool holds, by kind."""
    found: dict[str, list[dict[str, Any]]] = {}
    for entry in spool.peek(10_000, 10**9):
        body = json.loads(entry.body)
        found.setdefault(body["kind"], []).append(body)
    return found


async def live(daemon: Daemon, enough: Callable[[], bool], seconds: float = 300.0) -> None:
    """Let the lanes run until something is true."""
    limit_lookup_threads()
    lanes = [asyncio.ensure_future(lane) for lane in daemon.lanes()]
    try:
        async with asyncio.timeout(seconds):
            while not enough():  # noqa: ASYNC110 - what is awaited is on disk
                await asyncio.sleep(0.05)
        assert not any(lane.done() for lane in lanes), "no lane ended"
    finally:
        for lane in lanes:
            lane.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)


@pytest.mark.parametrize(
    "error", [OSError(errno.EAGAIN, "Resource temporarily unavailable"), RuntimeError("can't start new thread")]
)
def test_no_new_process_is_a_failed_result_of_each_kind_and_the_lanes_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    async def refused(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(asyncio, "create_subprocess_exec", refused)
    monkeypatch.setattr("campus_agent.gate.gate.disturbance", _quiet)
    config = config_of(tmp_path, EVERYTHING)
    wanted = {"device", "room", "port", "network", "throughput", "host", "service"}
    with open_spool(config.state_dir, config.spool) as spool:
        daemon = Daemon(config, spool, system_clock())
        with contextlib.suppress(TimeoutError):
            asyncio.run(live(daemon, lambda: wanted <= set(kept(spool))))
        actual = kept(spool)
    assert wanted <= set(actual)
    for kind in ("device", "port", "network", "throughput"):
        assert actual[kind][0]["failure"]["operation"] == "prepare", (kind, actual[kind])
        assert actual[kind][0]["validity"] == "not_measured", (
            "what our own side could not do says nothing of the school"
        )
        assert str(error.args[-1]) in actual[kind][0]["failure"]["detail"]
    assert "record" not in actual["room"][0]
    assert "Traceback" in caplog.text


async def _quiet(*_: object) -> None:
    """The line is quiet: there is nothing to look at."""


@pytest.mark.parametrize(
    ("where", "kind"),
    [
        ("measure.probes.devices.poll", "room"),
        ("measure.probes.ports.ask_ports", "port"),
        ("measure.probes.network.run_worker", "network"),
        ("measure.probes.host.os.statvfs", "host"),
        ("daemon.check_presence", None),
        ("gate.gate.segment_lock", "throughput"),
        ("measure.probes.latency.endpoint_of", "latency"),
    ],
)
def test_an_error_that_nobody_expected_costs_one_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, where: str, kind: str | None
) -> None:
    config = config_of(tmp_path, EVERYTHING)
    wanted = {"host", "service", "room", *([kind] if kind else [])}
    with open_spool(config.state_dir, config.spool) as spool:
        daemon = Daemon(config, spool, system_clock())

        def broken(*_: object, **__: object) -> None:
            raise OSError(errno.EMFILE, "Too many open files")

        monkeypatch.setattr(f"campus_agent.{where}", broken)
        # what makes no result is told by the log
        asyncio.run(
            live(daemon, lambda: wanted <= set(kept(spool)) and (kind is not None or "Too many" in caplog.text))
        )
        actual = kept(spool)
    if kind is not None:
        assert "Too many open files" in actual[kind][0]["failure"]["detail"]
        assert actual[kind][0]["validity"] == "not_measured"
    assert "lane failed" not in caplog.text


def test_a_lane_that_fails_begins_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("campus_agent.daemon.LANE_PAUSE_SECONDS", 0.01)
    config = config_of(tmp_path, EVERYTHING)
    with open_spool(config.state_dir, config.spool) as spool:
        daemon = Daemon(config, spool, system_clock())
        turns = 0
        real = daemon.planner.next

        def often_broken(*arguments: Any) -> Any:
            nonlocal turns
            turns += 1
            if turns < 6:
                raise ValueError("a mistake of our own")
            return real(*arguments)

        daemon.planner.next = often_broken  # type: ignore[method-assign]
        asyncio.run(live(daemon, lambda: "host" in kept(spool)))
    assert caplog.text.count("a mistake of our own") >= 5


def test_results_are_kept_while_every_name_look_up_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answered.wait(60))
    services = "".join(f'[[service]]\nid = "w{n}"\nurl = "http://platform-{n}.example/"\n' for n in range(12))
    config = config_of(tmp_path, services)

    async def both() -> None:
        limit_lookup_threads()
        hanging = [
            asyncio.ensure_future(asyncio.get_running_loop().getaddrinfo("platform.example", 80)) for _ in range(12)
        ]
        daemon = Daemon(config, spool, system_clock())
        await asyncio.wait_for(daemon._store(result(1)), 10)
        answered.set()
        await asyncio.gather(*hanging)

    with open_spool(config.state_dir, config.spool) as spool:
        try:
            asyncio.run(both())
        finally:
            answered.set()
        assert spool.status().pending_results == 1


def known_word(spool: Spool) -> None:
    spool.remember(ESTIMATES_KEY, (ClockEstimate("boot-before", 5000.0, EXAMINATION - 3600 - 5000, 0.05),))


def known_result(spool: Spool) -> None:
    spool.put(result(1, at=datetime.fromtimestamp(EXAMINATION - 7200, UTC)))


def known_floor(spool: Spool) -> None:
    spool.remember(FLOOR_KEY, TimeFloor("boot-before", 5000.0, EXAMINATION - 600))


@pytest.mark.parametrize("known", [known_word, known_result, known_floor])
@pytest.mark.parametrize(("back", "unknown"), [(TWO_WEEKS, True), (9_000.0, True), (-86_400.0, False), (1e9, True)])
def test_a_clock_that_went_back_brings_no_load(
    tmp_path: Path, known: Callable[[Spool], None], back: float, unknown: bool
) -> None:
    config = config_of(tmp_path, BLACKOUT)
    clock = Clock("boot-now", lambda: EXAMINATION - back, lambda: 100.0)
    with open_spool(config.state_dir, config.spool) as spool:
        known(spool)
        daemon = Daemon(config, spool, clock)
        assert daemon.gate.time_is_unknown() is unknown
        daemon.close()
        assert bool(spool.recall(BEHIND_KEY, list[TimeFloor])) is unknown
    admission = Admission(config, clock)
    try:
        with pytest.raises(NotAdmitted) as refused:
            admission.begin("c1", "127.0.0.1", "")
        assert (refused.value.reason == "clock") is unknown
    finally:
        admission.close()


def test_what_the_time_is_goes_on_being_known(tmp_path: Path) -> None:
    config = config_of(tmp_path, BLACKOUT)
    wall = EXAMINATION
    with open_spool(config.state_dir, config.spool) as spool:
        daemon = Daemon(config, spool, Clock("boot-1", lambda: wall, lambda: 100.0))
        asyncio.run(daemon._store(result(1)))
        spool.acknowledge([entry.key for entry in spool.peek()])
        wall -= TWO_WEEKS
        assert daemon.gate.time_is_unknown(), "set back within a boot"
        daemon.close()
        daemon = Daemon(config, spool, Clock("boot-2", lambda: wall, lambda: 5.0))
        assert daemon.gate.time_is_unknown(), "nothing waits, no collector: the floor is remembered"
        daemon.close()


def test_a_result_of_a_clock_that_was_behind_is_not_trusted() -> None:
    here = ClockEstimate("boot-now", 50.0, EXAMINATION, 0.05)
    floor = TimeFloor("boot-behind", 100.0, EXAMINATION - 3600)
    early = result(1, boot_id="boot-behind", at=datetime.fromtimestamp(EXAMINATION - TWO_WEEKS, UTC))
    later = result(2, boot_id="boot-behind", at=datetime.fromtimestamp(EXAMINATION - 600, UTC))
    known = ClockKnowledge((here,), here, datetime.fromtimestamp(EXAMINATION + 100, UTC), (floor,))
    sent = [json.loads(corrected(entry, known, lambda _: 2.0)) for entry in _entries(early, later)]
    assert [each["validity"] for each in sent] == ["clock_untrusted", "ok"]


def _entries(*results: Any) -> list[Any]:
    import msgspec

    from campus_agent.spool.spool import Entry

    return [
        Entry(number, each.id, each.boot_id, each.monotonic_seconds, msgspec.json.encode(each))
        for number, each in enumerate(results)
    ]


class Supervisor:
    """What systemd hears of a program (sd_notify(3))."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "notify"
        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self.heard.append(self._socket.recv(4096).decode())


def test_another_configuration_of_the_collector_never_tells_systemd_that_we_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After STOPPING=1 systemd kills the unit when TimeoutStopSec is over, whatever the program does."""
    supervisor = Supervisor(tmp_path)
    monkeypatch.setitem(ENVIRONMENT, "NOTIFY_SOCKET", str(supervisor.path))
    bodies = [
        b'{"agent":{"school":"s001"},"service":[{"id":"w%d","name":"w","url":"http://127.0.0.1:1/"}]}' % n
        for n in range(2)
    ]
    with _collector_of(bodies) as port:
        config_of(tmp_path, f'[collector]\nurl = "http://127.0.0.1:{port}"\n[cycle]\nnetwork_seconds = 0\n')
        log = tmp_path / "log"
        with running(python("campus_agent", "run", "--config", str(tmp_path / "agent.toml")), log) as process:
            until(lambda: len(logged(log, "agent starts")) == 2, 60, "begun again with what is new")
            until(lambda: supervisor.heard.count("READY=1") == 2, 60, "ready again")
            assert process.poll() is None, "the same process"
            assert "STOPPING=1" not in supervisor.heard
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        until(lambda: "STOPPING=1" in supervisor.heard, 60, "a real stop is told")


@contextlib.contextmanager
def _collector_of(bodies: list[bytes]) -> Any:
    """Serves one configuration after the other, and nothing else."""
    import http.server

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = bodies[0]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.send_error(503)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


DAMAGES = int(os.environ.get("CAMPUS_TEST_DAMAGES", "120"))
"""10 000 take two minutes: before a release, or when the spool has changed."""
MEMORY = Path("/dev/shm")


def some_bytes(octets: bytearray, rng: Random) -> bytearray:
    for _ in range(rng.randrange(1, 20)):
        octets[rng.randrange(len(octets))] = rng.randrange(256)
    return octets


def the_header(octets: bytearray, rng: Random) -> bytearray:
    place = rng.choice([n for n in range(200) if not 60 <= n < 64])  # a version of its own is another matter
    octets[place] = rng.randrange(256)
    return octets


def a_stretch(octets: bytearray, rng: Random) -> bytearray:
    start, length = rng.randrange(len(octets)), rng.randrange(1, 2000)
    octets[start : start + length] = rng.randbytes(len(octets[start : start + length]))
    return octets


def zeros(octets: bytearray, rng: Random) -> bytearray:
    start, length = rng.randrange(len(octets)), rng.randrange(1, 5000)
    octets[start : start + length] = bytes(len(octets[start : start + length]))
    return octets


def the_end(octets: bytearray, rng: Random) -> bytearray:
    return octets[: rng.randrange(len(octets))]


def schema_text(octets: bytearray, rng: Random) -> bytearray:
    words = [n for n in range(len(octets) - 6) if octets[n : n + 6] in (b"CREATE", b"UPDATE", b"length", b"spoole")]
    octets[rng.choice(words) + rng.randrange(6)] = rng.randrange(256)
    return octets


@pytest.fixture(scope="module")
def sound() -> Iterator[tuple[Path, bytes]]:
    """A folder to work in, in memory where there is one, and the octets of a spool that is well."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name:
        folder = Path(name)
        with open_spool(folder / "sound") as spool:
            spool.put(*(result(number, detail="x" * 100) for number in range(40)))
            spool.remember("clock", [1, 2])
            spool.quarantine({spool.peek()[0].key: "not liked"})
            spool.add_test_bytes("uplink", date(2026, 11, 28), 55)
        yield folder, (folder / "sound" / "spool.db").read_bytes()


@pytest.mark.parametrize("damage", [some_bytes, the_header, a_stretch, zeros, the_end, schema_text])
def test_whatever_is_wrong_with_the_spool_it_works(
    sound: tuple[Path, bytes], damage: Callable[[bytearray, Random], bytearray]
) -> None:
    folder, octets = sound
    rng = Random(damage.__name__)
    for number in range(max(1, DAMAGES // 6)):
        place = folder / f"{damage.__name__}-{number}"
        place.mkdir()
        (place / "spool.db").write_bytes(damage(bytearray(octets), rng))
        with open_spool(place) as spool:
            use(spool)
        with open_spool(place) as spool:
            assert numbers(spool)[-2:] == [1000, 1001], "once is enough"
        shutil.rmtree(place)


def use(spool: Spool) -> None:
    """All that the daemon does with it."""
    spool.status()
    spool.newest()
    spool.put(result(1000))
    spool.put(result(1001))
    spool.recall("clock", list[int])
    spool.remember("x", 1)
    spool.add_test_bytes("uplink", date(2026, 11, 28), 5)
    spool.test_bytes_of_day(date(2026, 11, 28))
    spool.test_bytes_total()
    spool.quarantined()
    waiting = spool.peek()
    spool.last_monotonic_seconds(waiting[0].boot_id)
    spool.acknowledge(entry.key for entry in waiting[:-2])
    spool.status()


def test_one_row_that_makes_no_sense_costs_that_row(tmp_path: Path) -> None:
    with open_spool(tmp_path) as spool:
        spool.put(*(result(number) for number in range(1, 101)))
    connection = sqlite3.connect(tmp_path / "spool.db")
    for key in (20, 60, 80):
        connection.execute("UPDATE spooled SET boot_id = CAST(x'ff41' AS TEXT) WHERE key = ?", (key,))
    connection.execute("DROP TRIGGER spooled_out")
    connection.commit()
    connection.close()
    with open_spool(tmp_path) as spool:
        assert len(spool.status().damaged_files) == 1
        assert numbers(spool) == [number for number in range(1, 101) if number not in (20, 60, 80)]


@pytest.mark.parametrize("encoding", ["gbk", "ascii"])
@pytest.mark.parametrize(
    "command",
    [
        ("campus_agent", "doctor", "--config", "{file}"),
        ("campus_collector", "check-config", "--config", "{folder}/校园.toml"),
    ],
)
def test_a_terminal_that_cannot_write_it_shows_the_rest(
    tmp_path: Path, encoding: str, command: tuple[str, ...]
) -> None:
    config_of(tmp_path, "")
    argv = [part.format(file=tmp_path / "agent.toml", folder=tmp_path) for part in command]
    environment = ENVIRONMENT | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", "CAMPUS_LANG": "zh"}
    done = subprocess.run(python(*argv), capture_output=True, env=environment, timeout=60, check=False)
    assert b"Traceback" not in done.stderr
    assert done.stdout + done.stderr


@pytest.mark.parametrize(
    ("blackout", "why"),
    [
        ("0001-01-01/9999-12-31", "days like"),
        ("2026-06-07/2026-12-09", "spans more than 100 days"),
        ("2026-06-07/2027-06-09", "spans more than 100 days"),
        ("2926-06-07", "days like"),
        ("1926-06-07", "days like"),
    ],
)
def test_a_slip_in_a_year_silences_no_school(tmp_path: Path, blackout: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        config_of(tmp_path, f'[timetable]\nblackout = ["{blackout}"]\n')
    config_of(tmp_path, "")
    body = b'{"agent":{"school":"s001"},"timetable":{"blackout":["%s"]}}' % blackout.encode()
    with pytest.raises(fetched.FetchedConfigRefused, match=why):
        fetched.check(body, load_config(tmp_path / "agent.toml"), tmp_path / "agent.toml")


def test_a_round_of_devices_is_not_repeated_after_a_restart(tmp_path: Path) -> None:
    config = config_of(tmp_path, EVERYTHING.replace("device_seconds = 10", "device_seconds = 3600"))
    clock = system_clock()
    with open_spool(config.state_dir, config.spool) as spool:
        daemon = Daemon(config, spool, clock)
        asyncio.run(live(daemon, lambda: "room" in kept(spool)))
        daemon.close()
        again = Daemon(config, spool, clock)
        again.close()
        (devices,) = [job for job in again.planner.jobs if job.kind == "devices"]
        assert again.planner.due(devices) - clock.monotonic() > 3000


def test_every_address_without_ipv6_is_every_ipv4_address(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket

    def refused(family: int = socket.AF_INET, *more: Any, **named: Any) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return real(family, *more, **named)

    monkeypatch.setattr("campus_agent.measure.burst.server.socket.socket", refused)
    responder = Responder(ResponderSettings("::", 0, b"key"))
    responder.start()
    monkeypatch.undo()
    try:
        socket.create_connection(("127.0.0.1", responder.port), 5).close()
    finally:
        responder.stop()


def test_a_test_server_serves_what_its_slots_promise() -> None:
    assert limits_of(1e9).hour_bytes == 450_000_000_000
    assert limits_of(1e6).hour_bytes == ResponderLimits().hour_bytes


def test_an_odd_proc_costs_single_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def odd(*_: object, **__: object) -> None:
        raise RuntimeError("a line is not in its file")

    for name in (
        "measure.machine.temperature_celsius",
        "measure.machine.resident_bytes",
        "measure.probes.host.read_counters",
    ):
        monkeypatch.setattr(f"campus_agent.{name}", odd)
    settings = host.HostSettings(tmp_path, 0.01)
    (finding,) = asyncio.run(host.measure(settings, Run(5.0)))
    record = finding.record
    assert record is not None
    assert record.uptime_seconds > 0
    assert record.interfaces == []


RESIDENT_DOES_WITHOUT = (
    *(
        "argparse",
        "campus_agent.cli.main",
        "campus_agent.cli.named_files",
        "campus_agent.cli.enroll",
        "campus_agent.ship.enrolment",
        "campus_base.command_line",
        "campus_agent.doctor",
        "campus_agent.respond",
        "campus_agent.page",
    ),
    *(
        "campus_agent.measure.burst.client",
        "campus_agent.measure.burst.server",
        "ctypes",
        "difflib",
        "iperf3",
        "multiprocessing",
    ),
    *("psutil", "pysnmp", "scapy", "cryptography", "segno", "xml", "chinese_calendar", "typing_extensions"),
    *("unittest", "importlib.metadata", "ast", "dis", *LOADED_AT_FIRST_USE),
)


def test_the_resident_program_holds_nothing_that_only_a_worker_or_a_command_needs(tmp_path: Path) -> None:
    """Asked of the program itself: it is run with a `site` that tells its modules when it ends."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(
        "import atexit, os, sys\n"
        "def tell():\n"
        "    with open(os.environ['TELL'], 'w') as out:\n"
        "        def waits(module):  # for its first use: see resident.py\n"
        "            return getattr(vars(module).get('__getattr__'), '__qualname__', '').startswith('_LazyLoader.')\n"
        "        loaded = [name for name, module in sys.modules.items() if module and not waits(module)]\n"
        "        print(*loaded, sep='\\n', file=out)\n"
        "if 'campus_agent.resident' in ' '.join(sys.orig_argv): atexit.register(tell)\n"
    )
    config_of(tmp_path, EVERYTHING.replace("network_seconds = 10", "network_seconds = 0"))
    environment = ENVIRONMENT | {"PYTHONPATH": str(tmp_path / "site"), "TELL": str(tmp_path / "modules")}
    log = tmp_path / "log"
    with log.open("wb") as out:
        argv = python("campus_agent", "run", "--config", str(tmp_path / "agent.toml"))
        process = subprocess.Popen(argv, env=environment, stdout=out, stderr=out)
    try:
        until(lambda: len(logged(log, "measured")) >= 6, 60, "each kind was measured")
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    held = set((tmp_path / "modules").read_text().split())
    assert "campus_agent.daemon" in held
    assert sorted(held.intersection(RESIDENT_DOES_WITHOUT)) == []


def test_what_a_full_disk_refuses_waits_in_memory(tmp_path: Path) -> None:
    """Nothing is lost while the memory's bound lasts, nothing is written twice, and what is given up is counted."""

    async def story() -> None:
        config = AgentConfig(None, "s001", tmp_path, ZoneInfo("Asia/Shanghai"), "s001")
        with open_spool(tmp_path) as spool:
            daemon = Daemon(config, spool, system_clock())
            spool.put(result(1))
            limit_pages(spool, pages_of(spool))
            for number in range(2, 400):
                await daemon._store(result(number, detail="x" * 300))
            assert daemon.snapshot.spool_error is not None
            assert daemon.snapshot.lost_results == 0
            limit_pages(spool, 10**6)
            await daemon._store(result(400))
            assert (numbers(spool), daemon.snapshot.spool_error) == (list(range(1, 401)), None)
            limit_pages(spool, pages_of(spool))
            for number in range(401, 401 + 2 * MAX_HELD_RESULTS):
                await daemon._store(result(number, detail="x" * 300))
            daemon.close()
            assert numbers(spool)[:400] == list(range(1, 401))
            assert len(numbers(spool)) + spool.status().lost_total == 400 + 2 * MAX_HELD_RESULTS

    asyncio.run(story())
