"""What is asked of a type of device, and what the answers mean: one TOML file a type, readable without the code.

A profile says which protocols make a device `up` (`up_when_any`; those the inventory gives no address or password for are left out), which
answer is which reading, and beyond which limit a reading is worth a remark. Shipped ones lie beside this file; an operator's folder of the
same names outranks them.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from campus_base.messages import Message, bilingual, message
from campus_base.readings import READINGS
from campus_base.settings import ConfigurationError, Mistake, Table, load
from campus_wire.ids import ID_PATTERN

SHIPPED = Path(__file__).parent / "profiles"
PROTOCOLS = ("snmp", "rtsp", "onvif", "http", "tcp", "icmp")
FROM_STREAM = frozenset({"stream_up", "stream_bits_per_second", "stream_loss_ratio", "stream_jitter_seconds"})
FROM_ONVIF = ("clock_offset_seconds", "firmware", "recording", "stream_up")
"""The readings that ONVIF gives; `stream_up` stands for the whole stream, whose address the device gives."""
COMPUTE = ("value", "text", "leading_number", "mean", "sum", "max", "worst_free_ratio", "sum_bytes", "date_and_time")
OID_PATTERN = r"[012](\.[0-9]{1,10}){1,60}"
_OID_HINT = message("an object identifier like 1.3.6.1.2.1.1.3.0")


class SnmpReading(msgspec.Struct, frozen=True):
    """One reading from one object (`oid`), or from the columns of a table.

    `compute`: how values become the reading. `value` and `text`: the one object; `leading_number`: of a text like "15 PERCENT".
    `mean`, `sum`, `max`: over a column (`oid`). `worst_free_ratio` and `sum_bytes`: over rows of a storage table with `size_oid`,
    `used_oid` or `free_oid`, `unit_oid`, of `only` types in `type_oid`. `date_and_time`: an SNMPv2-TC DateAndTime, as an offset to now.
    `access_oid` and `row_oid` (hrFSAccess, hrFSStorageIndex) tell which rows are mounted read-only, `name_oid` where they are mounted: what is
    read-only, removable, in memory, or smaller than `minimum_bytes` holds no lessons and is left out.
    `multiply` scales numbers, and `map` gives numbers for states. `unknown`: what the device answers when it does not know; no reading then.
    `optional`: some models have no such object, and that is no failure. Several entries for one reading: the last that the device has.
    """

    reading: str
    object: str
    oid: str
    compute: str = "value"
    multiply: float = 1.0
    map: tuple[tuple[str, float], ...] = ()
    type_oid: str | None = None
    only: str | None = None
    unit_oid: str | None = None
    size_oid: str | None = None
    used_oid: str | None = None
    free_oid: str | None = None
    name_oid: str | None = None
    access_oid: str | None = None
    row_oid: str | None = None
    minimum_bytes: int = 0
    unknown: tuple[int, ...] = ()
    optional: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of tables it is worked out from; none for single objects."""
        if self.compute in ("mean", "sum", "max"):
            return (self.oid,)
        named = (self.type_oid, self.unit_oid, self.size_oid, self.used_oid, self.free_oid, *self.beside)
        return tuple(oid for oid in named if oid)

    @property
    def beside(self) -> tuple[str, ...]:
        """Columns that say what a row is; without them all rows count."""
        return tuple(oid for oid in (self.name_oid, self.access_oid, self.row_oid) if oid)


class HttpReading(msgspec.Struct, frozen=True):
    """One reading from a JSON answer: `path` as in `storage.free`, with numbers for places in lists."""

    reading: str
    path: str
    multiply: float = 1.0
    map: tuple[tuple[str, float], ...] = ()


class Http(msgspec.Struct, frozen=True):
    """One request to the device's own pages."""

    path: str
    port: int | None
    tls: bool
    status: int
    readings: tuple[HttpReading, ...]


class Limit(msgspec.Struct, frozen=True):
    """A reading outside these bounds is worth a remark."""

    reading: str
    minimum: float | None
    maximum: float | None


class Profile(msgspec.Struct, frozen=True):
    name: str
    title: Message
    sources: tuple[str, ...]
    up_when_any: tuple[str, ...]
    snmp: tuple[SnmpReading, ...] = ()
    http: Http | None = None
    tcp_port: int | None = None
    ports: bool = False
    """Has it ports that classrooms hang on?"""
    limits: tuple[Limit, ...] = ()
    onvif: tuple[str, ...] = ()
    onvif_tls: bool = False
    """Does it accept ONVIF by HTTPS only?"""

    @property
    def readings(self) -> tuple[str, ...]:
        """Every reading it may give, in the order of `READINGS`."""
        named = {entry.reading for entry in self.snmp} | {
            entry.reading for entry in (self.http.readings if self.http else ())
        }
        named |= set(self.onvif)
        named |= FROM_STREAM if "rtsp" in self.up_when_any or "stream_up" in self.onvif else frozenset()
        return tuple(name for name in READINGS if name in named)


def find_profile(name: str, folder: Path | None = None) -> Profile:
    """A profile by name, the operator's own first. Raises ConfigurationError: unknown (with the known ones), or its mistakes."""
    for directory in (folder, SHIPPED):
        if directory is not None and (directory / f"{name}.toml").is_file():
            return load_profile(directory / f"{name}.toml")
    names = ", ".join(sorted(path.stem for path in profile_files(folder)))
    text = message("no such profile; known: {known}", known=names)
    raise ConfigurationError(name, [Mistake("profile", text)])


