"""The verdict of one measurement. Pure."""

from campus_wire.access import access_passes
from campus_wire.bandwidth import Verdict, verdict_of
from campus_wire.records import ServiceResult, ThroughputResult


def verdict_of_measurement(result: ThroughputResult | ServiceResult) -> Verdict:
    """Whether this one result meets its target; `insufficient` where it says nothing."""
    if isinstance(result, ThroughputResult):
        return verdict_of(result)
    passes = access_passes(result)
    return Verdict.INSUFFICIENT if passes is None else Verdict.MET if passes else Verdict.NOT_MET
