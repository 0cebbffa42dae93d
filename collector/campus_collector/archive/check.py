"""Verifies archives from their files alone: every hash, every result, and the chains that lead from month to month."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import file_digest, sha256
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
from msgspec import UNSET

from campus_base.messages import Message, message
from campus_base.system_errors import error_words
from campus_collector.judge.month import parse_month
from campus_collector.store.archive.errors import ArchiveDamaged
from campus_collector.store.archive.format import (
    COLUMNS,
    CONTEXT,
    LINKS,
    MANIFEST,
    SHA256_START_BYTES,
    ArchivedChain,
    Manifest,
    folder_name,
    hash_of,
    row_of,
    town_of,
)
from campus_collector.store.archive.read import ArchivedMonth
from campus_collector.store.columns import micros
from campus_collector.store.stored import decode_stored
from campus_collector.store.tables.chain import first_head, head_after

Progress = Callable[[int, int], None]
_KEYS = "school, kind, subject, epoch_us(started_at), sequence, sha256_start, raw"
_AS_MICROS = {"ended_at": "epoch_us(ended_at)"}
"""Columns that are read as microseconds since 1970."""
_MEASURED = tuple(
    name
    for name in COLUMNS
    if name not in ("school", "kind", "subject", "started_at", "sequence", "sha256_start", "raw")
)
_MONTH_FOLDER = re.compile(r"month=\d{4}-\d\d")
_ID = re.compile(rb'"id":"([^"]{1,96})"')


@dataclass(frozen=True, slots=True)
class ArchiveDifference:
    """Something that is not as it was archived; `place` is the file, within the folder that was verified."""

    month: str
    place: str
    words: Message


@dataclass(slots=True)
class CheckedArchives:
    """How much was read, and what did not agree."""

    months: list[str] = field(default_factory=list)
    schools: int = 0
    results: int = 0
    manifests: dict[str, str] = field(default_factory=dict)
    """The hash of each month's manifest."""
    findings: list[ArchiveDifference] = field(default_factory=list)
    notes: dict[str, Message] = field(default_factory=dict)
    """What is to be known of a month, and is no difference."""


def archives_below(folder: Path) -> list[ArchivedMonth]:
    """The month that a folder is, or all in it, also without manifests; oldest first. Raises ArchiveDamaged."""
    if _MONTH_FOLDER.fullmatch(folder.name) or (folder / MANIFEST).exists():
        return [ArchivedMonth(folder)]
    try:
        return [
            ArchivedMonth(each)
            for each in sorted(folder.iterdir())
            if each.is_dir() and _MONTH_FOLDER.fullmatch(each.name)
        ]
    except OSError as error:
        raise ArchiveDamaged(folder, error_words(error)) from None


def verify_archives(
    archives: Sequence[ArchivedMonth],
    recorded: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    *,
    columns: bool = True,
) -> CheckedArchives:
    """Read all of it. `recorded` are the hashes of manifests that are known from elsewhere, by month; `columns`: also compare each typed column with its result."""
    checked = CheckedArchives()
    checks = [_MonthCheck(archive, checked, columns) for archive in archives]
    whole = sum(check.expected for check in checks)
    places = _places_of_interest(checks)
    for check in checks:
        check.run(places, (lambda done: progress(done, whole)) if progress else None)
        known = (recorded or {}).get(check.month)
        if known is not None and check.manifest is not None and check.manifest.sha256 != known:
            check.add(MANIFEST, message("is not the one that was recorded when the month was archived"))
    _compare_months(checks)
    checked.months = [check.month for check in checks]
    return checked


def missing_archives(recorded: Iterable[str], archives: Sequence[ArchivedMonth]) -> list[ArchiveDifference]:
    """The recorded months that have no folder among the archives."""
    there = {archive.folder.name for archive in archives}
    words = message("was recorded as archived, and is not there")
    return [
        ArchiveDifference(month, folder_name(month), words)
        for month in sorted(recorded)
        if folder_name(month) not in there
    ]


