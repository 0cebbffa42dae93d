"""`campus-agent probe-device`: asks an unknown device, or reads what somebody recorded of one; says which profile fits; writes a draft of one."""

import argparse
import asyncio
import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from campus_agent.cli.common import EXIT_NOT_MEASURED, EXIT_NOT_MET, json_option, port_number
from campus_agent.measure.equipment.identify.evidence import Answered, Fit, Identified, IdentifyTask
from campus_agent.measure.probe import ProbeFailed
from campus_agent.measure.worker import run_worker
from campus_base.command_line import EXIT_OK, EXIT_USAGE, CommandParser, failed, json_line
from campus_base.language import Language
from campus_base.messages import Message, message
from campus_base.readings import in_words
from campus_base.terminal import escape_cell, redraw_line
from campus_base.wire_words import FAILURE_WORDS

DEADLINE_SECONDS = 240.0
"""A silent device takes half of it; a large capture on a small gateway the rest."""
MAX_FITS = 3
_FILES = {
    "community_file": message("SNMP v2c: the community, in a file"),
    "auth_file": message("SNMPv3: the authentication password, in a file"),
    "priv_file": message("SNMPv3: the privacy password, in a file"),
    "password_file": message("ONVIF and RTSP: the password, in a file"),
}
_TEXTS = {"snmp_user": message("SNMPv3: the user"), "user": message("ONVIF and RTSP: the user")}


def register(parser: CommandParser) -> None:
    json_option(parser)
    parser.add_argument("host", nargs="?", metavar="HOST", help=parser.words(message("address or name of the device")))
    recorded = message("what `snmpwalk -On` printed, instead of a device")
    parser.add_argument("--walk", type=Path, metavar="FILE", help=parser.words(recorded))
    captured = message("a capture of its RTSP (pcap, pcapng), instead of a device")
    parser.add_argument("--pcap", type=Path, metavar="FILE", help=parser.words(captured))
    written = message("where the draft is written (default: device-HOST.toml in this folder)")
    parser.add_argument("--draft", type=Path, metavar="FILE", help=parser.words(written))
    folder = message("your own profiles; they outrank the shipped ones")
    parser.add_argument("--folder", type=Path, metavar="DIR", help=parser.words(folder))
    for key, words in _FILES.items():
        parser.add_argument(f"--{key.replace('_', '-')}", type=Path, metavar="FILE", help=parser.words(words))
    for key, words in _TEXTS.items():
        parser.add_argument(f"--{key.replace('_', '-')}", metavar="NAME", help=parser.words(words))
    protocols = message("SNMPv3: the protocol (default: {default})")
    parser.add_argument(
        "--auth-protocol", choices=("sha", "sha256"), default="sha", help=parser.words(protocols, default="sha")
    )
    parser.add_argument(
        "--priv-protocol", choices=("aes", "aes256"), default="aes", help=parser.words(protocols, default="aes")
    )
    port = message("UDP port of SNMP (default: 161)")
    parser.add_argument("--snmp-port", type=port_number, default=161, metavar="PORT", help=parser.words(port))
    url = message("its live stream, where it is known; without user and password in it")
    parser.add_argument("--rtsp-url", metavar="URL", help=parser.words(url))
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace, language: Language) -> int:
    mistake = _mistake(arguments)
    if mistake is not None:
        return failed(EXIT_USAGE, f"campus-agent probe-device: {mistake.in_(language)}")
    try:
        identified = asyncio.run(_identify(_task(arguments, language), language))
    except ProbeFailed as error:
        reason = FAILURE_WORDS[error.failure.kind].in_(language)
        return failed(EXIT_NOT_MEASURED, f"campus-agent probe-device: {reason}: {error.failure.detail}")
    except TimeoutError:
        late = message("not finished within {seconds} s").in_(language, seconds=int(DEADLINE_SECONDS))
        return failed(EXIT_NOT_MEASURED, f"campus-agent probe-device: {late}")
    if not any(answer.speaks for answer in identified.answers):
        print(json_line(msgspec.to_builtins(identified)) if arguments.json else in_text(identified, None, language))
        return EXIT_NOT_MEASURED
    draft_file = _draft_file(arguments)
    try:
        with draft_file.open("x", encoding="utf-8") as file:
            file.write(identified.draft)
    except OSError as error:
        text = message("the draft cannot be written: {file}: {reason}; give another place with --draft")
        words = text.in_(language, file=draft_file, reason=error.strerror)
        return failed(EXIT_USAGE, f"campus-agent probe-device: {words}")
    body = msgspec.to_builtins(identified) | {"draft_file": str(draft_file)}
    print(json_line(body) if arguments.json else in_text(identified, draft_file, language))
    return EXIT_OK if identified.fits else EXIT_NOT_MET


