"""What does not meet its target, put together: the rooms of a school with one cause are one row, however many they are. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from msgspec import UNSET

from campus_base.figures import megabits
from campus_collector.report.figures import Failing, Figures, LessonFigures
from campus_wire.bandwidth import Verdict

MOST_WORST_LESSONS = 5


def worst_of(lessons: Iterable[LessonFigures]) -> list[LessonFigures]:
    """The lessons with most bad minutes, one of a school; as many as the report names."""
    disturbed = [each for each in lessons if each.worst_bad]
    return sorted(disturbed, key=lambda each: (-each.worst_bad, each.school))[:MOST_WORST_LESSONS]


@dataclass(frozen=True, slots=True)
class FailingGroup:
    """Subjects of one school and target with one cause and one unit that has to act; never empty."""

    members: tuple[Failing, ...]

    @property
    def first(self) -> Failing:
        """Who stands for school, town, target, cause and unit."""
        return self.members[0]

    @property
    def not_met(self) -> int:
        return sum(member.verdict == Verdict.NOT_MET for member in self.members)

    @property
    def insufficient(self) -> int:
        return len(self.members) - self.not_met

    @property
    def since(self) -> str:
        """The day on which the first of their problems was registered (YYYY-MM-DD); "" where none is open."""
        return min((member.since for member in self.members if isinstance(member.since, str)), default="")

    def rates(self, tolerance_ratio: float) -> tuple[float, float] | None:
        """The lowest and the highest rate in bits per second as they are written beside what is required; None where nothing was measured."""
        written = [rate for member in self.members if (rate := written_rate(member, tolerance_ratio)) is not None]
        return (min(written), max(written)) if written else None


def written_rate(failing: Failing, tolerance_ratio: float) -> float | None:
    """What was measured, in bits per second, rounded so that it never reads as enough where it is not."""
    short, required = failing.fell_short_bits_per_second, failing.required_bits_per_second
    rate = failing.measured_bits_per_second if short is UNSET else short
    if rate is None or required is None:
        return rate
    return float(megabits(rate, required * tolerance_ratio, required)) * 1e6


def grouped(failing: Iterable[Failing]) -> list[FailingGroup]:
    """In the order in which each group first appears."""
    groups: dict[tuple[str, str, str, str], list[Failing]] = {}
    for each in failing:
        groups.setdefault((each.school, each.target, each.cause, each.unit), []).append(each)
    return [FailingGroup(tuple(members)) for members in groups.values()]


@dataclass(frozen=True, slots=True)
class WorstSchool:
    """A school with classrooms that do not meet their target; `main` is its largest group."""

    judged: int
    unmet: int
    main: FailingGroup


def worst_schools(figures: Figures, most: int) -> list[WorstSchool]:
    """The schools with most unmet classrooms, most first."""
    rooms = [each for each in figures.failing if each.target == "classroom_bandwidth"]
    judged = {
        school.id: school.counts["classroom_bandwidth"].judged
        for school in figures.schools
        if "classroom_bandwidth" in school.counts
    }
    worst = []
    for school, members in groupby(sorted(rooms, key=lambda each: each.school), key=lambda each: each.school):
        of_school = list(members)
        main = max(grouped(of_school), key=lambda group: len(group.members))
        worst.append(WorstSchool(judged.get(school, len(of_school)), len(of_school), main))
    worst.sort(key=lambda each: (-each.unmet, each.main.first.school))
    return worst[:most]
