"""A draft of a profile as TOML, from what is known of a device: what is known as entries, what is not as comments to work on. Pure.

A draft is a valid profile from the beginning. Only numbers, and texts that look like versions or figures, are copied from the device: other
texts may be names, addresses or passwords.
"""

import json
import re
from collections.abc import Sequence
from datetime import datetime

from campus_agent.measure.equipment.identify.evidence import Evidence, Fit
from campus_agent.measure.equipment.identify.fit import MAKERS, snmp_readings
from campus_agent.measure.equipment.profile import FROM_ONVIF, FROM_STREAM, PROTOCOLS, Profile, SnmpReading
from campus_agent.measure.equipment.readings import Value
from campus_base.language import Language
from campus_base.messages import message
from campus_base.readings import READINGS

UNKNOWN = "# UNKNOWN:"
"""Marks what somebody must still find out; `campus-agent profiles check` lists the lines that have it."""
MAX_CANDIDATES = 60
MAX_SHOWN_LETTERS = 40
_FIGURE = re.compile(
    r"[0-9]{1,4}(\.[0-9]{1,6})?(%|[A-Za-z]{1,2}| [A-Za-z%]{1,10})?"  # "15 PERCENT", "41C"
    r"|[vV]?[0-9]{1,4}(\.[0-9]{1,5}){1,4}( build [0-9]{1,8})?"  # "V5.5.3 build 171025"
)
_EXPECTED = ("uptime_seconds", "firmware", "storage_free_ratio", "storage_total_bytes", "load_ratio")
_EXPECTED_MORE = ("temperature_celsius", "recording", "clock_offset_seconds")
_LIMITS = {"storage_free_ratio": "minimum = 0.05", "clock_offset_seconds": "minimum = -60\nmaximum = 60"} | {
    "stream_up": "minimum = 1",
    "stream_loss_ratio": "maximum = 0.01",
}


def draft(
    title: str, evidence: Evidence, profiles: Sequence[Profile], fits: Sequence[Fit], now: datetime, language: Language
) -> tuple[str, list[str]]:
    """The text of the draft, and the readings that are unknown. `profiles` are all there are; entries come from the best fit that has them."""
    order = {fit.profile: place for place, fit in enumerate(fits)}
    ranked = sorted(profiles, key=lambda profile: order.get(profile.name, len(order)))
    entries = _entries(ranked, evidence, now)
    onvif = evidence.speaks("onvif")
    stream = evidence.speaks("rtsp")
    known = set(entries) | (set(FROM_ONVIF) if onvif else set()) | (FROM_STREAM if stream else set())
    unknown = [name for name in (*_EXPECTED, *_EXPECTED_MORE) if name not in known]
    up = [name for name in PROTOCOLS if evidence.speaks(name) and name in ("snmp", "rtsp", "onvif")]
    up = up or [name for name in ("http", "tcp", "icmp") if evidence.speaks(name)][:1] or ["tcp"]
    blocks = [_head(title, up, entries, evidence, language)]
    blocks += [_snmp_block(entry, value) for entry, value in entries.values()]
    if onvif:
        blocks.append(f"[onvif]\nreadings = {json.dumps(list(FROM_ONVIF))}\n")
    if "http" in up:
        blocks.append('[http]\npath = "/"\nstatus = 200\n')
    blocks += [f'[[limit]]\nreading = "{name}"\n{bounds}\n' for name, bounds in _LIMITS.items() if name in known]
    blocks.append(_unknown_part(unknown, evidence, entries, language))
    return "\n".join(blocks).rstrip("\n") + "\n", unknown


def _entries(
    profiles: Sequence[Profile], evidence: Evidence, now: datetime
) -> dict[str, tuple[SnmpReading, float | str]]:
    """For each reading the definition that gives it, and the value now."""
    entries: dict[str, tuple[SnmpReading, float | str]] = {}
    for profile in profiles:
        by_profile: dict[str, tuple[SnmpReading, float | str]] = {}
        for definition in profile.snmp:
            readings = snmp_readings((definition,), evidence.objects, now)
            for name, value in readings.values.items():
                by_profile[name] = (
                    definition,
                    value,
                )  # of several in one profile the last that the device has, as when it is polled
        entries = by_profile | entries
    return {name: entries[name] for name in READINGS if name in entries}


