"""Reads TOML configurations: all mistakes at once, each with its place, value and remedy.

Used by both daemons, because what the collector serves to an agent has the shape of the agent's own file. A reader takes a
`Table`, asks it for each key with its bounds, and calls `done`; whatever nobody asked for is a mistake of the writer.
`CAMPUS_<TABLE>_<KEY>` in the environment overrides a key of a plain table (CAMPUS_COLLECTOR_URL is `[collector] url`).
"""

import os
import re
import stat
import tomllib
from collections.abc import Mapping, Sequence
from datetime import date, time
from pathlib import Path
from typing import Any, NamedTuple

from campus_base.encoding import UTF16_MARKS, wide_encoding
from campus_base.file_kind import NOT_A_FILE, is_special
from campus_base.language import Language
from campus_base.messages import Message, message
from campus_base.system_errors import error_words
from campus_base.terminal import escape_cell

REQUIRED: Any = object()
ENVIRONMENT_PREFIX = "CAMPUS_"
_MAX_SHOWN = 60
MAX_SECRET_BYTES = 65_536
MAX_FILE_BYTES = 16_000_000
"""Of a configuration: far more than a school's or a county's needs."""
_BLANK = " \t\r\n\v\f\u00a0\u3000\u200b\ufeff"
"""White space that people paste, the Chinese full-width one and the two without a width among them."""
_EMPTY = message("it is empty")
_TOO_LONG = message("it is no secret: longer than 64 KiB")
_NO_TOKEN = message(
    "this is no token: it must be one line of at most 200 ASCII letters, digits and -._~+/=, without spaces or"
    " quotation marks"
)
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{1,200}")
_TOO_LARGE = message("is larger than 16 MB: no configuration")
_TOO_DEEP = message("is not TOML that is read here: brackets are nested too deeply")
_TOO_MANY_DIGITS = message("is not TOML that is read here: a number has more than 4300 digits")
_NO_TEXT = message("it is not text: save it as UTF-8 (in Notepad: Save as, Encoding UTF-8)")
_OTHER_ENCODING = message(
    "line {line} is not UTF-8 text, but {encoding}: save the file as UTF-8 (in Notepad: Save as, Encoding UTF-8)"
)
_NO_ENCODING = message(
    "line {line} is not UTF-8 text, nor any other that is known: save the file as UTF-8 (in Notepad:"
    " Save as, Encoding UTF-8)"
)


class Secret:
    """A secret read from a file. Prints as `***` wherever it is shown."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        """Keep the value; nothing else ever shows it."""
        self._value = value

    def reveal(self) -> str:
        """The secret itself, for the one call that needs it."""
        return self._value

    def __repr__(self) -> str:
        """Never the value."""
        return "***"

    __str__ = __repr__


class Mistake(NamedTuple):
    """One thing wrong with a configuration: where (`limits.max_cpu_ratio`), what."""

    path: str
    text: Message

    def in_(self, language: Language) -> str:
        return escape_cell(f"{self.path}: {self.text.in_(language)}")


class ConfigurationError(Exception):
    """A configuration that cannot be used, with every mistake in it."""

    def __init__(self, source: str, mistakes: Sequence[Mistake]) -> None:
        """`source` is the file's name as the operator gave it."""
        self.source = source
        self.mistakes = list(mistakes)
        super().__init__(self.in_("en"))

    def in_(self, language: Language) -> str:
        """All mistakes, one a line, under a heading."""
        heading = message("{source}: {count} mistake(s) in the configuration")
        lines = [heading.in_(language, source=self.source, count=len(self.mistakes))]
        return "\n".join(lines + [f"  {mistake.in_(language)}" for mistake in self.mistakes])


def _fixed(text: Message) -> Message:
    """A text whose values are already in it: braces in values must not be taken for placeholders later."""
    return text


def _shown(value: object) -> str:
    if isinstance(value, date | time):  # a datetime too: as TOML writes them
        text = value.isoformat()
    else:
        text = repr(value) if not isinstance(value, bool) else str(value).lower()
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…"


