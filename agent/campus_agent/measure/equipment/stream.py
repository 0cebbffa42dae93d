"""Listen to a live stream for a moment: does it flow, how fast, with what loss and jitter? One RTSP session, its packets within it or beside.

Within the connection (interleaved TCP) first: it passes every firewall. A device that has only UDP refuses that and gets a pair of ports.
Loss and jitter of the network show by UDP only: over TCP a lost segment is sent again, and shows as jitter.

OPTIONS, DESCRIBE, SETUP of the picture and then of the sound, PLAY, a short listen, TEARDOWN. What is heard is counted and thrown away. The
picture decides: sound that cannot be had is told beside it, and a back channel is never taken.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from urllib.parse import urlsplit

from campus_agent.measure.equipment import sdp
from campus_agent.measure.equipment.authorization import Login
from campus_agent.measure.equipment.datagrams import PortPair
from campus_agent.measure.equipment.rtp import Listener
from campus_agent.measure.equipment.rtsp import DeviceRequest, Interleaved, Parser, Response, RtspError, reply, request
from campus_agent.measure.errors import failure_of
from campus_agent.measure.link.connect import connect
from campus_agent.measure.link.resolve import resolve_all
from campus_agent.measure.probe import ProbeFailed
from campus_base.encoding import wide_encoding
from campus_wire.digits import ascii_integer
from campus_wire.failures import Failure, FailureKind, Operation

PORT = 554
STEP_SECONDS = 4.0
SOUND_SECONDS = 2.0
"""For the answer to what is not the picture: a device that falls silent there is asked again without it."""
QUIET_SECONDS = 1.0
"""Nothing more of a body that has no length, or a wrong one, for so long: it is whole."""
LISTEN_SECONDS = 2.0
ENOUGH_PACKETS = 10
"""Fewer in the time of listening are no live picture: even 5 frames a second make more."""
ATTEMPTS = 3
"""Connections: as it is, after a hang-up with the password it asked for, and for the picture alone."""
MAX_LOGIN_ATTEMPTS = 4
USER_AGENT = "CampusMeter"
NO_SUCH_ADDRESS = (400, 404)
INVALID_RANGE = 457
OTHER_TRANSPORT = (400, 406, 455, 461, 500, 501)
"""461 means a transport that a device does not have; not every device uses it."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of one medium."""

    media: sdp.Media
    listener: Listener


@dataclass(slots=True)
class LiveStream:
    """What is known of a stream: its media, what was heard of each, and the media that could not be had, with why."""

    heard: list[Heard] = field(default_factory=list)
    refused: list[tuple[sdp.Media, Failure]] = field(default_factory=list)

    @property
    def flows(self) -> bool:
        """Is there a live picture (or, where there is none, sound)?"""
        watched = [heard for heard in self.heard if heard.media.kind == "video"] or self.heard
        return any(heard.listener.packets >= ENOUGH_PACKETS for heard in watched)


async def listen(
    url: str,
    user: str | None,
    password: str | None,
    transport: str = "auto",
    answered: Callable[[], None] = lambda: None,
) -> LiveStream:
    """Open, listen, close. `transport` is "auto", "tcp" or "udp"; `answered` is called when bytes of the device arrive.

    Raises ProbeFailed at the step that failed. A device that hangs up after asking for a password is asked once more with it; one that hangs
    up or falls silent at its sound, once more without.
    """
    login = Login(user, password or "") if user is not None else None
    picture_only = False
    for _ in range(ATTEMPTS):
        session = _RtspSession(url, login, transport, picture_only, answered)
        try:
            return await session.listen()
        except ProbeFailed as failed:
            last = failed
            if failed.failure.kind not in (FailureKind.CONNECTION_RESET, FailureKind.TIMEOUT):
                break
            if session.at_sound and not picture_only:
                picture_only = True
            elif not session.unanswered_challenge or failed.failure.kind is FailureKind.TIMEOUT:
                break
    raise last


