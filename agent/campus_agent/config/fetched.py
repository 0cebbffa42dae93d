"""The configuration from the collector's inventory: checked, merged over the gateway's file, stored for when the collector is away.

It has the shape of the gateway's own file and wins over it, key by key; what the collector does not give (engines, switches, secrets) stays
the file's. One with a mistake is refused, the collector is informed, and the last valid one stays active. `ship.configuration` fetches it.
"""

import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from campus_agent.config.model import ENVIRONMENT_TABLES, AgentConfig
from campus_base.files import write_whole
from campus_base.messages import Message, bilingual, message
from campus_base.settings import ConfigurationError, Table, load
from campus_base.typed_tables import read_table
from campus_wire.records import FetchedConfig

FETCHED_FILE = "central.json"
"""In the state folder."""
MAX_WORDS = 200
_decode = msgspec.json.Decoder(FetchedConfig).decode


class FetchedConfigRefused(Exception):
    """The collector's configuration cannot be used; says why in one line of either language, for the collector's page."""

    def __init__(self, text: Message) -> None:
        self.words = bilingual(text.en[:MAX_WORDS], text.zh[:MAX_WORDS])
        super().__init__(self.words.en)


def check(body: bytes, config: AgentConfig, file: Path) -> None:
    """Does it make a valid configuration with the gateway's own file? Raises FetchedConfigRefused with the first mistake."""
    try:
        fetched = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FetchedConfigRefused(message("not understood: {error}", error=error)) from None
    if fetched.agent.school != config.school:
        raise FetchedConfigRefused(
            message(
                "it is for {school}, not for {config_school}", school=fetched.agent.school, config_school=config.school
            ),
        )
    try:
        top = load(file, os.environ, ENVIRONMENT_TABLES)
        read_table(AgentConfig, merged(top, fetched))
        mistakes = top.mistakes
    except ConfigurationError as error:
        mistakes = error.mistakes
    if mistakes:
        raise FetchedConfigRefused(bilingual(mistakes[0].in_("en"), mistakes[0].in_("zh")))


def merged(top: Table, fetched: FetchedConfig) -> Table:
    """The file with the fetched configuration over it: tables key by key, rows by their id, new rows at the end.

    Equipment only where the file has its row: what it is asked with are secrets of the school. [uplink] only where the file has it, and
    [lesson_stream] only beside it: the stream goes to the uplink's test server.
    """
    values = dict(top.values)
    new_tables = ("timetable", "lesson_stream") if "uplink" in values else ("timetable",)
    for name in ("agent", "uplink", "timetable", "lesson_stream"):
        table, over = values.get(name, {} if name in new_tables else None), getattr(fetched, name)
        if isinstance(table, dict) and over is not None:
            values[name] = table | _given(over)
    for name in ("classroom", "service", "device"):
        rows = values.get(name, [])
        if isinstance(rows, list) and all(isinstance(row, dict) for row in rows):
            new = {record.id: _given(record) for record in getattr(fetched, name) or ()}
            merged_rows = [_merged_row(row, new) for row in rows]
            values[name] = merged_rows if name == "device" else [*merged_rows, *new.values()]
    return Table(values, "", top.mistakes, top.folder)


def _merged_row(row: dict[str, Any], records: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A row with the record of its id over it, which is taken out of `records`; tables within it key by key too."""
    over = records.pop(row["id"], {}) if isinstance(row.get("id"), str) else {}
    inner = {
        key: row[key] | value
        for key, value in over.items()
        if isinstance(value, dict) and isinstance(row.get(key), dict)
    }
    return row | over | inner


def _given(record: msgspec.Struct) -> dict[str, Any]:
    return {key: value for key, value in msgspec.to_builtins(record).items() if value is not None}


def store(body: bytes, state_dir: Path) -> None:
    """Durably: the gateway may restart a hundred times before it sees the collector again. Raises OSError."""
    write_whole(state_dir / FETCHED_FILE, body, 0o600)


def stored_body(state_dir: Path) -> bytes | None:
    """The last valid one as it came; None without any."""
    with suppress(OSError):
        return (state_dir / FETCHED_FILE).read_bytes()
    return None


def stored(state_dir: Path) -> FetchedConfig | None:
    """The last valid one; None without any, or where its file is damaged."""
    body = stored_body(state_dir)
    with suppress(msgspec.MsgspecError, UnicodeDecodeError):
        return None if body is None else _decode(body)
    return None


def tag_of(body: bytes) -> str:
    """Its ETag, as the collector makes it."""
    return f'"{sha256(body).hexdigest()[:32]}"'