def _head(
    title: str,
    up: Sequence[str],
    entries: dict[str, tuple[SnmpReading, float | str]],
    evidence: Evidence,
    language: Language,
) -> str:
    sources = sorted({entry.object.partition("::")[0] for entry, _ in entries.values()})
    words = message(
        "A draft made from the answers of a device: compare each value with the device's own pages, then work on UNKNOWN."
    )
    lines = [f"# {words.in_(language)}"]
    if evidence.stream_path:
        path = message("Its live stream: rtsp://ADDRESS{path}").in_(
            language, path=_printable(evidence.stream_path, 200)
        )
        lines.append(f"# {path}")
    named = json.dumps(_printable(title, 80), ensure_ascii=False)
    lines += [f"title_en = {named}", f"title_zh = {named}", f"sources = {json.dumps(sources)}"]
    return "\n".join([*lines, f"up_when_any = {json.dumps(list(up))}", ""])


def _snmp_block(entry: SnmpReading, value: float | str) -> str:
    lines = ["[[snmp]]", f'reading = "{entry.reading}"' + _now(value)]
    lines.append(f"object = {json.dumps(entry.object)}")
    defaults = SnmpReading(entry.reading, entry.object, "")
    for key in SnmpReading.__struct_fields__:
        given = getattr(entry, key)
        if key in ("reading", "object", "map", "optional") or given == getattr(defaults, key) or given is None:
            continue
        if key == "unknown":
            given = [str(number) for number in given]
        lines.append(f"{key} = {json.dumps(given)}")
    if entry.map:
        states = ", ".join(f"{json.dumps(name)} = {number:g}" for name, number in entry.map)
        lines.append(f"map = {{ {states} }}")
    return "\n".join([*lines, ""])


def _now(value: float | str) -> str:
    shown = f"{value:g}" if isinstance(value, int | float) else _shown(value.encode("utf-8", "replace"))
    return f"  # {shown}" if shown is not None else ""


def _unknown_part(
    unknown: Sequence[str],
    evidence: Evidence,
    entries: dict[str, tuple[SnmpReading, float | str]],
    language: Language,
) -> str:
    lines = []
    for name in unknown:
        words = message("{reading} ({words}): no object of a known profile gives it")
        lines.append(f"{UNKNOWN} {words.in_(language, reading=name, words=READINGS[name].in_(language))}")
    used = {entry.oid for entry, _ in entries.values()}
    candidates = [
        (oid, shown)
        for oid, value in evidence.objects.items()
        if oid.startswith(MAKERS) and oid not in used and (shown := _shown(value)) is not None
    ]
    if unknown and candidates:
        words = message("The maker's own objects, with their values now; an entry for one would be written so:")
        example = ["[[snmp]]", f'reading = "{unknown[0]}"', 'object = "MIB::name"', f'oid = "{candidates[0][0]}"']
        lines += ["#", f"# {words.in_(language)}", *(f"#   {line}" for line in example), "#"]
        lines += [f"# {oid} = {shown}" for oid, shown in candidates[:MAX_CANDIDATES]]
        if len(candidates) > MAX_CANDIDATES:
            more = message("and {count} more, in the walk").in_(language, count=len(candidates) - MAX_CANDIDATES)
            lines.append(f"# {more}")
    return "\n".join(lines)


def _shown(value: Value) -> str | None:
    """A value that may stand in a draft; None for texts that may be names or secrets."""
    if isinstance(value, int):
        return str(value)
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else ""
    return text if _FIGURE.fullmatch(text) and len(text) <= MAX_SHOWN_LETTERS else None


def _printable(text: str, letters: int) -> str:
    return "".join(letter for letter in text if letter.isprintable())[:letters]
