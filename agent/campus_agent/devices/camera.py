"""Ask a camera or recorder by ONVIF: its clock, firmware, recording, and where its stream is. One bounded HTTP exchange for each question.

The device's clock comes first, without a password: it is a reading, and what proves the password later must carry the device's own time.
Addresses in answers are never followed: host and port stay those of the inventory. A password is proved by WS-UsernameToken, or by HTTP
Digest where the device asks for that with 401; it is never sent, so HTTP Basic is not answered.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic

from campus_agent.devices import onvif
from campus_agent.devices.authorization import authorization
from campus_agent.devices.http1 import Answer, authority, request
from campus_agent.devices.onvif import DEVICE, DEVICE_PATH, MEDIA, RECORDING, OnvifError, Token
from campus_agent.devices.profile import FROM_ONVIF
from campus_agent.devices.readings import Readings
from campus_agent.devices.web import exchange
from campus_agent.devices.xmltree import Element
from campus_agent.measure.probe import ProbeFailed
from campus_wire.failures import Failure, FailureKind, Operation

PORT = 80
CALL_SECONDS = 2.0
ALL_SECONDS = 7.0
"""For all questions together: slow cameras take half a second for each of eight."""
MAX_JOBS = 8
"""Recording jobs that are asked for their state: a classroom has one or two."""
NONCE_BYTES = 16
_SPOKE = (FailureKind.NOT_AUTHORISED, FailureKind.PROTOCOL_ERROR, FailureKind.HTTP_STATUS)
"""Failures of one question, by a device that would answer the next."""


@dataclass(slots=True)
class Camera:
    """One device: where it is, who we are to it, and what it has told about its clock and its way to ask for passwords."""

    host: str
    port: int = PORT
    user: str | None = None
    password: str = field(default="", repr=False)
    ahead: timedelta = timedelta(0)
    """How far its clock is ahead of ours, to a second and half a round trip."""
    challenges: tuple[str, ...] = ()

    async def ask(self, path: str, service: str, operation: str, inner: str = "", signed: bool = True) -> Element:
        """One question. Raises ProbeFailed; NOT_AUTHORISED for any way a device says so."""
        for attempt in range(2):
            got = await self._post(path, service, operation, inner, signed and self.user is not None)
            challenges = tuple(one for one in got.challenges if one.lower().startswith("digest"))
            if got.status != 401 or attempt or not challenges or not signed or self.user is None:
                break
            self.challenges = challenges
        if got.status in (401, 403):
            raise ProbeFailed(Operation.AUTHENTICATE, FailureKind.NOT_AUTHORISED, f"{operation}: {got.status}")
        if got.status not in (200, 400, 500):  # a fault comes with 400 or 500 (SOAP 1.2 part 2, section 7.5.2.2)
            raise ProbeFailed(Operation.READ, FailureKind.HTTP_STATUS, f"{operation}: status {got.status}")
        try:
            return onvif.answer(got.body, operation)
        except OnvifError as error:
            detail = f"{operation}: {error}"
            if error.refused:
                raise ProbeFailed(Operation.AUTHENTICATE, FailureKind.NOT_AUTHORISED, detail) from error
            kind = FailureKind.PROTOCOL_ERROR if got.status == 200 or error.codes else FailureKind.HTTP_STATUS
            raise ProbeFailed(Operation.READ, kind, detail) from error

    async def _post(self, path: str, service: str, operation: str, inner: str, signed: bool) -> Answer:
        headers = {"Content-Type": onvif.content_type(service, operation)}
        token = None
        if signed and self.challenges:
            nonce = secrets.token_hex(8)
            proof = authorization(self.challenges, "POST", path, self.user or "", self.password, nonce)
            headers |= {"Authorization": proof} if proof is not None else {}
        elif signed:
            created = datetime.now(UTC) + self.ahead
            token = Token(self.user or "", self.password, secrets.token_bytes(NONCE_BYTES), created)
        body = onvif.envelope(onvif.call(service, operation, inner), token)
        octets = request("POST", authority(self.host, self.port), path, headers, body)
        return await exchange(self.host, self.port, octets, seconds=CALL_SECONDS)


async def read_camera(
    camera: Camera, wanted: Collection[str], into: Readings, heard: Callable[[], None] = lambda: None
) -> str | None:
    """Put what the device tells into readings; the address of its main stream, where wanted and told.

    Calls `heard` as soon as anything came. Raises ProbeFailed when nothing does. What does not come is a reading that failed; a recording
    service that is not there leaves no reading at all.
    """
    asked = [name for name in FROM_ONVIF if name in wanted]
    end = monotonic() + ALL_SECONDS
    await _clock(camera, "clock_offset_seconds" in asked, into)  # two exchanges at most, each bounded
    heard()
    try:
        async with asyncio.timeout(end - monotonic()):
            if "firmware" in asked:
                await _step("firmware", into, _firmware(camera, into))
            if "recording" in asked or "stream_up" in asked:
                return await _services(camera, asked, into)
    except TimeoutError:
        late = Failure(Operation.READ, FailureKind.TIMEOUT, f"not answered within {ALL_SECONDS:g} s")
        _all_failed(asked, late, into)
    except ProbeFailed as failed:
        _all_failed(asked, failed.failure, into)
    return None


async def _clock(camera: Camera, wanted: bool, into: Readings) -> None:
    """Learn the clock. Raises ProbeFailed when the device says nothing at all."""
    question = (DEVICE_PATH, DEVICE, "GetSystemDateAndTime")
    try:
        before = datetime.now(UTC)
        try:
            told = await camera.ask(*question, signed=False)
        except ProbeFailed as failed:
            if failed.failure.kind is not FailureKind.NOT_AUTHORISED or camera.user is None:
                raise
            before = datetime.now(UTC)
            told = await camera.ask(*question)  # some want a password even for this, against the specification
        middle = before + (datetime.now(UTC) - before) / 2
        camera.ahead = onvif.utc(told) - middle
        if wanted:
            into.offer("clock_offset_seconds", camera.ahead.total_seconds())
    except OnvifError as error:
        if wanted:
            into.fail("clock_offset_seconds", f"GetSystemDateAndTime: {error}")
    except ProbeFailed as failed:
        if failed.failure.kind not in _SPOKE:
            raise
        if wanted:
            into.lack("clock_offset_seconds", failed.failure)


async def _firmware(camera: Camera, into: Readings) -> None:
    told = onvif.identity(await camera.ask(DEVICE_PATH, DEVICE, "GetDeviceInformation"))
    into.offer("firmware", f"{told.model} {told.firmware}".strip())


async def _services(camera: Camera, asked: Collection[str], into: Readings) -> str | None:
    """What hangs on the addresses of services: recording, and where the stream is."""
    addressed = [name for name in ("recording", "stream_up") if name in asked]
    found: list[str] = []
    try:
        services = await _addresses(camera)
    except (ProbeFailed, OnvifError) as error:
        _all_failed(addressed, _failure(error), into)
        return None
    if "recording" in addressed and services.recording is not None:
        await _step("recording", into, _recording(camera, services.recording, into))
    if "stream_up" in addressed:
        await _step("stream_up", into, _stream(camera, services.media, found))
    return found[0] if found else None


async def _addresses(camera: Camera) -> onvif.Services:
    try:
        return onvif.services(await camera.ask(DEVICE_PATH, DEVICE, "GetServices", onvif.ONLY_ADDRESSES))
    except ProbeFailed as failed:
        if failed.failure.kind is not FailureKind.PROTOCOL_ERROR:
            raise
        return onvif.capabilities(await camera.ask(DEVICE_PATH, DEVICE, "GetCapabilities", onvif.ALL_CAPABILITIES))


async def _recording(camera: Camera, path: str, into: Readings) -> None:
    try:
        jobs = onvif.jobs(await camera.ask(path, RECORDING, "GetRecordingJobs"))
    except ProbeFailed as failed:
        if isinstance(failed.__cause__, OnvifError) and failed.__cause__.unknown:
            return  # a recording service that knows no jobs tells nothing about recording
        raise
    states = []
    for token in jobs[:MAX_JOBS]:
        told = await camera.ask(path, RECORDING, "GetRecordingJobState", onvif.job(token))
        states.append(onvif.job_state(told))
    value = onvif.recording(states)
    if value is not None:
        into.offer("recording", value)


async def _stream(camera: Camera, path: str | None, found: list[str]) -> None:
    if path is None:
        raise OnvifError("the device names no media service (version 10)")
    tokens = onvif.profiles(await camera.ask(path, MEDIA, "GetProfiles"))
    if not tokens:
        raise OnvifError("GetProfiles: none")
    told = await camera.ask(path, MEDIA, "GetStreamUri", onvif.stream_of(tokens[0]))
    found.append(onvif.stream_uri(told, camera.host))


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
