"""Does the chain of each school fit what is stored, its checkpoints, and heads that were kept outside the database?"""

import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

import msgspec

from campus_base.language import Text
from campus_collector.domain.chain import Checkpoint, Leaf, MissingLog
from campus_collector.judge.day import day_of
from campus_collector.store.store import Store
from campus_collector.store.tables.chain import first_head, next_head
from campus_collector.verify.difference import Difference


@dataclass(frozen=True, slots=True)
class KnownHead:
    """A head that a school's chain had after so many results, as it was kept outside the database; `head` may be its beginning only."""

    school: str
    sequence: int
    head: str
    source: Text


SHOWN_SCHOOLS = 5
GIVEN = Text("the given head", "给定的链头")
RECEIPT = Text("the head of a receipt", "回执中的链头")
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
        findings.append(
            Difference("", Text(f"the audit trail is broken at event {broken}", f"操作记录自第 {broken} 条起不连续"))
        )
    missing = store.missing_log()
    if missing is not None:
        findings.append(Difference("", _missing_log_words(missing)))
    for mismatch in store.chain.mismatches():
        school, day = mismatch.school, mismatch.noticed_at.date()
        number, ours = mismatch.sequence, mismatch.our_sequence
        words = Text(
            f"{school}: its gateway holds a receipt for result {number} that does not fit the chain, which had {ours}"
            f" results then (noticed {day}): acknowledged results were removed or replaced",
            f"{school}：网关持有第 {number} 条结果的回执，与结果链不符，当时链中有 {ours} 条（{day} 发现）：已确认的结果被删除或替换",
        )
        findings.append(Difference(school, words))
    return findings


def _missing_log_words(missing: MissingLog) -> Text:
    day, schools = missing.noticed_at.date(), missing.unconfirmed
    shown = ", ".join(schools[:SHOWN_SCHOOLS]) + (", ..." if len(schools) > SHOWN_SCHOOLS else "")
    return Text(
        f"the database was without its -wal file (noticed {day}): copied from a running collector, and the newest results"
        " are missing (copy it with campus-collector backup), or closed by another program after a crash, and nothing is"
        " missing; this goes when the next receipts of the gateways show that nothing is"
        + (f": {len(schools)} school(s) to come: {shown}" if schools else ""),
        f"数据库缺少 -wal 文件（{day} 发现）：可能是在采集端运行时复制的，最新的结果缺失（请使用 campus-collector backup 备份）；"
        "也可能是异常退出后被其他程序打开并关闭，数据并无缺失。各网关下次上报的回执若证明没有缺失，本提示自动消除"
        + (f"：尚有 {len(schools)} 所学校：{shown}" if schools else ""),
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
            words = Text(f"{month}: the figures of this closed month were changed", f"{month}：已结账月份的数据被改动")
            findings.append(Difference("", words))
            continue
        source = Text(f"the head printed in the report of {month}", f"{month} 通报中的链头")
        for head in heads:
            yield KnownHead(head.school, head.results, head.head, source)


class ChainCheck:
    """Recomputes the chain of one school, compares it with its checkpoints and known heads, and collects the differences as `findings`."""

    def __init__(self, store: Store, school: str, known_heads: Sequence[KnownHead]) -> None:
        """Reads the whole chain."""
        self.findings: list[Difference] = []
        self.results = 0
        self.results_before = 0
        """Results that were stored before the chain began."""
        self._school = school
        self._length = 0
        self._first_missing = ""
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
        if leaf.sequence == 0:
            self.results_before += 1
            return head
        if leaf.raw is None and not self._first_missing:
            self._first_missing = leaf.id
        if leaf.sequence != self._length + 1 and not self._first_missing:
            self._first_missing = f"#{self._length + 1}"
        self._length = leaf.sequence
        head = next_head(head, leaf.raw or b"")
        checkpoint = self._checkpoints.pop(leaf.sequence, None)
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
            self._add(f"result {self._first_missing} is missing", f"结果 {self._first_missing} 缺失")
        if self._length > last_checkpoint:
            self._add(f"the seal of result {self._length} is missing", f"第 {self._length} 条结果的封存记录缺失")

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
                f"{excess} result(s) have no place in the chain and are not older than it",
                f"有 {excess} 条结果不在结果链中，且并非结果链启用前的数据",
            )
        without_leaf = store.chain.results_without_leaf(self._school)
        if without_leaf:
            self._add(
                f"{without_leaf} result(s) were put in that never came through ingest",
                f"有 {without_leaf} 条结果不是经正常上报入库的",
            )

    def _add_head(self, known: KnownHead) -> None:
        number, length = known.sequence, self._length
        is_short = number > length
        self._add(
            f"{known.source.en} at result {number} does not fit the chain"
            + (f", which has only {length}" if is_short else ": a result before was changed"),
            f"{known.source.zh}（第 {number} 条）与结果链不符"
            + (f"：链中只有 {length} 条" if is_short else "：此前的结果被改动"),
        )

    def _add_checkpoint(self, checkpoint: Checkpoint) -> None:
        day, missing = day_of(checkpoint.day), self._first_missing
        if missing or checkpoint.last_sequence > self._length:
            missing = missing or f"#{checkpoint.last_sequence}"
            self._add(
                f"result {missing} is missing; seal of {day} does not fit",
                f"结果 {missing} 缺失；{day} 的封存校验不符",
            )
        else:
            self._add(
                f"the seal of {day} does not fit: a result of that day or before was changed",
                f"{day} 的封存校验不符：当日或之前的结果被改动",
            )

    def _add(self, en: str, zh: str) -> None:
        self.findings.append(Difference(self._school, Text(f"{self._school}: {en}", f"{self._school}：{zh}")))
