"""Writes the archive of a closed month: whole or not at all, and read back before it counts."""

import csv
import errno
import fcntl
import gzip
import io
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import file_digest, sha256
from pathlib import Path

import msgspec
import zstandard

from campus_base.files import follow_owner, make_folder, sync_folder
from campus_base.messages import message, verbatim
from campus_collector.archive.chains import Digests, MonthChain
from campus_collector.archive.check import verify_archives
from campus_collector.archive.context import closed_figures, context_of
from campus_collector.archive.errors import NotArchived
from campus_collector.domain.days import EPOCH
from campus_collector.domain.monthly import ClosedMonth
from campus_collector.judge.month import Month
from campus_collector.judge.policy import Policy
from campus_collector.report.figures import Head
from campus_collector.store.archive.duck import connection, literal
from campus_collector.store.archive.format import (
    CONTEXT,
    FORMAT,
    LINKS,
    MANIFEST,
    SELECTED,
    WRITTEN,
    ArchivedChain,
    ArchivedFile,
    ArchivedRow,
    Manifest,
    folder_name,
    hash_of,
    results_file,
    row_of,
)
from campus_collector.store.archive.read import ArchivedMonth
from campus_collector.store.packing import DamagedResult, unpack
from campus_collector.store.store import Store
from campus_collector.store.stored import decode_stored
from campus_collector.store.tables.archives import LAST_SEQUENCE, MonthRow
from campus_wire.version import VERSION

Progress = Callable[[int, int], None]
"""Called with how many schools of how many are done."""
ROWS_AT_ONCE = 512
ROW_GROUP = 30_720
"""Rows that are compressed together, about a school's month: what a reader of one school has to unpack."""
ROW_GROUP_BYTES = 33_554_432
"""No more than that either: DuckDB holds a group several times while it writes it."""
LINES = "rows.json.zst"
"""The rows of a town while its file is written."""
COMPRESSION_LEVEL = 8
"""9 takes a third longer and saves nothing; 3 takes half as long, and 7 bytes a result more."""
MOST_LINE_BYTES = 1_048_576
"""DuckDB sets aside twice this for reading. A result is at most a quarter of it, also where each byte of it takes two."""
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_encode = msgspec.json.Encoder().encode_lines


@dataclass(slots=True)
class _ArchiveParts:
    """What was written so far."""

    files: dict[str, ArchivedFile] = field(default_factory=dict)
    chains: list[ArchivedChain] = field(default_factory=list)
    links: list[tuple[str, int, bytes]] = field(default_factory=list)


