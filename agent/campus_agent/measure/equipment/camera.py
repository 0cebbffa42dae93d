"""Ask a camera or recorder by ONVIF: its clock, firmware, recording, and where its stream is. One bounded HTTP exchange for each question.

The device's clock comes first, without a password: it is a reading, and what proves the password later must carry the device's own time.
Some tell local time as UTC and check by true UTC, and some have no such call: then the offset that fits is tried. Addresses in answers are never
followed: the host stays that of the inventory; only from plain HTTP to TLS a device may send us. A password is proved by WS-UsernameToken, or by
HTTP Digest where the device asks for that with 401; it is never sent, so HTTP Basic is not answered.
"""

import secrets
from asyncio import timeout
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from time import monotonic
from urllib.parse import urlsplit

from campus_agent.measure.equipment import onvif, xmltree
from campus_agent.measure.equipment.authorization import Login
from campus_agent.measure.equipment.http1 import HttpResponse, authority, request
from campus_agent.measure.equipment.onvif import DEVICE, DEVICE_PATH, MEDIA, RECORDING, OnvifError, Token
from campus_agent.measure.equipment.profile import FROM_ONVIF
from campus_agent.measure.equipment.readings import Readings
from campus_agent.measure.equipment.web import exchange, unchecked
from campus_agent.measure.equipment.xmltree import Element, XmlRefused
from campus_agent.measure.probe import ProbeFailed
from campus_wire.failures import Failure, FailureKind, Operation

