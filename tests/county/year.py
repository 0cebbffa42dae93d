"""Thirteen months of an invented county, through the collector's own ways: results, evidence, ledger, what people did, closed months.

Each month is stored as if the collector had run in it: what it received, evaluated and closed carries the time of that month.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from random import Random
from zoneinfo import ZoneInfo

import msgspec

from campus_collector.domain.agents import Principal
from campus_collector.domain.people import Person, screen_of
from campus_collector.domain.problem import CONSOLE, Problem
from campus_collector.domain.results import Batch
from campus_collector.domain.tokens import new_token, token_hash
from campus_collector.http.auth.passwords import hash_of
from campus_collector.http.service import Service
from campus_collector.ingest.examine import examine
from campus_collector.inventory.changes import changes
from campus_collector.inventory.importer import activate
from campus_collector.inventory.sample import UNITS, sample
from campus_collector.judge.month import Month, month_of
from campus_collector.ledger.actions import act
from campus_collector.ledger.service import Ledger
from campus_collector.report.service import MonthlyReports
from campus_collector.simulate import LABEL
from campus_collector.simulate.county import deal
from campus_collector.simulate.results import Frequency, Generator
from campus_wire.codec import encode_result
from campus_wire.records import AnyResult

MONTHS = 13
SEED = 18
SIMULATED = "simulate"
"""Who imports the inventory: every page then says that it is invented."""
LATER_SHARE = 0.7
MENDED_SHARE = 0.75
"""Of the faults: so many begin in the course of the year, and are mended in it."""
FREQUENCY = Frequency(
    classroom_tests=1,
    port_readings=1,
    uplink_tests=1,
    service_minutes=600,
    room_minutes=40,
    host_minutes=600,
    first_minute=8 * 60 + 10,
    last_minute=17 * 60 + 30,
    healthy_ports_share=0.1,
)
"""Just enough for every verdict: an agent measures ten times as often."""
WEEKDAYS = (1, 2, 3, 0, 4)
"""Tests on Tuesdays and Wednesdays; where holidays leave too few of them, on the next of these too. Never five school days without."""
FIRST_WEEKDAYS = WEEKDAYS[:2]
LEAST_DAYS = 9
EVERY_DAY_LATELY = 14
"""In the last days every school day has tests."""
STREAM_DAYS = 5
"""The lesson stream of so many days is there: a year of it would be most of all results."""
BATCH = 1000
CLERK, TOWN_CLERK = "clerk", "town"
WORKED_ON_SHARE = 0.6
"""Of the open problems, each month."""
WRONG_CLAIM_SHARE = 0.1
EXTENDED_SHARE = 0.3
EXTENSION = timedelta(days=30)
RESPONSIBLE = (*UNITS, "学校信息员")
MEASURES = ("更换网线并重做水晶头", "更换交换机端口", "联系运营商核查线路")
ROLES = (("admin", "admin", ""), (CLERK, "operator", ""), (TOWN_CLERK, "operator", "t01"), ("leader", "viewer", ""))
"""Name, role and town of the accounts."""


class PastLedger(Ledger):
    """A ledger that evaluates a day of the past as it would have on the next morning."""

    today = date.min

    def yesterday(self) -> date:
        return self.today - timedelta(days=1)

    def noted_at(self, day: date) -> datetime:
        return datetime.combine(day + timedelta(days=1), time(0, 5), self._verdicts.zone).astimezone(UTC)


def months_until(now: datetime, zone: ZoneInfo) -> list[Month]:
    """The months of the county, oldest first; the last is not over."""
    months = [month_of(now, zone)]
    while len(months) < MONTHS:
        months.insert(0, months[0].before())
    return months


class Gateways:
    """All gateways of the county: their results, month by month, into a collector that is empty."""

    def __init__(self, service: Service, schools: int, classrooms_per_school: float, now: datetime) -> None:
        """Imports the inventory. What would have been measured after `now` is left out."""
        self._service, self._now = service, now
        self.results = 0
        zone, first = service.config.timezone, months_until(now, service.config.timezone)[0]
        self._today = now.astimezone(zone).date()
        inventory = sample(schools, SEED, classrooms_per_school)
        county = deal(inventory, first.first_day, self._today, SEED, LATER_SHARE, MENDED_SHARE)
        change_list = changes(service.store.inventory.current(), county.inventory)
        activate(service.store, county.inventory, change_list, SIMULATED, first.start, first.start)
        frequency = replace(FREQUENCY, lesson_stream_since=self._today - timedelta(days=STREAM_DAYS))
        self._generators = [
            Generator(county, school, service.verdicts.policy, zone, SEED, frequency)
            for school in county.inventory.schools or ()
        ]

    def send(self, month: Month) -> None:
        """A month's results, and their evidence."""
        days = self._test_days(month)
        for generator in self._generators:
            measured = (result for day in days for result in generator.day(day))
            self._store(generator, (result for result in measured if result.started_at <= self._now))
        self._service.verdicts.catch_up()

    def report(self, moment: datetime) -> None:
        """What gateways that are not silent say of themselves now: they are up."""
        for generator in self._generators:
            if not generator.is_silent(self._today):
                self._store(generator, iter([generator.host_at(moment)]))

    def _test_days(self, month: Month) -> list[date]:
        school_days = [day for day in month.every_day() if self._service.verdicts.policy.is_school_day(day)]
        chosen = {day for day in school_days if day.weekday() in FIRST_WEEKDAYS}
        for day in sorted(school_days, key=lambda day: WEEKDAYS.index(day.weekday()) if day.weekday() < 5 else 9):
            if len(chosen) < LEAST_DAYS:
                chosen.add(day)
        chosen |= {day for day in school_days if (self._today - day).days < EVERY_DAY_LATELY}
        chosen |= {self._today} & set(month.every_day())
        return sorted(day for day in chosen if day <= self._today)

    def _store(self, generator: Generator, results: Iterator[AnyResult]) -> None:
        """As a gateway would have sent them: the last of a batch has just been measured."""
        school, state = generator.school.id, generator.agent_state()
        while batch := list(islice(results, BATCH)):
            received = max(result.started_at for result in batch) + timedelta(seconds=5)
            raws = [msgspec.Raw(encode_result(result)) for result in batch]
            valid, bad, _ = examine(raws, school, received)
            batch_of_school = Batch(Principal(school, school), received, LABEL, tuple(valid), tuple(bad), state)
            self.results += self._service.store.submit(batch_of_school).result().stored