class Table:
    """One TOML table being read; remembers which keys were asked for and collects mistakes."""

    def __init__(self, values: Mapping[str, Any], path: str, mistakes: list[Mistake], folder: Path = Path()) -> None:
        """`path` names the table in messages, "" is the top; file names in it are relative to `folder`."""
        self.folder = folder
        self._values = dict(values)
        self._path = path
        self._asked: list[str] = []
        self.mistakes = mistakes

    def __contains__(self, key: str) -> bool:
        """Did the writer give this key?"""
        return key in self._values

    @property
    def names(self) -> tuple[str, ...]:
        """What the writer gave, for tables whose keys are the writer's own."""
        return tuple(self._values)

    @property
    def values(self) -> Mapping[str, Any]:
        """What the writer gave, unchecked."""
        return self._values

    def place(self, key: str) -> str:
        """The full name of a key, for messages."""
        return f"{self._path}.{key}" if self._path else key

    def wrong(self, key: str, text: Message) -> None:
        self.mistakes.append(Mistake(self.place(key), _fixed(text)))

    def string(
        self,
        key: str,
        default: Any = REQUIRED,
        *,
        pattern: str | None = None,
        hint: Message | None = None,
        choices: Sequence[str] | None = None,
    ) -> Any:
        """A string; `hint` says in words what `pattern` asks for."""
        value = self._take(key, str, message("a string"), default)
        if value is default or value is None:
            return value
        if choices is not None and value not in choices:
            listed = ", ".join(choices)
            self.wrong(key, message("must be one of {listed}, not {value}", listed=listed, value=_shown(value)))
        elif pattern is not None and re.fullmatch(pattern, value) is None:
            text = hint or message("text like {pattern}", pattern=pattern)
            self.wrong(key, message("must be {text}, not {value}", text=text, value=_shown(value)))
        return value

    def strings(self, key: str, default: Any = ()) -> tuple[str, ...]:
        value = self._take(key, list, message("a list of strings"), default)
        bad = [item for item in value or () if not isinstance(item, str)]
        if bad:
            self.wrong(key, message("must hold only strings, not {bad}", bad=_shown(bad[0])))
            return ()
        return tuple(value or ())

    def integers(self, key: str, *, minimum: int, maximum: int) -> tuple[int, ...]:
        """A list of whole numbers within bounds; one may stand alone. Absent: none."""
        value = self._take(key, (list, int), message("a list of whole numbers"), [])
        listed = value if isinstance(value, list) else [value]
        for item in listed:
            if not isinstance(item, int) or isinstance(item, bool) or not minimum <= item <= maximum:
                self.wrong(
                    key,
                    message(
                        "must hold whole numbers of {minimum} … {maximum}, not {item}",
                        minimum=minimum,
                        maximum=maximum,
                        item=_shown(item),
                    ),
                )
                return ()
        return tuple(listed)

    def integer(self, key: str, default: Any = REQUIRED, *, minimum: int = 0, maximum: int = 2**63 - 1) -> Any:
        """A whole number within bounds."""
        return self._bounded(key, self._take(key, int, message("a whole number"), default), default, minimum, maximum)

    def number(self, key: str, default: Any = REQUIRED, *, minimum: float = 0.0, maximum: float = 1e15) -> Any:
        value = self._take(key, (int, float), message("a number"), default)
        return self._bounded(key, value, default, minimum, maximum)

    def boolean(self, key: str, default: Any = REQUIRED) -> Any:
        return self._take(key, bool, message("true or false"), default)

    def value(self, key: str, kind: type, text: Message) -> Any:
        """A required value of a type of TOML, such as a date; `en` and `zh` say what it should look like."""
        value = self._take(key, kind, text, REQUIRED)
        if value is not None and type(value) is not kind:  # a moment is a date to Python, and not to its writer
            self.wrong(key, message("must be {text}, not {value}", text=text, value=_shown(value)))
            return None
        return value

    def table(self, key: str) -> "Table":
        """A sub-table; an absent one reads as empty."""
        value = self._take(key, dict, message("a table"), {})
        return Table(value or {}, self.place(key), self.mistakes, self.folder)

    def tables(self, key: str) -> list["Table"]:
        """A list of tables (`[[key]]`), named by their place and id in messages."""
        value = self._take(key, list, message("a list of tables ([[{key}]])", key=key), [])
        tables = []
        for index, item in enumerate(value or []):
            if isinstance(item, dict):
                tables.append(Table(item, f"{self.place(key)}[{index}]", self.mistakes, self.folder))
            else:
                self.wrong(key, message("must hold tables, not {item}", item=_shown(item)))
        return tables

    def done(self) -> None:
        """Report every key that was not read, with the nearest known one."""
        for key in self._values:
            if key in self._asked:
                continue
            import difflib  # only for a mistake: the resident agent does without

            near = difflib.get_close_matches(key, self._asked, n=1, cutoff=0.74)
            unknown = message("unknown key; did you mean '{near}'?", near=near[0]) if near else message("unknown key")
            self.wrong(key, unknown)

    def _take(self, key: str, kind: type | tuple[type, ...], text: Message, default: Any) -> Any:
        self._asked.append(key)
        if key not in self._values:
            if default is REQUIRED:
                self.wrong(key, message("is missing; it must be {text}", text=text))
                return None
            return default
        value = self._values[key]
        is_a_bool = isinstance(value, bool)
        if not isinstance(value, kind) or (is_a_bool and kind is not bool):
            self.wrong(key, message("must be {text}, not {value}", text=text, value=_shown(value)))
            return None if default is REQUIRED else default
        return value

    def _bounded(self, key: str, value: Any, default: Any, minimum: float, maximum: float) -> Any:
        if value is None or value is default:
            return value
        if not minimum <= value <= maximum:
            bounds = f"{minimum:_} … {maximum:_}"
            self.wrong(key, message("must be within {bounds}, not {value}", bounds=bounds, value=_shown(value)))
        return value


