"""A real Dask cluster on loopback: a scheduler and workers as people start them, one of them killed in the middle."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from campus_collector.cli.main import main
from campus_collector.rejudge import cluster as cluster_module
from campus_collector.rejudge.cluster import _refusal, by_cluster, worker_state
from campus_collector.rejudge.part import Part, PartFailure, PartOutcome, decode_answer, encode_part, judge_part
from campus_collector.rejudge.plan import plan
from campus_collector.rejudge.processes import WorkersFailed
from campus_wire.version import VERSION
from tests.collector.rejudge.county import MONTHS, changed_policy, copy_of

pytest.importorskip("distributed", reason="the extra [cluster] is not installed")
START_SECONDS = 120
QUIET = {"DASK_DISTRIBUTED__WORKER__DAEMON": "False", "DASK_DISTRIBUTED__ADMIN__TICK__LIMIT": "1h"}


class Cluster:
    """A scheduler with workers of one thread, without nannies: nobody starts a killed worker again."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._processes = folder, list[subprocess.Popen[bytes]]()
        self._file = folder / "scheduler.json"
        self.scheduler = self._start(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show",
            "--scheduler-file", str(self._file),
        )  # fmt: skip
        until = time.monotonic() + START_SECONDS
        while not self._file.exists():
            assert self.scheduler.poll() is None
            assert time.monotonic() < until
            time.sleep(0.1)
        self.address: str = json.loads(self._file.read_text())["address"]

    def worker(self, *more: str) -> subprocess.Popen[bytes]:
        return self._start(
            "worker", self.address, "--no-nanny", "--nthreads", "1", "--host", "127.0.0.1", "--no-dashboard",
            "--local-directory", str(self._folder), *more,
        )  # fmt: skip

    def _start(self, what: str, *options: str) -> subprocess.Popen[bytes]:
        with (self._folder / f"{what}-{len(self._processes)}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", what, *options], stdout=log, stderr=log, env=os.environ | QUIET
            )
        self._processes.append(process)
        return process

    def stop(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    started = Cluster(folder)
    try:
        yield started
    finally:
        started.stop()


def locally(parts: tuple[Part, ...]) -> dict[tuple[str, str], object]:
    return {(part.month, part.town): decode_answer(judge_part(encode_part(part))) for part in parts}


def test_a_killed_worker_costs_a_retry_and_the_answer_is_the_same(archive: Path, tmp_path: Path) -> None:
    parts = plan(archive, MONTHS, "").parts
    repeated = parts * 3
    answers = []
    with cluster(tmp_path) as dask:
        first = dask.worker()
        dask.worker()
        for answer in by_cluster(repeated, dask.address, START_SECONDS):
            answers.append(answer)
            if len(answers) == 3:
                os.kill(first.pid, signal.SIGKILL)
    assert len(answers) == len(repeated)
    assert {(each.month, each.town): each for each in answers if isinstance(each, PartOutcome)} == locally(parts)


def test_the_command_gives_the_same_bytes_as_processes_do(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = changed_policy(tmp_path, "passing_share = 0.80", "passing_share = 0.60")
    options = ["rejudge", "--archive", str(archive), "--months", f"{MONTHS[0]}..{MONTHS[1]}", "--policy", str(policy)]
    printed = []
    with cluster(tmp_path) as dask:
        dask.worker()
        dask.worker()
        for number, engine in enumerate((["--scheduler", dask.address], ["--workers", "1"])):
            out = tmp_path / f"{number}.xlsx"
            assert main([*options, *engine, "--json", "--out", str(out)]) == 0
            printed.append((capsys.readouterr().out, out.read_bytes()))
    assert printed[0] == printed[1]


def test_workers_that_cannot_judge_are_refused(archive: Path, tmp_path: Path) -> None:
    preload = tmp_path / "older.py"
    preload.write_text('import campus_wire.version\n\ncampus_wire.version.VERSION = "0.0.1"\n')
    parts = plan(archive, MONTHS[:1], "").parts
    with cluster(tmp_path) as dask:
        with pytest.raises(WorkersFailed, match="no worker for 1 s"):
            list(by_cluster(parts, dask.address, 1.0))
        older = dask.worker("--preload", str(preload))
        with pytest.raises(WorkersFailed, match=rf"0\.0\.1.*{VERSION.replace('.', '[.]')}"):
            list(by_cluster(parts, dask.address, START_SECONDS))
        older.kill()
        older.wait()


def test_a_scheduler_that_is_killed_is_named(archive: Path, tmp_path: Path) -> None:
    parts = plan(archive, MONTHS, "").parts * 3
    with cluster(tmp_path) as dask:
        dask.worker()
        answers = by_cluster(parts, dask.address, START_SECONDS)
        next(answers)
        dask.scheduler.kill()
        with pytest.raises(WorkersFailed, match="the scheduler is gone"):
            list(answers)
        with pytest.raises(WorkersFailed, match="no scheduler answers"):
            list(by_cluster(parts, dask.address, 1.0))


def test_a_damaged_archive_is_named_from_a_worker(archive: Path, tmp_path: Path) -> None:
    copy = copy_of(archive, tmp_path)
    parts = plan(copy, MONTHS[:1], "").parts
    file = sorted((copy / f"month={MONTHS[0]}").glob("town=*/results.parquet"))[0]
    with cluster(tmp_path) as dask:
        dask.worker()
        file.write_bytes(file.read_bytes()[:-100])
        answers = list(by_cluster(parts, dask.address, START_SECONDS))
        failures = [each for each in answers if isinstance(each, PartFailure)]
        assert len(failures) == 1
        assert str(file) in failures[0].words.en


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ((VERSION, ""), None),
        (("0.0.1", ""), "0.0.1"),
        ((VERSION, "/archive/month=2026-10"), "/archive/month=2026-10"),
        (ModuleNotFoundError("No module named 'campus_collector'"), "No module named 'campus_collector'"),
    ],
)
def test_what_a_worker_says_of_itself(state: object, words: str | None) -> None:
    refusal = _refusal(state)
    assert (refusal is None) == (words is None)
    assert words is None or words in refusal.en  # type: ignore[union-attr]