class Office:
    """The education bureau: keeps the ledger, works on its problems, closes months."""

    def __init__(self, service: Service, now: datetime) -> None:
        self._service, self._now = service, now
        self._random = Random(SEED)
        config = service.config
        self._ledger = PastLedger(service.store, service.verdicts)
        self._reports = MonthlyReports(
            service.store,
            service.verdicts,
            self._ledger,
            config.county,
            config.report_dir,
            config.report_hour,
            config.official,
            config.report_font_files,
        )

    def let_people_in(self, passwords: Mapping[str, str]) -> str:
        """The accounts of ROLES, each with its password, and one for the office's screen; the token of that one."""
        people, token = self._service.store.people, new_token()
        for name, role, town in ROLES:
            people.put(Person(name, role, town), self._now, CONSOLE, password=hash_of(passwords[name]))
        people.put(screen_of(""), self._now, CONSOLE, token_hash(token))
        return token

    def keep(self, month: Month) -> None:
        """What happens to a month whose results are there."""
        is_over = month.end <= self._now
        self._ledger.today = month.next().first_day if is_over else self._now.astimezone(month.zone).date()
        self._ledger.catch_up()
        self._work(self._ledger.today)
        if is_over:
            self._reports.close_figures(month, self._reports.closes_at(month))
        self._service.verdicts.keep_tallies(month, 3600)

    def _work(self, today: date) -> None:
        """What the office does on a morning with what is open."""
        at = min(datetime.combine(today, time(9), self._service.config.timezone).astimezone(UTC), self._now)
        for problem in self._service.store.ledger.problems(open_only=True):
            if self._random.random() < WORKED_ON_SHARE:
                who = TOWN_CLERK if problem.town == "t01" else CLERK
                for action, values in self._steps(problem, today):
                    self._act(problem.id, action, values, who, at, today)

    def _steps(self, problem: Problem, today: date) -> list[tuple[str, dict[str, str]]]:
        """From open to repaired, a step each time; a claim is seldom wrong."""
        if problem.state == "open":
            return [("acknowledge", {}), ("assign", {"responsible": self._random.choice(RESPONSIBLE)})]
        if problem.state != "acknowledged":
            return []
        if not problem.measure:
            return [("measure", {"text": self._random.choice(MEASURES)})]
        if problem.passing_days or self._random.random() < WRONG_CLAIM_SHARE:
            return [("claim_fixed", {"text": "已处理，请复测"})]
        if problem.overdue_on(today) and self._random.random() < EXTENDED_SHARE:
            return [("due", {"due_on": str(today + EXTENSION), "text": "备件未到，延期处理"})]
        return []

    def _act(self, number: int, action: str, values: dict[str, str], who: str, at: datetime, today: date) -> None:
        self._service.store.ledger.change(number, lambda newest: act(newest, action, values, who, at, today))
