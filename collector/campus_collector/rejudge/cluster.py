"""Judges parts on a Dask cluster (`distributed`). Its scheduler gives the part of a worker that is lost to another one.

Every worker reads the archive under the same path, and runs the same version of this program. Whoever reaches a scheduler can run any code on
its workers: it belongs into a closed network.
"""

import logging
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from time import monotonic
from typing import Any

from campus_base.messages import Message, message, verbatim
from campus_collector.rejudge.part import Part, PartFailure, decode_answer, encode_part, judge_part, other_program
from campus_collector.rejudge.processes import Answer, WorkersFailed
from campus_collector.store.archive.format import MANIFEST
from campus_wire.version import VERSION

CONNECT_SECONDS = 10
MOST_CONNECT_SECONDS = 20.0
"""More than the connection's own limit, which does not cover each of its steps."""
NO_WORKER_SECONDS = 60.0
"""So long a cluster may be without any worker."""
LOOK_SECONDS = 1.0
_GONE = message("the scheduler is gone")
MOST_REASON_LETTERS = 200


def by_cluster(parts: Sequence[Part], scheduler: str, no_worker_seconds: float = NO_WORKER_SECONDS) -> Iterator[Answer]:
    """The answer to each part, in the order in which they are done. Raises WorkersFailed."""
    with _client(scheduler) as client:
        _wait_for_workers(client, no_worker_seconds)
        _check_workers(client, sorted({part.folder for part in parts}))
        run = token_hex(4)
        futures = [
            client.submit(judge_part, encode_part(part), key=f"campus-rejudge-{run}-{number}", pure=False)
            for number, part in enumerate(parts)
        ]
        yield from _answers(client, dict(zip(futures, parts, strict=True)), no_worker_seconds)


@contextmanager
def _client(scheduler: str) -> Iterator[Any]:
    try:
        from distributed import Client
    except ImportError:
        raise WorkersFailed(message("a cluster needs Dask: pip install 'campusmeter[cluster]'")) from None
    for name in ("distributed", "distributed.client"):  # what is lost is tried again, or reported here
        logging.getLogger(name).setLevel(logging.CRITICAL)
    client = _connected(lambda: Client(scheduler, timeout=CONNECT_SECONDS), scheduler)
    try:
        yield client
    finally:
        client.close(timeout=CONNECT_SECONDS)


def _connected(connect: Callable[[], Any], scheduler: str) -> Any:
    """What `connect` gives. It runs in a thread, because Dask waits without an end for a port that takes connections and says nothing, and ends with
    any exception, MemoryError too, where something else answers. Raises WorkersFailed."""
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put(connect())
        except Exception as error:
            answers.put(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        answer = answers.get(timeout=MOST_CONNECT_SECONDS)
    except queue.Empty:
        raise WorkersFailed(
            message(
                "{scheduler}: no scheduler answers: connections are taken, and nothing is said for {seconds} s",
                scheduler=scheduler,
                seconds=round(MOST_CONNECT_SECONDS),
            )
        ) from None
    if isinstance(answer, OSError | ValueError):  # nobody is there, in time; or the address is none
        raise WorkersFailed(
            message("{scheduler}: no scheduler answers: {why}", scheduler=scheduler, why=_reason(answer))
        )
    if isinstance(answer, Exception):
        words = message("{scheduler}: what answers is no Dask scheduler ({why})")
        raise WorkersFailed(words.with_(scheduler=scheduler, why=_reason(answer)))
    return answer


def _wait_for_workers(client: Any, seconds: float) -> None:
    try:
        client.wait_for_workers(1, timeout=seconds)
    except TimeoutError:
        raise WorkersFailed(_no_worker(seconds)) from None


def _no_worker(seconds: float) -> Message:
    return message("the cluster had no worker for {seconds} s", seconds=round(seconds))


def worker_state(folders: Sequence[str]) -> tuple[str, str]:
    """On a worker: the program's version, and the first of these folders that has no archive there; "" when all have."""
    lacking = [folder for folder in folders if not (Path(folder) / MANIFEST).exists()]
    return VERSION, lacking[0] if lacking else ""


def _check_workers(client: Any, folders: Sequence[str]) -> None:
    """Raises WorkersFailed when any is of another version, or does not see the archive."""
    states: Mapping[str, Any] = client.run(worker_state, folders, on_error="return")
    for worker, state in sorted(states.items()):
        words = _refusal(state)
        if words is not None:
            raise WorkersFailed(message("{worker}: {words}", worker=worker, words=words))


def _refusal(state: object) -> Message | None:
    """Why a worker is not used."""
    if not isinstance(state, tuple):
        return message(
            "the worker cannot run version {version} of this program: {why}", version=VERSION, why=_reason(state)
        )
    version, lacking = state
    if version != VERSION:
        return other_program(version, VERSION)
    return message("the worker does not see {folder}", folder=lacking) if lacking else None


def _answers(client: Any, waiting: dict[Any, Part], seconds: float) -> Iterator[Answer]:
    """Raises WorkersFailed when the scheduler is gone, or no worker is left."""
    done: queue.SimpleQueue[Any] = queue.SimpleQueue()
    for future in waiting:
        future.add_done_callback(done.put)
    last_worker = monotonic()
    while waiting:
        try:
            future = done.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            if _has_worker(client):
                last_worker = monotonic()
            elif monotonic() - last_worker > seconds:
                raise WorkersFailed(_no_worker(seconds)) from None
            continue
        last_worker = monotonic()
        if future.status == "cancelled":
            raise WorkersFailed(_GONE)
        yield _answer(future, waiting.pop(future))
        future.release()


def _has_worker(client: Any) -> bool:
    """Raises WorkersFailed when the scheduler does not say."""
    if client.status == "running":
        try:
            identity = client.sync(client.scheduler.identity, n_workers=-1, callback_timeout=CONNECT_SECONDS)
            return bool(identity["workers"])
        except (OSError, AttributeError):  # also TimeoutError; without a connection there is no `scheduler`
            pass
    raise WorkersFailed(_GONE)


def _answer(future: Any, part: Part) -> Answer:
    try:
        answer: bytes = future.result(timeout=CONNECT_SECONDS)
        decoded: Answer = decode_answer(answer)
        return decoded
    except Exception as error:  # whatever happened on a worker
        words = message("{month} {town}: not judged: {why}", month=part.month, town=part.town, why=_reason(error))
        return PartFailure(words)


def _reason(error: object) -> Message:
    words = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
    return verbatim(words[:MOST_REASON_LETTERS])