def policy_note(manifest: Manifest) -> Message | None:
    """That a month was closed by another policy than the one that is archived with it; None where it was not, or is not known."""
    if manifest.closing_policy_version is UNSET or manifest.closing_policy_version == manifest.policy_version:
        return None
    return message(
        "was closed by policy {closing}; the archive holds policy {archived}, which was in force when it was written:"
        " verdicts may differ",
        closing=manifest.closing_policy_version,
        archived=manifest.policy_version,
    )


def _places_of_interest(checks: "Sequence[_MonthCheck]") -> dict[str, set[int]]:
    """Where in each school's chain the months begin and end."""
    places: dict[str, set[int]] = {}
    for check in checks:
        for chain in check.chains.values():
            if chain.first_sequence:
                places.setdefault(chain.school, set()).update((chain.first_sequence - 1, chain.last_sequence))
    return places


def _compare_months(checks: "Sequence[_MonthCheck]") -> None:
    """What one month says of a place of a chain, against what the others' results lead to."""
    known: dict[tuple[str, int], tuple[bytes, str]] = {}
    for check in checks:
        named: set[str] = set()
        for (school, place), head in check.heads.items():
            other, month = known.setdefault((school, place), (head, check.month))
            if other != head and school not in named:
                named.add(school)
                words = message(
                    "{school}: the head at result {result} is not the one of {month}: one of the two was replaced",
                    school=school,
                    result=f"#{place}",
                    month=month,
                )
                check.add(MANIFEST, words)


