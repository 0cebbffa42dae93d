"""SNMP agents that err at one object, are silent at one table, keep rows in no order, or mean something else than their MIB says."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from campus_agent.measure.equipment.profile import find_profile
from campus_agent.measure.equipment.readings import Readings, read_snmp
from campus_agent.measure.equipment.snmp import Access, Snmp
from campus_agent.measure.equipment.task import DeviceSeen, DeviceSpec
from campus_agent.measure.ports import mibs
from campus_agent.measure.ports.ask import ask
from campus_agent.measure.ports.reading import PortQuery, PortSeen, PortsTask
from campus_wire.failures import FailureKind
from tests.agent.measure.equipment.peers import snmpd, udp_server
from tests.agent.measure.equipment.test_poll import polled, secret, v2c
from tests.agent.measure.ports.test_ask import MAC, arp, spec, switch
from tests.fakes.snmp_agent import Answer, Oid, agent, number, objects, text, ticks

UPTIME, DESCRIPTION = (1, 3, 6, 1, 2, 1, 1, 3, 0), (1, 3, 6, 1, 2, 1, 1, 1, 0)
UPS = {
    "1.3.6.1.2.1.1.3.0": ticks(100),
    "1.3.6.1.2.1.33.1.1.3.0": text("1.0"),
    "1.3.6.1.2.1.33.1.2.4.0": number(97),
    "1.3.6.1.2.1.33.1.2.7.0": number(25),
    "1.3.6.1.2.1.33.1.4.1.0": number(3),
}
TEMPERATURE = (1, 3, 6, 1, 2, 1, 33, 1, 2, 7, 0)


def seen(folder: Path, profile: str, answer: Answer, host: str = "127.0.0.1") -> DeviceSeen:
    with udp_server(agent(answer), host) as port:
        (device,) = polled(DeviceSpec("x", host, profile, v2c(folder, port)))
    return device


def test_by_ipv6_a_device_is_up_when_it_answers_and_only_then(tmp_path: Path) -> None:
    assert seen(tmp_path, "ups-generic", objects(UPS), "::1").readings["temperature_celsius"] == 25
    silent = seen(tmp_path, "ups-generic", lambda kind, names, rows: None, "::1")
    assert (silent.up, silent.readings) == (False, {})


def errs(status: int, index_of: Callable[[list[Oid]], int], when: Callable[[list[Oid]], bool]) -> Answer:
    def answer(kind: str, names: list[Oid], rows: int) -> object:
        return (status, index_of(names)) if when(names) else objects(UPS)(kind, names, rows)

    return answer  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("answer", "lost"),
    [
        (errs(1, lambda names: 0, lambda names: len(names) > 2), set()),
        (errs(1, lambda names: 0, lambda names: len(names) > 1), set()),
        (errs(2, lambda names: names.index(TEMPERATURE) + 1, lambda names: TEMPERATURE in names), {"temperature_celsius"}),
        (errs(5, lambda names: names.index(TEMPERATURE) + 1, lambda names: TEMPERATURE in names), {"temperature_celsius"}),
        (errs(5, lambda names: 0, lambda names: TEMPERATURE in names), {"temperature_celsius"}),
        (errs(5, lambda names: 99, lambda names: TEMPERATURE in names), {"temperature_celsius"}),
        (errs(16, lambda names: names.index(TEMPERATURE) + 1, lambda names: TEMPERATURE in names), {"temperature_celsius"}),
        (errs(1, lambda names: 0, lambda names: TEMPERATURE in names), {"temperature_celsius"}),
    ],
    ids=["three too big", "two too big", "noSuchName", "genErr", "genErr, no index", "genErr, odd index", "not authorised", "one too big"],
)  # fmt: skip
def test_one_object_costs_its_own_reading(tmp_path: Path, answer: Answer, lost: set[str]) -> None:
    device = seen(tmp_path, "ups-generic", answer)
    assert device.up
    assert set(device.failed) == lost
    assert set(device.readings) | lost == {
        "uptime_seconds",
        "battery_charge_ratio",
        "temperature_celsius",
        "on_battery",
    }


def test_silence_at_one_object_costs_its_own_reading(tmp_path: Path) -> None:
    def answer(kind: str, names: list[Oid], rows: int) -> object:
        return None if TEMPERATURE in names else objects(UPS)(kind, names, rows)

    device = seen(tmp_path, "ups-generic", answer)  # type: ignore[arg-type]
    assert device.up
    assert {name: why.kind for name, why in device.failed.items()} == {"temperature_celsius": FailureKind.TIMEOUT}
    assert device.readings["battery_charge_ratio"] == 0.97


def port_of(folder: Path, answer: Answer, wanted: PortQuery) -> PortSeen:
    with udp_server(agent(answer)) as port:
        (device,) = asyncio.run(ask(PortsTask([spec(folder, port)], [wanted]), arp(folder)))
    return device


LLDP = (1, 0, 8802)


def lldp_is(how: object, kinds: tuple[str, ...] = ("bulk", "next")) -> Answer:
    """A switch that knows the port by its forwarding table, and whose LLDP table is silent or errs."""
    fake = switch()
    fake.addresses = {MAC: 24}

    def answer(kind: str, names: list[Oid], rows: int) -> object:
        places = [place for place, name in enumerate(names, 1) if name[:3] == LLDP]
        if kind in kinds and places:
            return None if how is None else (how, places[0])
        return objects(fake.known())(kind, names, rows)

    return answer  # type: ignore[return-value]


@pytest.mark.parametrize(
    "answer",
    [lldp_is(None, ("bulk",)), lldp_is(2), lldp_is(5), lldp_is(1)],
    ids=["silent", "noSuchName", "genErr", "tooBig"],
)
def test_a_table_that_does_not_come_costs_no_port(tmp_path: Path, answer: Answer) -> None:
    device = port_of(tmp_path, answer, PortQuery("c101", "127.0.0.1"))
    assert device.location is not None
    assert (device.location.if_index, device.location.found_by) == (24, "forwarding_table")


def test_a_switch_that_never_answers_getbulk_is_asked_by_getnext(tmp_path: Path) -> None:
    fake = switch()
    fake.addresses = {MAC: 24}

    def answer(kind: str, names: list[Oid], rows: int) -> object:
        return None if kind == "bulk" else objects(fake.known())(kind, names, rows)

    one = port_of(tmp_path, answer, PortQuery("c101", "127.0.0.1"))  # type: ignore[arg-type]
    assert one.location is not None
    assert one.location.if_index == 24


def test_a_table_that_was_needed_is_named(tmp_path: Path) -> None:
    def answer(kind: str, names: list[Oid], rows: int) -> object:
        if kind != "get" and any(name[:7] == (1, 3, 6, 1, 2, 1, 17) for name in names):
            return 5, next(place for place, name in enumerate(names, 1) if name[6] == 17)
        return objects(switch().known())(kind, names, rows)

    device = port_of(tmp_path, answer, PortQuery("c101", "127.0.0.1"))  # type: ignore[arg-type]
    assert device.location is None
    assert device.failure is not None
    assert device.failure.detail.startswith("sw-1: forwarding table: ")


def test_rows_in_no_order_are_rows() -> None:
    """Kept by hash, as many a small switch does; GETNEXT walks them in that order, and once more when they are over."""
    column = (1, 3, 6, 1, 2, 1, 17, 4, 3, 1, 2)
    order = [(*column, 0, 17, 34, 51, 68, last) for last in (7, 2, 9, 3, 5, 1)]
    following = dict(zip([column, *order], [*order, order[0]], strict=True))

    def answer(kind: str, names: list[Oid], rows: int) -> list[tuple[Oid, object]]:
        found, here = [], list(names)
        for _ in range(rows):
            here = [following[name] for name in here]
            found += [(name, number(name[-1])) for name in here]
        return found

    async def walked(port: int) -> object:
        snmp = Snmp()
        try:
            return await snmp.walk("127.0.0.1", Access("2c", "x"), [mibs.DOT1D_FDB_PORT], port)
        finally:
            snmp.close()

    with udp_server(agent(answer)) as port:
        rows, broken = asyncio.run(walked(port))  # type: ignore[misc]
    assert sorted(rows[mibs.DOT1D_FDB_PORT].values()) == [1, 2, 3, 5, 7, 9]
    assert "that does not go on" in broken[mibs.DOT1D_FDB_PORT].detail


NOW = datetime(2026, 11, 24, 16, 0, tzinfo=ZoneInfo("Asia/Shanghai"))
DATE = "1.3.6.1.2.1.25.1.2.0"


@pytest.mark.parametrize(
    ("octets", "offset"),
    [
        (b"\x07\xea\x0b\x18\x10\x00\x05\x00", 5.0),
        (b"\x07\xea\x0b\x18\x10\x00\x05\x00+\x08\x00", 5.0),
        (b"\x07\xea\x0b\x18\x08\x00\x05\x00+\x00\x00", 5.0),
        (b"\x07\xea\x0b\x18\x10\x00\x05\x00\x00\x00\x00", 5.0),  # neither + nor -: no offset is given
    ],
)
def test_a_clock_without_its_offset_is_the_school_s(octets: bytes, offset: float) -> None:
    found = Readings()
    read_snmp(find_profile("host-resources").snmp, {DATE: octets}, {}, NOW, found)
    assert found.numbers["clock_offset_seconds"] == offset


@pytest.mark.parametrize("value", [-1, 255, 65_535, 2_147_483_647])
def test_what_a_ups_does_not_know_is_no_reading(tmp_path: Path, value: int) -> None:
    device = seen(tmp_path, "ups-generic", objects(UPS | {"1.3.6.1.2.1.33.1.2.7.0": number(value)}))
    assert "temperature_celsius" not in device.readings
    assert device.failed == {}


DISK = "1.3.6.1.2.1.25.2.1.4"
TYPE, NAME, UNIT, SIZE, USED = (f"1.3.6.1.2.1.25.2.3.1.{number}" for number in (2, 3, 4, 5, 6))
ACCESS, ROW = "1.3.6.1.2.1.25.3.8.1.5", "1.3.6.1.2.1.25.3.8.1.7"


@pytest.mark.parametrize(
    ("name", "blocks", "read_only"),
    [(b"/", 11_000, True), (b"/", 11_000, False), (b"/usr", 4_000_000, True), (b"/media/usb0", 4_000_000, False),
     (b"/run/media/x", 4_000_000, False), (b"/dev/shm", 500_000, False), (b"/snap/core/1", 300_000, False), (b"/boot/efi", 100_000, False)],
)  # fmt: skip
def test_what_holds_no_lessons_is_no_storage(name: bytes, blocks: int, read_only: bool) -> None:
    """A full one of 46 MB, or one that cannot be written, beside a disk that is 40 % full."""
    columns = {
        TYPE: {"1": DISK, "2": DISK}, NAME: {"1": name, "2": b"/data"}, UNIT: {"1": 4096, "2": 4096},
        SIZE: {"1": blocks, "2": 100_000_000}, USED: {"1": blocks, "2": 40_000_000},
        ACCESS: {"7": 2 if read_only else 1, "8": 1}, ROW: {"7": 1, "8": 2},
    }  # fmt: skip
    found = Readings()
    read_snmp(find_profile("recorder-generic").snmp, {}, columns, datetime.now(UTC), found)  # type: ignore[arg-type]
    assert found.numbers["storage_free_ratio"] == pytest.approx(0.6)
    assert found.numbers["storage_total_bytes"] == 4096 * 100_000_000


@pytest.mark.parametrize(
    ("extension", "protocol"), [("AES-256", "aes256"), ("AES-256-C", "aes256"), ("AES-256", "aes256-blumenthal")]
)
def test_both_ways_to_make_a_key_of_256_bits(tmp_path: Path, extension: str, protocol: str) -> None:
    more = f'createUser long SHA "authentication-pw" {extension} "privacy-password"\nrouser long priv\n'
    given = {
        "version": "3", "user": "long", "auth_protocol": "sha", "priv_protocol": protocol,
        "auth_file": secret(tmp_path, "long-auth", "authentication-pw"), "priv_file": secret(tmp_path, "long-priv", "privacy-password"),
    }  # fmt: skip
    with snmpd(tmp_path, more) as port:
        (device,) = polled(DeviceSpec("x", "127.0.0.1", "switch-generic", given | {"port": str(port)}))
    assert device.up
    assert device.words["firmware"] == "Recorder 7.1", device


def test_a_short_passphrase_is_our_mistake_and_silence_is_told_in_words_of_v3(tmp_path: Path) -> None:
    given = {"version": "3", "user": "u", "port": "9", "auth_file": secret(tmp_path, "short", "1234567")}
    silent = given | {"auth_file": secret(tmp_path, "enough", "12345678")}
    began = time.monotonic()
    mistake, nobody = polled(
        DeviceSpec("a", "127.0.0.1", "switch-generic", given), DeviceSpec("b", "127.0.0.1", "switch-generic", silent)
    )
    assert time.monotonic() - began < 60
    assert not mistake.up
    assert mistake.failure is not None
    assert mistake.failure.kind is FailureKind.NOT_CONFIGURED
    assert not nobody.up
    assert nobody.failure is not None
    assert "community" not in nobody.failure.detail
