"""Results in quarantine as people and programs see them. Pure."""

from collections.abc import Mapping
from typing import Any

from campus_base.messages import Message, message
from campus_collector.domain.results import QuarantinedResult
from campus_collector.ingest.reasons import reason_words, without_patterns

MAX_SHOWN_BYTES = 400


def escape_unprintable(text: str) -> str:
    """Without characters that a terminal would act on: those are shown as escapes."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def as_json(row: QuarantinedResult) -> dict[str, Any]:
    """One result; `begins` is the start of what came."""
    return {
        "school": row.school,
        "received_at": row.received_at.isoformat(),
        "id": row.id,
        "reason": without_patterns(row.reason),
        "reason_zh": reason_words(row.reason).zh,
        "begins": begin_of(row),
    }


def begin_of(row: QuarantinedResult) -> str:
    """The start of what came, as text that is safe to show."""
    return escape_unprintable(row.raw[:MAX_SHOWN_BYTES].decode(errors="replace"))


def count_words(counts: Mapping[str, int]) -> Message:
    listed = ", ".join(f"{escape_unprintable(school)} {count}" for school, count in sorted(counts.items()))
    return message("In quarantine, by school: {listed}", listed=listed)
