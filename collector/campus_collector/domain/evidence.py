"""Evidence of days, and the results that are not in it yet."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unjudged:
    """An hour (since 1970) of a subject whose results wait for the judge; `arrivals` grows with each that comes."""

    school: str
    subject: str
    kind: str
    hour: int
    arrivals: int


@dataclass(frozen=True, slots=True)
class DayRow:
    """The evidence of a local day (since 1970) for one target, as the judge wrote it; `rule_fingerprint` names the rule it was judged by."""

    school: str
    day: int
    subject: str
    target: str
    rule_fingerprint: str
    body: bytes
