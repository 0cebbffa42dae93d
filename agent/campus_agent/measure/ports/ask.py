"""Ask switches about ports, in the worker: tables only to find a port that is not known, then each port's own objects."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import monotonic

from campus_agent.measure.equipment.poll import access_of
from campus_agent.measure.equipment.snmp import PORT, Access, Snmp, Value
from campus_agent.measure.link.connect import ECHO_SECONDS, reachable
from campus_agent.measure.link.resolve import resolve_all
from campus_agent.measure.ports import mibs
from campus_agent.measure.ports.find import Tables, address_in, address_of, by_address, by_name, neighbours_of_gateway
from campus_agent.measure.ports.reading import PortLocation, PortQuery, PortReading, PortSeen, PortsTask, SwitchSpec
from campus_agent.measure.ports.speed import speed_of
from campus_agent.measure.probe import ProbeFailed
from campus_wire.digits import ascii_integer
from campus_wire.failures import Failure, FailureKind, Operation

AT_ONCE = 16
RESOLVE_SECONDS = 3.0
SWITCH_SECONDS = 12.0
"""For one port's objects."""
NAMES_SECONDS, PLACES_SECONDS = 8.0, 14.0
"""For the tables: what has come by then is used."""
MAX_ROWS = 8192
"""A forwarding table of a school; more is no school's."""
NAMES = (mibs.IF_NAME, mibs.IF_DESCR)
PLACES = (
    mibs.DOT1D_BASE_PORT_IF_INDEX,
    mibs.DOT1D_FDB_PORT,
    mibs.DOT1Q_FDB_PORT,
    mibs.IF_PHYS_ADDRESS,
    mibs.IF_ALIAS,
    mibs.LLDP_LOC_PORT_ID_SUBTYPE,
    mibs.LLDP_LOC_PORT_ID,
    mibs.LLDP_LOC_PORT_DESC,
    mibs.LLDP_REM_CHASSIS_ID_SUBTYPE,
    mibs.LLDP_REM_CHASSIS_ID,
    mibs.LLDP_REM_PORT_ID_SUBTYPE,
    mibs.LLDP_REM_PORT_ID,
)
MAC_OF_CHASSIS, MAC_OF_PORT = 4, 3
"""LldpChassisIdSubtype, LldpPortIdSubtype: a hardware address (IEEE 802.1AB-2005)."""
HIGHEST_INDEX = 2**31 - 1
_TABLE_WORDS = {
    **dict.fromkeys(NAMES, "names of ports"),
    **dict.fromkeys((mibs.IF_PHYS_ADDRESS, mibs.IF_ALIAS), "interfaces"),
    **dict.fromkeys((mibs.DOT1D_BASE_PORT_IF_INDEX, mibs.DOT1D_FDB_PORT, mibs.DOT1Q_FDB_PORT), "forwarding table"),
    **dict.fromkeys((column for column in PLACES if column.startswith("1.0.8802.")), "LLDP table"),
}
ARP = Path("/proc/net/arp")


async def ask(task: PortsTask, arp: Path = ARP) -> list[PortSeen]:
    """Each wanted classroom's port, in order."""
    snmp = Snmp()
    switches = {spec.id: _Switch(spec, snmp) for spec in task.switches}
    try:
        return await _Round(task, switches, arp).run()
    finally:
        snmp.close()


