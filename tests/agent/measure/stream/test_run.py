"""The stream with real sockets on loopback: the daemon as it is started, `campus-agent respond`'s reflector, and a relay between them that drops."""

import asyncio
import json
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from campus_agent.clock.clock import system_clock
from campus_agent.measure.link.resolve import Address
from campus_agent.measure.stream.observer import Observed, StreamObserver
from campus_agent.measure.stream.reflector import Reflector
from campus_agent.measure.stream.run import StreamRun
from campus_agent.measure.stream.sender import StreamSocket
from campus_agent.respond.stream_reflector import open_socket, serve
from campus_agent.spool.spool import open_spool
from tests.flow.programs import ENVIRONMENT, python, until

KEY = "a key of the county"


class Relay:
    """Passes UDP datagrams between one client and a server, except while `cut`; hosts no clock."""

    def __init__(self, server: tuple[str, int]) -> None:
        self.cut, self.seen = False, 0
        self._front = open_socket("127.0.0.1", 0)
        self._back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._back.connect(server)
        self.port = int(self._front.getsockname()[1])
        self._client: Any = None
        for work in (self._up, self._down):
            threading.Thread(target=work, daemon=True).start()

    def _up(self) -> None:
        while True:
            packet, self._client = self._front.recvfrom(2048)
            self.seen += 1
            if not self.cut:
                self._back.send(packet)

    def _down(self) -> None:
        while True:
            packet = self._back.recv(2048)
            if not self.cut:
                self._front.sendto(packet, self._client)


@contextmanager
def reflector() -> Iterator[tuple[Reflector, Relay]]:
    about = Reflector(KEY.encode())
    sock = open_socket("127.0.0.1", 0)
    threading.Thread(target=serve, args=(sock, about), daemon=True).start()
    yield about, Relay(("127.0.0.1", int(sock.getsockname()[1])))


def started(tmp_path: Path, port: int) -> subprocess.Popen[bytes]:
    (tmp_path / "key").write_text(KEY)
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "agent.toml").write_text(
        '[agent]\nschool = "s001"\nstate_dir = "state"\ntest_key_file = "key"\n[cycle]\nnetwork_seconds = 0\n'
        f'[lesson_stream]\nenabled = true\nalways = true\nport = {port}\n[uplink]\nhost = "127.0.0.1"\nport = 9\n'
    )
    with (tmp_path / "log").open("ab") as log:
        command = python("campus_agent", "run", "--config", str(tmp_path / "agent.toml"))
        return subprocess.Popen(command, env=ENVIRONMENT, stdout=log, stderr=log)


def stopped(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


def results(tmp_path: Path) -> list[dict[str, Any]]:
    with open_spool(tmp_path / "state") as spool:
        entries = [json.loads(entry.body) for entry in spool.peek(1000, 10**7)]
    return [entry for entry in entries if entry["kind"] in ("lesson_stream", "interruption")]


def test_the_daemon_streams_and_an_interruption_goes_on_over_its_restart(tmp_path: Path) -> None:
    with reflector() as (about, relay):
        process = started(tmp_path, relay.port)
        until(lambda: about.answered > 10, 60, "answered")
        began = time.time()
        relay.cut = True
        seen = relay.seen
        until(lambda: relay.seen > seen + 30, 60, "silent")
        stopped(process)
        first = results(tmp_path)
        (record,) = [result["record"] for result in first if result["kind"] == "lesson_stream"]
        (broken,) = record["interruptions"]
        assert (broken["ended_at"], broken["where"]) == (None, "collector"), "the machine answers echoes"
        assert record["authenticated"] is True
        assert record["packet_bytes"] == 112
        assert sum(row[1] for row in record["minutes"]) > 30

        process = started(tmp_path, relay.port)
        try:
            seen = relay.seen
            until(lambda: relay.seen > seen + 40, 60, "silent again")
            relay.cut = False
            ended = time.time()
            answered = about.answered
            until(lambda: about.answered > answered + 10, 60, "answered again")
        finally:
            stopped(process)
        whole = [result for result in results(tmp_path) if result["kind"] == "interruption"]
        (again,) = [result["record"] for result in whole]
        assert again["id"] == broken["id"]
        assert again["began_at"] == broken["began_at"]
        assert abs(_seconds(again["began_at"]) - began) < 1.0
        assert abs(_seconds(again["ended_at"]) - ended) < 2.0


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def test_a_load_on_the_same_line_makes_the_time_unknown() -> None:
    """Nothing is sent while a throughput test of the uplink runs: its own loss is not the line's."""

    async def streamed() -> Observed:
        clock, reports, is_paused = system_clock(), list[Observed](), False
        now = clock.monotonic()
        observer = StreamObserver(0.05, (), lambda begin: "id", now, time.time() - now)
        address = Address("127.0.0.1", socket.AF_INET, 0.0)
        with (
            reflector() as (_, relay),
            closing(StreamSocket(address, relay.port, KEY.encode(), 112, clock, time.time() - now)) as sock,
        ):
            run = StreamRun(sock, {}, None, observer, clock, 0.05, lambda: is_paused)

            async def report(observed: Observed | None) -> None:
                if observed is not None:
                    reports.append(observed)

            async def may_go_on() -> bool:
                return True

            running = asyncio.ensure_future(run.until_over(report, may_go_on))
            for state in (False, True, False):
                is_paused = state
                await asyncio.sleep(1.5)
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
        return reports[-1]

    observed = asyncio.run(streamed())
    assert observed.interruptions == []
    assert sum(row.lost_up + row.lost_down for row in observed.minutes) == 0
    longest = max(row.longest_gap_seconds or 0 for row in observed.minutes)
    assert longest < 1.0
    assert sum(row.sent for row in observed.minutes) < 75