def test_a_worker_says_which_archive_it_lacks(archive: Path, tmp_path: Path) -> None:
    there, away = str(archive / f"month={MONTHS[0]}"), str(tmp_path / "month=2026-10")
    assert worker_state([there]) == (VERSION, "")
    assert worker_state([there, away]) == (VERSION, away)


@contextmanager
def listener(answer: bytes) -> Iterator[str]:
    """The address of a port that takes connections, and answers each with these bytes; with none it says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server, ExitStack() as taken:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection = taken.enter_context(server.accept()[0])
                    if answer:
                        connection.sendall(answer)
                        connection.shutdown(socket.SHUT_WR)

        threading.Thread(target=serve, daemon=True).start()
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "no scheduler answers: connections are taken, and nothing is said for 5 s"),
        (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "what answers is no Dask scheduler"),
        (b"\0" * 64, "what answers is no Dask scheduler"),
    ],
)
def test_a_port_that_is_no_scheduler_is_named(
    answer: bytes, words: str, archive: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cluster_module, "MOST_CONNECT_SECONDS", 5.0 if not answer else START_SECONDS)
    with listener(answer) as address:
        assert main(["rejudge", "--archive", str(archive), "--months", MONTHS[0], "--scheduler", address]) == 1
    error = capsys.readouterr().err
    assert f"{address}: {words}" in error
    assert error.count("\n") == 1


def test_without_dask_it_is_said(
    archive: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    code = main(["rejudge", "--archive", str(archive), "--months", MONTHS[0], "--scheduler", "tcp://127.0.0.1:1"])
    assert code == 1
    assert "campusmeter[cluster]" in capsys.readouterr().err
