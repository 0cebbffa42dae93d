"""Every table of the report: its columns, rows, unit, and where its figures can be looked up. Tables are numbered in the order in which they are asked for. Pure."""

from collections.abc import Callable, Sequence

from msgspec import UNSET

from campus_base.language import Language
from campus_base.messages import message
from campus_collector.judge.explanations import EXPLANATIONS, UNIT_WORDS
from campus_collector.report.document import NOTHING, Cell, Kind, Table, TableColumn
from campus_collector.report.figures import CarrierLine, Count, Failing, Figures, LedgerLine, TownFigures
from campus_collector.report.groups import FailingGroup, grouped, worst_of, worst_schools, written_rate
from campus_collector.report.words import COUNTED_IN, TARGETS, VERDICTS, date_words, month_words, reason_words, say

BANDWIDTH = ("classroom_bandwidth", "uplink_bandwidth")
MOST_TOWNS = 12
"""So many rows has the body's table of towns; of more, the first `FIRST_TOWNS` and the last ones are shown, and all in the annex."""
FIRST_TOWNS = 5
MOST_WORST = 5
MOST_CARRIERS = 6
MOST_UNITS = 6
Column = tuple[str, Kind, float]
LIMITS = {
    "classroom_bandwidth": "limits_rate",
    "uplink_bandwidth": "limits_rate",
    "recording_room": "limits_room",
    "live_class": "limits_own",
    "platform_access": "limits_own",
}
"""Which limits of a target are asked for from above, and which are the policy's own."""