class _Switch:
    """One switch: its address and credentials once, its tables only when somebody needs them."""

    def __init__(self, spec: SwitchSpec, snmp: Snmp) -> None:
        self.spec, self._snmp = spec, snmp
        self._access: tuple[str, Access] | None = None
        self.failure: Failure | None = None

    async def tables(self, needed: bool, searched: bool) -> Tables:
        """Names, and with `searched` where addresses are. What came is used; why the rest did not is kept as the switch's failure."""
        if not needed:
            return Tables()
        try:
            names, lost = await self._walk(NAMES, NAMES_SECONDS)
            columns: dict[str, dict[str, Value]] = {}
            if searched and not set(NAMES) <= lost.keys():
                columns, more = await self._walk(PLACES, PLACES_SECONDS)
                lost |= more
        except ProbeFailed as failed:
            self.failure = failed.failure
            return Tables()
        except Exception as error:  # a library that a hostile answer broke: this switch's own trouble
            self.failure = Failure(Operation.READ, FailureKind.PROTOCOL_ERROR, type(error).__name__)
            return Tables()
        if lost:
            column, why = next(iter(lost.items()))
            self.failure = Failure(why.operation, why.kind, f"{_TABLE_WORDS[column]}: {why.detail}"[:300])
        return _tables(names, columns)

    async def reading(self, if_index: int) -> PortReading:
        """A port now. Raises ProbeFailed."""
        oids = [f"{column}.{if_index}" for column in mibs.OF_PORT]
        address, access = await self._who()
        values, lost = await self._snmp.get(address, access, [mibs.SYS_UP_TIME, *oids], self._port)
        status = lost.get(f"{mibs.IF_OPER_STATUS}.{if_index}")
        if status is not None:
            raise ProbeFailed(status.operation, status.kind, status.detail)
        return reading_of(values, if_index)

    async def _walk(
        self, columns: Sequence[str], seconds: float
    ) -> tuple[dict[str, dict[str, Value]], dict[str, Failure]]:
        address, access = await self._who()
        return await self._snmp.walk(address, access, columns, self._port, MAX_ROWS, seconds)

    async def _who(self) -> tuple[str, Access]:
        if self._access is None:
            self._access = (
                (await reachable(self.spec.host, None, RESOLVE_SECONDS, ECHO_SECONDS)).text,
                access_of(self.spec.snmp),
            )
        return self._access

    @property
    def _port(self) -> int:
        return ascii_integer(self.spec.snmp.get("port", ""), 65_535) or PORT


class _Round:
    def __init__(self, task: PortsTask, switches: Mapping[str, _Switch], arp: Path) -> None:
        self._task, self._switches, self._arp = task, switches, arp

    async def run(self) -> list[PortSeen]:
        macs = await self._macs()
        locations = {
            query.subject: self._location_of(query, macs.get(query.subject, "")) for query in self._task.queries
        }
        lost = [query for query in self._task.queries if locations[query.subject] is None]
        if lost:
            named = {query.switch for query in lost if query.switch and query.port}
            searched = any(not (query.switch and query.port) and macs.get(query.subject) for query in lost)
            names = list(self._switches)
            tables = await asyncio.gather(
                *(self._switches[name].tables(searched or name in named, searched) for name in names)
            )
            by_switch = dict(zip(names, tables, strict=True))
            for query in lost:
                locations[query.subject] = _find(query, macs.get(query.subject, ""), by_switch)
        turn = asyncio.Semaphore(AT_ONCE)

        async def read(query: PortQuery) -> PortSeen:
            async with turn:
                return await self._read(query, locations[query.subject])

        return list(await asyncio.gather(*(read(query) for query in self._task.queries)))

    async def _macs(self) -> dict[str, str]:
        """Each classroom's hardware address, where the gateway's kernel has it."""
        try:
            neighbours = neighbours_of_gateway(self._arp.read_text(encoding="ascii", errors="replace"))
        except OSError:
            return {}
        macs = {}
        for query in self._task.queries:
            try:
                addresses = await resolve_all(query.host, RESOLVE_SECONDS)
            except ProbeFailed:
                continue
            known = next((address.text for address in addresses if address.text in neighbours), None)
            if known is not None:
                macs[query.subject] = neighbours[known]
        return macs

    def _location_of(self, query: PortQuery, mac: str) -> PortLocation | None:
        """The place of an earlier round, as long as the machine is the same and the switch still there."""
        location = self._task.locations.get(query.subject)
        if location is None or location.switch not in self._switches or (mac and location.mac and mac != location.mac):
            return None
        return location

    async def _read(self, query: PortQuery, location: PortLocation | None) -> PortSeen:
        began = monotonic()
        if location is None:
            failure = self._search_failure(query)
            if failure is None and query.switch and query.port:
                failure = Failure(
                    Operation.PREPARE, FailureKind.NOT_CONFIGURED, f"{query.switch} has no port {query.port}"
                )
            return PortSeen(query.subject, None, None, failure)
        reading, failure = None, None
        try:
            async with asyncio.timeout(SWITCH_SECONDS):
                reading = await self._switches[location.switch].reading(location.if_index)
        except ProbeFailed as failed:
            failure = failed.failure
        except TimeoutError:
            failure = Failure(Operation.READ, FailureKind.TIMEOUT, f"not read within {SWITCH_SECONDS:.0f} s")
        except Exception as error:  # a library that a hostile answer broke: this port's own trouble
            failure = Failure(Operation.READ, FailureKind.PROTOCOL_ERROR, type(error).__name__)
        return PortSeen(query.subject, location, reading, failure, monotonic() - began)

    def _search_failure(self, query: PortQuery) -> Failure | None:
        """Why the search may have missed its port: the first switch concerned that did not answer everything. None when all did."""
        for name, switch in self._switches.items():
            if query.switch in ("", name) and switch.failure is not None:
                why = switch.failure
                return Failure(why.operation, why.kind, f"{name}: {why.detail}"[:300])
        return None


