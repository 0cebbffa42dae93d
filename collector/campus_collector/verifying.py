"""Is the evidence whole? Recomputes the chain of every school, the ledger's trail, and every day's evidence; names the first difference of each."""

import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

import msgspec

from campus_base.language import Text
from campus_collector.domain.records import MissingLog, Seal
from campus_collector.judge.day import NOTHING, day_of
from campus_collector.judge.judging import Progress
from campus_collector.judge.policy import TARGET_NAMES
from campus_collector.judge.service import TARGETS_OF, Verdicts
from campus_collector.store.chain import first_head, next_head
from campus_collector.store.interface import Store


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was stored. `school` "" is the ledger's trail."""

    school: str
    text: Text


@dataclass(frozen=True, slots=True)
class Checked:
    """What was looked at."""

    schools: int
    results: int
    unsealed: int
    days: int
    findings: tuple[Finding, ...]
    heads: int = 0
    """How many heads from outside the chain were compared: of closed months, of receipts, and those given by a person."""


@dataclass(frozen=True, slots=True)
class KnownHead:
    """A head that a school's chain had after so many results, as somebody else kept it; `head` may be its beginning only."""

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
    found = _HEAD.match(text)
    if found is None or int(found[2]) == 0:
        raise ValueError(text)
    return KnownHead(found[1], int(found[2]), found[3].lower(), GIVEN)


def verify(
    store: Store,
    verdicts: Verdicts,
    school: str | None = None,
    progress: Progress | None = None,
    given: Sequence[KnownHead] = (),
) -> Checked:
    """All schools, or one; `given` heads are compared as well."""
    schools = [known.id for known in store.schools(datetime.fromtimestamp(0, UTC)) if school in (None, known.id)]
    findings = _of_the_whole(store)
    known = [*given, *_closed_heads(store, findings)]
    findings += [
        Finding(head.school, Text(f"{head.school}: there is no such school", f"{head.school}：没有该学校"))
        for head in given
        if head.school not in schools
    ]
    results = unsealed = days = heads = 0
    for done, one in enumerate(schools):
        if progress is not None:
            progress(done, len(schools))
        own = [head for head in known if head.school == one]
        own += [
            KnownHead(one, number, head.hex(), RECEIPT) for number, head in store.chain.receipts(one).items() if number
        ]
        chain = _Chain(store, one, own)
        findings += chain.findings
        results, unsealed, heads = results + chain.results, unsealed + chain.unsealed, heads + len(own)
        for finding in _evidence(store, verdicts, one):
            if isinstance(finding, Finding):
                findings.append(finding)
                break
            days += 1
    if progress is not None:
        progress(len(schools), len(schools))
    return Checked(len(schools), results, unsealed, days, tuple(findings), heads)


def _of_the_whole(store: Store) -> list[Finding]:
    """The ledger's trail, the file itself, and what gateways said."""
    findings: list[Finding] = []
    broken = store.ledger.first_broken_event()
    if broken is not None:
        findings.append(
            Finding("", Text(f"the audit trail is broken at event {broken}", f"操作记录自第 {broken} 条起不连续"))
        )
    missing = store.missing_log()
    if missing is not None:
        findings.append(Finding("", _missing_log_words(missing)))
    for one in store.chain.mismatches():
        day, number, ours = one.noticed_at.date(), one.sequence, one.our_sequence
        words = Text(
            f"{one.school}: its gateway holds a receipt for result {number} that does not fit the chain, which had {ours}"
            f" results then (noticed {day}): acknowledged results were removed or replaced",
            f"{one.school}：网关持有第 {number} 条结果的回执，与结果链不符，当时链中有 {ours} 条（{day} 发现）：已确认的结果被删除或替换",
        )
        findings.append(Finding(one.school, words))
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


def _closed_heads(store: Store, findings: list[Finding]) -> Iterator[KnownHead]:
    """The heads that the reports of closed months print; figures that were changed are a finding."""
    for month, kept_hash in store.monthly.hashes().items():
        kept = store.monthly.closed(month)
        try:
            body = zlib.decompress(kept.figures) if kept is not None else b"{}"
            heads = msgspec.json.decode(body, type=_ClosedFigures).heads
        except (zlib.error, msgspec.MsgspecError, UnicodeDecodeError):
            body, heads = b"", []
        if sha256(body).hexdigest() != kept_hash:
            words = Text(f"{month}: the figures of this closed month were changed", f"{month}：已结账月份的数据被改动")
            findings.append(Finding("", words))
            continue
        source = Text(f"the head printed in the report of {month}", f"{month} 通报中的链头")
        for one in heads:
            yield KnownHead(one.school, one.results, one.head, source)


