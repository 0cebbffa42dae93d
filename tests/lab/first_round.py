"""What has been measured of the school so far, as the collector tells it, in lines for a terminal."""

import json
import unicodedata
from dataclasses import dataclass, field
from typing import Any
from urllib.error import URLError

from campus_base.language import Language
from campus_base.messages import bilingual
from campus_base.wire_words import FAILURE_WORDS, RESULT_WORDS, VALIDITY_WORDS
from campus_wire.bandwidth import Verdict
from campus_wire.failures import FailureKind, Validity
from tests.lab.programs import DIRECT
from tests.lab.school import Room

PARTS = {
    "uplink": bilingual("uplink", "学校出口"),
    "platform": bilingual("platform", "平台"),
    "recording_room": bilingual("recording room", "录播室"),
    "switch": bilingual("switch", "交换机"),
}
UPLINK = bilingual("uplink", "学校出口")
PLATFORM = bilingual(
    "platform: answers, first byte after {milliseconds:.0f} ms",
    "平台：可访问，首字节 {milliseconds:.0f} 毫秒",
)
PLATFORM_FAILS = bilingual("platform: does not answer", "平台：无法访问")
ROOM_UP = bilingual(
    "recording room: every required device works (recorder by SNMP, camera by RTSP)",
    "录播室：必备设备均正常（录播主机用 SNMP，摄像机用 RTSP）",
)
ROOM_DOWN = bilingual("recording room: down: {devices}", "录播室：异常设备：{devices}")
SWITCH = bilingual("switch: {up} of {all} ports have a link", "交换机：{all} 个端口中 {up} 个已连接")
BELOW = bilingual("{rate:.1f} Mbit/s is below {limit:g}", "{rate:.1f} Mbps，低于 {limit:g} Mbps")
HEADINGS = (
    bilingual("classroom", "班级"),
    bilingual("true line", "真实线路"),
    bilingual("down", "下行"),
    bilingual("up", "上行"),
    bilingual("verdict", "结论"),
    bilingual("reason", "原因"),
)


@dataclass(slots=True)
class Round:
    """The newest results of each part."""

    throughput: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By subject: the classrooms, and the uplink."""
    services: list[dict[str, Any]] = field(default_factory=list)
    rooms: list[dict[str, Any]] = field(default_factory=list)
    ports: dict[str, dict[str, Any]] = field(default_factory=dict)

    def has(self, part: str) -> bool:
        """Was this part measured?"""
        measured = {
            "uplink": "uplink" in self.throughput,
            "platform": bool(self.services),
            "recording_room": bool(self.rooms),
            "switch": bool(self.ports),
        }
        return measured[part]

    def waits_for(self, rooms: tuple[Room, ...], parts: tuple[str, ...]) -> bool:
        """Is anything of these not measured yet?"""
        return not all(room.id in self.throughput for room in rooms) or not all(map(self.has, parts))


def read(url: str) -> Round:
    """From the collector; empty while it does not answer."""
    try:
        subjects = _answer(f"{url}v1/schools/s001")["subjects"]
        rooms = _answer(f"{url}v1/results?school=s001&kind=room&limit=20")["results"]
        ports = _answer(f"{url}v1/results?school=s001&kind=port&limit=100")["results"]
    except (URLError, OSError):
        return Round()
    latest = [each for each in subjects if each["latest"]]
    newest_first = sorted(ports, key=lambda result: result["started_at"])
    return Round(
        {each["subject"]: each["latest"] for each in latest if each["kind"] in ("classroom", "uplink")},
        [each["latest"] for each in latest if each["kind"] == "service"],
        sorted((each for each in rooms if each["subject"] == "r1"), key=lambda result: result["started_at"]),
        {result["subject"]: result for result in newest_first if result.get("record")},
    )


def table(round_: Round, rooms: tuple[Room, ...], uplink_bits_per_second: float | None, language: Language) -> str:
    """Each classroom and the uplink: what its line is, and what was measured."""
    lines = [(f"{room.id} {room.name}", room, 98.0) for room in rooms]
    if uplink_bits_per_second is not None:
        lines.append((UPLINK.in_(language), Room("uplink", "", uplink_bits_per_second), 980.0))
    rows = [[heading.in_(language) for heading in HEADINGS]]
    rows += [_row(name, room, limit, round_.throughput.get(room.id), language) for name, room, limit in lines]
    return _aligned(rows)


def equipment(round_: Round, language: Language) -> list[str]:
    """A line for each other part that was measured."""
    lines = []
    for result in round_.services:
        seconds = result.get("first_byte_seconds")
        words = PLATFORM_FAILS if seconds is None else PLATFORM
        lines.append(words.in_(language, milliseconds=(seconds or 0.0) * 1e3))
    if round_.rooms:
        record = round_.rooms[-1]["record"]
        words = ROOM_UP if record["up"] else ROOM_DOWN
        lines.append(words.in_(language, devices=", ".join(record.get("down", []))))
    if round_.ports:
        up = sum(result["record"]["up"] for result in round_.ports.values())
        lines.append(SWITCH.in_(language, up=up, all=len(round_.ports)))
    return lines


def _answer(url: str) -> Any:
    with DIRECT.open(url, timeout=5) as answer:
        return json.load(answer)


def _row(name: str, room: Room, limit: float, latest: dict[str, Any] | None, language: Language) -> list[str]:
    off, unshaped = bilingual("switched off", "未开机"), bilingual("not shaped", "未限速")
    rate = room.line_rate_bits_per_second / 1e6
    truth = off.in_(language) if not room.on else f"{rate:g}" if rate else unshaped.in_(language)
    latest = latest or {}
    rates = [latest.get(name) for name in ("down", "up")]
    shown = [f"{rate['line_rate_bits_per_second'] / 1e6:.2f}" if rate else "—" for rate in rates]
    verdict, reason = Verdict.INSUFFICIENT, ""
    if latest.get("failure"):
        reason = FAILURE_WORDS[FailureKind(latest["failure"]["kind"])].in_(language)
    elif latest and latest["validity"] != Validity.OK:
        reason = f"{VALIDITY_WORDS[Validity(latest['validity'])].in_(language)} {latest['detail']}"
    elif all(rates):
        verdict = Verdict(latest["verdict"])
        slowest = min(rate["line_rate_bits_per_second"] for rate in rates if rate)
        if verdict is Verdict.NOT_MET:
            reason = BELOW.in_(language, rate=slowest / 1e6, limit=limit)
    mark = {"met": "✓", "not_met": "✗"}.get(verdict, "?")
    return [name, truth, *shown, f"{mark} {RESULT_WORDS[verdict].in_(language)}", reason]


def _aligned(rows: list[list[str]]) -> str:
    def width(text: str) -> int:
        return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)

    widths = [max(width(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell + " " * (w - width(cell)) for cell, w in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)
