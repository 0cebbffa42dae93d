"""Ask switches about ports, in the worker: tables only to find a port that is not known, then each port's own objects."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic

from campus_agent.devices.poll import access_of
from campus_agent.devices.snmp import Access, Snmp, Value
from campus_agent.measure.connecting import ECHO_SECONDS, reachable
from campus_agent.measure.probe import ProbeFailed
from campus_agent.measure.resolve import resolve_all
from campus_agent.ports import mibs
from campus_agent.ports.find import Tables, address_in, address_of, by_address, by_name, neighbours_of_gateway
from campus_agent.ports.reading import Place, PortSeen, PortsTask, Reading, SwitchSpec, Wanted
from campus_wire.failures import Failure, FailureKind, Operation

AT_ONCE = 16
RESOLVE_SECONDS = 3.0
SWITCH_SECONDS = 20.0
MAX_ROWS = 8192
"""A forwarding table of a school; more is no school's."""
NAMES = (mibs.IF_NAME, mibs.IF_DESCR)
PLACES = (
    mibs.DOT1D_BASE_PORT_IF_INDEX,
    mibs.DOT1D_FDB_PORT,
    mibs.DOT1Q_FDB_PORT,
    mibs.LLDP_LOC_PORT_ID,
    mibs.LLDP_REM_CHASSIS_ID,
    mibs.LLDP_REM_PORT_ID,
)
ARP = Path("/proc/net/arp")


async def ask(task: PortsTask, arp: Path = ARP) -> list[PortSeen]:
    """Each wanted classroom's port, in order."""
    snmp = Snmp()
    switches = {one.id: _Switch(one, snmp) for one in task.switches}
    try:
        return await _Round(task, switches, arp).run()
    finally:
        snmp.close()


class _Switch:
    """One switch: its address and credentials once, its tables only when somebody needs them."""

    def __init__(self, spec: SwitchSpec, snmp: Snmp) -> None:
        self.spec, self._snmp = spec, snmp
        self._known: tuple[str, Access] | None = None
        self.failure: Failure | None = None

    async def tables(self, needed: bool, searched: bool) -> Tables:
        """Names, and with `searched` where addresses are. Its failure is kept; a table it has not is empty."""
        if not needed:
            return Tables()
        try:
            async with asyncio.timeout(SWITCH_SECONDS):
                names, _ = await self._walk(NAMES)
                found = await self._walk(PLACES) if searched else ({}, {})
        except ProbeFailed as failed:
            self.failure = failed.failure
            return Tables()
        except TimeoutError:
            detail = f"tables not read within {SWITCH_SECONDS:.0f} s"
            self.failure = Failure(Operation.READ, FailureKind.TIMEOUT, detail)
            return Tables()
        except Exception as error:  # a library that a hostile answer broke: this switch's own trouble
            self.failure = Failure(Operation.READ, FailureKind.PROTOCOL_ERROR, type(error).__name__)
            return Tables()
        return _tables(names, found[0])

    async def reading(self, if_index: int) -> Reading:
        """A port now. Raises ProbeFailed."""
        oids = [f"{column}.{if_index}" for column in mibs.OF_PORT]
        address, access = await self._who()
        found = await self._snmp.get(address, access, [mibs.SYS_UP_TIME, *oids], self._port)
        return reading_of(found, if_index)

    async def _walk(self, columns: Sequence[str]) -> tuple[dict[str, dict[str, Value]], dict[str, Failure]]:
        address, access = await self._who()
        return await self._snmp.walk(address, access, columns, self._port, MAX_ROWS)

    async def _who(self) -> tuple[str, Access]:
        if self._known is None:
            self._known = (
                (await reachable(self.spec.host, None, RESOLVE_SECONDS, ECHO_SECONDS)).text,
                access_of(self.spec.snmp),
            )
        return self._known

    @property
    def _port(self) -> int:
        return int(self.spec.snmp.get("port", 161))


