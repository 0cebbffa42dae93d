"""Reads the RTSP of a device out of a capture (pcap, pcapng): its answers, its stream's address, what it streams. scapy takes the frames apart.

Only the TCP connections in which RTSP is spoken are looked at; log-ins in them are neither kept nor shown. Bounded in packets and bytes.
"""

import contextlib
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from campus_agent.measure.equipment.identify.ask import without_passwords
from campus_agent.measure.equipment.identify.evidence import Answered, Evidence
from campus_agent.measure.equipment.rtsp import Interleaved, Parser, Response, RtspError
from campus_agent.measure.equipment.sdp import describe
from campus_agent.measure.equipment.stream import ENOUGH_PACKETS
from campus_agent.measure.probe import ProbeFailed
from campus_wire.failures import FailureKind, Operation

MAX_CAPTURE_BYTES = 200_000_000
MAX_PACKETS = 50_000
MAX_CONNECTIONS = 64
MAX_STREAM_BYTES = 512_000
"""Of one direction of one connection: the talk before a stream and its first packets."""
PROGRESS_PACKETS = 2_000
_REQUEST = re.compile(rb"(?:^|\n)(DESCRIBE|SETUP|PLAY) rtsps?://([^ \r\n]{1,500}) RTSP/1\.")
_CHANNELS = re.compile(r"interleaved=([0-9]{1,3})-")
Direction = tuple[str, int, str, int]
"""Sender's address and port, receiver's address and port."""


class Segment(msgspec.Struct, frozen=True):
    """One TCP segment with a payload."""

    direction: Direction
    sequence: int
    payload: bytes


def read_capture(path: Path, progress: Callable[[Any], None]) -> Evidence:
    """What the capture says of the device that streams. Raises ProbeFailed: no capture, or no RTSP in it."""
    evidence = evidence_of(streams(_segments(path, progress)))
    if not evidence.speaks("rtsp"):
        raise ProbeFailed(Operation.READ, FailureKind.PROTOCOL_ERROR, f"{path}: no RTSP by TCP in this capture")
    return evidence


def streams(segments: Iterable[Segment]) -> dict[Direction, bytes]:
    """The bytes of each direction from the first segment seen, without what was sent again; until a gap that is never filled. Pure."""
    waiting: dict[Direction, dict[int, bytes]] = {}
    first: dict[Direction, int] = {}
    kept: dict[Direction, int] = {}
    for segment in segments:
        direction = segment.direction
        if direction not in waiting:
            if len(waiting) >= MAX_CONNECTIONS:
                continue
            waiting[direction], first[direction], kept[direction] = {}, segment.sequence, 0
        place = (segment.sequence - first[direction]) % 2**32
        if place >= MAX_STREAM_BYTES or kept[direction] >= 2 * MAX_STREAM_BYTES:
            continue
        if len(segment.payload) > len(waiting[direction].get(place, b"")):
            waiting[direction][place] = segment.payload
            kept[direction] += len(segment.payload)
    return {direction: _joined(parts) for direction, parts in waiting.items()}


def _joined(parts: dict[int, bytes]) -> bytes:
    data = bytearray()
    for place in sorted(parts):
        if place > len(data):
            break
        data += parts[place][len(data) - place :]
    return bytes(data[:MAX_STREAM_BYTES])


def evidence_of(by_direction: dict[Direction, bytes]) -> Evidence:
    """What the answers in these bytes say. Pure; what is no RTSP is left out."""
    evidence = Evidence()
    packets = 0
    for direction, data in by_direction.items():
        if not data.startswith(b"RTSP/1."):
            continue
        sent = by_direction.get((*direction[2:], *direction[:2]), b"")
        answers, media_packets = _answers(data)
        if not answers:
            continue
        packets += media_packets
        server = next((answer.headers["server"] for answer in answers if "server" in answer.headers), "")
        detail = f"{direction[0]}:{direction[1]} {server[:80]}".strip()
        evidence.answers["rtsp"] = Answered("rtsp", True, detail=detail)
        _take_stream(evidence, answers, sent)
    if packets >= ENOUGH_PACKETS:  # fewer say nothing: the media may go by UDP, or the capture end before them
        evidence.readings["stream_up"] = 1.0
    return evidence


def _answers(data: bytes) -> tuple[list[Response], int]:
    """The answers in one direction, and how many packets of media came between them."""
    parser, answers, packets = Parser(), list[Response](), 0
    with contextlib.suppress(RtspError):
        for start in range(0, len(data), 4_096):
            for event in parser.feed(data[start : start + 4_096]):
                if isinstance(event, Interleaved):
                    packets += 1
                elif isinstance(event, Response):
                    answers.append(event)
                    channel = _CHANNELS.search(event.headers.get("transport", ""))
                    if channel is not None:
                        parser.channels |= {int(channel[1]), int(channel[1]) + 1}
    return answers, packets


def _take_stream(evidence: Evidence, answers: list[Response], sent: bytes) -> None:
    """The stream's address, from the request, and its media, from the description."""
    asked = _REQUEST.search(sent)
    if asked is not None and not evidence.stream_path:
        with contextlib.suppress(ValueError):
            parts = urlsplit(f"rtsp://{asked[2].decode('utf-8', 'replace')}")
            evidence.stream_path = without_passwords(parts.path + (f"?{parts.query}" if parts.query else ""))
    for answer in answers:
        if answer.status == 200 and b"m=" in answer.body:
            described = describe(answer.body.decode("utf-8", "replace"), "rtsp://device/", "rtsp://device/")
            evidence.readings["codec"] = "+".join(media.codec or "?" for media in described.media)[:80]


def _segments(path: Path, progress: Callable[[Any], None]) -> Iterator[Segment]:
    """The TCP segments of a capture's file. Raises ProbeFailed."""
    from scapy.error import Scapy_Exception
    from scapy.layers.inet import IP, TCP
    from scapy.layers.inet6 import IPv6
    from scapy.utils import PcapReader

    warnings.simplefilter("ignore")
    try:
        with PcapReader(str(path)) as reader:
            for number, packet in enumerate(reader):
                if number >= MAX_PACKETS:
                    return
                if number % PROGRESS_PACKETS == 0:
                    progress({"packets": number})
                network = packet.getlayer(IP) or packet.getlayer(IPv6)
                tcp = packet.getlayer(TCP)
                if network is None or tcp is None or not len(tcp.payload):
                    continue
                direction = (str(network.src), int(tcp.sport), str(network.dst), int(tcp.dport))
                payload = bytes(tcp.payload)
                yield Segment(direction, int(tcp.seq), payload[: _payload_bytes(network, tcp, payload)])
    except (Scapy_Exception, OSError, EOFError, ValueError, IndexError) as error:
        raise ProbeFailed(Operation.READ, FailureKind.PROTOCOL_ERROR, f"{path}: no capture: {error}"[:300]) from None


def _payload_bytes(network: Any, tcp: Any, payload: bytes) -> int:
    """How many of the bytes are the segment's: short frames on Ethernet are padded."""
    length = getattr(network, "len", None)
    if length is None or not tcp.dataofs:
        return len(payload)
    return max(0, int(length) - 4 * int(network.ihl or 5) - 4 * int(tcp.dataofs))
