"""Judges parts by processes of this machine. A process that ends costs a retry of the part that it had."""

import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from campus_base.messages import Message, message
from campus_collector.rejudge.part import Part, PartFailure, PartOutcome, decode_answer, encode_part
from campus_collector.rejudge.worker import read_message, write_message

MOST_ATTEMPTS = 3
"""A part that ended so many processes is not tried again: it is the part."""
Answer = PartOutcome | PartFailure


class WorkersFailed(Exception):
    """Whoever was to judge cannot; the words say why."""

    def __init__(self, words: Message) -> None:
        self.words = words
        super().__init__(words.en)


def by_processes(parts: Sequence[Part], workers: int, started: Callable[[int], None] | None = None) -> Iterator[Answer]:
    """The answer to each part, in the order in which they are done; `started` is called with the id of each process. Raises WorkersFailed."""
    pool = _Pool(parts, started)
    try:
        yield from pool.answers(min(workers, len(parts)))
    finally:
        pool.stop()


class _Pool:
    def __init__(self, parts: Sequence[Part], started: Callable[[int], None] | None) -> None:
        self._number = len(parts)
        self._waiting: queue.SimpleQueue[tuple[Part, int] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Answer | WorkersFailed] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._threads: list[threading.Thread] = []
        self._stopped = False
        self._started = started
        for part in parts:
            self._waiting.put((part, 1))

    def answers(self, workers: int) -> Iterator[Answer]:
        self._threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(workers)]
        for thread in self._threads:
            thread.start()
        for _ in range(self._number):
            answer = self._done.get()
            if isinstance(answer, WorkersFailed):
                raise answer
            yield answer

    def stop(self) -> None:
        """End the processes; none is left when it returns."""
        with self._lock:
            self._stopped = True
            for process in self._processes:
                process.kill()
        self._waiting.put(None)
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        """One process, and another when it ends, until there is nothing to do."""
        process: subprocess.Popen[bytes] | None = None
        try:
            while (item := self._waiting.get()) is not None:
                part, attempt = item
                process = process or self._start()
                answer = None if process is None else _asked(process, part)
                if answer is not None:
                    self._done.put(answer)
                elif self._stopped:
                    break
                elif attempt < MOST_ATTEMPTS:
                    _end(process)
                    process = None
                    self._waiting.put((part, attempt + 1))
                else:
                    words = message("{month} {town}: {attempts} processes ended while they judged it")
                    values = {"month": part.month, "town": part.town, "attempts": attempt}
                    self._done.put(WorkersFailed(words.with_(**values)))
                    break
        except OSError as error:
            self._done.put(
                WorkersFailed(message("a process cannot be started: {why}", why=error.strerror or str(error)))
            )
        finally:
            _end(process)
            self._waiting.put(None)  # for the next thread

    def _start(self) -> subprocess.Popen[bytes] | None:
        """None after `stop`. Raises OSError."""
        with self._lock:
            if self._stopped:
                return None
            command = [sys.executable, "-m", "campus_collector.rejudge.worker"]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self._processes.add(process)
        if self._started is not None:
            self._started(process.pid)
        return process


def _asked(process: subprocess.Popen[bytes], part: Part) -> Answer | None:
    """None when the process ended."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        write_message(process.stdin, encode_part(part))
    except OSError:
        return None
    body = read_message(process.stdout)
    return None if body is None else decode_answer(body)


def _end(process: subprocess.Popen[bytes] | None) -> None:
    """Wait until the process, which has nothing more to read, is gone."""
    if process is not None:
        with suppress(OSError):
            process.communicate()