def _find(query: PortQuery, mac: str, tables: Mapping[str, Tables]) -> PortLocation | None:
    if query.switch and query.port:
        index = by_name(tables.get(query.switch, Tables()), query.port)
        return None if index is None else PortLocation(query.switch, index, "inventory", mac)
    within = {name: table for name, table in tables.items() if query.switch in ("", name)}
    return by_address(within, mac) if mac else None


def _tables(names: Mapping[str, Mapping[str, Value]], columns: Mapping[str, Mapping[str, Value]]) -> Tables:
    descr = {_index(key): _text(value) for key, value in names.get(mibs.IF_DESCR, {}).items()}
    short = {_index(key): _text(value) for key, value in names.get(mibs.IF_NAME, {}).items()}
    addresses = [
        (address_in(index), int(port))
        for column in (mibs.DOT1Q_FDB_PORT, mibs.DOT1D_FDB_PORT)
        for index, port in columns.get(column, {}).items()
        if isinstance(port, int) and address_in(index)
    ]
    return Tables(
        names={index: (short.get(index, ""), descr.get(index, "")) for index in descr.keys() | short.keys() if index},
        bridge_ports=_numbers(columns.get(mibs.DOT1D_BASE_PORT_IF_INDEX, {})),
        addresses=addresses,
        neighbours=_neighbours(columns),
        lldp_ports={
            _index(key): (address_of(value) if isinstance(value, bytes) and len(value) == 6 else "") or _text(value)
            for key, value in columns.get(mibs.LLDP_LOC_PORT_ID, {}).items()
        },
        lldp_kinds=_numbers(columns.get(mibs.LLDP_LOC_PORT_ID_SUBTYPE, {})),
        lldp_descriptions={
            _index(key): _text(value) for key, value in columns.get(mibs.LLDP_LOC_PORT_DESC, {}).items()
        },
        hardware={
            _index(key): address_of(value)
            for key, value in columns.get(mibs.IF_PHYS_ADDRESS, {}).items()
            if isinstance(value, bytes)
        },
        aliases={_index(key): _text(value) for key, value in columns.get(mibs.IF_ALIAS, {}).items()},
    )


