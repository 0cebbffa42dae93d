"""Does the chain of each school fit what is stored, its checkpoints, and heads that were kept outside the database?"""

import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

import msgspec

from campus_base.messages import Message, message, verbatim
from campus_collector.domain.chain import Checkpoint, Leaf, MissingLog
from campus_collector.domain.days import day_of
from campus_collector.store.columns import micros
from campus_collector.store.store import Store
from campus_collector.store.tables.chain import first_head, next_head
from campus_collector.verify.difference import Difference


@dataclass(frozen=True, slots=True)
class KnownHead:
    """A head that a school's chain had after so many results, as it was kept outside the database; `head` may be its beginning only."""

    school: str
    sequence: int
    head: str
    source: Message


SHOWN_SCHOOLS = 5
GIVEN = message("the given head")
RECEIPT = message("the head of a receipt")
_HEAD = re.compile(r"\A([a-z0-9_-]{1,64}):([0-9]{1,15}):([0-9a-fA-F]{8,64})\Z")


def parse_head(text: str) -> KnownHead:
    """`SCHOOL:N:HEX` as a report prints it. Raises ValueError."""
    match = _HEAD.match(text)
    if match is None or int(match[2]) == 0:
        raise ValueError(text)
    return KnownHead(match[1], int(match[2]), match[3].lower(), GIVEN)


def database_findings(store: Store) -> list[Difference]:
    """The ledger's trail, the file itself, and what gateways said."""
    findings: list[Difference] = []
    broken = store.ledger.first_broken_event()
    if broken is not None:
        findings.append(Difference("", message("the audit trail is broken at event {broken}", broken=broken)))
    missing = store.missing_log()
    if missing is not None:
        findings.append(Difference("", _missing_log_words(missing)))
    for mismatch in store.chain.mismatches():
        school, day = mismatch.school, mismatch.noticed_at.date()
        number, ours = mismatch.sequence, mismatch.our_sequence
        words = message(
            "{school}: its gateway holds a receipt for result {number} that does not fit the chain, which"
            " had {ours} results then (noticed {day}): acknowledged results were removed or replaced",
            school=school,
            number=number,
            ours=ours,
            day=day,
        )
        findings.append(Difference(school, words))
    return findings


def _missing_log_words(missing: MissingLog) -> Message:
    day, schools = missing.noticed_at.date(), missing.unconfirmed
    shown = ", ".join(schools[:SHOWN_SCHOOLS]) + (", ..." if len(schools) > SHOWN_SCHOOLS else "")
    return message(
        "the database was without its -wal file (noticed {day}): copied from a running collector, and"
        " the newest results are missing (copy it with campus-collector backup), or closed by another"
        " program after a crash, and nothing is missing; this goes when the next receipts of the"
        " gateways show that nothing is{state}",
        day=day,
        state=(
            message(": {schools} school(s) to come: {shown}", schools=len(schools), shown=shown)
            if schools
            else verbatim("")
        ),
    )


class _ClosedHead(msgspec.Struct):
    school: str
    results: int
    head: str


class _ClosedFigures(msgspec.Struct):
    """What is needed of a closed month's figures."""

    heads: list[_ClosedHead] = []


def closed_heads(store: Store, findings: list[Difference]) -> Iterator[KnownHead]:
    """The heads that the reports of closed months print; figures that were changed are added to `findings`."""
    for month, kept_hash in store.monthly.hashes().items():
        closed = store.monthly.closed(month)
        try:
            body = zlib.decompress(closed.figures) if closed is not None else b"{}"
            heads = msgspec.json.decode(body, type=_ClosedFigures).heads
        except (zlib.error, msgspec.MsgspecError, UnicodeDecodeError):
            body, heads = b"", []
        if sha256(body).hexdigest() != kept_hash:
            words = message("{month}: the figures of this closed month were changed", month=month)
            findings.append(Difference("", words))
            continue
        source = message("the head printed in the report of {month}", month=month)
        for head in heads:
            yield KnownHead(head.school, head.results, head.head, source)


class _Says(msgspec.Struct):
    """What a result says of itself, and is filed under."""

    subject: str
    kind: str
    started_at: datetime


def _says_so(raw: bytes, filed: tuple[str, str, int]) -> bool:
    """Is a result filed as it says? The chain is of its bytes alone. True for one that cannot be read: nobody judges by it."""
    try:
        says = msgspec.json.decode(raw, type=_Says)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return True
    started_at = says.started_at if says.started_at.tzinfo is not None else says.started_at.replace(tzinfo=UTC)
    return (says.subject, says.kind, micros(started_at)) == tuple(filed)


