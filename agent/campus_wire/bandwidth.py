"""Does one throughput result reach its target? The same rule for the agent's own answer and for the collector's judge."""

from enum import StrEnum

from campus_wire.encapsulation import Encapsulation, line_rate_from_goodput
from campus_wire.records import DirectionRecord, ThroughputRecord, ThroughputResult, outcome_of

DEFAULT_TOLERANCE_RATIO = 0.98


class Verdict(StrEnum):
    """The answer to "is the target met?". `insufficient` is never compliance."""

    MET = "met"
    NOT_MET = "not_met"
    INSUFFICIENT = "insufficient"
    EXEMPT = "exempt"


def line_rate_of(direction: DirectionRecord, path: Encapsulation) -> float:
    """The line rate a direction proves, in bits per second: measured by the engine, else from goodput."""
    if direction.line_rate_bits_per_second is not None:
        return direction.line_rate_bits_per_second
    return line_rate_from_goodput(direction.goodput_bits_per_second, path)


def reaches(line_rate_bits_per_second: float, required_bits_per_second: float, tolerance_ratio: float) -> bool:
    """Is a line rate at or above the required one, allowing for measurement error?"""
    return line_rate_bits_per_second >= required_bits_per_second * tolerance_ratio


def verdict_of(
    result: ThroughputResult,
    required_bits_per_second: float | None = None,
    tolerance_ratio: float = DEFAULT_TOLERANCE_RATIO,
) -> Verdict:
    """The verdict of this one measurement: both directions must reach the target; an unsound one says nothing.

    One direction that was soundly measured below the target is enough for `not_met`; `met` needs both. A lower bound
    below the target proves nothing.
    """
    record = result.record
    if record is None or outcome_of(result) != "ok":
        return Verdict.INSUFFICIENT
    return verdict_of_record(record, required_bits_per_second, tolerance_ratio)


def verdict_of_record(
    record: ThroughputRecord,
    required_bits_per_second: float | None = None,
    tolerance_ratio: float = DEFAULT_TOLERANCE_RATIO,
) -> Verdict:
    """The same of a sound measurement's record."""
    required = record.required_bits_per_second if required_bits_per_second is None else required_bits_per_second
    proved = 0
    for direction in (record.down, record.up):
        if direction is None:
            continue
        if reaches(line_rate_of(direction, record.encapsulation), required, tolerance_ratio):
            proved += 1
        elif not direction.lower_bound:
            return Verdict.NOT_MET
    return Verdict.MET if proved == 2 else Verdict.INSUFFICIENT