def _neighbours(columns: Mapping[str, Mapping[str, Value]]) -> list[tuple[str, int]]:
    """LLDP neighbours that are identified by hardware address, with the local port number of each."""
    heard = set()
    for column, subtypes, hardware in (
        (mibs.LLDP_REM_CHASSIS_ID, mibs.LLDP_REM_CHASSIS_ID_SUBTYPE, MAC_OF_CHASSIS),
        (mibs.LLDP_REM_PORT_ID, mibs.LLDP_REM_PORT_ID_SUBTYPE, MAC_OF_PORT),
    ):
        for index, value in columns.get(column, {}).items():
            parts = index.split(".")  # lldpRemTimeMark, lldpRemLocalPortNum, lldpRemIndex
            address = address_of(value) if isinstance(value, bytes) else ""
            kind = columns.get(subtypes, {}).get(index, hardware)
            if address and len(parts) == 3 and kind == hardware:
                heard.add((address, _index(parts[1])))
    return sorted(heard)


def _numbers(column: Mapping[str, Value]) -> dict[int, int]:
    return {_index(key): value for key, value in column.items() if isinstance(value, int)}


def reading_of(values: Mapping[str, Value | None], if_index: int) -> PortReading:
    """A port from the objects it was asked for. Raises ProbeFailed when there is no such port."""

    def number(column: str) -> int | None:
        value = values.get(f"{column}.{if_index}")
        return value if isinstance(value, int) and value >= 0 else None

    status = number(mibs.IF_OPER_STATUS)
    if status is None:
        raise ProbeFailed(Operation.READ, FailureKind.PROTOCOL_ERROR, f"the switch has no port with ifIndex {if_index}")
    speed = speed_of(number(mibs.IF_HIGH_SPEED), number(mibs.IF_SPEED))
    wide = _counts(number, (mibs.IF_HC_IN_OCTETS, mibs.IF_HC_OUT_OCTETS), (mibs.IF_IN_OCTETS, mibs.IF_OUT_OCTETS))
    wide_packets = _counts(number, (mibs.IF_HC_IN_UCAST,), (mibs.IF_IN_UCAST,))
    name = values.get(f"{mibs.IF_NAME}.{if_index}") or values.get(f"{mibs.IF_DESCR}.{if_index}") or str(if_index)
    uptime = values.get(mibs.SYS_UP_TIME)
    duplex = number(mibs.DOT3_DUPLEX)
    return PortReading(
        name=_text(name)[:64] or str(if_index),
        up=status == 1,
        speed_bits_per_second=speed if status == 1 else None,
        duplex={2: "half", 3: "full"}.get(duplex or 0) if status == 1 else None,  # type: ignore[arg-type]
        uptime_ticks=uptime if isinstance(uptime, int) else 0,
        last_change_ticks=number(mibs.IF_LAST_CHANGE),
        discontinuity_ticks=number(mibs.IF_COUNTER_DISCONTINUITY),
        octet_bits=64 if wide else 32,
        received_octets=number(mibs.IF_HC_IN_OCTETS if wide else mibs.IF_IN_OCTETS),
        sent_octets=number(mibs.IF_HC_OUT_OCTETS if wide else mibs.IF_OUT_OCTETS),
        packet_bits=64 if wide_packets else 32,
        received_packets=number(mibs.IF_HC_IN_UCAST if wide_packets else mibs.IF_IN_UCAST),
        receive_errors=number(mibs.IF_IN_ERRORS),
        send_errors=number(mibs.IF_OUT_ERRORS),
        fcs_errors=number(mibs.DOT3_FCS_ERRORS),
        late_collisions=number(mibs.DOT3_LATE_COLLISIONS),
    )


def _counts(number: Callable[[str], int | None], wide: Sequence[str], narrow: Sequence[str]) -> bool:
    """Are the wide counters there, and do they count? Some switches have them, and leave them at 0."""
    counts = [number(column) for column in wide]
    if all(count is None for count in counts):
        return False
    return any(counts) or not any(number(column) for column in narrow)


def _index(key: str) -> int:
    return ascii_integer(key, HIGHEST_INDEX) or 0


def _text(value: Value) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return "".join(letter for letter in text if letter.isprintable()).strip()
