"""Asks an unknown device by every protocol there is: echo, TCP ports, HTTP, ONVIF, RTSP, SNMP. One device, each protocol bounded in time.

No password is ever guessed. Without credentials SNMP v2c is asked once with the community "public", which many devices have by default
for reading, and SNMPv3 with a user that no device has: its refusal shows that it speaks SNMPv3. A refused log-in is not tried again.
"""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from campus_agent.measure.equipment.camera import Camera, read_camera
from campus_agent.measure.equipment.http1 import authority, request
from campus_agent.measure.equipment.identify.evidence import Answered, Evidence, IdentifyTask
from campus_agent.measure.equipment.poll import RESOLVE_SECONDS, TCP_SECONDS, access_of, echo, put_stream, secret_of
from campus_agent.measure.equipment.profile import FROM_ONVIF, Profile
from campus_agent.measure.equipment.readings import Readings
from campus_agent.measure.equipment.snmp import PORT as SNMP_PORT
from campus_agent.measure.equipment.snmp import SYS_UP_TIME, Access, Snmp
from campus_agent.measure.equipment.stream import PORT as RTSP_PORT
from campus_agent.measure.equipment.stream import listen
from campus_agent.measure.equipment.web import exchange, unchecked
from campus_agent.measure.errors import failure_of
from campus_agent.measure.link.connect import reachable
from campus_agent.measure.probe import ProbeFailed
from campus_wire.digits import ascii_integer
from campus_wire.failures import Failure, FailureKind, Operation

PORTS = (80, 81, 443, 554, 1935, 5000, 8000, 8080, 8443, 8554, 8899, 9000, 34567, 37777)
"""Where recorders and cameras have their pages, streams and makers' own protocols."""
_ONVIF_PORTS, _WEB_PORTS, _RTSP_PORTS = (80, 8000, 8080, 8899, 81, 5000), (80, 443, 8080, 81, 8443), (554, 8554)
_TLS_PORTS = (443, 8443)
STREAM_PATHS = (
    "/Streaming/Channels/101",  # Hikvision
    "/cam/realmonitor?channel=1&subtype=0",  # Dahua
    "/live/1",
    "/live",
    "/stream1",
    "/h264/ch1/main/av_stream",
    "/",
)
"""Published addresses of makers' main streams, tried in this order where ONVIF tells none."""
ROOTS = (
    "1.3.6.1.2.1.1",  # system
    "1.3.6.1.2.1.25",  # host resources
    "1.3.6.1.2.1.33",  # UPS
    "1.3.6.1.4.1",  # the makers' own
)
MAX_ROWS_A_ROOT = 3_000
WALK_SECONDS = 45.0
RTSP_SECONDS, PROTOCOL_SECONDS = 30.0, 75.0
ASK_SECONDS = 150.0
"""All of it, for the deadline of the worker: a stream is asked for after ONVIF, the rest at once."""
_STRANGER = "campus-probe"
_DEFAULT_COMMUNITY = "public"
_LOGIN_IN_PATH = re.compile(
    r"((?:^|[/?&;_])(?:password|passwd|pass|pwd|user|username|usr|token|key)[=:])(?:(?!_[A-Za-z]+[=:])[^/?&;])*",
    re.IGNORECASE,
)
Progress = Callable[[Any], None]


async def ask_device(task: IdentifyTask, profiles: list[Profile], progress: Progress) -> Evidence:
    """Everything the device says. Raises ProbeFailed for a name that is not known."""
    address = (await reachable(task.host or "", None, RESOLVE_SECONDS, TCP_SECONDS)).text
    evidence = Evidence()
    asking = _Asking(task, address, evidence, progress)
    await asking.step("icmp", asking.echo())
    await asking.step("tcp", asking.ports())
    oids = sorted({each.oid for profile in profiles for each in profile.snmp if each.oid and not each.columns})
    await asyncio.gather(
        asking.step("snmp", asking.snmp(oids)),
        asking.step("http", asking.http()),
        asking.streams(),
    )
    return evidence