class _MonthCheck:
    """One month's files."""

    def __init__(self, archive: ArchivedMonth, checked: CheckedArchives, columns: bool) -> None:
        self._archive, self._checked, self._columns = archive, checked, columns
        self.month = archive.month or archive.folder.name
        self.manifest: Manifest | None = None
        self.chains: dict[str, ArchivedChain] = {}
        self.heads: dict[tuple[str, int], bytes] = {}
        """What results lead to at places where a month begins or ends."""
        self.bounds = (0, 0)
        """Of the month, in microseconds since 1970."""
        try:
            self.manifest = archive.manifest
        except ArchiveDamaged as error:
            self.add(MANIFEST, error.words)
            return
        self.month = self.manifest.month
        self.chains = {chain.school: chain for chain in self.manifest.heads}

    @property
    def expected(self) -> int:
        """How many results there should be."""
        return self.manifest.results if self.manifest is not None else 0

    def add(self, place: str, words: Message) -> None:
        self._checked.findings.append(ArchiveDifference(self.month, f"{self._archive.folder.name}/{place}", words))

    def run(self, places: Mapping[str, set[int]], progress: Callable[[int], None] | None) -> None:
        """All but the comparison with other months."""
        if self.manifest is None:
            return
        self._checked.manifests[self.month] = self.manifest.sha256
        self._check_manifest(self.manifest)
        try:
            month = parse_month(self.manifest.month, ZoneInfo(self.manifest.timezone))
        except (ValueError, KeyError, OSError):  # an unknown zone is a KeyError
            self.add(MANIFEST, message("names no month, or no time zone that is known"))
            return
        self.bounds = (micros(month.start), micros(month.end))
        if (words := policy_note(self.manifest)) is not None:
            self._checked.notes[self.month] = words
        self._check_files(self.manifest)
        self._check_context(self.manifest)
        links, before = self._links(), self._checked.results
        seen: set[str] = set()
        for town in self._archive.partitions():
            for school in self._check_town(town, links, places):
                seen.add(school)
                self._checked.schools += 1
                if progress is not None:
                    progress(self._checked.results)
        if self._checked.results - before != self.manifest.results:
            self.add(
                MANIFEST,
                message(
                    "{count} results, where the manifest has {expected}",
                    count=self._checked.results - before,
                    expected=self.manifest.results,
                ),
            )
        for school in sorted(self.chains.keys() - seen):
            words = message(
                "{school}: none of its {count} results is there", school=school, count=self.chains[school].results
            )
            self.add(MANIFEST, words)

    def _check_manifest(self, manifest: Manifest) -> None:
        if hash_of(manifest) != manifest.sha256:
            self.add(MANIFEST, message("does not carry its hash: it was changed"))
        name = self._archive.folder.name
        if _MONTH_FOLDER.fullmatch(name) and name != folder_name(manifest.month):
            self.add(MANIFEST, message("is of {month}, in the folder of another month", month=manifest.month))
        in_files = sum(file.results for file in manifest.files.values())
        in_chains = sum(chain.results for chain in manifest.heads)
        if not manifest.results == in_files == in_chains or manifest.schools != len(self.chains):
            self.add(MANIFEST, message("its counts contradict each other: it was changed"))

    def _check_files(self, manifest: Manifest) -> None:
        folder = self._archive.folder
        for path, archived in manifest.files.items():
            if path not in (CONTEXT, LINKS) and town_of(path) is None:
                self.add(MANIFEST, message("names a file that no archive has: {path}", path=path))
                continue
            try:
                with (folder / path).open("rb") as file:
                    digest = file_digest(file, "sha256").hexdigest()
            except (OSError, ValueError) as error:
                self.add(path, error_words(error))
                continue
            if digest != archived.sha256:
                self.add(path, message("is not the file that was archived: its SHA-256 is another"))
        for file_path in sorted(folder.rglob("*")):
            path = file_path.relative_to(folder).as_posix()
            if file_path.is_file() and path not in manifest.files and path != MANIFEST:
                self.add(path, message("is no part of the archive"))

    def _check_context(self, manifest: Manifest) -> None:
        try:
            context = self._archive.context
        except ArchiveDamaged as error:
            self.add(CONTEXT, error.words)
            return
        if (context.month, context.policy_version) != (manifest.month, manifest.policy_version):
            self.add(CONTEXT, message("is of another month or policy than the manifest"))

    def _links(self) -> dict[str, dict[int, bytes]]:
        links: dict[str, dict[int, bytes]] = {}
        try:
            for school, place, digest in self._archive.links():
                links.setdefault(school, {})[place] = digest
        except ArchiveDamaged as error:
            self.add(LINKS, error.words)
        return links

    def _check_town(
        self, town: str, links: Mapping[str, Mapping[int, bytes]], places: Mapping[str, set[int]]
    ) -> Iterator[str]:
        """Each school in a town's file, when it was checked. Where the file cannot be read as a whole: school by school, and those that cannot be
        read are named."""
        path = self._archive.file_of(town).relative_to(self._archive.folder).as_posix()
        done: set[str] = set()

        def check(school: str, rows: Iterable[Sequence[object]]) -> str:
            if school in done:
                self.add(path, message("{school}: {words}", school=school, words=message("stands there twice")))
            of_school = _SchoolCheck(self, town, school, links.get(school, {}), places.get(school, set()))
            of_school.run(rows, measured)
            self._checked.results += of_school.results
            done.add(school)
            return school

        measured: list[str] = []
        columns = _KEYS
        try:
            if self._columns:  # an older file lacks those that came later
                present = self._archive.columns(town)
                measured = [name for name in _MEASURED if name in present]
                columns = ", ".join((_KEYS, *(_AS_MICROS.get(name, name) for name in measured)))
            for school, rows in groupby(self._archive.rows(town, columns), itemgetter(0)):
                yield check(str(school), rows)
            return
        except ArchiveDamaged as error:
            self.add(path, error.words)
        for chain in self.chains.values():
            if chain.town == town and chain.school not in done:
                try:
                    check(chain.school, self._archive.rows(town, columns, "school = $school", school=chain.school))
                except ArchiveDamaged:
                    self.add(path, message("{school}: its results cannot be read", school=chain.school))
                yield chain.school


