"""Listen to a live stream for a moment: does it flow, how fast, with what loss and jitter? One RTSP session, its packets within it or beside.

Within the connection (interleaved TCP) first: it passes every firewall. A device that has only UDP says 461 and gets a pair of ports.
Loss and jitter of the network show by UDP only: over TCP a lost segment is sent again, and shows as jitter.

OPTIONS, DESCRIBE, SETUP of every medium, PLAY, a short listen, TEARDOWN. What is heard is counted and thrown away.
"""

import asyncio
import contextlib
import secrets
from dataclasses import dataclass, field
from time import monotonic
from urllib.parse import urlsplit

from campus_agent.devices import sdp
from campus_agent.devices.authorization import authorization
from campus_agent.devices.datagrams import Pair
from campus_agent.devices.rtp import Listener
from campus_agent.devices.rtsp import Event, Interleaved, Parser, Response, RtspError, request
from campus_agent.measure.connecting import connect
from campus_agent.measure.errors import failure_of
from campus_agent.measure.probe import ProbeFailed
from campus_agent.measure.resolve import resolve_all
from campus_wire.failures import FailureKind, Operation

PORT = 554
STEP_SECONDS = 4.0
LISTEN_SECONDS = 2.0
ENOUGH_PACKETS = 10
"""Fewer in the time of listening is no live picture: even 5 frames a second make more."""
USER_AGENT = "CampusMeter"
UNSUPPORTED_TRANSPORT = 461
TRANSPORTS = ("auto", "tcp", "udp")


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of one medium."""

    media: sdp.Media
    listener: Listener


@dataclass(slots=True)
class Stream:
    """What is known of a stream: its media, and what was heard of each."""

    heard: list[Heard] = field(default_factory=list)

    @property
    def flows(self) -> bool:
        """Is there a live picture (or, where there is none, sound)?"""
        watched = [one for one in self.heard if one.media.kind == "video"] or self.heard
        return any(one.listener.packets >= ENOUGH_PACKETS for one in watched)


async def listen(url: str, user: str | None, password: str | None, transport: str = "auto") -> Stream:
    """Open, listen, close. `transport` is one of TRANSPORTS. Raises ProbeFailed at the step that failed."""
    parts = urlsplit(url)
    session = _Session(url, user, password, transport)
    try:
        await session.open(parts.hostname or "", parts.port or PORT)
        return await session.run()
    except RtspError as error:
        raise ProbeFailed(Operation.READ, FailureKind.PROTOCOL_ERROR, str(error)) from None
    except TimeoutError:
        raise ProbeFailed(session.step, FailureKind.TIMEOUT, f"no answer to {session.asked or 'connecting'}") from None
    except OSError as error:
        failure = failure_of(session.step, error)
        raise ProbeFailed(failure.operation, failure.kind, failure.detail) from None
    finally:
        await session.close()


class _Session:
    def __init__(self, url: str, user: str | None, password: str | None, transport: str) -> None:
        self._url = url
        self._transport = transport
        self._pairs: list[Pair] = []
        self._user, self._password = user, password
        self._parser = Parser()
        self._events: list[Event] = []
        self._sequence = 0
        self._id: str | None = None
        self._challenges: tuple[str, ...] = ()
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter | None = None
        self.step = Operation.CONNECT
        self.asked = ""

    async def open(self, host: str, port: int) -> None:
        async with asyncio.timeout(STEP_SECONDS):
            sock, _ = await connect(await resolve_all(host, STEP_SECONDS), port, STEP_SECONDS)
            self._reader, self._writer = await asyncio.open_connection(sock=sock)

    async def run(self) -> Stream:
        self.step = Operation.REQUEST
        await self._ask("OPTIONS", self._url, ())
        described = await self._ask("DESCRIBE", self._url, Accept="application/sdp")
        base = described.headers.get("content-base") or described.headers.get("content-location") or self._url
        media = sdp.parse(described.body.decode("utf-8", "replace"), base)
        if not media:
            raise ProbeFailed(Operation.READ, FailureKind.PROTOCOL_ERROR, "the description names no media")
        channels: dict[int, Heard] = {}
        heard = []
        for number, one in enumerate(media):
            heard.append(Heard(one, Listener(one.clock_rate)))
            channel = await self._set_up(heard[-1], 2 * number)
            if channel is not None:
                channels[channel] = heard[-1]
        self.step = Operation.TRANSFER
        await self._ask("PLAY", base, Range="npt=0.000-")
        await self._hear(channels)
        return Stream(heard)

    async def _set_up(self, heard: Heard, proposed: int) -> int | None:
        """The channel of a medium within the connection; None when it comes beside it."""
        if self._transport != "udp":
            within = f"RTP/AVP/TCP;unicast;interleaved={proposed}-{proposed + 1}"
            accepted = (200, UNSUPPORTED_TRANSPORT) if self._transport == "auto" else (200,)
            answer = await self._ask("SETUP", heard.media.control, accepted, Transport=within)
            if answer.status == 200:
                self._remember(answer)
                return _channel(answer.headers.get("transport", ""), proposed)
            self._transport = "udp"
        pair = self._pair()
        beside = f"RTP/AVP;unicast;client_port={pair.port}-{pair.port + 1}"
        answer = await self._ask("SETUP", heard.media.control, Transport=beside)
        self._remember(answer)
        ports = _server_ports(answer.headers.get("transport", ""))
        if ports is not None:
            pair.open_way(ports)
        pair.feed(heard.listener)
        return None

    def _pair(self) -> Pair:
        if self._writer is None:
            raise RuntimeError("open comes first")
        local, device = (self._writer.get_extra_info(name)[0] for name in ("sockname", "peername"))
        self._pairs.append(Pair(local, device))
        return self._pairs[-1]

    def _remember(self, answer: Response) -> None:
        self._id = answer.headers.get("session", "").partition(";")[0].strip() or self._id

    async def close(self) -> None:
        try:
            await self._part()
        finally:
            for pair in self._pairs:
                pair.close()

    async def _part(self) -> None:
        if self._writer is None:
            return
        with contextlib.suppress(OSError, RtspError, TimeoutError):
            if self._id is not None:
                self._sequence += 1
                self._writer.write(request("TEARDOWN", self._url, self._sequence, self._headers("TEARDOWN", self._url)))
                async with asyncio.timeout(0.5):
                    await self._writer.drain()
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(0.5):
                await self._writer.wait_closed()

    async def _ask(self, method: str, uri: str, accepted: tuple[int, ...] = (200,), **more: str) -> Response:
        """One exchange; a 401 is answered once. Raises ProbeFailed for a status that is not accepted (none named: any but refusals)."""
        for attempt in range(2):
            answer = await self._exchange(method, uri, more)
            if answer.status != 401 or attempt or not answer.challenges:
                break
            self._challenges = answer.challenges
            if self._user is None:
                break
        if answer.status in (401, 403):
            raise ProbeFailed(Operation.AUTHENTICATE, FailureKind.NOT_AUTHORISED, f"{method}: {answer.status}")
        if accepted and answer.status not in accepted:
            detail = f"{method}: {answer.status} {answer.reason}"
            raise ProbeFailed(Operation.REQUEST, FailureKind.PROTOCOL_ERROR, detail)
        return answer

    async def _exchange(self, method: str, uri: str, more: dict[str, str]) -> Response:
        if self._writer is None:
            raise RuntimeError("open comes first")
        self.asked = method
        self._sequence += 1
        self._writer.write(request(method, uri, self._sequence, self._headers(method, uri) | more))
        async with asyncio.timeout(STEP_SECONDS):
            await self._writer.drain()
            while True:
                for event in await self._more():
                    if isinstance(event, Response):
                        return event

    async def _more(self) -> list[Event]:
        data = await self._reader.read(65_536)
        if not data:
            raise ConnectionResetError(f"the device hung up at {self.asked}")
        return list(self._parser.feed(data))

    async def _hear(self, channels: dict[int, Heard]) -> None:
        end = monotonic() + LISTEN_SECONDS
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LISTEN_SECONDS):
                while monotonic() < end:
                    events = await self._more()
                    now = monotonic()
                    for event in events:
                        if isinstance(event, Interleaved) and event.channel in channels:
                            channels[event.channel].listener.take(event.payload, now)

    def _headers(self, method: str, uri: str) -> dict[str, str]:
        headers = {"User-Agent": USER_AGENT}
        if self._id is not None:
            headers["Session"] = self._id
        if self._challenges and self._user is not None:
            nonce = secrets.token_hex(8)
            answer = authorization(self._challenges, method, uri, self._user, self._password or "", nonce)
            if answer is not None:
                headers["Authorization"] = answer
        return headers


def _channel(transport: str, proposed: int) -> int:
    """Which channel did the device choose for the medium?"""
    for part in transport.split(";"):
        name, _, value = part.strip().partition("=")
        first = value.partition("-")[0]
        if name == "interleaved" and first.isdigit():
            return int(first)
    return proposed


def _server_ports(transport: str) -> tuple[int, int] | None:
    """From which ports does the device send RTP and RTCP?"""
    for part in transport.split(";"):
        name, _, value = part.strip().partition("=")
        first, _, second = value.partition("-")
        if name == "server_port" and all(one.isdigit() and 0 < int(one[:6]) < 65_536 for one in (first, second)):
            return int(first), int(second)
    return None