class _Asking:
    """One device under way."""

    def __init__(self, task: IdentifyTask, address: str, evidence: Evidence, progress: Progress) -> None:
        self._task, self._address, self._evidence, self._progress = task, address, evidence, progress
        self._stream_url: str | None = None

    async def step(self, protocol: str, doing: Awaitable[str]) -> None:
        """One protocol to its end: what it said, or why not."""
        self._progress({"asking": protocol})
        try:
            async with asyncio.timeout(PROTOCOL_SECONDS):
                answer = Answered(protocol, True, detail=await doing)
        except ProbeFailed as failed:
            answer = Answered(protocol, False, failure=failed.failure)
        except TimeoutError:
            late = Failure(Operation.READ, FailureKind.TIMEOUT, f"not finished within {PROTOCOL_SECONDS:.0f} s")
            answer = Answered(protocol, False, failure=late)
        except OSError as error:
            answer = Answered(protocol, False, failure=failure_of(Operation.CONNECT, error))
        except Exception as error:  # a library that a hostile answer broke
            why = Failure(Operation.READ, FailureKind.PROTOCOL_ERROR, f"{type(error).__name__}: {error}"[:300])
            answer = Answered(protocol, False, failure=why)
        self._evidence.answers[protocol] = answer
        self._progress({"answered": protocol, "speaks": answer.speaks})

    async def echo(self) -> str:
        await echo(self._address)
        return ""

    async def ports(self) -> str:
        """The open ports; a refused one shows as well that the device is there."""
        named = (self._port("rtsp", RTSP_PORT), self._port("onvif", 80))
        tried = sorted({*PORTS, *named})
        states = await asyncio.gather(*(self._knock(port) for port in tried))
        self._evidence.ports = [port for port, state in zip(tried, states, strict=True) if state == "open"]
        if all(state == "silent" for state in states):
            raise ProbeFailed(Operation.CONNECT, FailureKind.TIMEOUT, "no port answers")
        return ", ".join(map(str, self._evidence.ports))

    async def _knock(self, port: int) -> str:
        try:
            async with asyncio.timeout(TCP_SECONDS):
                _, writer = await asyncio.open_connection(self._address, port)
        except ConnectionRefusedError:
            return "refused"
        except OSError:  # TimeoutError too
            return "silent"
        writer.close()
        return "open"

    async def snmp(self, oids: list[str]) -> str:
        """Walks what is known of devices, and asks for each object of the profiles."""
        access, port, client = self._access(), self._port("snmp", SNMP_PORT), Snmp()
        try:
            objects, _ = await client.get(self._address, access, [SYS_UP_TIME, *oids], port)
            self._evidence.objects |= {oid: value for oid, value in objects.items() if value is not None}
            rows, broken = await client.walk(self._address, access, ROOTS, port, MAX_ROWS_A_ROOT, WALK_SECONDS)
        except ProbeFailed:
            if not self._task.snmp and await self._speaks_v3(client, port):
                detail = "the device speaks SNMPv3: --snmp-user, --auth-file and --priv-file are needed"
                raise ProbeFailed(Operation.AUTHENTICATE, FailureKind.NOT_AUTHORISED, detail) from None
            raise
        finally:
            client.close()
        for root, row in rows.items():
            self._evidence.objects |= {f"{root}.{index}": value for index, value in row.items() if index}
        self._evidence.notes += [f"snmp {root}: {why.detail}" for root, why in broken.items()]
        return "v3" if access.version == "3" else "v2c public" if not self._task.snmp else "v2c"

    def _access(self) -> Access:
        return access_of(self._task.snmp) if self._task.snmp else Access("2c", community=_DEFAULT_COMMUNITY)

    async def _speaks_v3(self, client: Snmp, port: int) -> bool:
        try:
            await client.get(self._address, Access("3", user=_STRANGER), [SYS_UP_TIME], port)
        except ProbeFailed as failed:
            return failed.failure.kind is FailureKind.NOT_AUTHORISED
        return True

    async def http(self) -> str:
        ports = [port for port in _WEB_PORTS if port in self._evidence.ports]
        if not ports:
            raise ProbeFailed(Operation.CONNECT, FailureKind.CONNECTION_REFUSED, "no port of web pages is open")
        port = ports[0]
        tls = unchecked() if port in _TLS_PORTS else None
        question = request("GET", authority(self._address, port), "/", {})
        answer = await exchange(self._address, port, question, tls)
        title = re.search(rb"<title>([^<]{1,100})</title>", answer.body[:16_384], re.IGNORECASE)
        words = [f"{port}", f"status {answer.status}", answer.headers.get("server", "")[:80]]
        return ", ".join(
            part for part in [*words, title[1].decode("utf-8", "replace").strip() if title else ""] if part
        )

    async def streams(self) -> None:
        """ONVIF, which tells where the stream is, and then RTSP."""
        await self.step("onvif", self.onvif())
        await self.step("rtsp", self.rtsp())

    async def onvif(self) -> str:
        task, evidence = self._task, self._evidence
        user, password = task.onvif.get("user"), secret_of(task.onvif.get("password_file"))
        named = ascii_integer(task.onvif.get("port", ""), 65_535)
        ports = [named] if named else [port for port in _ONVIF_PORTS if port in evidence.ports]
        offset = datetime.now(ZoneInfo(task.time_zone)).utcoffset() or timedelta(0)
        why = Failure(Operation.CONNECT, FailureKind.CONNECTION_REFUSED, "no port of ONVIF is open")
        for port in ports[:3]:
            readings = Readings()
            needed = FROM_ONVIF if user else ("clock_offset_seconds",)
            try:
                url = await read_camera(Camera(self._address, port, user, password or ""), needed, readings, offset)
            except ProbeFailed as failed:
                why = failed.failure
                continue
            if not readings.numbers and not readings.words:
                why = next(iter(readings.failed.values()), why)
                continue
            evidence.readings |= readings.values
            evidence.notes += [f"onvif {name}: {failure.detail}" for name, failure in readings.failed.items()]
            self._stream_url = url
            return f"{port}" if user else f"{port}; --user and --password-file are needed for the rest"
        raise ProbeFailed(why.operation, why.kind, why.detail)

    async def rtsp(self) -> str:
        task = self._task
        user = task.rtsp.get("user") or task.onvif.get("user")
        password = secret_of(task.rtsp.get("password_file") or task.onvif.get("password_file"))
        spoke = False

        def arrived() -> None:
            nonlocal spoke
            spoke = True

        why = Failure(Operation.CONNECT, FailureKind.CONNECTION_REFUSED, "no port of RTSP is open")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RTSP_SECONDS):
                for url in self._stream_urls():
                    try:
                        stream = await listen(url, user, password, "auto", arrived)
                    except ProbeFailed as failed:
                        why = failed.failure
                        if why.kind is FailureKind.NOT_AUTHORISED or not spoke:
                            break
                        continue
                    readings = Readings()
                    put_stream(stream, readings)
                    self._evidence.readings |= readings.values
                    parts = urlsplit(url)
                    self._evidence.stream_path = without_passwords(
                        parts.path + (f"?{parts.query}" if parts.query else "")
                    )
                    return self._evidence.stream_path
        if spoke:
            return f"no stream found: {why.detail}"
        raise ProbeFailed(why.operation, why.kind, why.detail)

    def _stream_urls(self) -> list[str]:
        if "url" in self._task.rtsp:
            return [self._task.rtsp["url"]]
        if self._stream_url:
            return [self._stream_url]
        host = f"[{self._address}]" if ":" in self._address else self._address
        ports = [port for port in _RTSP_PORTS if port in self._evidence.ports]
        return [f"rtsp://{host}:{port}{path}" for port in ports[:1] for path in STREAM_PATHS]

    def _port(self, protocol: str, default: int) -> int:
        if protocol == "rtsp" and "url" in self._task.rtsp:
            return urlsplit(self._task.rtsp["url"]).port or default
        given: dict[str, str] = getattr(self._task, protocol)
        return ascii_integer(given.get("port", ""), 65_535) or default


def without_passwords(path: str) -> str:
    """The path of a stream without the passwords that some makers put into it (`/user=admin&password=1234&channel=1`)."""
    return _LOGIN_IN_PATH.sub(r"\1***", path)
