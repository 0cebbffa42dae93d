"""The list of schools on the overview and on a town's page: filtered, sorted, in pages."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from starlette.requests import Request

from campus_base.messages import Message, message
from campus_collector.domain.schools import School
from campus_collector.http.problem_requests import CAUSES
from campus_collector.http.query import choices, requested_target
from campus_collector.http.responses import bad_value
from campus_collector.judge.tally import NO_VERDICTS, SchoolInTown, SchoolTally, ShortVerdicts
from campus_wire.bandwidth import Verdict

Sort = Literal["worst", "name", "town", "better"]
SORTS: dict[Sort, Message] = {
    "worst": message("most not met first"),
    "better": message("fewest not met first"),
    "town": message("by town"),
    "name": message("by name"),
}
VERDICTS: tuple[Verdict, ...] = (Verdict.NOT_MET, Verdict.INSUFFICIENT, Verdict.MET)
MOST_LETTERS = 100


@dataclass(frozen=True, slots=True)
class SchoolFilter:
    """A selection of schools; None: whatever. A verdict is that of any of their subjects, of one target when that is given too."""

    town: str | None = None
    target: str | None = None
    verdict: Verdict | None = None
    cause: str | None = None
    carrier: str | None = None
    sort: Sort = "worst"

    @property
    def is_whole(self) -> bool:
        """Does every school fit?"""
        return not (self.town or self.target or self.verdict or self.cause or self.carrier)


def requested_schools(request: Request) -> SchoolFilter:
    """The selection in a query. Raises HttpProblem 400."""
    query = request.query_params
    target, cause, sort = query.get("target") or None, query.get("cause") or None, query.get("sort") or "worst"
    verdict = query.get("verdict") or None
    requested_target(target)
    if verdict is not None and verdict not in VERDICTS:
        raise bad_value("verdict", verdict, choices(VERDICTS))
    for key, value, known in (("cause", cause, CAUSES), ("sort", sort, tuple(SORTS))):
        if value is not None and value not in known:
            raise bad_value(key, value, choices(known))
    town, carrier = query.get("town") or None, (query.get("carrier") or "")[:MOST_LETTERS] or None
    return SchoolFilter(town, target, Verdict(verdict) if verdict else None, cause, carrier, cast(Sort, sort))


def selected(
    schools: Sequence[School],
    tallies: Mapping[str, SchoolInTown],
    selection: SchoolFilter,
    carriers: Mapping[str, str],
    short: Callable[[], Mapping[str, ShortVerdicts]],
) -> list[School]:
    """Those that fit, in the order asked for. `short` is called only where a cause is asked for: it reads each subject. Pure."""
    fitting = [school for school in schools if _fits(school, tally_of(tallies, school), selection, carriers)]
    if selection.cause is not None:
        verdicts = short()
        fitting = [school for school in fitting if _has_cause(verdicts.get(school.id, {}), selection)]
    keys: dict[Sort, Callable[[School], tuple[object, ...]]] = {
        "worst": lambda school: worst_first(tally_of(tallies, school), selection.target),
        "better": lambda school: tuple(-number for number in worst_first(tally_of(tallies, school), selection.target)),
        "town": lambda school: (school.town, school.id),
        "name": lambda school: (school.name, school.id),
    }
    return sorted(fitting, key=lambda school: (*keys[selection.sort](school), school.id))


def tally_of(tallies: Mapping[str, SchoolInTown], school: School) -> SchoolTally:
    return tallies[school.id].tally if school.id in tallies else NO_VERDICTS


def worst_first(tally: SchoolTally, target: str | None = None) -> tuple[int, int]:
    """Smaller is worse: more not met, then more without data; of one target, or of all."""
    return -count(tally, Verdict.NOT_MET, target), -count(tally, Verdict.INSUFFICIENT, target)


def count(tally: SchoolTally, verdict: Verdict, target: str | None) -> int:
    return tally.count(verdict) if target is None else tally.counts.get(target, {}).get(verdict, 0)


def _fits(school: School, tally: SchoolTally, selection: SchoolFilter, carriers: Mapping[str, str]) -> bool:
    if selection.town not in (None, school.town) or selection.carrier not in (None, carriers.get(school.id)):
        return False
    if selection.verdict is not None:
        return count(tally, selection.verdict, selection.target) > 0
    return selection.target is None or selection.target in tally.counts


def _has_cause(verdicts: ShortVerdicts, selection: SchoolFilter) -> bool:
    return any(
        verdict.cause == selection.cause and selection.verdict in (None, verdict.verdict)
        for target, of_target in verdicts.items()
        if selection.target in (None, target)
        for verdict in of_target.values()
    )
