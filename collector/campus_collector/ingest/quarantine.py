"""Results in quarantine as people and programs see them. Pure."""

from collections.abc import Mapping
from typing import Any

from campus_base.language import Text
from campus_collector.domain.records import QuarantinedRow
from campus_collector.ingest.reasons import reason_words, without_patterns

MAX_SHOWN_BYTES = 400


def printable(text: str) -> str:
    """Without characters that a terminal would act on: those are shown as escapes."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def as_json(one: QuarantinedRow) -> dict[str, Any]:
    """One result; `begins` is the start of what came."""
    return {
        "school": one.school,
        "received_at": one.received_at.isoformat(),
        "id": one.id,
        "reason": without_patterns(one.reason),
        "reason_zh": reason_words(one.reason).zh,
        "begins": begin_of(one),
    }


def begin_of(one: QuarantinedRow) -> str:
    """The start of what came, as text that is safe to show."""
    return printable(one.raw[:MAX_SHOWN_BYTES].decode(errors="replace"))


def count_words(counts: Mapping[str, int]) -> Text:
    """How many of which school."""
    listed = ", ".join(f"{printable(school)} {count}" for school, count in sorted(counts.items()))
    return Text(f"In quarantine, by school: {listed}", f"各校被隔离结果数：{listed}")