class _Chain:
    """The chain of one school: what was stored, in its order, against the seals and the heads that others kept."""

    def __init__(self, store: Store, school: str, known: Sequence[KnownHead]) -> None:
        self.findings: list[Finding] = []
        self.results = self.unsealed = self._length = 0
        self._first_missing = ""
        self._walk(store, school, known)
        before = store.chain.results_before(school)
        if self.unsealed > before:
            n = self.unsealed - before
            self._say(
                school,
                f"{n} result(s) have no place in the chain and are not older than it",
                f"有 {n} 条结果不在结果链中，且并非结果链启用前的数据",
            )
        strangers = store.chain.unlinked(school)
        if strangers:
            self._say(
                school,
                f"{strangers} result(s) were put in that never came through ingest",
                f"有 {strangers} 条结果不是经正常上报入库的",
            )

    def _walk(self, store: Store, school: str, known: Sequence[KnownHead]) -> None:
        seals = {one.last_sequence: one for one in store.chain.seals(school)}
        last_sealed = max(seals, default=0)
        waiting: dict[int, list[KnownHead]] = {}
        for one in known:
            waiting.setdefault(one.sequence, []).append(one)
        head, seals_fit, unlike = first_head(school), True, []
        for link in store.chain.links(school):
            self.results += 1
            if link.sequence == 0:
                self.unsealed += 1
                continue
            if link.octets is None and not self._first_missing:
                self._first_missing = link.id
            if link.sequence != self._length + 1 and not self._first_missing:
                self._first_missing = f"#{self._length + 1}"
            self._length = link.sequence
            head = next_head(head, link.octets or b"")
            seal = seals.pop(link.sequence, None)
            if seal is not None and seal.head != head and seals_fit:
                seals_fit = False  # every later one is wrong too
                self._broken(school, seal)
            unlike += [one for one in waiting.pop(link.sequence, ()) if not head.hex().startswith(one.head)]
        if seals and seals_fit:
            self._broken(school, min(seals.values(), key=lambda one: one.day))
        elif seals_fit and self._first_missing:
            self._say(school, f"result {self._first_missing} is missing", f"结果 {self._first_missing} 缺失")
        if self._length > last_sealed:
            self._say(
                school, f"the seal of result {self._length} is missing", f"第 {self._length} 条结果的封存记录缺失"
            )
        unlike += [one for heads in waiting.values() for one in heads]
        first = {(one.source.en, one.sequence if one.source is GIVEN else 0): one for one in reversed(unlike)}
        for one in reversed(first.values()):  # of a report or of receipts the first one tells enough
            if one.source is not RECEIPT or not self.findings:  # else it says the same again
                self._unlike(school, one)

    def _unlike(self, school: str, known: KnownHead) -> None:
        number, length = known.sequence, self._length
        short = number > length
        self._say(
            school,
            f"{known.source.en} at result {number} does not fit the chain"
            + (f", which has only {length}" if short else ": a result before was changed"),
            f"{known.source.zh}（第 {number} 条）与结果链不符"
            + (f"：链中只有 {length} 条" if short else "：此前的结果被改动"),
        )

    def _broken(self, school: str, seal: Seal) -> None:
        day, missing = day_of(seal.day), self._first_missing
        if missing or seal.last_sequence > self._length:
            missing = missing or f"#{seal.last_sequence}"
            self._say(
                school,
                f"result {missing} is missing; seal of {day} does not fit",
                f"结果 {missing} 缺失；{day} 的封存校验不符",
            )
        else:
            self._say(
                school,
                f"the seal of {day} does not fit: a result of that day or before was changed",
                f"{day} 的封存校验不符：当日或之前的结果被改动",
            )

    def _say(self, school: str, en: str, zh: str) -> None:
        self.findings.append(Finding(school, Text(f"{school}: {en}", f"{school}：{zh}")))


def _evidence(store: Store, verdicts: Verdicts, school: str) -> Iterator[Finding | None]:
    """Every day's evidence, judged anew: None for one that fits."""
    judging = verdicts.judging
    verdicts.catch_up()
    subjects = {
        (kind_target, one.id): one
        for one in store.subjects(school, datetime.fromtimestamp(0, UTC))
        for kind_target in TARGETS_OF[one.kind]
    }
    by_subject: dict[tuple[str, str], list[int]] = {}
    for row in store.evidence.days(school, 0, 1_000_000):
        by_subject.setdefault((row.target, row.subject), []).append(row.day)
    for (target, name), days in sorted(by_subject.items(), key=lambda one: (TARGET_NAMES.index(one[0][0]), one[0][1])):
        subject = subjects.get((target, name))
        if subject is None:
            continue
        for month in sorted({judging.month_on(day_of(day)) for day in days}, key=str):
            kept = judging.days(subject, target, month)
            fresh = judging.from_results(subject, target, month.first_day, month.last_day)
            for day in sorted(kept.keys() | fresh.keys()):
                if kept.get(day, NOTHING) != fresh.get(day, NOTHING):
                    words = Text(
                        f"{school}/{name} {target}: the evidence of {day} does not follow from its results",
                        f"{school}/{name} {target}：{day} 的判定依据与原始结果不符",
                    )
                    yield Finding(school, words)
                    return
                yield None