PORT, TLS_PORT = 80, 443
CALL_SECONDS = 7.0
ALL_SECONDS = 16.0
"""For all questions together: slow recorders take 2.5 s for each of six. Two that are not answered at all fit."""
MAX_JOBS = 8
"""Recording jobs that are asked for their state: a classroom has one or two."""
MAX_DIGESTS = 3
NONCE_BYTES = 16
SAME_CLOCK = timedelta(seconds=60)
"""Two candidates for a device's clock that are closer are one: devices allow minutes."""
_SPOKE = (
    FailureKind.NOT_AUTHORISED,
    FailureKind.PROTOCOL_ERROR,
    FailureKind.HTTP_STATUS,
    FailureKind.CONNECTION_RESET,
)
"""Failures of one question, by a device that would answer the next."""
_OTHER_SCHEME = (FailureKind.CONNECTION_RESET, FailureKind.PROTOCOL_ERROR, FailureKind.CONNECTION_REFUSED)
"""How plain HTTP fails at a device that accepts only TLS."""
_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(slots=True)
class Camera:
    """One device: its address, the user, its clock and its kind of authentication as learnt so far."""

    host: str
    port: int = PORT
    user: str | None = None
    password: str = field(default="", repr=False)
    tls: bool = False
    answered: Callable[[], None] = lambda: None
    """Called when the device has answered."""
    ahead: timedelta = timedelta(0)
    """How far its clock is ahead of ours, to a second and half a round trip."""
    others: list[timedelta] = field(default_factory=list)
    """What else its clock may be ahead, to be tried when it refuses."""
    dated: timedelta = timedelta(0)
    """The same by its HTTP answers, to a second; 0 where these carry no date."""
    odd: set[str] = field(default_factory=set)
    proved: bool = False
    corrected: bool = False
    """Was the password accepted only with another clock than the device reports?"""
    spoke: bool = False
    _login: Login | None = None
    _certain: bool = False

    async def ask(self, path: str, service: str, operation: str, inner: str = "", signed: bool = True) -> Element:
        """One question. Raises ProbeFailed; NOT_AUTHORISED for any way a device says so."""
        signed = signed and self.user is not None
        first, tried = self.ahead, False
        while True:
            try:
                answer = await self._ask_once(path, service, operation, inner, signed)
            except ProbeFailed as failed:
                refused = failed.failure.kind is FailureKind.NOT_AUTHORISED
                if not refused or not signed or self.proved or self._digest or not self.others:
                    if refused and signed and not self.proved:
                        self.ahead = first
                    raise
                self.ahead, tried = self.others.pop(0), True
            else:
                self.corrected = self.corrected or tried
                self.proved = self.proved or signed
                return answer

    @property
    def _digest(self) -> bool:
        return self._login is not None and self._login.challenged

    async def _ask_once(self, path: str, service: str, operation: str, inner: str, signed: bool) -> Element:
        if self._login is None and self.user is not None:
            self._login = Login(self.user, self.password, basic=False)
        for attempt in range(MAX_DIGESTS):
            proved_by_digest = self._digest
            got, tree = await self._post((path, service, operation, inner), signed)
            if got.status != 401 or not signed or self._login is None:
                break
            if not self._login.take(got.challenges, refused=attempt > 0 and proved_by_digest):
                break
        if got.status in (401, 403):
            raise ProbeFailed(Operation.AUTHENTICATE, FailureKind.NOT_AUTHORISED, f"{operation}: {got.status}")
        if got.status not in (200, 400, 500):  # a fault comes with 400 or 500 (SOAP 1.2 part 2, section 7.5.2.2)
            raise ProbeFailed(Operation.READ, FailureKind.HTTP_STATUS, f"{operation}: status {got.status}")
        try:
            answer = onvif.answer(tree.tree(), operation)
        except (OnvifError, XmlRefused) as error:
            raise _no_answer(error, operation, got) from error
        self.odd |= {f"{operation}: {oddity}" for oddity in tree.odd}
        return answer

    async def _post(self, question: tuple[str, str, str, str], signed: bool) -> tuple[HttpResponse, xmltree.TreeReader]:
        """One exchange; at the first contact from plain HTTP to TLS, where the device accepts nothing else."""
        try:
            got, tree = await self._exchange(question, signed)
        except ProbeFailed as failed:
            kind = failed.failure.kind
            refused = kind is FailureKind.CONNECTION_REFUSED
            if self._certain or self.tls or kind not in _OTHER_SCHEME or (refused and self.port != PORT):
                raise
            plain, self._certain = self.port, True
            try:
                return await self._over_tls(question, signed, TLS_PORT if refused else self.port)
            except ProbeFailed:
                self.port, self.tls = plain, False
                raise failed from None
        tls_port = None if self._certain or self.tls else _tls_port(got, tree, self.port)
        self._certain = True
        return (got, tree) if tls_port is None else await self._over_tls(question, signed, tls_port)

    async def _over_tls(
        self, question: tuple[str, str, str, str], signed: bool, port: int
    ) -> tuple[HttpResponse, xmltree.TreeReader]:
        self.port, self.tls = port, True
        return await self._exchange(question, signed)

    async def _exchange(
        self, question: tuple[str, str, str, str], signed: bool
    ) -> tuple[HttpResponse, xmltree.TreeReader]:
        tree = xmltree.TreeReader(onvif.NEEDED, onvif.MAX_ANSWER_BYTES)
        request = self._request(*question, signed)
        context = unchecked() if self.tls else None
        try:
            got = await exchange(self.host, self.port, request, context, CALL_SECONDS, tree.feed, self._heard)
        except XmlRefused as error:
            self._heard()
            raise ProbeFailed(Operation.READ, FailureKind.PROTOCOL_ERROR, f"{question[2]}: {error}") from None
        self._learn_date(got)
        return got, tree

    def _learn_date(self, got: HttpResponse) -> None:
        """The clock by the Date of an HTTP answer (RFC 9110 section 6.6.1), for devices that do not report it otherwise."""
        try:
            date = parsedate_to_datetime(got.headers.get("date", ""))
        except (TypeError, ValueError, OverflowError):
            return
        self.dated = (date if date.tzinfo else date.replace(tzinfo=UTC)) - datetime.now(UTC)

    def _heard(self) -> None:
        """Bytes of the device have come."""
        self.spoke = True
        self.answered()

    def _request(self, path: str, service: str, operation: str, inner: str, signed: bool) -> bytes:
        headers = {"Content-Type": onvif.content_type(service, operation)}
        token = None
        proof = self._login.header("POST", path) if signed and self._login is not None else None
        if proof is not None:
            headers["Authorization"] = proof
        elif signed:
            created = datetime.now(UTC) + self.ahead
            token = Token(self.user or "", self.password, secrets.token_bytes(NONCE_BYTES), created)
        body = onvif.envelope(onvif.call(service, operation, inner), token)
        return request("POST", authority(self.host, self.port), path, headers, body)