class _RtspSession:
    """One connection. `at_sound`: it ended at a medium that is not the picture; `unanswered_challenge`: at a request with a password."""

    def __init__(
        self, url: str, login: Login | None, transport: str, picture_only: bool, answered: Callable[[], None]
    ) -> None:
        self._url, self._login, self._transport, self._picture_only = url, login, transport, picture_only
        self._answered = answered
        self._port_pairs: list[PortPair] = []
        self._parser = Parser()
        self._channels: dict[int, Heard] = {}
        self._sequence = 0
        self._id: str | None = None
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter | None = None
        self._step = Operation.CONNECT
        self._asked = ""
        self.at_sound = False
        self.unanswered_challenge = False

    async def listen(self) -> LiveStream:
        """The whole session. Raises ProbeFailed."""
        try:
            await self._open()
            return await self._run()
        except RtspError as error:
            raise ProbeFailed(Operation.READ, FailureKind.PROTOCOL_ERROR, str(error)) from None
        except TimeoutError:
            nonsense = self._parser.nonsense()
            if nonsense is not None:
                raise ProbeFailed(Operation.READ, FailureKind.PROTOCOL_ERROR, f"no RTSP answer: {nonsense}") from None
            raise ProbeFailed(self._step, FailureKind.TIMEOUT, f"no answer to {self._asked or 'connecting'}") from None
        except OSError as error:
            failure = failure_of(self._step, error)
            raise ProbeFailed(failure.operation, failure.kind, failure.detail) from None
        finally:
            await self._close()

    async def _open(self) -> None:
        parts = urlsplit(self._url)
        async with asyncio.timeout(STEP_SECONDS):
            sock, _ = await connect(
                await resolve_all(parts.hostname or "", STEP_SECONDS), parts.port or PORT, STEP_SECONDS
            )
            self._reader, self._writer = await asyncio.open_connection(sock=sock)

    async def _run(self) -> LiveStream:
        self._step = Operation.REQUEST
        await self._ask("OPTIONS", self._url, ())
        described = await self._ask("DESCRIBE", self._url, Accept="application/sdp")
        named = described.headers.get("content-base") or described.headers.get("content-location") or ""
        base = sdp.base_of(named, self._url) if named else self._url
        session = sdp.describe(described.body.decode("utf-8", "replace"), base, self._url)
        wanted = session.heard
        if not wanted:
            raise ProbeFailed(Operation.READ, FailureKind.PROTOCOL_ERROR, _why_no_media(described.body))
        stream = LiveStream()
        first_kind = wanted[0].kind
        for number, media in enumerate(wanted):
            if self._picture_only and stream.heard:
                why = Failure(Operation.REQUEST, FailureKind.CONNECTION_RESET, "SETUP: the device hangs up")
                stream.refused.append((media, why))
                continue
            if media.kind != first_kind and not stream.heard:
                break
            self.at_sound = bool(stream.heard)
            await self._set_up(media, 2 * number, stream)
        self.at_sound = False
        if not stream.heard:
            failure = stream.refused[0][1]
            raise ProbeFailed(failure.operation, failure.kind, failure.detail)
        await self._play(session.addresses)
        await self._hear(stream)
        return stream

    async def _set_up(self, media: sdp.Media, proposed: int, stream: LiveStream) -> None:
        """One medium, by the first of its addresses that the device accepts; a refusal is recorded beside what was received."""
        heard = Heard(media, Listener(media.clock_rate))
        refusal: ProbeFailed | None = None
        for address in media.addresses:
            try:
                answer = await self._set_up_at(address, heard, proposed)
            except ProbeFailed as failed:
                refusal = refusal or failed
                break
            if answer.status == 200:
                stream.heard.append(heard)
                return
            detail = f"{media.kind} {media.codec}: SETUP: {answer.status} {answer.reason}"
            refusal = refusal or ProbeFailed(Operation.REQUEST, FailureKind.PROTOCOL_ERROR, detail)
            if answer.status not in NO_SUCH_ADDRESS:
                break
        nowhere = Failure(Operation.READ, FailureKind.PROTOCOL_ERROR, f"{media.kind}: no address to set it up")
        stream.refused.append((media, refusal.failure if refusal else nowhere))

    async def _set_up_at(self, address: str, heard: Heard, proposed: int) -> Response:
        """Within the connection, or beside it. Raises ProbeFailed only for a refused password."""
        if self._transport != "udp":
            while {proposed, proposed + 1} & self._channels.keys():
                proposed += 2
            within = f"RTP/AVP/TCP;unicast;interleaved={proposed}-{proposed + 1}"
            answer = await self._ask("SETUP", address, (), Transport=within)
            if answer.status == 200:
                self._remember(answer)
                channel = _channel(answer.headers.get("transport", ""), proposed)
                self._channels[proposed if channel in self._channels else channel] = heard
                self._parser.channels |= {channel, channel + 1, proposed, proposed + 1}
                return answer
            if self._transport == "tcp" or answer.status not in OTHER_TRANSPORT or self._channels:
                return answer
        return await self._set_up_beside(address, heard)

    async def _set_up_beside(self, address: str, heard: Heard) -> Response:
        pair = self._port_pair()
        beside = f"RTP/AVP;unicast;client_port={pair.port}-{pair.port + 1}"
        answer = await self._ask("SETUP", address, (), Transport=beside)
        if answer.status == 200:
            self._transport = "udp"
            self._remember(answer)
            ports = _server_ports(answer.headers.get("transport", ""))
            if ports is not None:
                pair.open_firewall(ports)
            pair.feed(heard.listener)
        return answer

    def _port_pair(self) -> PortPair:
        if self._writer is None:
            raise RuntimeError("open comes first")
        local, device = (self._writer.get_extra_info(name)[0] for name in ("sockname", "peername"))
        self._port_pairs.append(PortPair(local, device))
        return self._port_pairs[-1]

    def _remember(self, answer: Response) -> None:
        """The session's name: the first holds, whatever a later answer calls it."""
        self._id = self._id or answer.headers.get("session", "").partition(";")[0].strip() or None

    async def _play(self, addresses: tuple[str, ...]) -> None:
        self._step = Operation.TRANSFER
        wanted = addresses or (self._url,)
        for address in wanted:
            last = (200,) if address == wanted[-1] else (200, *NO_SUCH_ADDRESS)
            answer = await self._ask("PLAY", address, (*last, INVALID_RANGE), Range="npt=0.000-")
            if answer.status == INVALID_RANGE:  # some have no beginning of a live stream
                answer = await self._ask("PLAY", address, last)
            if answer.status == 200:
                return

    async def _hear(self, stream: LiveStream) -> None:
        """Take what comes. A stream that breaks off is what was heard of it, if that was enough."""
        end = monotonic() + LISTEN_SECONDS
        try:
            async with asyncio.timeout(LISTEN_SECONDS):
                while monotonic() < end:
                    await self._more()
        except TimeoutError:
            pass
        except (OSError, RtspError):
            if not stream.flows:
                raise

    async def _close(self) -> None:
        try:
            await self._part()
        finally:
            for pair in self._port_pairs:
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
        """One exchange; a 401 is answered. Raises ProbeFailed for a status that is not accepted (none named: any but refusals)."""
        for attempt in range(MAX_LOGIN_ATTEMPTS):
            answer = await self._exchange(method, uri, more)
            self.unanswered_challenge = False
            if answer.status != 401 or self._login is None:
                break
            if not self._login.take(answer.challenges, refused=attempt > 0):
                break
            self.unanswered_challenge = True
        if answer.status in (401, 403):
            raise ProbeFailed(Operation.AUTHENTICATE, FailureKind.NOT_AUTHORISED, f"{method}: {answer.status}")
        if accepted and answer.status not in accepted:
            detail = f"{method}: {answer.status} {answer.reason}"
            raise ProbeFailed(Operation.REQUEST, FailureKind.PROTOCOL_ERROR, detail)
        return answer

    async def _exchange(self, method: str, uri: str, more: dict[str, str]) -> Response:
        if self._writer is None:
            raise RuntimeError("open comes first")
        self._asked = method
        self._sequence += 1
        self._writer.write(request(method, uri, self._sequence, self._headers(method, uri) | more))
        async with asyncio.timeout(SOUND_SECONDS if self.at_sound else STEP_SECONDS):
            await self._writer.drain()
            while True:
                for answer in await self._more():
                    if answer.status >= 200:
                        return answer

    async def _more(self) -> list[Response]:
        """What comes next: packets go to their listeners, requests of the device are answered, answers are returned."""
        try:
            async with asyncio.timeout(QUIET_SECONDS if self._parser.half_answer else None):
                data = await self._reader.read(65_536)
        except TimeoutError:
            if not self._parser.half_answer:
                raise
            data = b""
        if not data:
            cut = self._parser.unfinished()
            if cut is not None:
                return [cut]
            raise ConnectionResetError(f"the device hung up at {self._asked}")
        self._answered()
        now, answers = monotonic(), []
        for event in self._parser.feed(data):
            if isinstance(event, Response):
                answers.append(event)
            elif isinstance(event, Interleaved):
                if event.channel in self._channels:
                    self._channels[event.channel].listener.take(event.payload, now)
            else:
                self._grant(event)
        return answers

    def _grant(self, asked: DeviceRequest) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(reply(asked))

    def _headers(self, method: str, uri: str) -> dict[str, str]:
        headers = {"User-Agent": USER_AGENT}
        if self._id is not None:
            headers["Session"] = self._id
        proof = self._login.header(method, uri) if self._login is not None else None
        if proof is not None:
            headers["Authorization"] = proof
        return headers


def _channel(transport: str, proposed: int) -> int:
    """Which channel did the device choose for the medium?"""
    for part in transport.split(";"):
        name, _, value = part.strip().partition("=")
        first = ascii_integer(value.partition("-")[0].strip(), 255)
        if name == "interleaved" and first is not None:
            return first
    return proposed


def _server_ports(transport: str) -> tuple[int, int] | None:
    """From which ports does the device send RTP and RTCP?"""
    for part in transport.split(";"):
        name, _, value = part.strip().partition("=")
        first, second = (ascii_integer(port.strip(), 65_535) for port in (value.partition("-")[::2]))
        if name == "server_port" and first and second:
            return first, second
    return None


def _why_no_media(description: bytes) -> str:
    encoding = wide_encoding(description)
    return f"the description is {encoding} text instead of UTF-8" if encoding else "the description names no media"