class ArchiveWriter:
    """Writes archives below a folder, from a store."""

    def __init__(self, store: Store, policy: Policy, county: str, directory: Path) -> None:
        self._store, self._policy, self._county, self._directory = store, policy, county, directory

    def write(
        self,
        month: Month,
        archived: Callable[[str], Digests],
        progress: Progress | None = None,
    ) -> ArchivedMonth:
        """Of a closed month. `archived` gives the hashes of a school's results that have left the database.

        Raises NotArchived, StoreUnavailable, DuckdbMissing, OSError; then nothing is left behind.
        """
        closed = self._store.monthly.closed(str(month))
        if closed is None:
            raise NotArchived(message("{month} is not closed: only closed months are archived", month=month))
        unpacked = self._store.archives.unpacked_schools()
        if unpacked:
            words = message(
                "results of older versions are not packed yet ({schools}): run campus-collector store compact",
                schools=", ".join(unpacked[:5]),
            )
            raise NotArchived(words)
        return self._put(month, lambda folder: self._fill(folder, month, closed, archived, progress))

    def copy(self, archive: ArchivedMonth, month: Month) -> ArchivedMonth:
        """The same files of an archive that is whole. Raises as `write`."""

        def fill(folder: Path) -> None:
            for path in (MANIFEST, *archive.manifest.files):
                make_folder((folder / path).parent)
                try:
                    shutil.copyfile(archive.folder / path, folder / path)
                except OSError as error:
                    if error.errno in NO_ROOM:
                        error.filename = str(folder / path)  # Python names the file that is read
                    raise

        return self._put(month, fill)

    def _put(self, month: Month, fill: Callable[[Path], None]) -> ArchivedMonth:
        """The archive that `fill` writes into a folder; whole or not at all, and read back."""
        target = self._directory / folder_name(str(month))
        if target.exists():
            raise NotArchived(message("{folder} is there already: nothing was written", folder=target))
        make_folder(self._directory)
        for leftover in self._directory.glob(f".{folder_name(str(month))}.*.part"):
            with suppress(OSError), _locked(leftover):  # of a process that was killed: it holds no lock
                shutil.rmtree(leftover)
        beside = self._directory / f".{folder_name(str(month))}.{secrets.token_hex(4)}.part"
        try:
            make_folder(beside)
            with _locked(beside):
                fill(beside)
                _sync(beside)
                _must_be_whole(beside)
                _rename(beside, target)
            sync_folder(self._directory)
        finally:
            with suppress(OSError):
                shutil.rmtree(beside)
        return ArchivedMonth(target)

    def _fill(
        self,
        folder: Path,
        month: Month,
        closed: ClosedMonth,
        archived: Callable[[str], Digests],
        progress: Progress | None,
    ) -> None:
        written = _ArchiveParts()
        figures = closed_figures(closed)
        towns = self._towns(figures.heads)
        whole, done = sum(map(len, towns.values())), 0
        for town, schools in sorted(towns.items()):
            source = _TownRows(self._store, month, town, schools, archived, _progress_from(progress, done, whole))
            path = folder / results_file(town)
            if self._write_town(source, path):
                written.files[results_file(town)] = _described(path, source.results)
                written.chains += source.chains
                written.links += source.links
            done += len(schools)
        context = context_of(self._store, self._policy, month, closed)
        written.files[CONTEXT] = _write(folder / CONTEXT, msgspec.json.format(msgspec.json.encode(context), indent=1))
        written.files[LINKS] = _write(folder / LINKS, _links_file(written.links))
        manifest = Manifest(
            format=FORMAT,
            month=str(month),
            timezone=month.zone.key,
            county=self._county,
            closed_at=closed.closed_at,
            program_version=VERSION,
            policy_version=self._policy.version,
            closing_policy_version=figures.policy_version,
            figures_hash=closed.hash,
            results=sum(chain.results for chain in written.chains),
            schools=len(written.chains),
            files=written.files,
            heads=sorted(written.chains, key=lambda chain: chain.school),
        )
        manifest = msgspec.structs.replace(manifest, sha256=hash_of(manifest))
        _write(folder / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=1))

    def _towns(self, heads: Sequence[Head]) -> dict[str, dict[str, int]]:
        """Every school that ever had a result, by town, and the last result of its chain that was there when the month was closed.

        Town "": schools that are in no list. Figures without heads are older than the chains: nobody knows what was there.
        """
        town_of_school = {school.id: school.town for school in self._store.schools.all(EPOCH)}
        last_of_school = {head.school: head.results for head in heads}
        towns: dict[str, dict[str, int]] = {}
        for school in self._store.archives.schools():
            last = last_of_school.get(school, 0) if heads else LAST_SEQUENCE
            towns.setdefault(town_of_school.get(school, ""), {})[school] = last
        return towns

    def _write_town(self, source: "_TownRows", path: Path) -> bool:
        """False: no school of the town has a result of the month. DuckDB reads the rows from a packed file beside: from a pipe it would hold them all."""
        first = source.first()
        if first is None:
            return False
        make_folder(path.parent)
        lines = path.with_name(LINES)
        source.fill(lines, first)
        columns = ", ".join(f"{name}: '{sql_type}'" for name, sql_type in WRITTEN.items())
        options = f"format = 'newline_delimited', maximum_object_size = {MOST_LINE_BYTES}, columns = {{{columns}}}"
        with connection(path.parent) as database:
            import duckdb

            try:
                database.execute(
                    f"COPY (SELECT {SELECTED} FROM read_json('{_quoted(literal(lines))}', {options}))"  # noqa: S608
                    f" TO '{_quoted(path)}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL {COMPRESSION_LEVEL},"
                    f" ROW_GROUP_SIZE {ROW_GROUP}, ROW_GROUP_SIZE_BYTES {ROW_GROUP_BYTES})"
                )
            except duckdb.Error as error:
                _raise_no_room(error, path)
                raise NotArchived(message("{file}: {why}", file=path, why=verbatim(_reason(error)))) from None
        lines.unlink()
        return True


