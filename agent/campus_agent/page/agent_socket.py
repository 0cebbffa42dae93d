"""Answers the agent on a socket in the state folder: which classrooms have a waiting page, and a test of a line that such a page carries."""

import logging
import os
import socketserver
import threading
from contextlib import suppress
from pathlib import Path

import msgspec

from campus_agent.measure.browser.messages import MAX_LINE_BYTES, PageAnswer, PageQuestion
from campus_agent.measure.probe import Finding
from campus_agent.measure.request import ThroughputRequest
from campus_agent.page.carried_test import CarriedTest
from campus_agent.page.waiting import WaitingPages
from campus_wire.failures import Failure, FailureKind, Operation, Validity
from campus_wire.records import ThroughputRecord

log = logging.getLogger(__name__)
QUESTION_SECONDS = 5.0


class CarriedTests:
    """The one test at a time that a waiting page carries; the agent holds the gate meanwhile."""

    def __init__(self, pages: WaitingPages) -> None:
        self.pages = pages
        self._turn = threading.Lock()
        self.running: CarriedTest | None = None

    def run(self, request: ThroughputRequest, handler: "AgentHandler") -> Finding[ThroughputRecord]:
        """Measure the classroom of this request by its page; `handler` sends the progress to the agent. Raises OSError."""
        if not self._turn.acquire(blocking=False):
            return _failed(Failure(Operation.REQUEST, FailureKind.BUSY, "another test runs by a waiting page"))
        try:
            return self._run(request, handler)
        finally:
            self.running = None
            self._turn.release()

    def _run(self, request: ThroughputRequest, handler: "AgentHandler") -> Finding[ThroughputRecord]:
        client = self.pages.client_of(request.subject)
        failure = self.pages.absence(request.subject)
        if client is None:
            detail = "the page of this classroom was just answered and is not back yet"
            return _failed(failure or Failure(Operation.CONNECT, FailureKind.BUSY, detail))
        test = self.running = CarriedTest(
            request, client, lambda progress: handler.answer(PageAnswer(progress=progress))
        )
        page = self.pages.take(request.subject, test.id)
        if page is None or page.client != client:
            test.over.set()
            return _failed(Failure(Operation.CONNECT, FailureKind.BUSY, "another page took its place at this moment"))
        return test.run(page.browser, hidden=page.hidden, network=page.network)


class AgentSocket(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Listens in the state folder, for the service's own user (and root)."""

    daemon_threads = True

    def __init__(self, path: Path, tests: CarriedTests) -> None:
        """Takes the place of what an earlier process left. Raises OSError."""
        self.tests = tests
        with suppress(FileNotFoundError):
            path.unlink()
        before = os.umask(0o177)
        try:
            super().__init__(str(path), AgentHandler)
        finally:
            os.umask(before)


class AgentHandler(socketserver.StreamRequestHandler):
    """One question a connection."""

    server: AgentSocket

    def handle(self) -> None:
        self.connection.settimeout(QUESTION_SECONDS)
        try:
            question = msgspec.json.decode(self.rfile.readline(MAX_LINE_BYTES), type=PageQuestion)
        except (OSError, msgspec.MsgspecError):
            return
        if question.test is not None:
            try:
                finding = self.server.tests.run(question.test, self)
            except OSError as error:
                finding = _failed(Failure(Operation.TRANSFER, FailureKind.UNKNOWN, str(error)[:300]))
            self.answer(PageAnswer(finding=finding))
            return
        pages = self.server.tests.pages
        away = {room: failure for room in question.present if (failure := pages.absence(room)) is not None}
        self.answer(PageAnswer(away))

    def answer(self, answer: PageAnswer) -> None:
        """Send a line; an agent that went away is not worth an error."""
        with suppress(OSError):
            self.wfile.write(msgspec.json.encode(answer) + b"\n")


def listen_for_agent(path: Path, tests: CarriedTests) -> AgentSocket | None:
    """Serve in a thread; None, and a line in the log, where the folder does not allow it: the page itself goes on."""
    try:
        server = AgentSocket(path, tests)
    except OSError as error:
        log.error("the agent cannot ask this page for tests", extra={"socket": str(path), "error": str(error)})
        return None
    threading.Thread(target=server.serve_forever, args=(0.5,), name="page-agent", daemon=True).start()
    return server


def _failed(failure: Failure) -> Finding[ThroughputRecord]:
    return Finding(None, Validity.ENDPOINT_OFF, failure, failure.detail)
