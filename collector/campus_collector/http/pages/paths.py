"""The addresses of the pages of one school's things, below the collector's root path."""

from datetime import UTC, date, datetime
from urllib.parse import quote, urlencode

from campus_wire.commands import CausedResult
from campus_wire.records import AnyResult, kind_of

KIND_PATHS = {"classroom": "subjects", "uplink": "subjects", "recording_room": "subjects", "service": "services"}


def subject_path(school: str, kind: str, subject: str) -> str:
    """Of a subject's page."""
    return f"/schools/{quote(school)}/{KIND_PATHS[kind]}/{quote(subject)}"


def lessons_path(school: str, day: date) -> str:
    """Of the page of a day's lessons."""
    return f"/schools/{quote(school)}/lessons?day={day.isoformat()}"


def result_path(school: str, result: AnyResult) -> str:
    """Of a result's page. Kind and time stand in it, so that it is found by one step of the index."""
    query = urlencode({"kind": kind_of(result), "at": moment_text(result.started_at)}, safe=":")
    return f"/schools/{quote(school)}/subjects/{quote(result.subject)}/results/{quote(result.id)}?{query}"


def asked_result_path(school: str, result: CausedResult) -> str:
    """The same of a result that a gateway has named."""
    query = urlencode({"kind": result.kind, "at": moment_text(result.started_at)}, safe=":")
    return f"/schools/{quote(school)}/subjects/{quote(result.subject)}/results/{quote(result.id)}?{query}"


def raw_results_path(
    school: str, subject: str, kind: str, start: datetime, end: datetime, *, ending: str = "", **more: str
) -> str:
    """Of a subject's results as they came, as many as are given at once; with the ending ".csv" as a table."""
    query = {
        "school": school,
        "subject": subject,
        "kind": kind,
        "from": moment_text(start),
        "to": moment_text(end),
        "limit": "5000",
    }
    return f"/v1/results{ending}?{urlencode(query | more, safe=':')}"


def moment_text(moment: datetime) -> str:
    """Exact to the microsecond, UTC, without a sign that an address would have to escape."""
    utc = moment.astimezone(UTC)
    micros = f".{utc.microsecond:06d}" if utc.microsecond else ""
    return f"{utc:%Y-%m-%dT%H:%M:%S}{micros}Z"
