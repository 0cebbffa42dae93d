"""Poll devices, many at once, each within its own deadline: one that hangs or answers nonsense never delays another.

What makes a device `up` is its profile's word: bytes of the device's own have come by a protocol that counts. One that answers nonsense still
answers: the device is up, the reading that failed is named. What breaks on our side says nothing of the device.
"""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from zoneinfo import ZoneInfo

from campus_agent.measure.equipment.camera import PORT, TLS_PORT, Camera, read_camera
from campus_agent.measure.equipment.profile import FROM_STREAM, Profile, find_profile
from campus_agent.measure.equipment.readings import Readings, read_json, read_snmp, remarks
from campus_agent.measure.equipment.scrub import forms, scrubbed
from campus_agent.measure.equipment.snmp import SHORTEST_KEY, Access, Snmp
from campus_agent.measure.equipment.stream import LiveStream, listen
from campus_agent.measure.equipment.task import DeviceSeen, DeviceSpec
from campus_agent.measure.equipment.web import ask
from campus_agent.measure.errors import failure_of
from campus_agent.measure.link.connect import reachable
from campus_agent.measure.link.icmp import Pinger
from campus_agent.measure.probe import ProbeFailed
from campus_base.settings import ConfigurationError, read_secret
from campus_wire.digits import ascii_integer
from campus_wire.failures import Failure, FailureKind, Operation

AT_ONCE = 24
DEVICE_SECONDS = 22.0
"""A slow recorder by ONVIF, and its stream; what does not answer at all ends far sooner, by the time-outs of each protocol."""
RESOLVE_SECONDS = 3.0
TCP_SECONDS = 2.0
ECHO_SECONDS, ECHO_GAP_SECONDS = 2.0, 0.2
STREAM_SECONDS = 6.0
"""For a stream whose address the device gives first: together with that question, less than a device's whole time."""
DEFAULT_TCP_PORT = 80
TIME_ZONE = "Asia/Shanghai"
MAX_REMARKS, MAX_REMARK = 16, 100


@dataclass(slots=True)
class _Answers:
    """What the protocols said: which answered, how the others failed."""

    readings: Readings = field(default_factory=Readings)
    answered: list[str] = field(default_factory=list)
    failures: dict[str, Failure] = field(default_factory=dict)

    def speaks(self, protocol: str) -> Callable[[], None]:
        """To be called when bytes of the device arrive by this protocol."""

        def arrived() -> None:
            if protocol not in self.answered:
                self.answered.append(protocol)

        return arrived


async def poll(
    specs: Sequence[DeviceSpec], profile_folder: Path | None, time_zone: str = TIME_ZONE
) -> list[DeviceSeen]:
    """What each device said, in the order asked. `time_zone` is the school's, for devices that give local time."""
    snmp, turn, zone = Snmp(), asyncio.Semaphore(AT_ONCE), ZoneInfo(time_zone)

    async def bounded(spec: DeviceSpec) -> DeviceSeen:
        async with turn:
            return scrubbed(await _device(spec, profile_folder, snmp, zone), forms(_logins(spec)))

    try:
        return list(await asyncio.gather(*(bounded(spec) for spec in specs)))
    finally:
        snmp.close()


async def _device(spec: DeviceSpec, profile_folder: Path | None, snmp: Snmp, zone: ZoneInfo) -> DeviceSeen:
    began = monotonic()
    answers = _Answers()
    try:
        profile = find_profile(spec.profile, profile_folder)
        address = (await reachable(spec.host, _usual_port(spec, profile), RESOLVE_SECONDS, TCP_SECONDS)).text
    except ConfigurationError as error:
        failure = Failure(Operation.PREPARE, FailureKind.UNKNOWN, error.in_("en")[:300])
        return DeviceSeen(spec.id, up=False, failure=failure, seconds=monotonic() - began)
    except ProbeFailed as failed:
        return DeviceSeen(spec.id, up=False, failure=failed.failure, seconds=monotonic() - began)
    protocols = _protocols(_Asked(spec, profile, address, zone), snmp, answers)
    try:
        async with asyncio.timeout(DEVICE_SECONDS):
            await asyncio.gather(*(_try(name, ask_it, answers) for name, ask_it in protocols.items()))
    except TimeoutError:
        for name in protocols:
            if name not in answers.answered and name not in answers.failures:
                detail = f"not finished within {DEVICE_SECONDS:.0f} s"
                answers.failures[name] = Failure(Operation.READ, FailureKind.TIMEOUT, detail)
    return _device_seen(spec, profile, protocols, answers, monotonic() - began)


