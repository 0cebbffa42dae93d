"""The wait before the next attempt: exponential, with full jitter, so that a hundred schools do not come back in the same second. Pure."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import Random

FIRST_SECONDS = 1.0
LONGEST_SECONDS = 900.0
LONGEST_RETRY_AFTER_SECONDS = 24 * 3600.0
LONGEST_SPREAD_SECONDS = 30.0


def wait_seconds(failures: int, requested_seconds: float | None, permanent: bool, rng: Random) -> float:
    """How long to wait now. What the collector asked for wins and is never cut short, only spread a little.

    `permanent` is a refusal that waiting alone does not end (two programs that do not understand each other): long from the start.
    """
    if requested_seconds:
        return requested_seconds + rng.uniform(0, min(LONGEST_SPREAD_SECONDS, requested_seconds / 10))
    if permanent:
        return rng.uniform(LONGEST_SECONDS / 2, LONGEST_SECONDS)
    return delay_seconds(failures, rng)


def delay_seconds(failures: int, rng: Random) -> float:
    """How long to wait after this many failures in a row (1 or more): uniform up to a doubling bound, never below a tenth."""
    bound = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(failures - 1, 30))
    return rng.uniform(bound / 10, bound)


def retry_after_seconds(header: str | None, now: datetime) -> float | None:
    """What `Retry-After` asks for (RFC 9110 section 10.2.3): seconds or a date. None when absent or not understood.

    `now` is the answering side's time: a date means nothing by a gateway's wrong clock.
    """
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return min(LONGEST_RETRY_AFTER_SECONDS, float(text[:10]))
    moment = http_date(text)
    return None if moment is None else min(LONGEST_RETRY_AFTER_SECONDS, max(0.0, (moment - now).total_seconds()))


def http_date(text: str | None) -> datetime | None:
    """A date as HTTP headers write it (RFC 9110 section 5.6.7); None when absent or not one."""
    try:
        moment = parsedate_to_datetime(text or "")
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