def load(path: Path, environ: Mapping[str, str], tables: Sequence[str]) -> Table:
    """The top table of a TOML file with overrides from the environment applied to the named plain tables.

    Raises ConfigurationError when the file cannot be read or is not TOML; everything else is collected in `mistakes`.
    """
    try:
        values = toml_values(read_text(path))
    except UnusableFile as error:
        raise ConfigurationError(str(path), [Mistake("file", error.text)]) from None
    return Table(overridden(values, environ, tables), "", [], path.resolve().parent)


class UnusableFile(ValueError):
    """A file whose content cannot be used; in both languages."""

    def __init__(self, text: Message) -> None:
        """The text says what is wrong; the caller names the file."""
        super().__init__(text.en)
        self.text = text


def read_text(path: Path) -> str:
    """The text of a configuration's file. Raises UnusableFile, also for a file that cannot be read."""
    try:
        return _decoded(read_file(path, MAX_FILE_BYTES))
    except OSError as error:
        raise UnusableFile(message("cannot be read: {reason}", reason=error_words(error))) from None


def read_file(path: Path, max_bytes: int, too_large: Message = _TOO_LARGE) -> bytes:
    """The content of a file. Raises OSError, UnusableFile for what is none and for more than `max_bytes`."""
    if is_special(path):
        raise UnusableFile(NOT_A_FILE)
    # Without waiting for a writer, should it have become a pipe meanwhile.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(path, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise UnusableFile(NOT_A_FILE)
        raw = file.read(max_bytes + 1)
    if len(raw) > max_bytes:
        raise UnusableFile(too_large)
    return raw


def _decoded(raw: bytes) -> str:
    """UTF-8 text, with or without a mark at its beginning. Raises UnusableFile, which names the encoding where it is known."""
    encoding, line = wide_encoding(raw), 1
    if encoding is None:
        try:
            return raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
        try:
            raw.decode("gb18030")
            encoding = "GBK (GB 18030)"
        except UnicodeDecodeError:
            pass
    text = _NO_ENCODING if encoding is None else _OTHER_ENCODING
    values = {"line": line, "encoding": encoding}
    raise UnusableFile(text.with_(**values))


def overridden(values: Mapping[str, Any], environ: Mapping[str, str], tables: Sequence[str]) -> dict[str, Any]:
    """The values with `CAMPUS_<TABLE>_<KEY>` applied. A value is read as TOML where it is TOML, as a string otherwise."""
    merged = {key: dict(value) if isinstance(value, dict) else value for key, value in values.items()}
    for table in tables:
        prefix = f"{ENVIRONMENT_PREFIX}{table.upper()}_"
        for name, text in environ.items():
            if name.startswith(prefix) and isinstance(merged.setdefault(table, {}), dict):
                merged[table][name.removeprefix(prefix).lower()] = _toml_value(text)
    return merged


def read_secret(path: Path) -> Secret:
    """A secret from its file: the first line that is not blank, without white space around it. Raises OSError, UnusableFile.

    What Windows editors write is read too: UTF-8 with a mark at its beginning, UTF-16 with one.
    """
    raw = read_file(path, MAX_SECRET_BYTES, _TOO_LONG)
    encoding = "utf-16" if raw[:2] in UTF16_MARKS else "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        raise UnusableFile(_NO_TEXT) from None
    if "\0" in text:
        raise UnusableFile(_NO_TEXT)
    secret = text.strip(_BLANK).splitlines()[:1]
    if not secret or not secret[0].strip(_BLANK):
        raise UnusableFile(_EMPTY)
    return Secret(secret[0].strip(_BLANK))


def read_token(path: Path) -> Secret:
    """A bearer token (RFC 6750) from its file. Raises OSError, UnusableFile, also for text that is a secret but no token."""
    secret = read_secret(path)
    if _TOKEN.fullmatch(secret.reveal()) is None:
        raise UnusableFile(_NO_TOKEN)
    return secret


def toml_values(text: str) -> dict[str, Any]:
    """What a TOML document holds. Raises UnusableFile for a text that is none, or that only tomllib's limits keep from being read."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UnusableFile(message("is not TOML: {error}", error=error)) from None
    except RecursionError:
        raise UnusableFile(_TOO_DEEP) from None
    except ValueError:  # of int(), beyond 4300 digits
        raise UnusableFile(_TOO_MANY_DIGITS) from None


def _toml_value(text: str) -> Any:
    try:
        return toml_values(f"value = {text}")["value"]
    except UnusableFile:
        return text