def _usual_port(spec: DeviceSpec, profile: Profile) -> int | None:
    """A TCP port that this device should have open; None where it is asked by UDP alone."""
    if spec.onvif and profile.onvif:
        return _onvif_port(spec, profile)[0]
    if profile.http is not None:
        return profile.http.port or (443 if profile.http.tls else 80)
    return None if spec.snmp else profile.tcp_port or DEFAULT_TCP_PORT


def _onvif_port(spec: DeviceSpec, profile: Profile) -> tuple[int, bool]:
    """Where its ONVIF service is, and whether by TLS."""
    port = _port(spec.onvif, PORT)
    tls = profile.onvif_tls or spec.onvif.get("tls") == "true" or port == TLS_PORT
    return (TLS_PORT if tls and port == PORT else port), tls


@dataclass(frozen=True, slots=True)
class _Asked:
    """One device, where it is, and the school's time zone."""

    spec: DeviceSpec
    profile: Profile
    address: str
    zone: ZoneInfo


def _protocols(device: _Asked, snmp: Snmp, answers: _Answers) -> dict[str, Callable[[], Awaitable[None]]]:
    """The protocols for this device: those of the profile for which the inventory has an address or a secret."""
    spec, profile, address = device.spec, device.profile, device.address
    protocols: dict[str, Callable[[], Awaitable[None]]] = {}
    if spec.snmp and (profile.snmp or "snmp" in profile.up_when_any):
        protocols["snmp"] = lambda: _snmp(device, snmp, answers)
    if spec.rtsp:
        protocols["rtsp"] = lambda: _rtsp(spec, answers)
    if spec.onvif and profile.onvif:
        protocols["onvif"] = lambda: _onvif(device, answers)
    if profile.http is not None:
        protocols["http"] = lambda: _http(profile, address, answers)
    if "icmp" in profile.up_when_any:
        protocols["icmp"] = lambda: _icmp(address, answers)
    if "tcp" in profile.up_when_any or not protocols:
        protocols["tcp"] = lambda: _tcp(address, profile.tcp_port or DEFAULT_TCP_PORT, answers)
    return protocols


async def _try(name: str, ask_it: Callable[[], Awaitable[None]], answers: _Answers) -> None:
    try:
        await ask_it()
    except ProbeFailed as failed:
        answers.failures[name] = failed.failure
    except OSError as error:
        answers.failures[name] = failure_of(Operation.CONNECT, error)
    except Exception as error:  # a library that a hostile answer broke, or that we use wrongly
        operation = Operation.READ if name in answers.answered else Operation.PREPARE
        kind = FailureKind.PROTOCOL_ERROR if name in answers.answered else FailureKind.UNKNOWN
        answers.failures[name] = Failure(operation, kind, f"{type(error).__name__}: {error}"[:300])


def _device_seen(
    spec: DeviceSpec,
    profile: Profile,
    protocols: Sequence[str] | dict[str, Callable[[], Awaitable[None]]],
    answers: _Answers,
    seconds: float,
) -> DeviceSeen:
    counted = [name for name in protocols if name in profile.up_when_any] or list(protocols)
    up = any(name in answers.answered for name in counted)
    failure = None if up else next((answers.failures[name] for name in counted if name in answers.failures), None)
    readings = answers.readings
    if "rtsp" in protocols and "rtsp" in answers.failures:
        _no_stream(answers.failures["rtsp"], readings)
    for name, failed in answers.failures.items():
        if up and name != "rtsp":
            for reading in _of(profile, name):
                if reading not in readings.failed:
                    readings.lack(reading, failed)
    return DeviceSeen(
        id=spec.id,
        up=up,
        failure=failure,
        readings=readings.numbers,
        words=readings.words,
        failed=readings.failed,
        remarks=[*remarks(profile.limits, readings), *(oddity[:MAX_REMARK] for oddity in readings.odd)][:MAX_REMARKS],
        seconds=seconds,
    )


