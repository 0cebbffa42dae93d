"""Is the evidence whole? Recomputes the chain of every school, the ledger's trail, and every day's evidence; names the first difference of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from campus_collector.judge.day import NOTHING, day_of
from campus_collector.judge.policy import TARGET_NAMES
from campus_collector.judging import Progress
from campus_collector.service import Service
from campus_collector.store.chain import first_head, next_head
from campus_collector.store.interface import Seal, Store
from campus_collector.verdicts import TARGETS_OF
from campus_wire.language import Text


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


def verify(service: Service, school: str | None = None, progress: Progress | None = None) -> Checked:
    """All schools, or one."""
    store = service.store
    schools = [one.id for one in store.schools(datetime.fromtimestamp(0, UTC)) if school in (None, one.id)]
    findings: list[Finding] = []
    results = unsealed = days = 0
    broken = store.ledger.first_broken_event()
    if broken is not None:
        findings.append(
            Finding("", Text(f"the audit trail is broken at event {broken}", f"操作记录自第 {broken} 条起不连续"))
        )
    for done, one in enumerate(schools):
        if progress is not None:
            progress(done, len(schools))
        chain = _Chain(store, one)
        findings += chain.findings
        results, unsealed = results + chain.results, unsealed + chain.unsealed
        for finding in _evidence(service, one):
            if isinstance(finding, Finding):
                findings.append(finding)
                break
            days += 1
    if progress is not None:
        progress(len(schools), len(schools))
    return Checked(len(schools), results, unsealed, days, tuple(findings))


class _Chain:
    """The chain of one school: what was stored, in its order, against the seals."""

    def __init__(self, store: Store, school: str) -> None:
        self.findings: list[Finding] = []
        self.results = self.unsealed = 0
        seals = {one.last_sequence: one for one in store.chain.seals(school)}
        head, expected = first_head(school), 1
        first_missing = ""
        for link in store.chain.links(school):
            self.results += 1
            if link.sequence == 0:
                self.unsealed += 1
                continue
            if link.octets is None and not first_missing:
                first_missing = link.id
            if link.sequence != expected and not first_missing:
                first_missing = f"#{expected}"
            expected = link.sequence + 1
            head = next_head(head, link.octets or b"")
            seal = seals.pop(link.sequence, None)
            if seal is not None and seal.head != head:
                self._broken(school, seal, first_missing)
                return
        for seal in seals.values():
            self._broken(school, seal, first_missing or f"#{seal.last_sequence}")
            return
        if first_missing:
            self._say(school, f"result {first_missing} is missing", f"结果 {first_missing} 缺失")
        strangers = store.chain.unlinked(school)
        if strangers:
            self._say(
                school,
                f"{strangers} result(s) were put in that never came through ingest",
                f"有 {strangers} 条结果不是经正常上报入库的",
            )

    def _broken(self, school: str, seal: Seal, missing: str) -> None:
        day = day_of(seal.day)
        if missing:
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


def _evidence(service: Service, school: str) -> Iterator[Finding | None]:
    """Every day's evidence, judged anew: None for one that fits."""
    judging, store = service.verdicts.judging, service.store
    service.verdicts.catch_up()
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