class ReportTables:
    """The tables of one report in one language."""

    def __init__(self, figures: Figures, language: Language) -> None:
        self._f, self._language = figures, language
        self._count = 0

    def targets(self) -> Table:
        columns: list[Column] = [
            ("c_target", "text", 1.6), ("c_counted", "text", 0.7 if self._language == "zh" else 1.3), ("c_subjects", "count", 1), ("c_met", "count", 0.9),
            ("c_not_met", "count", 0.9), ("c_insufficient", "count", 1), ("c_exempt", "count", 0.9), ("c_ratio", "share", 1),
        ]  # fmt: skip
        if not self._f.scope:
            columns += [("c_vs_month", "points", 1.2), ("c_vs_year", "points", 1.2)]
        rows = []
        for target in self._f.targets:
            count = target.count
            if self._f.scope and not count.judged and not count.exempt:
                continue  # a village school has no recording room to be judged
            row: list[Cell] = [
                self.target(target.target), COUNTED_IN[target.target].in_(self._language), count.judged, count.met, count.not_met,
                count.insufficient, count.exempt, self._ratio(count),
            ]  # fmt: skip
            if not self._f.scope:
                now = count.known_ratio
                row += [_difference(now, target.last_month), _difference(now, target.last_year)]
            rows.append(tuple(row))
        return self._table(
            "targets", columns, rows, unit="u_share_of" if self._f.scope else "u_targets", path=self._area_path
        )

    def towns(self, *, short: bool) -> Table:
        """`short` is the body's: the best and the last where there are many."""
        towns = self._f.towns
        title = ""
        if short and len(towns) > MOST_TOWNS:
            last = MOST_TOWNS - FIRST_TOWNS
            title = self.words("t_towns_shown", first=FIRST_TOWNS, last=last, all=len(towns))
            towns = [*towns[:FIRST_TOWNS], *towns[-last:]]
        shown = self._judged_targets()
        columns = self._columns(("c_rank", "text", 0.8), ("c_town", "text", 1.7), ("c_schools", "count", 0.8))
        columns += tuple(TableColumn(self.target(name), "share", 1.2) for name in shown)
        columns += self._columns(("c_score", "share", 1.1), ("c_vs_month", "points", 1.1))
        rows = [self._town(town, shown) for town in towns]
        return self._plain("towns", columns, rows, unit="u_towns", empty="e_towns", path="/towns/", title=title)

    def _town(self, town: TownFigures, shown: Sequence[str]) -> tuple[Cell, ...]:
        return (
            town.rank if town.rank is not None else self.words("not_ranked"),
            town.name,
            town.schools,
            *(self._ratio(town.counts.get(name, Count())) for name in shown),
            town.score,
            _difference(town.score, town.last_score),
        )

    def worst(self) -> Table:
        columns: list[Column] = [
            ("c_place", "count", 0.55), ("c_school", "text", 2.1), ("c_subjects", "count", 0.75), ("c_not_met", "count", 0.75),
            ("c_cause", "text", 4.4), ("c_unit", "text", 1.5), ("c_since", "text", 1.8),
        ]  # fmt: skip
        rows: list[tuple[Cell, ...]] = []
        for place, school in enumerate(worst_schools(self._f, MOST_WORST), start=1):
            first, number = school.main.first, len(school.main.members)
            cause = self.cause(first.cause)
            if number < school.unmet:
                cause = self.words("cause_of", cause=cause, number=number)
            rows.append(
                (
                    place, first.school_name, school.judged, school.unmet, cause, self.unit(first.unit),
                    self._since(school.main),
                )
            )  # fmt: skip
        return self._table("worst", columns, rows, unit="u_rooms", path="/schools/")

    def carriers(self) -> Table:
        columns: list[Column] = [
            ("c_carrier", "text", 2.6), ("c_lines", "count", 1), ("c_kept", "count", 1), ("c_broken", "count", 1),
            ("c_unknown", "count", 1), ("c_broken_since", "text", 2),
        ]  # fmt: skip
        by_carrier: dict[str, list[CarrierLine]] = {}
        for line in self._lines:
            by_carrier.setdefault(line.carrier or self.words("carrier_unknown"), []).append(line)
        ordered = sorted(by_carrier.items(), key=lambda pair: (-_broken(pair[1]), -len(pair[1]), pair[0]))
        rows: list[tuple[Cell, ...]] = [
            (
                carrier,
                len(lines),
                sum(line.kept is True for line in lines),
                _broken(lines),
                sum(line.kept is None for line in lines),
                self._day(min((line.since for line in lines if line.kept is False), default="")),
            )
            for carrier, lines in _largest(ordered, self.words)
        ]
        return self._table("carriers", columns, rows, unit="u_lines", path="/carriers")

    def units(self) -> Table:
        ordered = sorted(self._f.ledger.by_unit.items(), key=lambda pair: (-pair[1], pair[0]))
        rows: list[tuple[Cell, ...]] = [(self.unit(unit), number) for unit, number in ordered[:MOST_UNITS]]
        columns: list[Column] = [("c_unit", "text", 3), ("l_open", "count", 1)]
        return self._table("units", columns, rows, unit="u_problems", path="/problems")

    def schools(self, most: int | None = None) -> Table:
        """At most so many schools: of an excerpt."""
        shown = self._judged_targets()
        town: tuple[Column, ...] = (("c_town", "text", 1.3),) if not self._f.scope else ()
        columns = self._columns(("c_school_id", "text", 0.9), *town, ("c_school", "text", 2.4), ("c_seat", "text", 0.7))
        columns += tuple(TableColumn(self.target(name), "text", 1.15) for name in shown)
        columns += self._columns(("c_results", "count", 1))
        rows: list[tuple[Cell, ...]] = [
            (
                school.id,
                *([school.town_name] if town else []),
                school.name,
                self.words("yes") if school.town_seat else "",
                *(self._standing(school.counts.get(name)) for name in shown),
                school.valid_results,
            )
            for school in self._f.schools[:most]
        ]
        return self._plain("schools", columns, rows, unit="u_schools", empty="e_schools", path="/schools/")

    def _standing(self, count: Count | None) -> str:
        """A school in one target: met of judged, or the one verdict."""
        if count is None:
            return NOTHING
        if count.judged == 0:
            return self.verdict("exempt")
        if count.judged > 1:
            return f"{count.met}/{count.judged}"
        return self.verdict("met" if count.met else "insufficient" if count.insufficient else "not_met")

    def failing(self) -> Table:
        """Classrooms and lines, those of one school with one cause in one row."""
        columns: list[Column] = [
            ("c_town", "text", 1.1), ("c_school", "text", 1.75), ("c_object", "text", 1.4), ("c_verdict", "text", 1.1),
            ("c_decided", "text", 1.1), ("c_measured", "text", 1.2), ("c_required", "rate", 1.05), ("c_cause", "text", 2.9),
            ("c_unit", "text", 1.25), ("c_since", "text", 1.15),
        ]  # fmt: skip
        rows = [self._group(group) for group in self._bandwidth_groups()]
        return self._table("failing", columns, rows, unit="u_rates", empty="e_failing", path="/schools/")

    def problems(self, most: int) -> tuple[Table, int]:
        """Of an excerpt: what does not meet its target, in at most so many rows; and how many rows are left out."""
        columns: list[Column] = [
            ("c_school", "text", 1.9), ("c_object", "text", 1.2), ("c_verdict", "text", 1.1), ("c_measured", "text", 1.55),
            ("c_cause", "text", 2.8), ("c_unit", "text", 1.4), ("c_since", "text", 1.65),
        ]  # fmt: skip
        groups = sorted(grouped(self._f.failing), key=lambda group: -len(group.members))
        rows = []
        for group in groups[:most]:
            _, school, what, verdict, _, measured, _, cause, unit, since = self._group(group)
            rows.append((school, what, verdict, measured, cause, unit, since))
        table = self._table("problems", columns, rows, unit="u_rates", empty="e_failing", path="/schools/")
        return table, max(0, len(groups) - most)

    def _bandwidth_groups(self) -> list[FailingGroup]:
        return grouped(each for each in self._f.failing if each.target in BANDWIDTH)

    def _group(self, group: FailingGroup) -> tuple[Cell, ...]:
        first = group.first
        rates = group.rates(self._f.tolerance_ratio)
        measured = NOTHING
        if rates is not None:
            low, high = (f"{rate / 1e6:.1f}" for rate in rates)
            measured = low if low == high else self.words("span", low=low, high=high)
        return (
            first.town_name,
            first.school_name,
            self._object(group),
            self._group_verdict(group),
            self.words(
                "decided",
                passing=sum(member.passing_results for member in group.members),
                valid=sum(member.valid_results for member in group.members),
            ),
            measured,
            first.required_bits_per_second,
            self.cause(first.cause),
            self.unit(first.unit),
            self._since(group),
        )

    def _object(self, group: FailingGroup) -> str:
        if group.first.target == "uplink_bandwidth":
            return self.words("object_uplink")
        if group.first.target != "classroom_bandwidth":
            return self.target(group.first.target)
        number = len(group.members)
        return group.first.name if number == 1 else self.words("rooms_many", number=number)

    def _group_verdict(self, group: FailingGroup) -> str:
        if group.not_met and group.insufficient:
            return self.words("verdicts_mixed", not_met=group.not_met, insufficient=group.insufficient)
        return self.verdict("not_met" if group.not_met else "insufficient")

    def failing_rooms(self) -> Table:
        """Of the workbook: each classroom and line by itself."""
        columns: list[Column] = [
            ("c_town", "text", 1.1), ("c_school_id", "text", 1), ("c_school", "text", 2.1), ("c_target", "text", 1.25),
            ("c_classroom", "text", 1.6), ("c_verdict", "text", 1.1), ("c_decided", "text", 1.5), ("c_measured", "rate", 1.45),
            ("c_required", "rate", 1.45), ("c_cause", "text", 2.5), ("c_unit", "text", 1.3), ("c_since", "text", 1.3),
        ]  # fmt: skip
        address = self._address
        if address:
            columns.append(("c_page", "text", 3))
        rows = [
            (*self._failing_room(each), *([self._explain(address, each)] if address else []))
            for each in self._f.failing
            if each.target in BANDWIDTH
        ]
        return self._table("failing_rooms", columns, rows, unit="u_rates", empty="e_failing", path="/schools/")

    def _failing_room(self, each: Failing) -> tuple[Cell, ...]:
        return (
            each.town_name,
            each.school,
            each.school_name,
            self.target(each.target),
            each.name if each.target == "classroom_bandwidth" else self.words("object_uplink"),
            self.verdict(each.verdict),
            self.words("decided", passing=each.passing_results, valid=each.valid_results),
            written_rate(each, self._f.tolerance_ratio),
            each.required_bits_per_second,
            self.cause(each.cause),
            self.unit(each.unit),
            self._day(each.since) if isinstance(each.since, str) else NOTHING,
        )

    def _explain(self, address: str, each: Failing) -> str:
        return f"{address}/explain/{each.target}/{each.school}/{each.subject}?month={self._f.month}"

    def lines(self) -> Table:
        columns: list[Column] = [
            ("c_carrier", "text", 1.7), ("c_town", "text", 1.2), ("c_school", "text", 2.2), ("c_contract", "text", 1.6),
            ("c_promised", "rate", 1.1), ("c_measured", "rate", 1.1), ("c_state", "text", 1.1), ("c_broken_since", "text", 1.4),
        ]  # fmt: skip
        states = {True: "kept", False: "broken", None: "c_unknown"}
        rows: list[tuple[Cell, ...]] = [
            (
                line.carrier or NOTHING, line.town_name, line.school_name, line.contract or NOTHING,
                line.promised_bits_per_second, line.measured_bits_per_second, self.words(states[line.kept]),
                self._day(line.since),
            )
            for line in self._lines
        ]  # fmt: skip
        return self._table("lines", columns, rows, unit="u_rates", path="/carriers")

    def rooms(self) -> Table:
        columns: list[Column] = [
            ("c_town", "text", 1.2), ("c_school", "text", 2.4), ("c_verdict", "text", 1), ("c_polls", "count", 1.2),
            ("c_availability", "share", 1), ("c_cause", "text", 2.4),
        ]  # fmt: skip
        rows: list[tuple[Cell, ...]] = [
            (
                room.town_name, room.school_name, self.verdict(room.verdict), room.polls, room.availability,
                self.cause(room.cause),
            )
            for room in self._f.rooms
        ]  # fmt: skip
        return self._table("rooms", columns, rows, unit="u_polls", empty="e_rooms", path="/schools/")

    def room_use(self) -> Table:
        columns: list[Column] = [
            ("c_town", "text", 1.2), ("c_school", "text", 2.4), ("c_use_rooms", "count", 0.8), ("c_timetabled", "count", 1),
            ("c_recorded", "count", 1), ("c_streamed", "count", 1), ("c_unused", "count", 1), ("c_use_unknown", "count", 1),
        ]  # fmt: skip
        rows: list[tuple[Cell, ...]] = [
            (
                each.town_name, each.school_name, each.rooms, each.timetabled, each.recorded, each.streamed, each.unused,
                each.unknown,
            )
            for each in ([] if self._f.room_use is UNSET else self._f.room_use)
        ]  # fmt: skip
        return self._table("room_use", columns, rows, unit="u_lessons", empty="e_room_use", path="/schools/")

    def worst_lessons(self) -> Table:
        """The lessons whose minutes the report draws."""
        columns: list[Column] = [
            ("c_school", "text", 2.4), ("c_day", "text", 1.2), ("c_time", "text", 1.2), ("c_observed", "count", 1),
            ("c_bad", "count", 1),
        ]  # fmt: skip
        rows: list[tuple[Cell, ...]] = [
            (each.school_name, each.worst_day, each.worst_time, each.worst_observed, each.worst_bad)
            for each in ([] if self._f.lessons is UNSET else worst_of(self._f.lessons))
        ]
        return self._table("worst_lessons", columns, rows, unit="u_minutes", path="/schools/")

    def live(self) -> Table:
        columns: list[Column] = [
            ("c_town", "text", 1.2), ("c_school", "text", 2.4), ("c_verdict", "text", 1), ("c_results", "count", 1),
            ("c_cause", "text", 2.4), ("c_unit", "text", 1.3),
        ]  # fmt: skip
        rows: list[tuple[Cell, ...]] = [
            (
                each.town_name, each.school_name, self.verdict(each.verdict), each.valid_results, self.cause(each.cause),
                self.unit(each.unit),
            )
            for each in self._f.failing
            if each.target == "live_class"
        ]  # fmt: skip
        return self._table("live", columns, rows, unit="u_results", empty="e_live", path="/schools/")

    def platforms(self) -> Table:
        columns: list[Column] = [
            ("c_platform", "text", 2.4), ("c_subjects", "count", 1), ("c_met", "count", 0.8), ("c_not_met", "count", 0.8),
            ("c_insufficient", "count", 0.9), ("c_ratio", "share", 0.9), ("c_requests", "count", 1), ("c_success", "share", 0.9),
            ("c_first_byte", "seconds", 1.1),
        ]  # fmt: skip
        rows: list[tuple[Cell, ...]] = [
            (
                each.name, each.count.judged, each.count.met, each.count.not_met, each.count.insufficient,
                self._ratio(each.count), each.requests, each.success_ratio, each.first_byte_seconds,
            )
            for each in self._f.platforms
        ]  # fmt: skip
        return self._table("platforms", columns, rows, unit="u_requests", empty="e_platforms", path="/")

    def ledger(self) -> Table:
        ledger = self._f.ledger
        rows: list[tuple[Cell, ...]] = [
            *([(self.words("l_opening"), ledger.opening)] if ledger.opening is not UNSET else []),
            (self.words("l_opened"), ledger.opened),
            (self.words("l_struck"), ledger.struck_off),
            *([(self.words("l_ended"), ledger.ended_otherwise)] if ledger.ended_otherwise is not UNSET else []),
            (self.words("l_open"), ledger.open),
            (self.words("l_overdue"), ledger.overdue),
            (self.words("l_contradicted"), ledger.contradicted),
        ]
        return self._table(
            "ledger", [("c_item", "text", 3), ("c_count", "count", 1)], rows, unit="u_problems", path="/problems"
        )

    def ledger_lines(self) -> Table:
        columns: list[Column] = [
            ("c_number", "count", 0.8), ("c_town", "text", 1.1), ("c_school", "text", 1.9), ("c_target", "text", 1.25),
            ("c_classroom", "text", 1.5), ("c_cause", "text", 2.1), ("c_unit", "text", 1.2), ("c_due", "text", 1.55),
            ("c_state", "text", 1.7),
        ]  # fmt: skip
        rows: list[tuple[Cell, ...]] = [
            (
                line.number, line.town_name, line.school_name, self.target(line.target), line.name or NOTHING,
                self.cause(line.cause), self.unit(line.unit), self._day(line.due_on), self._problem_state(line),
            )
            for line in self._f.ledger_lines
        ]  # fmt: skip
        return self._table("ledger_lines", columns, rows, unit="u_problems", empty="e_ledger_lines", path="/problems/")

    def _problem_state(self, line: LedgerLine) -> str:
        if line.overdue and line.contradicted:
            return self.words("both")
        return self.words("overdue" if line.overdue else "contradicted")

    def data(self) -> Table:
        data = self._f.data
        rows: list[tuple[Cell, ...]] = [
            (self.words(f"d_{name}"), getattr(data, name))
            for name in ("valid", "passing", "invalid", "failed", "skipped")
        ]
        return self._table("data", [("c_item", "text", 3), ("c_count", "count", 1)], rows, unit="u_results", path="/")

    def coverage(self) -> Table:
        """Classrooms with enough valid tests, by town and in the county."""
        areas = [(town.name, town.counts.get("classroom_bandwidth", Count())) for town in self._f.towns]
        whole = self._f.target("classroom_bandwidth")
        areas += [(self.words("whole_area"), whole.count)] if whole is not None else []
        rows: list[tuple[Cell, ...]] = [
            (name, count.judged, count.met + count.not_met, count.coverage) for name, count in areas if count.judged
        ]
        columns: list[Column] = [
            ("c_town", "text", 2), ("c_subjects", "count", 1), ("c_covered", "count", 1.4), ("c_coverage", "share", 1)
        ]  # fmt: skip
        return self._table("coverage", columns, rows, unit="u_covered", path="/unmeasured")

    def servers(self) -> Table:
        """What the uplinks were tested against."""
        servers = [] if self._f.servers is UNSET else self._f.servers
        rows: list[tuple[Cell, ...]] = [
            (
                server.host or self.words("server_unrecorded"), server.name or NOTHING, server.place or NOTHING,
                server.schools, server.tests,
            )
            for server in servers
        ]  # fmt: skip
        columns: list[Column] = [
            ("c_server", "text", 2), ("c_name", "text", 2), ("c_server_place", "text", 2), ("c_schools", "count", 1),
            ("c_tests", "count", 1),
        ]  # fmt: skip
        return self._table("servers", columns, rows, unit="u_servers", empty="e_servers", path="/carriers")

    def reasons(self) -> Table:
        counted: dict[str, int] = {}
        for symptom, number in self._f.data.reasons.items():
            words = reason_words(symptom, self._language)
            counted[words] = counted.get(words, 0) + number
        rows: list[tuple[Cell, ...]] = [*sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))]
        columns: list[Column] = [("c_reason", "text", 3), ("c_count", "count", 1)]
        return self._table("reasons", columns, rows, unit="u_reasons", empty="e_reasons", path="/")

    def agreement(self) -> Table:
        columns: list[Column] = [
            ("c_segment", "text", 2), ("c_compared", "count", 1), ("c_agreeing", "count", 1), ("c_agreement", "share", 1),
            ("c_rate_ratio", "ratio", 1.2),
        ]  # fmt: skip
        rows: list[tuple[Cell, ...]] = [
            (
                self.words(f"s_{each.segment}"), each.compared, each.agreeing,
                each.agreeing / each.compared if each.compared else None, each.rate_ratio,
            )
            for each in self._f.agreement
            if each.compared
        ]  # fmt: skip
        return self._table("agreement", columns, rows, unit="u_directions", empty="e_agreement", path="/policy")

    def trend(self, months: Sequence[str], ratios: dict[str, tuple[float | None, ...]]) -> Table:
        """The ratios of these months by target."""
        columns = (
            *self._columns(("c_month", "text", 1.2)),
            *(TableColumn(self.target(name), "share", 1.2) for name in ratios),
        )
        rows: list[tuple[Cell, ...]] = [
            (month_words(month, self._language), *(ratios[name][position] for name in ratios))
            for position, month in enumerate(months)
        ]
        return self._plain("trend", columns, rows, unit="u_share", path=self._area_path)

    def corrections(self) -> Table:
        columns: list[Column] = [
            ("c_month", "text", 1.2), ("c_school", "text", 2.2), ("c_target", "text", 1.2), ("c_classroom", "text", 1.4),
            ("c_was", "text", 1), ("c_now", "text", 1),
        ]  # fmt: skip
        rows: list[tuple[Cell, ...]] = [
            (
                month_words(each.month, self._language),
                each.school_name,
                self.target(each.target),
                each.name if each.target in ("classroom_bandwidth", "platform_access") else NOTHING,
                self.verdict(each.was),
                self.verdict(each.now),
            )
            for each in self._f.corrections
        ]
        return self._table("corrections", columns, rows, unit="u_verdicts", path="/schools/")

    def rules(self) -> Table:
        index = 1 if self._language == "zh" else 0
        rows: list[tuple[Cell, ...]] = [
            (self.target(name), words[index], self.words(LIMITS[name]))
            for name, words in self._f.rules.items()
            if name in TARGETS
        ]
        columns: list[Column] = [("c_target", "text", 1.2), ("c_rule", "text", 5), ("c_limits", "text", 2)]
        return self._table("rules", columns, rows, unit="u_rules", path="/policy")

    def heads(self) -> Table:
        names = {school.id: school.name for school in self._f.schools}
        columns: list[Column] = [
            ("c_school_id", "text", 0.8), ("c_school", "text", 1.6), ("c_stored", "count", 0.9), ("c_head", "text", 4.2)
        ]  # fmt: skip
        rows: list[tuple[Cell, ...]] = [
            (head.school, names.get(head.school, head.school), head.results, head.head) for head in self._f.heads
        ]
        return self._table("heads", columns, rows, unit="u_results", path="/schools/")

    def words(self, key: str, **values: object) -> str:
        return say(key, self._language, **values)

    def target(self, name: str) -> str:
        return TARGETS[name].in_(self._language)

    def verdict(self, name: str) -> str:
        return VERDICTS[name].in_(self._language)

    def cause(self, code: str) -> str:
        return EXPLANATIONS[code].what.in_(self._language) if code else NOTHING

    def unit(self, unit: str) -> str:
        return UNIT_WORDS[unit].in_(self._language) if unit in UNIT_WORDS else unit

    def number_of_next(self) -> int:
        """The number that the next table with rows will have."""
        return self._count + 1

    def _since(self, group: FailingGroup) -> str:
        return self._day(group.since)

    def _day(self, day: str) -> str:
        return date_words(day, self._language) if day else NOTHING

    @property
    def _lines(self) -> Sequence[CarrierLine]:
        return () if self._f.lines is UNSET else self._f.lines

    @property
    def _address(self) -> str:
        return "" if self._f.official is UNSET else self._f.official.address

    @property
    def _area_path(self) -> str:
        """The page of the report's area."""
        kind, _, area = self._f.scope.partition(":")
        return f"/{kind}s/{area}" if kind else "/"

    def _judged_targets(self) -> list[str]:
        return [target.target for target in self._f.targets if target.count.judged or target.count.exempt]

    def _ratio(self, count: Count) -> Cell:
        """A compliance rate: where nothing has enough data it is not known, which is not 0 %."""
        return self.words("no_data") if count.judged and not count.has_data else count.ratio

    def _columns(self, *columns: Column) -> tuple[TableColumn, ...]:
        return tuple(TableColumn(self.words(key), kind, width) for key, kind, width in columns)

    def _table(
        self,
        key: str,
        columns: Sequence[Column],
        rows: Sequence[tuple[Cell, ...]],
        *,
        unit: str,
        path: str,
        empty: str = "",
    ) -> Table:
        return self._plain(key, self._columns(*columns), rows, unit=unit, path=path, empty=empty)

    def _plain(
        self,
        key: str,
        columns: tuple[TableColumn, ...],
        rows: Sequence[tuple[Cell, ...]],
        *,
        unit: str,
        path: str,
        empty: str = "",
        title: str = "",
    ) -> Table:
        """Numbered where it has rows; `path` is the page that shows its figures, where one ends with / the id of a town, school or problem follows."""
        name, caption = self.words(f"n_{key}"), title or self.words(f"t_{key}")
        if rows:
            self._count += 1
            caption = self.words("table", number=self._count, title=caption)
            name = self.words("sheet", number=self._count, name=name)
        return Table(
            name,
            caption,
            columns,
            tuple(rows),
            message("{what}: {words}", what=caption, words=self.words(empty)).in_(self._language) if empty else "",
            self.words(unit),
            self._source(path) if rows else "",
        )

    def _source(self, path: str) -> str:
        if not self._address:
            return ""
        follows = {"/towns/": "c_town_id", "/schools/": "c_school_id", "/problems/": "c_number"}
        inside = message("({what})", what=self.words(follows[path])).in_(self._language) if path in follows else ""
        page = f"{path}{inside}"
        month = "" if path.startswith("/problems") else f"?month={self._f.month}"
        return self.words("source", address=f"{self._address}{page}{month}")


def _largest(
    carriers: Sequence[tuple[str, list[CarrierLine]]], words: Callable[..., str]
) -> list[tuple[str, list[CarrierLine]]]:
    """The first ones, and all others as one row."""
    if len(carriers) <= MOST_CARRIERS:
        return list(carriers)
    others = carriers[MOST_CARRIERS - 1 :]
    lines = [line for _, of_carrier in others for line in of_carrier]
    return [*carriers[: MOST_CARRIERS - 1], (words("other_carriers", count=len(others)), lines)]


def _broken(lines: Sequence[CarrierLine]) -> int:
    return sum(line.kept is False for line in lines)


def _difference(now: float | None, before: float | None) -> float | None:
    return None if now is None or before is None else now - before