def _of(profile: Profile, protocol: str) -> list[str]:
    """Which readings come by a protocol?"""
    if protocol == "snmp":
        return [reading.reading for reading in profile.snmp]
    if protocol == "http" and profile.http is not None:
        return [reading.reading for reading in profile.http.readings]
    if protocol == "onvif":
        return list(profile.onvif)
    return sorted(FROM_STREAM) if protocol == "rtsp" else []


async def _snmp(device: _Asked, snmp: Snmp, answers: _Answers) -> None:
    spec, profile, readings = device.spec, device.profile, answers.readings
    access, port, speaks = access_of(spec.snmp), _port(spec.snmp, 161), answers.speaks("snmp")
    single = [
        reading.oid
        for reading in profile.snmp
        if reading.compute in ("value", "text", "leading_number", "date_and_time")
    ]
    try:
        objects, lost = await snmp.get(device.address, access, single or ["1.3.6.1.2.1.1.3.0"], port)
        now = datetime.now(device.zone)  # when its clock was read: an answer may be late
        needed = list(dict.fromkeys(column for reading in profile.snmp for column in reading.columns))
        columns, broken = await snmp.walk(device.address, access, needed, port)
    finally:
        if snmp.heard(device.address, access, port):
            speaks()
    speaks()  # whatever address its answer came from
    read_snmp(profile.snmp, objects, columns, now, readings)
    for reading in profile.snmp:  # why an object or a table did not come says more than that it is not there
        if reading.oid in lost and objects.get(reading.oid) is None:
            readings.lack(reading.reading, lost[reading.oid])
        for column in reading.columns:
            if column not in broken or column in reading.beside:
                continue
            if reading.reading in readings.numbers:  # of the rows that came: used, and remarked
                readings.failed[reading.reading] = broken[column]
            else:
                readings.lack(reading.reading, broken[column])


async def _onvif(device: _Asked, answers: _Answers) -> None:
    """The device's own words, and its stream where the inventory does not name one."""
    spec, profile, address = device.spec, device.profile, device.address
    user, password = spec.onvif.get("user"), secret_of(spec.onvif.get("password_file"))
    port, tls = _onvif_port(spec, profile)
    camera = Camera(address, port, user, password or "", tls, answers.speaks("onvif"))
    needed = [name for name in profile.onvif if name != "stream_up" or not spec.rtsp]
    zone = datetime.now(device.zone).utcoffset() or timedelta(0)
    url = await read_camera(camera, needed, answers.readings, zone)
    if url is None:
        return
    try:
        async with asyncio.timeout(STREAM_SECONDS):
            put_stream(await listen(url, user, password), answers.readings)
    except ProbeFailed as failed:
        _no_stream(failed.failure, answers.readings)
    except TimeoutError:
        _no_stream(
            Failure(Operation.TRANSFER, FailureKind.TIMEOUT, "the stream is not there in time"), answers.readings
        )


async def _rtsp(spec: DeviceSpec, answers: _Answers) -> None:
    password = secret_of(spec.rtsp.get("password_file"))
    transport = spec.rtsp.get("transport", "auto")
    speaks = answers.speaks("rtsp")
    put_stream(await listen(spec.rtsp["url"], spec.rtsp.get("user"), password, transport, speaks), answers.readings)


def _no_stream(why: Failure, readings: Readings) -> None:
    readings.put("stream_up", 0.0)
    readings.failed["stream_up"] = why


