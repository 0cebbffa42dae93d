"""`campus-agent profiles`: the types of equipment that can be asked, shipped ones and the school's own; `profiles check`: mistakes in one."""

import argparse
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from campus_agent.cli.common import EXIT_NOT_MET, json_option
from campus_agent.measure.equipment.identify.draft import UNKNOWN
from campus_agent.measure.equipment.identify.fit import snmp_readings
from campus_agent.measure.equipment.identify.walk import Walk, read_walk
from campus_agent.measure.equipment.profile import Profile, load_profile, profile_files
from campus_agent.measure.equipment.readings import Readings
from campus_base.command_line import EXIT_OK, EXIT_USAGE, CommandParser, failed, json_line
from campus_base.language import Language
from campus_base.messages import Message, message
from campus_base.readings import READINGS, in_words
from campus_base.settings import ConfigurationError, Mistake, UnusableFile, read_text
from campus_base.system_errors import error_words
from campus_base.terminal import escape_cell

ACTIONS = {"check": message("all mistakes in a profile at once, with their places")}


def register(parser: CommandParser) -> None:
    json_option(parser)
    folder = message("your own profiles; they outrank the shipped ones")
    parser.add_argument("--folder", type=Path, metavar="DIR", help=parser.words(folder))
    parser.set_defaults(command=run)
    check = parser.add_command("check", ACTIONS["check"])
    check.add_argument("file", type=Path, metavar="FILE", help=parser.words(message("a profile (TOML)")))
    walk = message("show what it would read of this device (`snmpwalk -On`)")
    check.add_argument("--walk", type=Path, metavar="FILE", help=parser.words(walk))
    check.set_defaults(command=run_check)
    parser.subcommands_are_optional()


def run(arguments: argparse.Namespace, language: Language) -> int:
    profiles = [load_profile(path) for path in profile_files(arguments.folder)]
    if arguments.json:
        rows = [
            {
                "name": profile.name,
                "title": {"en": profile.title.en, "zh": profile.title.zh},
                "up_when_any": list(profile.up_when_any),
                "readings": list(profile.readings),
                "sources": list(profile.sources),
            }
            for profile in profiles
        ]
        print(json_line(rows))
        return EXIT_OK
    for profile in profiles:
        print(f"{profile.name:<24} {profile.title.in_(language)}")
        print(f"{'':<24} {', '.join(READINGS[name].in_(language) for name in profile.readings)}")
    return EXIT_OK


def run_check(arguments: argparse.Namespace, language: Language) -> int:
    """Exit 0 without mistakes, 1 where something is unknown or without effect, 2 with mistakes."""
    file: Path = arguments.file
    try:
        text = read_text(file)
        profile = load_profile(file)
    except UnusableFile as error:
        return failed(EXIT_USAGE, f"{file}: {error.text.in_(language)}")
    except ConfigurationError as error:
        placed = [Mistake(_with_line(text, mistake.path), mistake.text) for mistake in error.mistakes]
        return failed(EXIT_USAGE, ConfigurationError(str(file), placed).in_(language))
    try:
        walk = read_walk(arguments.walk) if arguments.walk is not None else None
    except (OSError, UnusableFile) as error:
        words = error.text if isinstance(error, UnusableFile) else error_words(error)
        return failed(EXIT_USAGE, f"{arguments.walk}: {words.in_(language)}")
    remarks = [*_unknown_lines(text), *_without_effect(profile, text)]
    for place, remark in remarks:
        print(escape_cell(f"  {place}: {remark.in_(language)}"))
    if walk is not None:
        _print_readings(_read_by(profile, walk), language)
    if remarks:
        return EXIT_NOT_MET
    print(
        message("{file}: no mistakes. Readings: {readings}").in_(
            language, file=file, readings=", ".join(profile.readings)
        )
    )
    return EXIT_OK


def line_of(text: str, place: str) -> int | None:
    """The line (from 1) of a place such as `snmp[2].oid`, or of its table where the key is not there; None where neither is found. Pure."""
    table, _, key = place.rpartition(".")
    if place.endswith("]") or not table:
        table, key = (place, "") if place.endswith("]") else ("", place)
    wanted = [(name, int(number or 0)) for name, number in re.findall(r"([A-Za-z0-9_-]+)(?:\[([0-9]{1,6})\])?", table)]
    counts: dict[str, int] = {}
    inside, here = not wanted, None
    for number, line in enumerate(text.split("\n"), 1):
        header = re.match(r"\s*\[\[?\s*([A-Za-z0-9_.-]+)\s*\]", line)
        if header is not None:
            name = header[1]
            counts[name] = counts.get(name, -1) + 1
            inside = bool(wanted) and name == ".".join(part for part, _ in wanted) and counts[name] == wanted[-1][1]
            here = number if inside else here
        elif inside and key and re.match(rf"\s*{re.escape(key)}\s*[.=]", line):
            return number
    return here


def _with_line(text: str, place: str) -> str:
    number = line_of(text, place)
    return place if number is None else f"{number} {place}"


def _unknown_lines(text: str) -> Iterator[tuple[str, Message]]:
    """What a draft still leaves open."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith(UNKNOWN):
            yield str(number), message("still unknown: {text}", text=line.removeprefix(UNKNOWN).strip()[:100])


def _without_effect(profile: Profile, text: str) -> Iterator[tuple[str, Message]]:
    """What is allowed, and yet cannot be meant."""
    for index, limit in enumerate(profile.limits):
        if limit.reading not in profile.readings:
            place = f"limit[{index}].reading"
            yield _with_line(text, place), message("no part of this profile gives {reading}", reading=limit.reading)
        if limit.minimum is not None and limit.maximum is not None and limit.minimum > limit.maximum:
            yield _with_line(text, f"limit[{index}].minimum"), message("the minimum is above the maximum")
    for index, entry in enumerate(profile.snmp):
        if entry.multiply == 0:
            yield _with_line(text, f"snmp[{index}].multiply"), message("0 makes every value 0")
        if not entry.object:
            yield _with_line(text, f"snmp[{index}].object"), message("name the object, as MIB::name")
    if "snmp" in profile.up_when_any and not profile.snmp:
        yield _with_line(text, "up_when_any"), message("names snmp, but there is no [[snmp]]: nothing is read")


def _read_by(profile: Profile, walk: Walk) -> Readings:
    """What the profile reads from a walk."""
    return snmp_readings(profile.snmp, walk.objects, datetime.now().astimezone())


def _print_readings(readings: Readings, language: Language) -> None:
    for name, value in readings.values.items():
        print(escape_cell(f"  {in_words(name, value, language)}"))
    for name, why in readings.failed.items():
        print(escape_cell(f"  ! {READINGS[name].in_(language)}: {why.detail}"))
