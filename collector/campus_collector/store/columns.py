"""How moments and bytes stand in columns, and clauses of the columns that are asked for."""

from collections.abc import Sequence
from datetime import UTC, datetime

from campus_collector.domain.days import EPOCH


def bytes_of(value: bytes | str) -> bytes:
    """What a column holds; an edit by hand may have left text where bytes were."""
    return value if isinstance(value, bytes) else str(value).encode()


def micros(moment: datetime) -> int:
    """Microseconds since 1970, exactly."""
    delta = moment.astimezone(UTC) - EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def micros_or_none(moment: datetime | None) -> int | None:
    """Microseconds since 1970, exactly; None stays None."""
    return None if moment is None else micros(moment)


def moment(micros_: int) -> datetime:
    """The moment of so many microseconds since 1970, UTC."""
    return datetime.fromtimestamp(micros_ / 1e6, UTC)


def moment_or_none(micros_: int | None) -> datetime | None:
    """The moment of so many microseconds since 1970, UTC; None stays None."""
    return None if micros_ is None else moment(micros_)


def where(**columns: str | None) -> str:
    """A clause of those columns that are asked for (not None), so that an index is used; its parameters have the columns' names.

    The names are the tables' own, never a request's.
    """
    asked = [f"{name} = :{name}" for name, value in columns.items() if value is not None]
    return f"WHERE {' AND '.join(asked)}" if asked else ""


def among(name: str, values: Sequence[object]) -> tuple[str, dict[str, object]]:
    """A list for `IN`, and its parameters; `name` is none of the statement's others. Never empty: nothing equals NULL."""
    keys = {f"{name}{number}": value for number, value in enumerate(values)}
    return f"({', '.join(f':{key}' for key in keys) or 'NULL'})", keys


def rows_of(name: str, rows: Sequence[Sequence[object]]) -> tuple[str, dict[str, object]]:
    """Rows for `VALUES`, at least one, and their parameters."""
    keys = {f"{name}{row}_{column}": value for row, values in enumerate(rows) for column, value in enumerate(values)}
    listed = (
        f"({', '.join(f':{name}{row}_{column}' for column in range(len(values)))})" for row, values in enumerate(rows)
    )
    return ", ".join(listed), keys


_BEHIND_A_TEXT = b"\xff"
"""No text in UTF-8 has this octet."""


def id_octets(result_id: str) -> bytes:
    """A result's id as it is stored: the 16 octets of a UUID in its usual form; else its text, marked so that it never is 16 octets long."""
    if len(result_id) == 36 and result_id[8] == result_id[13] == result_id[18] == result_id[23] == "-":
        try:
            octets = bytes.fromhex(result_id.replace("-", ""))
        except ValueError:
            octets = b""
        if len(octets) == 16 and result_id == result_id.lower():
            return octets
    octets = result_id.encode(errors="surrogatepass") + _BEHIND_A_TEXT
    return octets if len(octets) != 16 else octets + _BEHIND_A_TEXT


def id_text(octets: bytes) -> str:
    """The id that `id_octets` was given."""
    if len(octets) != 16:
        return octets.rstrip(_BEHIND_A_TEXT).decode(errors="surrogatepass")
    digits = octets.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