class _Round:
    """Find, then read."""

    def __init__(self, task: PortsTask, switches: Mapping[str, _Switch], arp: Path) -> None:
        self._task, self._switches, self._arp = task, switches, arp

    async def run(self) -> list[PortSeen]:
        macs = await self._macs()
        places = {one.subject: self._known(one, macs.get(one.subject, "")) for one in self._task.wanted}
        lost = [one for one in self._task.wanted if places[one.subject] is None]
        if lost:
            named = {one.switch for one in lost if one.switch and one.port}
            searched = any(not (one.switch and one.port) and macs.get(one.subject) for one in lost)
            wanted = list(self._switches)
            tables = await asyncio.gather(
                *(self._switches[name].tables(searched or name in named, searched) for name in wanted)
            )
            by_switch = dict(zip(wanted, tables, strict=True))
            for one in lost:
                places[one.subject] = _find(one, macs.get(one.subject, ""), by_switch)
        turn = asyncio.Semaphore(AT_ONCE)

        async def read(one: Wanted) -> PortSeen:
            async with turn:
                return await self._read(one, places[one.subject])

        return list(await asyncio.gather(*(read(one) for one in self._task.wanted)))

    async def _macs(self) -> dict[str, str]:
        """Each classroom's hardware address, as far as the gateway's kernel knows it."""
        try:
            neighbours = neighbours_of_gateway(self._arp.read_text(encoding="ascii", errors="replace"))
        except OSError:
            return {}
        found = {}
        for one in self._task.wanted:
            try:
                addresses = await resolve_all(one.host, RESOLVE_SECONDS)
            except ProbeFailed:
                continue
            known = next((address.text for address in addresses if address.text in neighbours), None)
            if known is not None:
                found[one.subject] = neighbours[known]
        return found

    def _known(self, one: Wanted, mac: str) -> Place | None:
        """The place of an earlier round, as long as the machine is the same and the switch still there."""
        place = self._task.known.get(one.subject)
        if place is None or place.switch not in self._switches or (mac and place.mac and mac != place.mac):
            return None
        return place

    async def _read(self, one: Wanted, place: Place | None) -> PortSeen:
        began = monotonic()
        if place is None:
            failure = self._switches[one.switch].failure if one.switch in self._switches else None
            if failure is None and one.switch and one.port:
                failure = Failure(Operation.PREPARE, FailureKind.NOT_CONFIGURED, f"{one.switch} has no port {one.port}")
            return PortSeen(one.subject, None, None, failure)
        try:
            async with asyncio.timeout(SWITCH_SECONDS):
                reading = await self._switches[place.switch].reading(place.if_index)
        except ProbeFailed as failed:
            return PortSeen(one.subject, place, None, failed.failure, monotonic() - began)
        except TimeoutError:
            failure = Failure(Operation.READ, FailureKind.TIMEOUT, f"not read within {SWITCH_SECONDS:.0f} s")
            return PortSeen(one.subject, place, None, failure, monotonic() - began)
        except Exception as error:  # a library that a hostile answer broke: this port's own trouble
            failure = Failure(Operation.READ, FailureKind.PROTOCOL_ERROR, type(error).__name__)
            return PortSeen(one.subject, place, None, failure, monotonic() - began)
        return PortSeen(one.subject, place, reading, None, monotonic() - began)


def _find(one: Wanted, mac: str, tables: Mapping[str, Tables]) -> Place | None:
    if one.switch and one.port:
        index = by_name(tables.get(one.switch, Tables()), one.port)
        return None if index is None else Place(one.switch, index, "inventory", mac)
    within = {name: own for name, own in tables.items() if one.switch in ("", name)}
    return by_address(within, mac) if mac else None


def _tables(names: Mapping[str, Mapping[str, Value]], places: Mapping[str, Mapping[str, Value]]) -> Tables:
    descr = {_index(key): _text(value) for key, value in names.get(mibs.IF_DESCR, {}).items()}
    short = {_index(key): _text(value) for key, value in names.get(mibs.IF_NAME, {}).items()}
    addresses = [
        (address_in(index), int(port))
        for column in (mibs.DOT1Q_FDB_PORT, mibs.DOT1D_FDB_PORT)
        for index, port in places.get(column, {}).items()
        if isinstance(port, int) and address_in(index)
    ]
    neighbours = []
    for column in (mibs.LLDP_REM_CHASSIS_ID, mibs.LLDP_REM_PORT_ID):
        for index, value in places.get(column, {}).items():
            parts = index.split(".")  # lldpRemTimeMark, lldpRemLocalPortNum, lldpRemIndex
            address = address_of(value) if isinstance(value, bytes) else ""
            if address and len(parts) == 3 and parts[1].isdigit():
                neighbours.append((address, int(parts[1])))
    return Tables(
        names={index: (short.get(index, ""), descr.get(index, "")) for index in descr.keys() | short.keys() if index},
        bridge_ports={
            _index(key): value
            for key, value in places.get(mibs.DOT1D_BASE_PORT_IF_INDEX, {}).items()
            if isinstance(value, int)
        },
        addresses=addresses,
        neighbours=sorted(set(neighbours)),
        lldp_ports={_index(key): _text(value) for key, value in places.get(mibs.LLDP_LOC_PORT_ID, {}).items()},
    )


def reading_of(found: Mapping[str, Value | None], if_index: int) -> Reading:
    """A port from the objects it was asked for. Raises ProbeFailed when there is no such port."""

    def number(column: str) -> int | None:
        value = found.get(f"{column}.{if_index}")
        return value if isinstance(value, int) and value >= 0 else None

    status = number(mibs.IF_OPER_STATUS)
    if status is None:
        raise ProbeFailed(Operation.READ, FailureKind.PROTOCOL_ERROR, f"the switch has no port with ifIndex {if_index}")
    high, low = number(mibs.IF_HIGH_SPEED), number(mibs.IF_SPEED)
    speed = high * 1e6 if high else float(low) if low else None
    wide = number(mibs.IF_HC_IN_OCTETS) is not None
    wide_packets = number(mibs.IF_HC_IN_UCAST) is not None
    name = found.get(f"{mibs.IF_NAME}.{if_index}") or found.get(f"{mibs.IF_DESCR}.{if_index}") or str(if_index)
    uptime = found.get(mibs.SYS_UP_TIME)
    duplex = number(mibs.DOT3_DUPLEX)
    return Reading(
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


def _index(key: str) -> int:
    return int(key) if key.isdigit() else 0


def _text(value: Value) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return "".join(letter for letter in text if letter.isprintable()).strip()