def profile_files(folder: Path | None = None) -> Iterator[Path]:
    """All profiles, each name once."""
    operators = {path.name: path for path in sorted(folder.glob("*.toml"))} if folder and folder.is_dir() else {}
    yield from operators.values()
    yield from (path for path in sorted(SHIPPED.glob("*.toml")) if path.name not in operators)


def load_profile(path: Path) -> Profile:
    """The profile in a file. Raises ConfigurationError with every mistake in it."""
    top = load(path, {}, ())
    name = path.stem
    if re.fullmatch(ID_PATTERN, name) is None:
        top.wrong("file", message("'{name}' is no valid name", name=name))
    up = top.strings("up_when_any", ("tcp",))
    for protocol in up:
        if protocol not in PROTOCOLS:
            listed = ", ".join(PROTOCOLS)
            top.wrong("up_when_any", message("'{protocol}' is none of {listed}", protocol=protocol, listed=listed))
    onvif, onvif_tls = _onvif(top.table("onvif")) if "onvif" in top else ((), False)
    profile = Profile(
        name=name,
        title=bilingual(top.string("title_en") or "", top.string("title_zh") or ""),
        sources=top.strings("sources"),
        up_when_any=up,
        snmp=tuple(_snmp(table) for table in top.tables("snmp")),
        http=_http(top.table("http")) if "http" in top else None,
        ports=top.boolean("ports", False),
        tcp_port=top.integer("tcp_port", None, minimum=1, maximum=65_535),
        limits=tuple(_limit(table) for table in top.tables("limit")),
        onvif=onvif,
        onvif_tls=onvif_tls,
    )
    top.done()
    if "onvif" in up and not profile.onvif:
        top.wrong("up_when_any", message("names onvif, but there is no [onvif]"))
    if "http" in up and profile.http is None:
        top.wrong("up_when_any", message("names http, but there is no [http]"))
    if top.mistakes:
        raise ConfigurationError(str(path), top.mistakes)
    return profile


def _snmp(table: Table) -> SnmpReading:
    compute = table.string("compute", "value", choices=COMPUTE)
    reading = SnmpReading(
        reading=_reading(table),
        object=table.string("object") or "",
        oid=_oid(table, "oid", needed=compute not in ("worst_free_ratio", "sum_bytes")) or "",
        compute=compute,
        multiply=table.number("multiply", 1.0, minimum=-1e15),
        map=_map(table),
        type_oid=_oid(table, "type_oid"),
        only=_oid(table, "only"),
        unit_oid=_oid(table, "unit_oid"),
        size_oid=_oid(table, "size_oid", needed=compute in ("worst_free_ratio", "sum_bytes")),
        used_oid=_oid(table, "used_oid", needed=compute == "worst_free_ratio" and "free_oid" not in table),
        free_oid=_oid(table, "free_oid"),
        name_oid=_oid(table, "name_oid"),
        access_oid=_oid(table, "access_oid"),
        row_oid=_oid(table, "row_oid", needed="access_oid" in table),
        minimum_bytes=table.integer("minimum_bytes", 0, maximum=10**15),
        unknown=_numbers(table, "unknown"),
        optional=table.boolean("optional", False),
    )
    table.done()
    return reading


def _http(table: Table) -> Http:
    http = Http(
        path=table.string("path", "/", pattern=r"/[!-~]{0,300}", hint=message("a path like /status")),
        port=table.integer("port", None, minimum=1, maximum=65_535),
        tls=table.boolean("tls", False),
        status=table.integer("status", 200, minimum=100, maximum=599),
        readings=tuple(_http_reading(entry) for entry in table.tables("reading")),
    )
    table.done()
    return http


def _onvif(table: Table) -> tuple[tuple[str, ...], bool]:
    readings = table.strings("readings", FROM_ONVIF)
    for name in readings:
        if name not in FROM_ONVIF:
            listed = ", ".join(FROM_ONVIF)
            table.wrong("readings", message("'{name}' is none of {listed}", name=name, listed=listed))
    tls = table.boolean("tls", False)
    table.done()
    return readings, tls


def _http_reading(table: Table) -> HttpReading:
    reading = HttpReading(
        reading=_reading(table),
        path=table.string("path") or "",
        multiply=table.number("multiply", 1.0, minimum=-1e15),
        map=_map(table),
    )
    table.done()
    return reading


def _limit(table: Table) -> Limit:
    limit = Limit(
        reading=_reading(table),
        minimum=table.number("minimum", None, minimum=-1e15),
        maximum=table.number("maximum", None, minimum=-1e15),
    )
    table.done()
    return limit


def _reading(table: Table) -> str:
    name: str = table.string("reading", choices=tuple(READINGS)) or ""
    return name


def _oid(table: Table, key: str, needed: bool = False) -> str | None:
    if not needed and key not in table:
        table.string(key, None)
        return None
    oid: str | None = table.string(key, pattern=OID_PATTERN, hint=_OID_HINT)
    return oid


def _numbers(table: Table, key: str) -> tuple[int, ...]:
    """Whole numbers, written as text: `unknown = ["-1"]`."""
    texts = table.strings(key, ())
    for text in texts:
        if re.fullmatch(r"-?[0-9]{1,18}", text) is None:
            table.wrong(key, message("'{text}' is no whole number", text=text))
    return tuple(int(text) for text in texts if re.fullmatch(r"-?[0-9]{1,18}", text))


def _map(table: Table) -> tuple[tuple[str, float], ...]:
    values = table.table("map")
    states = tuple((key, float(values.number(key, 0.0, minimum=-1e15) or 0.0)) for key in values.names)
    values.done()
    return states
