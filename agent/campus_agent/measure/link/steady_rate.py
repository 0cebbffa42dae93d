"""At which rate did a line run while it was full? Pure.

A full line delivers the same in each slot of time; what an end that waits for a processor delivers is different in each. So where
a good part of the slots agree closely, that is the line, whatever happened in the others.
"""

from collections.abc import Sequence

SLOT_AGREEING_RATIO = 0.01
"""Slots belong together within this, from least to most: a shaper's bucket and two packets at the edges of a slot stay below it."""
AGREEING_SHARE = 0.25
MIN_AGREEING = 6
"""So many slots, and so great a share of all, do not agree by chance: slots of an end that waits lie all over 20 % and more."""
FASTER_SHARE = 0.25
"""Where more slots than this are clearly faster than those that agree, the line carries more than these: a few are faster only because they make up for a wait."""


def steady_rate(slots: Sequence[float], least_step: float = 0.0) -> float | None:
    """The rate at which the largest group of slots agrees, in the unit of `slots`; None where too few agree, or too many are faster.

    `least_step` is the rate that one packet makes in a slot: slots cannot agree more closely than two of these. Of groups equally
    large the faster one counts: waiting makes a slot slower, and faster only by what it lacked before.
    """
    ordered = sorted(slots)
    best: list[float] = []
    end = 0
    for start, least in enumerate(ordered):
        most = least + max(SLOT_AGREEING_RATIO * least, 2 * least_step)
        while end < len(ordered) and ordered[end] <= most:
            end += 1
        if end - start >= len(best):
            best = ordered[start:end]
    if len(best) < max(MIN_AGREEING, AGREEING_SHARE * len(ordered)) or best[0] <= 0:
        return None
    clearly_faster = best[-1] + max(SLOT_AGREEING_RATIO * best[-1], 2 * least_step)
    if sum(slot > clearly_faster for slot in slots) > FASTER_SHARE * len(slots):
        return None
    ordered = sorted(best)  # the median; the module `statistics` would stay in the resident agent with all of `decimal`
    middle = len(ordered) // 2
    return (ordered[middle] + ordered[~middle]) / 2