def _no_answer(error: OnvifError | XmlRefused, operation: str, got: HttpResponse) -> ProbeFailed:
    """Why an answer is not the one asked for."""
    detail = f"{operation}: {error}"
    if isinstance(error, OnvifError) and error.refused:
        return ProbeFailed(Operation.AUTHENTICATE, FailureKind.NOT_AUTHORISED, detail)
    if not got.whole:
        return ProbeFailed(Operation.READ, FailureKind.TIMEOUT, f"{operation}: an answer without end")
    fault = isinstance(error, OnvifError) and error.codes
    kind = FailureKind.PROTOCOL_ERROR if got.status == 200 or fault else FailureKind.HTTP_STATUS
    return ProbeFailed(Operation.READ, kind, detail)


def _tls_port(got: HttpResponse, tree: xmltree.TreeReader, port: int) -> int | None:
    """The port at which a device wants TLS, by its redirect or by its complaint about plain HTTP; None when it does not."""
    if got.status == 400 and (tree.root is None or tree.root.name.lower() == "html"):
        return port
    if got.status not in _REDIRECTS:
        return None
    try:
        moved = urlsplit(got.headers.get("location", ""))
        return (moved.port or TLS_PORT) if moved.scheme == "https" else None
    except ValueError:
        return None


async def read_camera(camera: Camera, needed: Collection[str], into: Readings, zone: timedelta) -> str | None:
    """Puts the device's answers into readings; returns the address of its main stream where it was asked for and given. `zone`: the school's, from UTC.

    Raises ProbeFailed when nothing comes. What does not come is a reading that failed; a recording service that is not there leaves no
    reading at all.
    """
    asked = [name for name in FROM_ONVIF if name in needed]
    end = monotonic() + ALL_SECONDS
    reported_offset = await _clock(camera, "clock_offset_seconds" in asked, into, zone)  # a few exchanges, each bounded
    first = into.failed.get("clock_offset_seconds")
    url = None
    try:
        async with timeout(end - monotonic()):
            if "firmware" in asked:
                await _step("firmware", into, _firmware(camera, into))
            if "recording" in asked or "stream_up" in asked:
                url = await _services(camera, asked, into)
    except TimeoutError:
        late = Failure(Operation.READ, FailureKind.TIMEOUT, f"not answered within {ALL_SECONDS:g} s")
        _all_failed([name for name in asked if name != "clock_offset_seconds"], late, into)
    except ProbeFailed as failed:
        _all_failed([name for name in asked if name != "clock_offset_seconds"], failed.failure, into)
    if not camera.spoke:
        nothing = Failure(Operation.READ, FailureKind.CONNECTION_RESET, "closed without an answer")
        why = first or next(iter(into.failed.values()), nothing)
        raise ProbeFailed(why.operation, why.kind, why.detail)
    if reported_offset is not None and "clock_offset_seconds" in asked:
        into.offer("clock_offset_seconds", (camera.ahead if camera.corrected else reported_offset).total_seconds())
    into.odd += [f"onvif: {oddity}" for oddity in sorted(camera.odd)]
    return url


async def _clock(camera: Camera, needed: bool, into: Readings, zone: timedelta) -> timedelta | None:
    """Learn the clock: how far it says it is ahead, None when it does not say. Raises ProbeFailed when the device says nothing at all."""
    question = (DEVICE_PATH, DEVICE, "GetSystemDateAndTime")
    offset, zones = None, {zone}
    try:
        before = datetime.now(UTC)
        try:
            answer = await camera.ask(*question, signed=False)
        except ProbeFailed as failed:
            if failed.failure.kind is not FailureKind.NOT_AUTHORISED or camera.user is None:
                raise
            camera.others = [camera.dated, zone, -zone]
            before = datetime.now(UTC)
            answer = await camera.ask(*question)  # some want a password even for this, against the specification
        middle = before + (datetime.now(UTC) - before) / 2
        zones |= {hours for hours in (onvif.zone(answer),) if hours is not None}
        offset = onvif.utc(answer) - middle
    except OnvifError as error:
        if needed:
            into.fail("clock_offset_seconds", f"GetSystemDateAndTime: {error}")
    except ProbeFailed as failed:
        silent = (failed.failure.operation, failed.failure.kind) == (Operation.READ, FailureKind.TIMEOUT)
        if failed.failure.kind not in _SPOKE and not silent:  # one that is silent to this may answer the next
            raise
        if needed:
            into.lack("clock_offset_seconds", failed.failure)
    if not camera.proved:
        camera.ahead = offset if offset is not None else camera.dated
        candidates = [camera.ahead + sign * hours for hours in sorted(zones) for sign in (-1, 1)]
        camera.others = _apart(camera.ahead, [*candidates[:2], timedelta(0), camera.dated, *candidates[2:]])
    return offset