def in_text(identified: Identified, draft_file: Path | None, language: Language) -> str:
    """The answer for a person. Pure."""
    lines = [_answer_line(answer, language) for answer in identified.answers]
    if not identified.fits:
        lines.append(message("No profile fits.").in_(language))
    for place, fit in enumerate(identified.fits[:MAX_FITS]):
        words = message("Fits best: {profile}") if place == 0 else message("Fits too: {profile}")
        lines.append(words.in_(language, profile=fit.profile))
        lines += _fit_lines(fit, language)
    lines += [f"! {note}" for note in identified.notes]
    if draft_file is not None:
        words = message(
            "Draft: {file}. Unknown: {count} reading(s), marked UNKNOWN. Then: campus-agent profiles check {file}"
        )
        lines.append(words.in_(language, file=draft_file, count=len(identified.unknown)))
    return "\n".join(escape_cell(line) for line in lines)


def _answer_line(answer: Answered, language: Language) -> str:
    if answer.speaks:
        words = message("{protocol}: answers {detail}")
        return words.in_(language, protocol=answer.protocol, detail=answer.detail).rstrip()
    why = answer.failure
    reason = f"{FAILURE_WORDS[why.kind].in_(language)} ({why.detail})" if why is not None else ""
    words = message("{protocol}: does not answer: {reason}")
    return words.in_(language, protocol=answer.protocol, reason=reason)


def _fit_lines(fit: Fit, language: Language) -> list[str]:
    lines = [f"  {in_words(name, value, language)}" for name, value in fit.readings.items()]
    if fit.missing:
        words = message("  missing: {readings}")
        lines.append(words.in_(language, readings=", ".join(fit.missing)))
    if fit.unconfirmed:
        words = message("  to be seen with the device's user and password only: {readings}")
        lines.append(words.in_(language, readings=", ".join(fit.unconfirmed)))
    return lines


def _mistake(arguments: argparse.Namespace) -> Message | None:
    """What is wrong with the arguments together."""
    if arguments.host is None and arguments.walk is None and arguments.pcap is None:
        return message("give a HOST, --walk or --pcap")
    if arguments.host is not None and (arguments.walk is not None or arguments.pcap is not None):
        return message("give either a HOST, or --walk and --pcap")
    if (arguments.auth_file or arguments.priv_file) and not arguments.snmp_user:
        return message("--auth-file and --priv-file need --snmp-user")
    if arguments.password_file and not arguments.user:
        return message("--password-file needs --user")
    if arguments.rtsp_url is None:
        return None
    try:
        parts = urlsplit(arguments.rtsp_url)
        usable = parts.scheme == "rtsp" and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        return message("--rtsp-url must be like rtsp://10.0.1.50:554/live/1")
    if "@" in parts.netloc or re.search(r"(?i)pass|pwd", arguments.rtsp_url):
        return message("a password on the command line can be read by others: use --user and --password-file")
    return None


def _task(arguments: argparse.Namespace, language: Language) -> IdentifyTask:
    snmp: dict[str, str] = {}
    if arguments.snmp_user:
        snmp = {"version": "3", "user": arguments.snmp_user}
        snmp |= {"auth_protocol": arguments.auth_protocol, "priv_protocol": arguments.priv_protocol}
        snmp |= {key: str(getattr(arguments, key)) for key in ("auth_file", "priv_file") if getattr(arguments, key)}
    elif arguments.community_file:
        snmp = {"version": "2c", "community_file": str(arguments.community_file)}
    if snmp:
        snmp["port"] = str(arguments.snmp_port)
    login = {"user": arguments.user} if arguments.user else {}
    if arguments.password_file:
        login["password_file"] = str(arguments.password_file)
    return IdentifyTask(
        name=_subject(arguments),
        host=arguments.host,
        walk_file=str(arguments.walk) if arguments.walk else None,
        capture_file=str(arguments.pcap) if arguments.pcap else None,
        snmp=snmp,
        rtsp=login | ({"url": arguments.rtsp_url} if arguments.rtsp_url else {}),
        onvif=login,
        profile_folder=str(arguments.folder) if arguments.folder else None,
        language=language,
    )


def _subject(arguments: argparse.Namespace) -> str:
    return str(arguments.host or (arguments.walk or arguments.pcap).stem)


def _draft_file(arguments: argparse.Namespace) -> Path:
    if arguments.draft is not None:
        return Path(arguments.draft)
    name = re.sub(r"[^a-z0-9]+", "-", _subject(arguments).lower()).strip("-")[:40]
    return Path(f"device-{name}.toml")


async def _identify(task: IdentifyTask, language: Language) -> Identified:
    """Raises ProbeFailed, TimeoutError."""

    def show(step: dict[str, Any]) -> None:
        if not sys.stderr.isatty():
            return
        if "packets" in step:
            text = message("{count} frames read").in_(language, count=step["packets"])
        else:
            asked = message("asking: {protocol}").in_(language, protocol=step.get("asking", step.get("answered")))
            text = f"{asked} ✓" if step.get("speaks") else asked
        redraw_line(text, sys.stderr)

    body = await run_worker("identify", task, DEADLINE_SECONDS, show)
    if sys.stderr.isatty():
        redraw_line("", sys.stderr)
    return msgspec.json.decode(body, type=Identified)
