"""Identifies one device, in a process of its own: SNMP's library, scapy and other people's files stay out of the command's process."""

import asyncio
import os
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from campus_agent.measure.equipment.identify.ask import ask_device
from campus_agent.measure.equipment.identify.capture import MAX_CAPTURE_BYTES, read_capture
from campus_agent.measure.equipment.identify.draft import draft
from campus_agent.measure.equipment.identify.evidence import Answered, Evidence, Identified, IdentifyTask
from campus_agent.measure.equipment.identify.fit import rank
from campus_agent.measure.equipment.identify.walk import read_walk
from campus_agent.measure.equipment.poll import secret_of
from campus_agent.measure.equipment.profile import Profile, load_profile, profile_files
from campus_agent.measure.equipment.scrub import HIDDEN, forms
from campus_agent.measure.probe import ProbeFailed
from campus_base.settings import ConfigurationError, UnusableFile
from campus_wire.failures import FailureKind, Operation

Task = IdentifyTask


def work(task: IdentifyTask, progress: Callable[[Any], None]) -> Identified:
    """Raises ProbeFailed: an unknown name, a file that cannot be used."""
    profiles = _profiles(task)
    evidence = _evidence(task, profiles, progress)
    now = datetime.now(ZoneInfo(task.time_zone))
    fits = rank(profiles, evidence, now)
    text, unknown = draft(task.name, evidence, profiles, fits, now, "zh" if task.language == "zh" else "en")
    answer = Identified(
        list(evidence.answers.values()), evidence.ports, len(evidence.objects), fits, text, unknown, evidence.notes[:16]
    )
    return _scrubbed(answer, forms(_logins(task)))


def _profiles(task: IdentifyTask) -> list[Profile]:
    """Every profile that can be read; one with mistakes is `profiles check`'s matter."""
    profiles = []
    for path in profile_files(Path(task.profile_folder) if task.profile_folder else None):
        try:
            profiles.append(load_profile(path))
        except ConfigurationError:
            continue
    return profiles


def _evidence(task: IdentifyTask, profiles: list[Profile], progress: Callable[[Any], None]) -> Evidence:
    evidence = Evidence()
    if task.host is not None:
        evidence = asyncio.run(ask_device(task, profiles, progress))
    if task.capture_file is not None:
        recorded = _recorded(Path(task.capture_file), progress)
        evidence.answers |= recorded.answers
        evidence.readings |= recorded.readings
        evidence.stream_path = recorded.stream_path
    if task.walk_file is not None:
        _take_walk(Path(task.walk_file), evidence)
    return evidence


def _recorded(path: Path, progress: Callable[[Any], None]) -> Evidence:
    if not path.is_file() or path.stat().st_size > MAX_CAPTURE_BYTES:
        detail = f"{path}: no file of at most {MAX_CAPTURE_BYTES // 1_000_000} MB"
        raise ProbeFailed(Operation.PREPARE, FailureKind.NOT_CONFIGURED, detail)
    with tempfile.TemporaryDirectory() as scratch:  # scapy would leave files in the user's home
        os.environ |= {"XDG_CACHE_HOME": scratch, "XDG_CONFIG_HOME": scratch}
        return read_capture(path, progress)


def _take_walk(path: Path, evidence: Evidence) -> None:
    try:
        walk = read_walk(path)
    except (OSError, UnusableFile) as error:
        detail = f"{path}: {getattr(error, 'strerror', None) or error}"
        raise ProbeFailed(Operation.PREPARE, FailureKind.NOT_CONFIGURED, detail) from None
    if not walk.objects:
        detail = f"{path}: no object in it; it must be what `snmpwalk -On` prints"
        raise ProbeFailed(Operation.READ, FailureKind.PROTOCOL_ERROR, detail)
    evidence.objects |= walk.objects
    evidence.answers["snmp"] = Answered("snmp", True, detail=f"{path.name}: {len(walk.objects)}")
    if walk.unread:
        lines = ", ".join(map(str, walk.unread[:8]))
        evidence.notes.append(f"walk: {len(walk.unread)} lines not understood: {lines}")
    if walk.cut:
        evidence.notes.append(f"walk: only the first {len(walk.objects)} objects were read")


def _logins(task: IdentifyTask) -> Iterator[tuple[str, str]]:
    for table in (task.snmp, task.rtsp, task.onvif):
        for key, file in table.items():
            if key.endswith("_file"):
                yield table.get("user", ""), secret_of(file) or ""


def _scrubbed(answer: Identified, secrets: tuple[str, ...]) -> Identified:
    """The answer without the secrets that a device may have repeated."""
    text = msgspec.json.encode(answer).decode()
    for secret in secrets:
        text = text.replace(msgspec.json.encode(secret).decode()[1:-1], HIDDEN)
    return msgspec.json.decode(text, type=Identified)
