"""The text of /metrics, kept: store and judge report what changed, and only those lines are written again."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from time import monotonic, perf_counter
from typing import Any, NamedTuple

from prometheus_client import Histogram, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from campus_collector.domain.agents import UP_WITHIN, Agent
from campus_collector.domain.area_standing import standings
from campus_collector.domain.change import Change
from campus_collector.domain.inventory import Inventory
from campus_collector.domain.results import Latest
from campus_collector.domain.schools import School, Subject
from campus_collector.export import samplers
from campus_collector.export.exposition import Owner, Sample, StoredExposition
from campus_collector.export.table import METRICS, Metric, scope_of
from campus_collector.judge.lesson_minutes import LessonTime
from campus_collector.judge.month import Month, month_of_day, start_of_day
from campus_collector.judge.rules import planned_at
from campus_collector.judge.service import Verdicts
from campus_collector.judge.tally import SchoolTally, ShortVerdicts, agreement_in, school_tally, tally_in
from campus_collector.judge.verdict import Tally, areas_of
from campus_collector.store.errors import StoreUnavailable
from campus_collector.store.store import Store
from campus_collector.tls.served import ServedCertificate

log = logging.getLogger(__name__)

MOST_SINGLE_SUBJECTS = 8
"""From so many changed subjects on, a school is read at once."""
JUDGE_SECONDS = 0.3
"""So long a scrape may judge what has just arrived; what remains is judged within the minute."""
LEDGER_SECONDS = 60.0
"""So often the ledger is read even if no change was reported: a command may work on it, and days end."""
LESSON_KINDS = ("lesson_stream", "interruption")
HISTOGRAM = "campus_ingest_request_duration_seconds"
SCRAPE_DURATION = "campus_scrape_duration_seconds"
END_OF_OPENMETRICS = b"# EOF\n"


_NEVER = datetime.min.replace(tzinfo=UTC)


class UpwardLines(NamedTuple):
    """Which lines of upward reporting this collector has: of what it sends, of what it receives."""

    sends: bool = False
    receives: bool = False


class UnknownSelection(ValueError):
    """A scope or town that does not exist; says which do."""


@dataclass(slots=True)
class _Changes:
    """What store and judge have reported since the last refresh."""

    subjects: dict[str, set[str]] = field(default_factory=dict)
    reported: set[str] = field(default_factory=set)
    announced: set[str] = field(default_factory=set)
    judged: set[str] = field(default_factory=set)
    everything: bool = True
    every_verdict: bool = True
    ledger: bool = True


@dataclass(slots=True)
class _Written:
    """What the kept lines were written from; sets and dicts are by school where nothing else is said."""

    inventory_version: int = -1
    refreshed_at: datetime = _NEVER
    month: Month | None = None
    ledger_read_at: float = 0.0
    towns: dict[str, str] = field(default_factory=dict)
    subjects: dict[str, frozenset[str]] = field(default_factory=dict)
    devices: Mapping[str, frozenset[str]] | None = None
    """Devices and rooms of each school of the inventory; None without a sheet of devices: then they come and go with their results."""
    carriers: dict[str, str] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    agents: dict[str, Agent] = field(default_factory=dict)
    agents_up: set[str] = field(default_factory=set)
    token_expiries: dict[str, datetime] = field(default_factory=dict)
    subjects_with_lines: dict[str, set[str]] = field(default_factory=dict)
    """A school that is silent for long has none."""
    polled_at: dict[tuple[str, str], datetime] = field(default_factory=dict)
    """By school and subject."""
    today: date | None = None
    lessons: set[str] = field(default_factory=set)
    """Schools with lines of the lesson stream: these are of one day."""
    devices_polled: dict[str, set[str]] = field(default_factory=dict)
    """Whose results tell how the recording rooms of a school are used, which is of one day too."""
    tally: Tally = field(default_factory=Counter)
    """Of the county."""
    tallies: dict[str, Tally] = field(default_factory=dict)
    agreements: dict[str, SchoolTally] = field(default_factory=dict)
    towns_with_areas: set[str] = field(default_factory=set)
    pending: set[str] = field(default_factory=set)
    """Schools whose verdicts must be written again once they are judged."""
    towns_with_problems: set[str] = field(default_factory=set)
    failed: set[Owner] = field(default_factory=set)
    """Whose lines are left out, because they could not be made."""


class MetricsCache:
    """The metrics of one collector; every method may be called from any thread."""

    def __init__(
        self,
        store: Store,
        verdicts: Verdicts,
        ingest_duration_seconds: Histogram,
        certificate: ServedCertificate | None = None,
        upward: UpwardLines | None = None,
    ) -> None:
        """Subscribes to changes; everything is written at the first refresh."""
        self._store, self._verdicts, self._histogram = store, verdicts, ingest_duration_seconds
        self._certificate = certificate
        self._upward = upward or UpwardLines()
        self._stale_after = timedelta(seconds=verdicts.policy.present.stale_after_seconds)
        self._lines = StoredExposition()
        self._written = _Written()
        self._lock = threading.Lock()
        self._changes_lock = threading.Lock()
        self._changes = _Changes()
        store.subscribe(self._note)
        verdicts.subscribe(self._note_verdicts)

    def refresh(self, now: datetime | None = None) -> None:
        """Write what changed. Raises StoreUnavailable; what was to be written is then written next time."""
        with self._lock:
            self._refresh(now or datetime.now(UTC))

    def render(
        self,
        scopes: Collection[str] = (),
        towns: Collection[str] = (),
        openmetrics: bool = False,
        now: datetime | None = None,
    ) -> list[bytes]:
        """The page as it is now, in parts of one line or more; all of it, or some scopes and towns ("": the county's and collector's own).

        Raises UnknownSelection, StoreUnavailable.
        """
        began = perf_counter()
        with self._lock:
            self._refresh(now or datetime.now(UTC))
            wanted = [metric for metric in METRICS if not scopes or scope_of(metric) in scopes]
            if not wanted:
                raise UnknownSelection(f"no such scope; there are: {', '.join(sorted(set(map(scope_of, METRICS))))}")
            if unknown := sorted(set(towns) - {"", *self._written.towns.values()}):
                known = ", ".join(sorted({*self._written.towns.values()} - {""}))
                raise UnknownSelection(f"no such town: {', '.join(unknown)}; there are: {known}")
            only = set(towns) or None
            parts = [part for metric in wanted for part in self._parts_of(metric, only, openmetrics, began)]
        return [*parts, END_OF_OPENMETRICS] if openmetrics else parts

    def _parts_of(self, metric: Metric, towns: Collection[str] | None, openmetrics: bool, began: float) -> list[bytes]:
        county = towns is None or "" in towns
        if metric.name == HISTOGRAM and county:
            if openmetrics:
                text: bytes = generate_openmetrics(self._histogram)  # type: ignore[no-untyped-call]
                return [text.removesuffix(END_OF_OPENMETRICS)]
            return [generate_latest(self._histogram)]
        if metric.name == SCRAPE_DURATION and county:
            self._lines.put((SCRAPE_DURATION,), "", [(SCRAPE_DURATION, (), perf_counter() - began)])
        return self._lines.parts_of(metric, towns, openmetrics)

    def _put(self, owner: Owner, town: str, sampler: Callable[..., Iterable[Sample]], *values: Any) -> None:
        """Write an owner's lines. When they cannot be made it has none, the log says so once; all other owners keep theirs."""
        try:
            self._lines.put(owner, town, list(sampler(*values)))
            self._written.failed.discard(owner)
        except StoreUnavailable:
            raise
        except Exception as error:
            self._lines.put(owner, town, [])
            self._leave_out(owner, error)

    def _leave_out(self, owner: Owner, error: Exception) -> None:
        if owner not in self._written.failed:
            shown = f"{type(error).__name__}: {error}".splitlines()[0][:300]
            log.error("lines of /metrics left out", extra={"owner": "/".join(owner), "error": shown})
        self._written.failed.add(owner)

    def _note(self, change: Change) -> None:
        with self._changes_lock:
            changes = self._changes
            for school, subject, _ in change.subjects:
                changes.subjects.setdefault(school, set()).add(subject)
            changes.reported |= change.reported
            changes.announced |= change.announced
            changes.everything |= change.inventory
            changes.ledger |= change.ledger

    def _note_verdicts(self, schools: frozenset[str] | None) -> None:
        with self._changes_lock:
            if schools is None:
                self._changes.every_verdict = True
            else:
                self._changes.judged |= schools

    def _take_changes(self) -> _Changes:
        with self._changes_lock:
            changes = self._changes
            self._changes = _Changes(everything=False, every_verdict=False, ledger=False)
        return changes

    def _refresh(self, now: datetime) -> None:
        status = self._verdicts.catch_up(seconds=JUDGE_SECONDS)
        waiting = frozenset() if status.complete else frozenset(self._store.evidence.schools_unjudged())
        self._lines.put(("judge",), "", [("campus_judge_waiting_schools", (), float(len(waiting)))])
        changes = self._take_changes()
        try:
            self._write(changes, now, waiting)
        except BaseException:
            with self._changes_lock:  # half of it may be written: all of it again
                self._changes.everything = self._changes.every_verdict = self._changes.ledger = True
            raise

    def _write(self, changes: _Changes, now: datetime, waiting: frozenset[str]) -> None:
        version = self._store.inventory.version()
        set_back = now < self._written.refreshed_at  # a clock that was set back: what was too old may be new again
        if set_back or version != self._written.inventory_version:
            changes.everything = True
        self._written.inventory_version, self._written.refreshed_at = version, now
        renewed = self._update_schools(changes)
        self._update_agents(changes, renewed, now)
        self._update_subjects(changes, renewed, now)
        self._update_verdicts(changes, renewed, waiting)
        if changes.everything or changes.ledger or monotonic() - self._written.ledger_read_at >= LEDGER_SECONDS:
            self._update_ledger(now)
        self._put(
            ("totals",),
            "",
            samplers.of_totals,
            self._store.results.measurement_totals(),
            self._store.results.ingest_totals(),
        )
        today = now.astimezone(self._verdicts.zone).date()
        self._put(("space",), "", samplers.of_space, self._store.sizes.space(today))
        status = self._store.compaction_status()
        self._put(("unpacked",), "", samplers.of_compaction, status)
        slots = (self._store.slots.granted(), self._store.slots.refused(), self._store.slots.running())
        asked = [("campus_commands", key, float(count)) for key, count in sorted(self._store.commands.counts().items())]
        self._lines.put(("commands",), "", asked)
        names = ("campus_slots_granted_total", "campus_slots_refused_total", "campus_slots_running")
        if self._certificate is not None:
            ends = self._certificate.expires_at().timestamp()
            self._lines.put(("certificate",), "", [("campus_certificate_expires_timestamp_seconds", (), ends)])
        self._update_upward(today)
        self._lines.put(("left out",), "", [("campus_scrape_left_out_owners", (), float(len(self._written.failed)))])
        self._lines.put(("slots",), "", [(name, (), float(value)) for name, value in zip(names, slots, strict=True)])

    def _update_schools(self, changes: _Changes) -> set[str]:
        """Towns and lists of subjects; which schools' lines must all be written again."""
        if changes.everything:
            schools = {school.id: school for school in self._store.schools.all()}
            self._written.towns = {school.id: school.town for school in schools.values()}
            inventory = self._store.inventory.current()
            self._written.devices = _devices_of(inventory)
            self._written.carriers = {school.id: school.carrier for school in inventory.schools or ()}
            subjects: dict[str, list[Subject]] = {}
            for subject in self._store.subjects.all():
                subjects.setdefault(subject.school, []).append(subject)
            self._written.subjects = {
                school: frozenset(subject.id for subject in of_school) for school, of_school in subjects.items()
            }
            for school in self._written.named | set(schools):
                self._write_names(school, schools.get(school), subjects.get(school, []))
            return set(self._written.towns) | set(self._written.subjects_with_lines)
        if changes.announced:
            schools = {school.id: school for school in self._store.schools.all()}
            self._written.towns = {school.id: school.town for school in schools.values()}
            for school in changes.announced:
                of_school = self._store.subjects.all(school)
                self._written.subjects[school] = frozenset(subject.id for subject in of_school)
                self._write_names(school, schools.get(school), of_school)
        return set(changes.announced)

    def _write_names(self, school: str, row: School | None, subjects: Iterable[Subject]) -> None:
        """What it and its subjects are called; no lines for a school that is gone."""
        carrier = self._written.carriers.get(school, "")
        samples = samplers.of_names(row, carrier, subjects) if row is not None else iter(())
        self._lines.put(("names", school), row.town if row is not None else "", samples)
        (self._written.named.discard if row is None else self._written.named.add)(school)

    def _update_agents(self, changes: _Changes, renewed: set[str], now: datetime) -> None:
        if changes.everything:
            agents = self._store.agents.all()
        else:
            agents = [agent for school in changes.reported for agent in self._store.agents.all(school)]
        fresh = _newest_of_school(agents)
        self._written.agents |= fresh
        if changes.everything or changes.reported:
            for mismatch in self._store.chain.mismatches():  # oldest first
                sample = (
                    "campus_chain_mismatch_timestamp_seconds",
                    (mismatch.school,),
                    mismatch.noticed_at.timestamp(),
                )
                self._lines.put(("chain", mismatch.school), self._written.towns.get(mismatch.school, ""), [sample])
        expiries = self._store.tokens.expiries()  # a command may have made one
        dirty = set(fresh) | renewed | {school for school, _ in expiries.items() ^ self._written.token_expiries.items()}
        self._written.token_expiries = expiries
        for school, agent in self._written.agents.items():
            up = agent.is_up(now)
            if school in dirty or up != (school in self._written.agents_up):
                (self._written.agents_up.add if up else self._written.agents_up.discard)(school)
                known = school in self._written.towns  # a school that left the inventory leaves this page
                sampler = samplers.of_agent if known else _nothing
                self._put(
                    ("agent", school), self._written.towns.get(school, ""), sampler, agent, now, expiries.get(school)
                )

    def _update_subjects(self, changes: _Changes, renewed: set[str], now: datetime) -> None:
        since = now - UP_WITHIN
        today = now.astimezone(self._verdicts.zone).date()
        if today != self._written.today:
            self._written.today = today
            for school in self._written.lessons:
                changes.subjects.setdefault(school, set()).add("uplink")
            for school, devices in self._written.devices_polled.items():
                changes.subjects.setdefault(school, set()).update(list(devices)[:1])
        for (school, subject), polled in self._written.polled_at.items():
            if polled < since:
                changes.subjects.setdefault(school, set()).add(subject)
        for school, agent in self._written.agents.items():
            reports = agent.last_report_at is not None and now - agent.last_report_at <= self._stale_after
            if not reports or school not in self._written.towns:
                for subject in self._written.subjects_with_lines.pop(school, ()):
                    self._write_subject(school, subject, [], since)
                continue
            try:
                self._update_school(school, school in renewed, changes.subjects.get(school, set()), since)
            except StoreUnavailable:
                raise
            except Exception as error:
                self._leave_out(("school", school), error)

    def _update_school(self, school: str, whole: bool, changed: set[str], since: datetime) -> None:
        if whole or school not in self._written.subjects_with_lines or len(changed) > MOST_SINGLE_SUBJECTS:
            self._write_school(school, self._store.results.latest(school), since)
        else:
            for subject in changed:
                self._written.subjects_with_lines[school].add(subject)
                self._write_subject(school, subject, self._store.results.latest(school, subject), since)
        if whole or not changed.isdisjoint(self._written.devices_polled.get(school, ())):
            self._write_use(school)
        self._written.failed.discard(("school", school))

    def _write_school(self, school: str, latest: Iterable[Latest], since: datetime) -> None:
        by_subject: dict[str, list[Latest]] = {}
        for each in latest:
            by_subject.setdefault(each.subject, []).append(each)
        for subject, newest in by_subject.items():
            self._write_subject(school, subject, newest, since)
        self._written.subjects_with_lines[school] = set(by_subject)

    def _write_subject(self, school: str, subject: str, newest: list[Latest], since: datetime) -> None:
        known = self._written.subjects.get(school, frozenset())
        devices = None if self._written.devices is None else self._written.devices.get(school)
        newest = [latest for latest in newest if samplers.is_known(latest, known, devices)]
        town = self._written.towns.get(school, "")
        if any(latest.kind == "device" for latest in newest):
            self._written.devices_polled.setdefault(school, set()).add(subject)
        elif subject in self._written.devices_polled.get(school, ()):
            self._written.devices_polled[school].discard(subject)
        if subject == "uplink":
            self._write_lessons(school, town, {latest.kind for latest in newest} & set(LESSON_KINDS))
        self._put(("subject", school, subject), town, samplers.of_subject, newest, town, since)
        polled = samplers.polled_at(newest)
        if polled is not None and polled >= since:
            self._written.polled_at[school, subject] = polled
        else:
            self._written.polled_at.pop((school, subject), None)

    def _write_use(self, school: str) -> None:
        """How the recording rooms were used today; no lines where no device is polled."""
        devices, today = self._written.devices_polled.get(school), self._written.today
        if not devices or today is None:
            self._lines.put(("use", school), self._written.towns.get(school, ""), [])
            return
        use = self._verdicts.lesson_use(school, devices, today, today, self._written.refreshed_at)
        self._put(
            ("use", school), self._written.towns[school], samplers.of_use, use, self._written.towns[school], school
        )

    def _write_lessons(self, school: str, town: str, kinds: Collection[str]) -> None:
        """What today's results of these kinds add up to; no lines for a school that has none, or never had."""
        owner, today = ("lessons", school), self._written.today
        if "lesson_stream" not in kinds or today is None:
            self._lines.put(owner, town, [])
            self._written.lessons.discard(school)
            return
        zone, policy = self._verdicts.zone, self._verdicts.policy
        month = month_of_day(today, zone)
        start, end = (start_of_day(day, zone) for day in (today, today + timedelta(days=1)))
        results = [
            result
            for kind in sorted(kinds)
            for result in self._store.results.of_subject(school, "uplink", kind, start, end)
        ]
        lessons = self._verdicts.lessons(school, month) or policy.school_hours
        limits = policy.minute_limits(month.first_day)
        when = LessonTime(lessons, zone, planned_at(policy, "live_class", school), policy.is_workday)
        self._put(owner, town, samplers.of_lessons, results, town, school, limits, when)
        self._written.lessons.add(school)

    def _update_verdicts(self, changes: _Changes, renewed: set[str], waiting: frozenset[str]) -> None:
        """A school whose results wait for the judge keeps the lines it has until they are judged (`waiting`); whoever starts on many
        results shows no rate of an area before every school of it was judged once."""
        month = self._verdicts.this_month()
        every = changes.everything or changes.every_verdict or month != self._written.month
        self._written.month = month
        schools = (
            set(self._written.towns) | set(self._written.tallies) if every else (changes.judged | renewed)
        ) | self._written.pending
        self._written.pending = schools & waiting
        schools -= waiting
        if not schools:
            return
        with self._verdicts.lock_held(JUDGE_SECONDS) as held:
            if held:
                self._write_verdicts(month, schools)
            else:
                self._written.pending |= schools

    def _write_verdicts(self, month: Month, schools: Iterable[str]) -> None:
        for school in schools:
            town = self._written.towns.get(school, "")
            verdicts = self._verdicts_of(month, school)
            self._put(("verdicts", school), town, samplers.of_verdicts, verdicts, town, school)
            self._written.tally.subtract(self._written.tallies.pop(school, Counter()))
            tally = school_tally(verdicts)
            if verdicts:
                self._written.tallies[school] = tally_in(town, tally)
                self._written.tally.update(self._written.tallies[school])
            self._written.agreements[school] = tally
        areas = (
            areas_of(self._written.tally)
            if self._written.tallies.keys() >= self._written.pending & self._written.towns.keys()
            else []
        )
        towns = {area.town for area in areas}
        for town in towns | self._written.towns_with_areas:
            self._put(("areas", town), town, samplers.of_areas, [area for area in areas if area.town == town])
        self._written.towns_with_areas = towns
        policy = self._verdicts.policy
        self._put(("policy",), "", samplers.of_policy, policy, month.first_day)
        agreement = agreement_in(self._written.agreements.values())
        self._put(("agreement",), "", samplers.of_agreement, agreement)

    def _verdicts_of(self, month: Month, school: str) -> ShortVerdicts:
        if school not in self._written.towns:
            return {}
        try:
            verdicts = self._verdicts.short_verdicts(month, [school])[school]
            self._written.failed.discard(("verdicts of", school))
            return verdicts
        except StoreUnavailable:
            raise
        except Exception as error:
            self._leave_out(("verdicts of", school), error)
            return {}

    def _update_upward(self, today: date) -> None:
        """What goes up, and what has come from below; neither without its part of the configuration."""
        if self._upward.sends:
            self._put(("upstream",), "", samplers.of_outgoing, self._store.outgoing.waiting())
        if not self._upward.receives:
            return
        close_day = self._verdicts.policy.report.close_day
        months, members = self._store.area.months(), self._store.area.members()
        for county in standings(members, months, today, close_day, self._verdicts.zone):
            self._put(("area", county.label), "", samplers.of_county, county, self._verdicts.zone)

    def _update_ledger(self, now: datetime) -> None:
        self._written.ledger_read_at = monotonic()
        today = now.astimezone(self._verdicts.zone).date()
        problems = self._store.ledger.problems(open_only=True)
        towns = {problem.town for problem in problems}
        for town in towns | self._written.towns_with_problems:
            of_town = [problem for problem in problems if problem.town == town]
            self._put(("ledger", town), town, samplers.of_problems, of_town, today)
        self._written.towns_with_problems = towns


def _nothing(*_: object) -> tuple[Sample, ...]:
    """The lines of what is not shown."""
    return ()


def _devices_of(inventory: Inventory) -> dict[str, frozenset[str]] | None:
    """By school of the inventory: its devices and their rooms."""
    if inventory.devices is None:
        return None
    names_of: dict[str, set[str]] = {school.id: set() for school in inventory.schools or ()}
    for device in inventory.devices:
        names_of.setdefault(device.school, set()).update((device.id, device.room))
    return {school: frozenset(names) for school, names in names_of.items()}


def _newest_of_school(agents: Iterable[Agent]) -> dict[str, Agent]:
    """A school's gateway may have been replaced: the one that reported last counts."""
    newest: dict[str, Agent] = {}
    for agent in agents:
        held = newest.get(agent.school)
        if (
            held is None
            or held.last_report_at is None
            or (agent.last_report_at or held.last_report_at) > held.last_report_at
        ):
            newest[agent.school] = agent
    return newest