def _apart(first: timedelta, candidates: list[timedelta]) -> list[timedelta]:
    """Guesses that differ from the first and from each other by more than devices allow."""
    apart = [first]
    for candidate in candidates:
        if all(abs(candidate - other) > SAME_CLOCK for other in apart):
            apart.append(candidate)
    return apart[1:]


async def _firmware(camera: Camera, into: Readings) -> None:
    identity = onvif.identity(await camera.ask(DEVICE_PATH, DEVICE, "GetDeviceInformation"))
    into.offer("firmware", f"{identity.model} {identity.firmware}".strip())


async def _services(camera: Camera, asked: Collection[str], into: Readings) -> str | None:
    """What hangs on the addresses of services: recording, and where the stream is."""
    addressed = [name for name in ("recording", "stream_up") if name in asked]
    urls: list[str] = []
    try:
        services = await _addresses(camera, "stream_up" in asked)
    except (ProbeFailed, OnvifError) as error:
        _all_failed(addressed, _failure(error), into)
        return None
    if "recording" in addressed and services.recording is not None:
        await _step("recording", into, _recording(camera, services.recording, into))
    if "stream_up" in addressed:
        await _step("stream_up", into, _stream(camera, services.media, urls))
    return urls[0] if urls else None


async def _addresses(camera: Camera, media_needed: bool) -> onvif.Services:
    """By GetServices; by GetCapabilities for a device that has not that, answers it with whatever it likes, or leaves the media service out."""
    services, problem = onvif.Services(None, None), None
    try:
        services = onvif.services(await camera.ask(DEVICE_PATH, DEVICE, "GetServices", onvif.ONLY_ADDRESSES))
    except ProbeFailed as failed:
        if failed.failure.kind not in _SPOKE:
            raise
        problem = failed
    if problem is None and (services.media is not None or not media_needed):
        return services
    try:
        older = onvif.capabilities(await camera.ask(DEVICE_PATH, DEVICE, "GetCapabilities", onvif.ALL_CAPABILITIES))
    except ProbeFailed as failed:
        if failed.failure.kind not in _SPOKE:
            raise
        if problem is not None:
            raise problem from None
        return services
    return onvif.Services(services.media or older.media, services.recording or older.recording)


async def _recording(camera: Camera, path: str, into: Readings) -> None:
    try:
        jobs = onvif.jobs(await camera.ask(path, RECORDING, "GetRecordingJobs"))
    except ProbeFailed as failed:
        if isinstance(failed.__cause__, OnvifError) and failed.__cause__.unknown:
            return  # a recording service without jobs says nothing about recording
        raise
    states = []
    for token in jobs[:MAX_JOBS]:
        answer = await camera.ask(path, RECORDING, "GetRecordingJobState", onvif.job(token))
        states.append(onvif.job_state(answer))
    value = onvif.recording(states)
    if value is not None:
        into.offer("recording", value)


async def _stream(camera: Camera, path: str | None, urls: list[str]) -> None:
    if path is None:
        raise OnvifError("the device names no media service (version 10)")
    tokens = onvif.profiles(await camera.ask(path, MEDIA, "GetProfiles"))
    if not tokens:
        raise OnvifError("GetProfiles: none")
    answer = await camera.ask(path, MEDIA, "GetStreamUri", onvif.stream_of(tokens[0]))
    urls.append(onvif.stream_uri(answer, camera.host))


async def _step(reading: str, into: Readings, doing: Awaitable[None]) -> None:
    """One reading; a device that falls silent ends all of them at once, one that refuses or errs only this."""
    try:
        await doing
    except (ProbeFailed, OnvifError) as error:
        into.lack(reading, _failure(error))
        if isinstance(error, ProbeFailed) and error.failure.kind not in _SPOKE:
            raise


def _failure(error: ProbeFailed | OnvifError) -> Failure:
    if isinstance(error, ProbeFailed):
        return error.failure
    return Failure(Operation.READ, FailureKind.PROTOCOL_ERROR, str(error)[:300])


def _all_failed(names: Collection[str], failure: Failure, into: Readings) -> None:
    for name in names:
        if name not in into.failed:
            into.lack(name, failure)