class _TownRows:
    """The results of a town's schools, school by school, as lines that DuckDB reads."""

    def __init__(
        self,
        store: Store,
        month: Month,
        town: str,
        schools: Mapping[str, int],
        archived: Callable[[str], Digests],
        progress: Callable[[int], None],
    ) -> None:
        """`schools`: of each the last result that belongs to the month as it was closed. `progress` is called with how many of the schools are done."""
        self.chains: list[ArchivedChain] = []
        self.links: list[tuple[str, int, bytes]] = []
        self.results = 0
        self._store, self._month, self._town, self._schools = store, month, town, schools
        self._archived, self._progress = archived, progress
        self._lines: Iterator[list[ArchivedRow]] = iter(())

    def first(self) -> list[ArchivedRow] | None:
        """The first rows; None of none. Raises NotArchived, StoreUnavailable."""
        self._lines = self._chunks()
        return next(self._lines, None)

    def fill(self, path: Path, first: list[ArchivedRow]) -> None:
        """Write all into a file, packed. Raises NotArchived, StoreUnavailable, OSError."""
        with zstandard.open(path, "wb", cctx=zstandard.ZstdCompressor(level=1)) as lines:
            lines.write(_encode(first))
            for rows in self._lines:
                lines.write(_encode(rows))

    def _chunks(self) -> Iterator[list[ArchivedRow]]:
        start, end = self._month.start, self._month.end
        for number, (school, last) in enumerate(self._schools.items(), 1):
            digests: Digests = {}
            results = 0
            rows: list[ArchivedRow] = []
            for stored in self._store.archives.of_month(school, start, end, last):
                rows.append(_row(school, stored, digests))
                results += 1
                if len(rows) >= ROWS_AT_ONCE:
                    yield rows
                    rows = []
            if rows:
                yield rows
            if results:
                self._finish(school, digests, results)
            self._progress(number)

    def _finish(self, school: str, digests: Digests, results: int) -> None:
        self.results += results
        if not digests:
            self.chains.append(ArchivedChain(school, self._town, results))
            return
        chain = MonthChain(self._store, self._month, school, digests, self._archived)
        self.chains.append(chain.described(self._town, results))
        self.links += [(school, place, digest) for place, digest in chain.links]


def _progress_from(progress: Progress | None, done: int, whole: int) -> Callable[[int], None]:
    """Of a town's schools, when `done` of the `whole` are those of other towns."""

    def step(of_town: int) -> None:
        if progress is not None:
            progress(done + of_town, whole)

    return step


def _row(school: str, stored: MonthRow, digests: Digests) -> ArchivedRow:
    """Raises NotArchived for a result that is damaged."""
    try:
        raw = unpack(stored.packed)
    except DamagedResult as error:
        words = message(
            "{school}: result {result} is damaged: {damage}",
            school=school,
            result=f"#{stored.sequence}",
            damage=verbatim(str(error)),
        )
        raise NotArchived(words) from None
    digest = sha256(raw).digest()
    if stored.sequence >= 1:
        digests[stored.sequence] = digest
    result = decode_stored(raw)
    return row_of(school, stored.kind, stored.subject, stored.started_at, stored.sequence, raw, digest, result)


def _must_be_whole(folder: Path) -> None:
    """Read back before it counts. Raises NotArchived."""
    findings = verify_archives([ArchivedMonth(folder)], columns=False).findings
    if findings:
        place, words = findings[0].place.partition("/")[2], findings[0].words
        raise NotArchived(
            message("what was written is not what is read back: {place}: {words}", place=place, words=words)
        )


def _links_file(links: Iterable[tuple[str, int, bytes]]) -> bytes:
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(("school", "sequence", "sha256"))
    lines.writerows((school, place, digest.hex()) for school, place, digest in links)
    return gzip.compress(text.getvalue().encode("ascii"), mtime=0)


def _write(path: Path, body: bytes) -> ArchivedFile:
    path.write_bytes(body)
    return _described(path, 0)


def _described(path: Path, results: int) -> ArchivedFile:
    with path.open("rb") as file:
        return ArchivedFile(file_digest(file, "sha256").hexdigest(), path.stat().st_size, results)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """A folder that is being written, so that no other process takes it for a leftover. Raises OSError when another has it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _rename(folder: Path, target: Path) -> None:
    """Raises NotArchived where another process was quicker."""
    try:
        folder.rename(target)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
        raise NotArchived(message("{folder} is there already: nothing was written", folder=target)) from None


def _sync(folder: Path) -> None:
    """Bring every file and name to the disk; they belong to whom the folder belongs to, and nobody changes them by mistake."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            sync_folder(path)
            continue
        path.chmod(0o440)
        follow_owner(path)
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    sync_folder(folder)


def _quoted(path: Path | str) -> str:
    return str(path).replace("'", "''")


def _raise_no_room(error: Exception, path: Path) -> None:
    """Raises OSError where DuckDB says that there is no room; its words hold others', in JSON, and no number."""
    for number in NO_ROOM:
        if os.strerror(number) in str(error):
            raise OSError(number, os.strerror(number), str(path)) from None


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
