"""/metrics as it is now: told by the store and the judge what changed, it writes only those lines again."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic, perf_counter
from typing import Any

from prometheus_client import Histogram, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from campus_collector.domain.inventory import Inventory
from campus_collector.domain.records import Agent, Change, Latest, School, Subject
from campus_collector.export import samplers
from campus_collector.export.exposition import Owner, Sample, Sheet
from campus_collector.export.table import METRICS, Metric, scope_of
from campus_collector.judge.agreement import Agreement, total
from campus_collector.judge.month import Month
from campus_collector.judge.service import Verdicts, agreement_in
from campus_collector.judge.verdict import SubjectVerdict, Tally, areas_of, tally_of
from campus_collector.slots.scheduler import SlotScheduler
from campus_collector.store.errors import StoreUnavailable
from campus_collector.store.interface import Store
from campus_collector.tls.served import ServedCertificate
from campus_wire.records import Segment

log = logging.getLogger(__name__)

MANY_SUBJECTS = 8
"""From so many changed subjects on, a school is read at once."""
JUDGE_SECONDS = 0.3
"""So long a scrape may judge what has just arrived; what remains is judged within the minute."""
LEDGER_SECONDS = 60.0
"""So often the ledger is looked at even if nobody told of a change: a command may work on it, and days end."""
HISTOGRAM = "campus_ingest_request_duration_seconds"
OWN_DURATION = "campus_scrape_duration_seconds"
END_OF_OPENMETRICS = b"# EOF\n"


class UnknownSelection(ValueError):
    """A scope or town that does not exist; says which do."""


@dataclass(slots=True)
class _News:
    """What was told since the last look."""

    subjects: dict[str, set[str]] = field(default_factory=dict)
    reported: set[str] = field(default_factory=set)
    announced: set[str] = field(default_factory=set)
    judged: set[str] = field(default_factory=set)
    everything: bool = False
    every_verdict: bool = False
    ledger: bool = False


class Page:
    """One collector's page; every method may be called from any thread."""

    def __init__(
        self,
        store: Store,
        verdicts: Verdicts,
        slots: SlotScheduler,
        ingest_duration_seconds: Histogram,
        certificate: ServedCertificate | None = None,
    ) -> None:
        """Subscribes to changes; everything is written at the first look."""
        self._certificate = certificate
        self._devices: Mapping[str, frozenset[str]] | None = None
        """Devices and rooms of each school of the inventory; None without a sheet of devices: then they come and go with their results."""
        self._failed: set[Owner] = set()
        """Whose lines are left out, because they could not be made."""
        self._store, self._verdicts, self._slots, self._histogram = store, verdicts, slots, ingest_duration_seconds
        self._sheet = Sheet()
        self._turn = threading.Lock()
        self._news_lock = threading.Lock()
        self._news = _News(everything=True, every_verdict=True, ledger=True)
        self._inventory = -1
        self._looked_at = datetime.min.replace(tzinfo=UTC)
        self._month: Month | None = None
        self._ledger_at = 0.0
        self._stale_after = timedelta(seconds=verdicts.policy.present.stale_after_seconds)
        self._towns: dict[str, str] = {}
        self._known: dict[str, frozenset[str]] = {}
        self._named: set[str] = set()
        self._agents: dict[str, Agent] = {}
        self._up: set[str] = set()
        self._expiries: dict[str, datetime] = {}
        self._shown: dict[str, set[str]] = {}
        """Subjects with lines, by school; a school that is silent for long has none."""
        self._polled: dict[tuple[str, str], datetime] = {}
        self._tally: Tally = Counter()
        self._tallies: dict[str, Tally] = {}
        self._agreements: dict[str, dict[Segment, Agreement]] = {}
        self._areas: set[str] = set()
        self._pending: set[str] = set()
        """Schools whose lines must be written again once they are judged."""
        self._ledger_towns: set[str] = set()
        store.subscribe(self._note)
        verdicts.subscribe(self._note_verdicts)

    def refresh(self, now: datetime | None = None) -> None:
        """Write what changed. Raises StoreUnavailable; what was to be written is then written next time."""
        with self._turn:
            self._refresh(now or datetime.now(UTC))

    def render(
        self,
        scopes: Collection[str] = (),
        towns: Collection[str] = (),
        openmetrics: bool = False,
        now: datetime | None = None,
    ) -> list[bytes]:
        """The page as it is now, metric by metric; all of it, or some scopes and towns ("": the county's and collector's own).

        Raises UnknownSelection, StoreUnavailable.
        """
        began = perf_counter()
        with self._turn:
            self._refresh(now or datetime.now(UTC))
            wanted = [one for one in METRICS if not scopes or scope_of(one) in scopes]
            if not wanted:
                raise UnknownSelection(f"no such scope; there are: {', '.join(sorted(set(map(scope_of, METRICS))))}")
            if unknown := sorted(set(towns) - {"", *self._towns.values()}):
                known = ", ".join(sorted({*self._towns.values()} - {""}))
                raise UnknownSelection(f"no such town: {', '.join(unknown)}; there are: {known}")
            only = set(towns) or None
            blocks = [self._block(metric, only, openmetrics, began) for metric in wanted]
        return [*blocks, END_OF_OPENMETRICS] if openmetrics else blocks

    def _block(self, metric: Metric, towns: Collection[str] | None, openmetrics: bool, began: float) -> bytes:
        county = towns is None or "" in towns
        if metric.name == HISTOGRAM and county:
            if openmetrics:
                text: bytes = generate_openmetrics(self._histogram)  # type: ignore[no-untyped-call]
                return text.removesuffix(END_OF_OPENMETRICS)
            return generate_latest(self._histogram)
        if metric.name == OWN_DURATION and county:
            self._sheet.put((OWN_DURATION,), "", [(OWN_DURATION, (), perf_counter() - began)])
        return self._sheet.block(metric, towns, openmetrics)

    def _put(self, owner: Owner, town: str, sampler: Callable[..., Iterable[Sample]], *values: Any) -> None:
        """Write an owner's lines. When they cannot be made it has none, the log says so once, and everybody else's stand."""
        try:
            self._sheet.put(owner, town, list(sampler(*values)))
            self._failed.discard(owner)
        except StoreUnavailable:
            raise
        except Exception as error:
            self._sheet.put(owner, town, [])
            self._leave_out(owner, error)

    def _leave_out(self, owner: Owner, error: Exception) -> None:
        if owner not in self._failed:
            shown = f"{type(error).__name__}: {error}".splitlines()[0][:300]
            log.error("lines of /metrics left out", extra={"owner": "/".join(owner), "error": shown})
        self._failed.add(owner)

    def _note(self, change: Change) -> None:
        """From the store's writer thread."""
        with self._news_lock:
            news = self._news
            for school, subject, _ in change.subjects:
                news.subjects.setdefault(school, set()).add(subject)
            news.reported |= change.reported
            news.announced |= change.announced
            news.everything |= change.inventory
            news.ledger |= change.ledger

    def _note_verdicts(self, schools: frozenset[str] | None) -> None:
        with self._news_lock:
            if schools is None:
                self._news.every_verdict = True
            else:
                self._news.judged |= schools

    def _take(self) -> _News:
        with self._news_lock:
            news, self._news = self._news, _News()
        return news

    def _refresh(self, now: datetime) -> None:
        status = self._verdicts.catch_up(seconds=JUDGE_SECONDS)
        waiting = frozenset() if status.complete else frozenset(self._store.evidence.schools_unjudged())
        self._sheet.put(("judge",), "", [("campus_judge_waiting_schools", (), float(len(waiting)))])
        news = self._take()
        try:
            self._write(news, now, waiting)
        except BaseException:
            with self._news_lock:  # half of it may be written: all of it again
                self._news.everything = self._news.every_verdict = self._news.ledger = True
            raise

    def _write(self, news: _News, now: datetime, waiting: frozenset[str]) -> None:
        version = self._store.inventory.version()
        if (
            version != self._inventory or now < self._looked_at
        ):  # a clock that was set back: what was too old may be new again
            news.everything = True
        self._inventory, self._looked_at = version, now
        moved = self._look_at_schools(news)
        self._look_at_agents(news, moved, now)
        self._look_at_subjects(news, moved, now)
        self._look_at_verdicts(news, moved, waiting)
        if news.everything or news.ledger or monotonic() - self._ledger_at >= LEDGER_SECONDS:
            self._look_at_ledger(now)
        self._put(("totals",), "", samplers.of_totals, self._store.measurement_totals(), self._store.ingest_totals())
        slots = (self._slots.granted, self._slots.refused, len(self._slots.running(monotonic())))
        names = ("campus_slots_granted_total", "campus_slots_refused_total", "campus_slots_running")
        if self._certificate is not None:
            ends = self._certificate.expires_at().timestamp()
            self._sheet.put(("certificate",), "", [("campus_certificate_expires_timestamp_seconds", (), ends)])
        self._sheet.put(("left out",), "", [("campus_scrape_left_out_owners", (), float(len(self._failed)))])
        self._sheet.put(("slots",), "", [(name, (), float(value)) for name, value in zip(names, slots, strict=True)])

    def _look_at_schools(self, news: _News) -> set[str]:
        """Towns and lists of subjects; which schools' lines must all be written again."""
        if news.everything:
            schools = {one.id: one for one in self._store.schools()}
            self._towns = {one.id: one.town for one in schools.values()}
            self._devices = _devices_of(self._store.inventory.current())
            subjects: dict[str, list[Subject]] = {}
            for subject in self._store.subjects():
                subjects.setdefault(subject.school, []).append(subject)
            self._known = {school: frozenset(one.id for one in own) for school, own in subjects.items()}
            for school in self._named | set(schools):
                self._name(school, schools.get(school), subjects.get(school, []))
            return set(self._towns) | set(self._shown)
        if news.announced:
            schools = {one.id: one for one in self._store.schools()}
            self._towns = {one.id: one.town for one in schools.values()}
            for school in news.announced:
                own = self._store.subjects(school)
                self._known[school] = frozenset(one.id for one in own)
                self._name(school, schools.get(school), own)
        return set(news.announced)

    def _name(self, school: str, known: School | None, subjects: Iterable[Subject]) -> None:
        """What it and its subjects are called; no lines for a school that is gone."""
        samples = samplers.of_names(known, subjects) if known is not None else iter(())
        self._sheet.put(("names", school), known.town if known is not None else "", samples)
        (self._named.discard if known is None else self._named.add)(school)

    def _look_at_agents(self, news: _News, moved: set[str], now: datetime) -> None:
        if news.everything:
            found = self._store.agents()
        else:
            found = [one for school in news.reported for one in self._store.agents(school)]
        fresh = _newest(found)
        self._agents |= fresh
        if news.everything or news.reported:
            for mismatch in self._store.chain.mismatches():  # oldest first
                sample = (
                    "campus_chain_mismatch_timestamp_seconds",
                    (mismatch.school,),
                    mismatch.noticed_at.timestamp(),
                )
                self._sheet.put(("chain", mismatch.school), self._towns.get(mismatch.school, ""), [sample])
        expiries = self._store.token_expiries()  # a command may have made one
        dirty = set(fresh) | moved | {school for school, _ in expiries.items() ^ self._expiries.items()}
        self._expiries = expiries
        for school, agent in self._agents.items():
            up = agent.last_report_at is not None and now - agent.last_report_at <= samplers.UP_WITHIN
            if school in dirty or up != (school in self._up):
                (self._up.add if up else self._up.discard)(school)
                known = school in self._towns  # a school that left the inventory leaves this page
                sampler = samplers.of_agent if known else _nothing
                self._put(("agent", school), self._towns.get(school, ""), sampler, agent, now, expiries.get(school))

    def _look_at_subjects(self, news: _News, moved: set[str], now: datetime) -> None:
        since = now - samplers.UP_WITHIN
        for (school, subject), polled in self._polled.items():
            if polled < since:
                news.subjects.setdefault(school, set()).add(subject)
        for school, agent in self._agents.items():
            speaks = agent.last_report_at is not None and now - agent.last_report_at <= self._stale_after
            if not speaks or school not in self._towns:
                for subject in self._shown.pop(school, ()):
                    self._subject(school, subject, [], since)
                continue
            try:
                self._look_at_school(school, school in moved, news.subjects.get(school, set()), since)
            except StoreUnavailable:
                raise
            except Exception as error:
                self._leave_out(("school", school), error)

    def _look_at_school(self, school: str, whole: bool, changed: set[str], since: datetime) -> None:
        if whole or school not in self._shown or len(changed) > MANY_SUBJECTS:
            self._school(school, self._store.latest(school), since)
        else:
            for subject in changed:
                self._shown[school].add(subject)
                self._subject(school, subject, self._store.latest(school, subject), since)
        self._failed.discard(("school", school))

    def _school(self, school: str, latest: Iterable[Latest], since: datetime) -> None:
        by_subject: dict[str, list[Latest]] = {}
        for one in latest:
            by_subject.setdefault(one.subject, []).append(one)
        for subject, newest in by_subject.items():
            self._subject(school, subject, newest, since)
        self._shown[school] = set(by_subject)

    def _subject(self, school: str, subject: str, newest: list[Latest], since: datetime) -> None:
        known = self._known.get(school, frozenset())
        devices = None if self._devices is None else self._devices.get(school)
        newest = [one for one in newest if samplers.is_known(one, known, devices)]
        town = self._towns.get(school, "")
        self._put(("subject", school, subject), town, samplers.of_subject, newest, town, since)
        polled = samplers.polled_at(newest)
        if polled is not None and polled >= since:
            self._polled[school, subject] = polled
        else:
            self._polled.pop((school, subject), None)

    def _look_at_verdicts(self, news: _News, moved: set[str], waiting: frozenset[str]) -> None:
        """A school whose results wait for the judge keeps the lines it has until they are judged (`waiting`); whoever starts on many
        results shows no rate of an area before every school of it was judged once."""
        month = self._verdicts.this_month()
        every = news.everything or news.every_verdict or month != self._month
        self._month = month
        schools = (set(self._towns) | set(self._tallies) if every else (news.judged | moved)) | self._pending
        self._pending = schools & waiting
        schools -= waiting
        if not schools:
            return
        for school in schools:
            town = self._towns.get(school)
            verdicts = self._verdicts_of(month, school, town)
            self._put(("verdicts", school), town or "", samplers.of_verdicts, verdicts)
            self._tally.subtract(self._tallies.pop(school, Counter()))
            if verdicts:
                self._tallies[school] = tally_of(verdicts)
                self._tally.update(self._tallies[school])
            self._agreements[school] = agreement_in(verdicts)
        areas = areas_of(self._tally) if self._tallies.keys() >= self._pending & self._towns.keys() else []
        towns = {one.town for one in areas}
        for town in towns | self._areas:
            self._put(("areas", town), town, samplers.of_areas, [one for one in areas if one.town == town])
        self._areas = towns
        policy = self._verdicts.policy
        self._put(("policy",), "", samplers.of_policy, policy, month.first_day)
        segments: tuple[Segment, ...] = ("classroom", "uplink")
        agreement = {one: total(found[one] for found in self._agreements.values()) for one in segments}
        self._put(("agreement",), "", samplers.of_agreement, agreement)

    def _verdicts_of(self, month: Month, school: str, town: str | None) -> list[SubjectVerdict]:
        if town is None:
            return []
        try:
            found = self._verdicts.of_school(month, school, town)
            self._failed.discard(("verdicts of", school))
            return found
        except StoreUnavailable:
            raise
        except Exception as error:
            self._leave_out(("verdicts of", school), error)
            return []

    def _look_at_ledger(self, now: datetime) -> None:
        self._ledger_at = monotonic()
        today = now.astimezone(self._verdicts.zone).date()
        problems = self._store.ledger.problems(open_only=True)
        towns = {one.town for one in problems}
        for town in towns | self._ledger_towns:
            own = [one for one in problems if one.town == town]
            self._put(("ledger", town), town, samplers.of_problems, own, today)
        self._ledger_towns = towns


def _nothing(*_: object) -> tuple[Sample, ...]:
    """The lines of what is not shown."""
    return ()


def _devices_of(inventory: Inventory) -> dict[str, frozenset[str]] | None:
    """By school of the inventory: its devices and their rooms."""
    if inventory.devices is None:
        return None
    found: dict[str, set[str]] = {one.id: set() for one in inventory.schools or ()}
    for one in inventory.devices:
        found.setdefault(one.school, set()).update((one.id, one.room))
    return {school: frozenset(names) for school, names in found.items()}


def _newest(agents: Iterable[Agent]) -> dict[str, Agent]:
    """A school's gateway may have been replaced: the one that reported last speaks for it."""
    found: dict[str, Agent] = {}
    for one in agents:
        held = found.get(one.school)
        if (
            held is None
            or held.last_report_at is None
            or (one.last_report_at or held.last_report_at) > held.last_report_at
        ):
            found[one.school] = one
    return found
