"""What a school's verdicts of a month add up to, as it is kept in the store."""

from dataclasses import dataclass

NEWEST = -1
"""In place of a month: each subject judged by its newest result alone."""


@dataclass(frozen=True, slots=True)
class KeptTally:
    """A school's month (its first day, since 1970), or NEWEST. Only the judge reads what `tally` and `verdicts` hold.

    `basis` names the rules it was counted by, `rests_on` the revision of all it was counted from.
    """

    school: str
    month: int
    rests_on: int
    basis: str
    tally: bytes
    verdicts: bytes