class _SchoolCheck:
    """One school's results of a month."""

    def __init__(
        self, month: _MonthCheck, town: str, school: str, links: Mapping[int, bytes], places: set[int]
    ) -> None:
        self.results = 0
        self._month, self._school, self._links, self._places = month, school, links, places
        self._path = month._archive.file_of(town).relative_to(month._archive.folder).as_posix()
        self._town = town
        self._digests: dict[int, bytes] = {}
        self._named = False
        """Was a result that differs named? Then its chain leads elsewhere for that reason."""

    def run(self, rows: Iterable[Sequence[object]], measured: Sequence[str]) -> None:
        """`measured`: the columns that follow the keys in each row."""
        chain = self._month.chains.get(self._school)
        if chain is None or chain.town != self._town:
            words = message(
                "holds results of {school}, which the manifest does not put there: a file was swapped",
                school=self._school,
            )
            self._month.add(self._path, words)
            return
        start, end = self._month.bounds
        for row in rows:
            self._check_row(row, start, end, measured)
        if self.results != chain.results:
            self._add(
                message(
                    "{count} results, where the manifest has {expected}", count=self.results, expected=chain.results
                )
            )
        if chain.first_sequence:
            self._replay(chain)

    def _check_row(self, row: Sequence[object], start: int, end: int, measured: Sequence[str]) -> None:
        _, kind, subject, started_at, sequence, sha256_start, raw = row[:7]
        self.results += 1
        if not (isinstance(raw, bytes) and isinstance(sequence, int) and isinstance(started_at, int)):
            self._name(0, b"", message("has no time, no place in the chain or no bytes"))
            return
        digest = sha256(raw).digest()
        if digest[:SHA256_START_BYTES] != sha256_start:
            self._name(sequence, raw, message("its bytes are not those that were archived"))
        elif not start <= started_at < end:
            self._name(sequence, raw, message("is not of this month"))
        elif measured:
            expected = row_of(
                self._school, str(kind), str(subject), started_at, sequence, raw, digest, decode_stored(raw)
            )
            different = [
                name for name, value in zip(measured, row[7:], strict=True) if getattr(expected, name) != value
            ]
            if different or not _is_filed_so(raw, str(kind), str(subject), started_at):
                name = different[0] if different else "kind, subject, started_at"
                self._name(sequence, raw, message("its column {name} does not follow from it", name=name))
        if sequence >= 1:
            if sequence in self._digests:
                self._name(sequence, raw, message("stands there twice"))
            self._digests[sequence] = digest

    def _name(self, sequence: int, raw: bytes, words: Message) -> None:
        """Say it of the first such result of the school."""
        if not self._named:
            self._named = True
            match = _ID.search(raw)
            result = f"#{sequence}" + (f" {match[1].decode(errors='replace')}" if match else "") if raw else "—"
            self._add(message("result {result}: {words}", result=result, words=words))

    def _replay(self, chain: ArchivedChain) -> None:
        try:
            head = bytes.fromhex(chain.head_before)
        except ValueError:
            head = b""
        if chain.first_sequence == 1 and head != first_head(self._school):
            self._add(message("its chain does not begin as every chain does: the manifest was forged"))
            return
        first, last = chain.first_sequence, chain.last_sequence
        heads = {first - 1: head}
        for place in range(first, last + 1):
            digest = self._digests.get(place) or self._links.get(place)
            if digest is None:
                self._add(message("result {result} is missing", result=f"#{place}"))
                return
            head = head_after(head, digest)
            if place in self._places:
                heads[place] = head
        beyond = [place for place in self._digests if not first <= place <= last]
        if beyond:
            self._add(message("result {result} has no place in the chain of this month", result=f"#{min(beyond)}"))
        elif head.hex() == chain.head_after:
            self._month.heads |= {(self._school, place): at_place for place, at_place in heads.items()}
        elif not self._named:
            words = message(
                "its results from {first} to {last} do not lead to the head {head}: one was replaced, or the manifest was forged",
                first=f"#{first}",
                last=f"#{last}",
                head=chain.head_after[:12],
            )
            self._add(words)

    def _add(self, words: Message) -> None:
        self._month.add(self._path, message("{school}: {words}", school=self._school, words=words))


class _Filed(msgspec.Struct):
    """What a result says of itself."""

    kind: str = ""
    subject: str = ""


def _is_filed_so(raw: bytes, kind: str, subject: str, started_at: int) -> bool:
    """Are a row's keys what its result says? True for one that cannot be read."""
    result = decode_stored(raw)
    if result is None:
        return True
    says = msgspec.json.decode(raw, type=_Filed)
    return (says.kind, says.subject, micros(result.started_at)) == (kind, subject, started_at)