class ChainCheck:
    """Recomputes the chain of one school, compares it with its checkpoints and known heads, and collects the differences as `findings`."""

    def __init__(self, store: Store, school: str, known_heads: Sequence[KnownHead]) -> None:
        self.findings: list[Difference] = []
        self.results = 0
        self.results_before = 0
        """Results that were stored before the chain began."""
        self.heads = len(known_heads)
        """How many known heads were compared."""
        self._school = school
        self._length = 0
        self._first_missing = ""
        self.lost: dict[str, Message] = {}
        """Months whose archive could not be read, and why: the chain goes on from the next checkpoint."""
        self._head_is_known = True
        self._is_damaged = False
        self._misfiled: list[str] = []
        self._checkpoints = {checkpoint.last_sequence: checkpoint for checkpoint in store.chain.checkpoints(school)}
        self._checkpoints_fit = True
        self._waiting: dict[int, list[KnownHead]] = {}
        """Known heads of places that were not reached yet."""
        for known in known_heads:
            self._waiting.setdefault(known.sequence, []).append(known)
        self._different: list[KnownHead] = []
        last_checkpoint = max(self._checkpoints, default=0)
        head = first_head(school)
        for leaf in store.chain.leaves(school):
            head = self._append(leaf, head)
        self._report_checkpoints(last_checkpoint)
        self._report_heads()
        self._report_results_outside(store)

    def _append(self, leaf: Leaf, head: bytes) -> bytes:
        """The head after one more result."""
        self.results += 1
        if leaf.damage and not self._is_damaged:
            self._is_damaged = True
            words = message("result {id} is damaged: {damage}", id=leaf.id, damage=leaf.damage)
            self._add(words)
        if leaf.raw is not None and leaf.filed is not None and not _says_so(leaf.raw, leaf.filed):
            self._misfiled.append(leaf.id)
        if leaf.sequence == 0:
            self.results_before += 1
            return head
        if leaf.lost:
            self.lost.setdefault(leaf.lost.month, leaf.lost.words)
            self._head_is_known = False
        elif leaf.raw is None and not leaf.damage and not self._first_missing:
            self._first_missing = leaf.id
        if leaf.sequence != self._length + 1 and not self._first_missing:
            self._first_missing = f"#{self._length + 1}"
        self._length = leaf.sequence
        head = next_head(head, leaf.raw or b"")
        checkpoint = self._checkpoints.pop(leaf.sequence, None)
        if not self._head_is_known:  # nor are heads at these places compared: what leads to them is in the lost archive
            self.heads -= len(self._waiting.pop(leaf.sequence, ()))
            if checkpoint is None:
                return head
            self._head_is_known = True
            return checkpoint.head
        # after the first that does not fit, every later one is wrong too
        if checkpoint is not None and checkpoint.head != head and self._checkpoints_fit:
            self._checkpoints_fit = False
            self._add_checkpoint(checkpoint)
        known_heads = self._waiting.pop(leaf.sequence, ())
        self._different += [known for known in known_heads if not head.hex().startswith(known.head)]
        return head

    def _report_checkpoints(self, last_checkpoint: int) -> None:
        """Of those that were not reached the first, and results behind the last one."""
        if self._checkpoints and self._checkpoints_fit:
            self._add_checkpoint(min(self._checkpoints.values(), key=lambda checkpoint: checkpoint.day))
        elif self._checkpoints_fit and self._first_missing:
            self._add(message("result {first_missing} is missing", first_missing=self._first_missing))
        if self._length > last_checkpoint:
            self._add(message("the seal of result {length} is missing", length=self._length))

    def _report_heads(self) -> None:
        """Of a report or of receipts only the first; of receipts none when something else was found, as it is the same difference."""
        self._different += [known for known_heads in self._waiting.values() for known in known_heads]
        first = {
            (known.source.en, known.sequence if known.source is GIVEN else 0): known
            for known in reversed(self._different)
        }
        for known in reversed(first.values()):
            if known.source is not RECEIPT or not self.findings:
                self._add_head(known)

    def _report_results_outside(self, store: Store) -> None:
        """Results without a place in the chain that are not older than it, and results that no place names."""
        excess = self.results_before - store.chain.results_before(self._school)
        if excess > 0:
            self._add(
                message("{excess} result(s) have no place in the chain and are not older than it", excess=excess),
            )
        if self._misfiled:
            first, number = self._misfiled[0], len(self._misfiled)
            self._add(
                message(
                    "{number} result(s) are filed under another subject, kind or time than they say, the first is {first}",
                    number=number,
                    first=first,
                ),
            )
        without_leaf = store.chain.results_without_leaf(self._school)
        if without_leaf:
            self._add(
                message(
                    "{without_leaf} result(s) were put in that never came through ingest", without_leaf=without_leaf
                ),
            )

    def _add_head(self, known: KnownHead) -> None:
        number, length = known.sequence, self._length
        is_short = number > length
        self._add(
            message(
                "{source} at result {number} does not fit the chain{state}",
                source=known.source,
                number=number,
                state=(
                    message(", which has only {length}", length=length)
                    if is_short
                    else message(": a result before was changed")
                ),
            ),
        )

    def _add_checkpoint(self, checkpoint: Checkpoint) -> None:
        day, missing = day_of(checkpoint.day), self._first_missing
        if missing or checkpoint.last_sequence > self._length:
            missing = missing or f"#{checkpoint.last_sequence}"
            self._add(
                message("result {missing} is missing; seal of {day} does not fit", missing=missing, day=day),
            )
        else:
            self._add(
                message("the seal of {day} does not fit: a result of that day or before was changed", day=day),
            )

    def _add(self, text: Message) -> None:
        self.findings.append(Difference(self._school, message("{school}: {text}", school=self._school, text=text)))
