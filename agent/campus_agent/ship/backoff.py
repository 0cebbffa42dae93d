"""When to try again? Exponential, with full jitter, so that a hundred schools do not come back in the same second. Pure."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import Random

FIRST_SECONDS = 1.0
LONGEST_SECONDS = 900.0
LONGEST_RETRY_AFTER_SECONDS = 24 * 3600.0


def delay_seconds(failures: int, rng: Random) -> float:
    """How long to wait after this many failures in a row (1 or more): uniform up to a doubling bound, never below a tenth."""
    bound = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(failures - 1, 30))
    return rng.uniform(bound / 10, bound)


def retry_after_seconds(header: str | None, now: datetime) -> float | None:
    """What `Retry-After` asks for (RFC 9110 section 10.2.3): seconds or a date. None when absent or not understood."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return min(LONGEST_RETRY_AFTER_SECONDS, float(text[:10]))
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(LONGEST_RETRY_AFTER_SECONDS, max(0.0, (moment - now).total_seconds()))