def put_stream(stream: LiveStream, readings: Readings) -> None:
    """What a stream that was listened to says."""
    readings.put("stream_up", 1.0 if stream.flows else 0.0)
    if not stream.flows:
        readings.failed["stream_up"] = Failure(
            Operation.TRANSFER, FailureKind.TIMEOUT, "the device plays, but no picture comes"
        )
    rates = [heard_medium.listener.bits_per_second for heard_medium in stream.heard]
    readings.put("stream_bits_per_second", sum(rate for rate in rates if rate is not None))
    pictures = [heard_medium for heard_medium in stream.heard if heard_medium.media.kind == "video"] or stream.heard
    for heard_medium in pictures[:1]:
        if heard_medium.listener.loss_ratio is not None:
            readings.put("stream_loss_ratio", heard_medium.listener.loss_ratio)
            readings.put("stream_jitter_seconds", heard_medium.listener.jitter_seconds)
        readings.words["codec"] = "+".join(heard.media.codec or "?" for heard in stream.heard)
    readings.odd += [f"stream: {failure.detail}" for _, failure in stream.refused]


async def _http(profile: Profile, address: str, answers: _Answers) -> None:
    if profile.http is None:
        return
    body = await ask(address, profile.http, answers.speaks("http"))
    if profile.http.readings:
        if body is None:
            for reading in profile.http.readings:
                answers.readings.fail(reading.reading, "the answer is no JSON")
        else:
            read_json(profile.http.readings, body, answers.readings)


async def _icmp(address: str, answers: _Answers) -> None:
    await echo(address)
    answers.speaks("icmp")()


async def echo(address: str) -> None:
    """Two echoes, one answer is enough. Raises ProbeFailed."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with Pinger(address, family) as pinger:
        await pinger.send_every(ECHO_GAP_SECONDS, 2)
        await pinger.settle(ECHO_SECONDS)
        if not pinger.echoes.rtt_seconds:
            raise ProbeFailed(Operation.CONNECT, FailureKind.TIMEOUT, f"no echo within {ECHO_SECONDS:.0f} s")


async def _tcp(address: str, port: int, answers: _Answers) -> None:
    """A refused connection is an answer too: the machine runs."""
    with contextlib.suppress(ConnectionRefusedError):
        async with asyncio.timeout(TCP_SECONDS):
            _, writer = await asyncio.open_connection(address, port)
        writer.close()
    answers.speaks("tcp")()


def _port(table: dict[str, str], default: int) -> int:
    """The port that agent.toml names."""
    return ascii_integer(table.get("port", ""), 65_535) or default


def access_of(given: dict[str, str]) -> Access:
    """Credentials with their secrets read from files, here in the worker and nowhere else. Raises ProbeFailed."""
    for key in ("auth_file", "priv_file"):
        if len(secret_of(given.get(key)) or "-" * SHORTEST_KEY) < SHORTEST_KEY:
            detail = f"{given[key]}: shorter than the {SHORTEST_KEY} characters that SNMPv3 needs"
            raise ProbeFailed(Operation.PREPARE, FailureKind.NOT_CONFIGURED, detail)
    return Access(
        version=given.get("version", "2c"),
        community=secret_of(given.get("community_file")) or "",
        user=given.get("user", ""),
        auth_key=secret_of(given.get("auth_file")),
        priv_key=secret_of(given.get("priv_file")),
        auth_protocol=given.get("auth_protocol", "sha"),
        priv_protocol=given.get("priv_protocol", "aes"),
    )


def _logins(spec: DeviceSpec) -> Iterator[tuple[str, str]]:
    """Every secret of a device, with the user it belongs to; those that cannot be read are nobody's to give away."""
    for table in (spec.snmp, spec.rtsp, spec.onvif):
        for key, file in table.items():
            if key.endswith("_file"):
                with contextlib.suppress(ProbeFailed):
                    yield table.get("user", ""), secret_of(file) or ""


def secret_of(file: str | None) -> str | None:
    if file is None:
        return None
    try:
        return read_secret(Path(file)).reveal()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is empty"
        raise ProbeFailed(
            Operation.PREPARE,
            FailureKind.PERMISSION_DENIED if isinstance(error, PermissionError) else FailureKind.NOT_CONFIGURED,
            f"{file}: {reason}",
        ) from None
