"""Switches asked for real: a fake one that a test can rewire, net-snmp's own interfaces, and switches that lie."""

import asyncio
from pathlib import Path
from time import monotonic

import msgspec
import pytest

from campus_agent.measure.ports.ask import ask
from campus_agent.measure.ports.reading import PortLocation, PortQuery, PortSeen, PortsTask, SwitchSpec
from campus_agent.measure.probes.ports import finding_of, record_of
from campus_base.port_words import error_ratio, link_words
from campus_wire.failures import FailureKind, Validity
from tests.agent.measure.equipment.peers import COMMUNITY, snmpd, udp_server
from tests.fakes.snmp_agent import Oid, agent, number, objects
from tests.fakes.switch import FakeSwitch, Port

MAC = "02:00:0a:00:01:02"


def switch() -> FakeSwitch:
    return FakeSwitch({1: Port("Gi0/1"), 2: Port("Gi0/2", 10, duplex=2), 24: Port("Gi0/24")})


def spec(folder: Path, port: int, name: str = "sw-1") -> SwitchSpec:
    secret = folder / "community"
    secret.write_text(COMMUNITY)
    return SwitchSpec(name, "127.0.0.1", {"version": "2c", "community_file": str(secret), "port": str(port)})


def arp(folder: Path, mac: str = MAC) -> Path:
    path = folder / "arp"
    path.write_text(f"IP address HW type Flags HW address Mask Device\n127.0.0.1 0x1 0x2 {mac} * lo\n")
    return path


def asked(folder: Path, fake: FakeSwitch, wanted: PortQuery, **known: PortLocation) -> PortSeen:
    with udp_server(agent(lambda *question: objects(fake.known())(*question))) as port:
        (answer,) = asyncio.run(ask(PortsTask([spec(folder, port)], [wanted], known), arp(folder)))
    return answer


def test_the_port_the_inventory_names(tmp_path: Path) -> None:
    answer = asked(tmp_path, switch(), PortQuery("c101", "127.0.0.1", "sw-1", "Gi0/2"))
    assert answer.failure is None
    assert answer.location == PortLocation("sw-1", 2, "inventory", MAC)
    assert answer.reading is not None
    assert (answer.reading.name, answer.reading.speed_bits_per_second, answer.reading.duplex) == ("Gi0/2", 10e6, "half")
    record = record_of(answer.location, answer.reading, None)
    assert (record.interval_seconds, record.last_change_seconds) == (None, 60.0)
    assert link_words(record).zh == "10 Mbps，半双工"


@pytest.mark.parametrize("bridge", ["q", "d"])
def test_the_port_where_its_address_was_seen(tmp_path: Path, bridge: str) -> None:
    fake = switch()
    fake.bridge, fake.addresses = bridge, {MAC: 1}
    assert asked(tmp_path, fake, PortQuery("c101", "127.0.0.1")).location == PortLocation(
        "sw-1", 1, "forwarding_table", MAC
    )


def test_the_port_where_it_was_heard(tmp_path: Path) -> None:
    fake = switch()
    fake.neighbours = {MAC: 24}
    assert asked(tmp_path, fake, PortQuery("c101", "127.0.0.1")).location == PortLocation("sw-1", 24, "lldp", MAC)


def test_a_switch_without_lldp_and_bridge_tables_knows_nothing(tmp_path: Path) -> None:
    answer = asked(tmp_path, switch(), PortQuery("c101", "127.0.0.1"))
    assert (answer.location, answer.reading, answer.failure) == (None, None, None)


def test_a_known_place_is_not_looked_for_again_unless_the_machine_is_another(tmp_path: Path) -> None:
    fake = switch()
    fake.addresses = {MAC: 1}
    wanted = PortQuery("c101", "127.0.0.1")
    same = asked(tmp_path, fake, wanted, c101=PortLocation("sw-1", 24, "forwarding_table", MAC))
    assert same.location == PortLocation("sw-1", 24, "forwarding_table", MAC)
    other = asked(tmp_path, fake, wanted, c101=PortLocation("sw-1", 24, "forwarding_table", "02:00:00:00:00:99"))
    assert other.location == PortLocation("sw-1", 1, "forwarding_table", MAC)


def test_many_ports_of_one_switch_at_once(tmp_path: Path) -> None:
    wanted = [PortQuery(f"c{number}", "127.0.0.1", "sw-1", "Gi0/1") for number in range(40)]
    known = {query.subject: PortLocation("sw-1", 1, "inventory", MAC) for query in wanted}
    with udp_server(agent(objects(switch().known()))) as port:
        seen = asyncio.run(ask(PortsTask([spec(tmp_path, port)], wanted, known), arp(tmp_path)))
    assert [each.failure for each in seen] == [None] * 40


def test_no_such_port(tmp_path: Path) -> None:
    answer = asked(tmp_path, switch(), PortQuery("c101", "127.0.0.1", "sw-1", "Gi9/9"))
    assert answer.failure is not None
    assert (answer.failure.kind, answer.failure.detail) == (FailureKind.NOT_CONFIGURED, "sw-1 has no port Gi9/9")
    gone = asked(tmp_path, switch(), PortQuery("c101", "127.0.0.1"), c101=PortLocation("sw-1", 77, "lldp", MAC))
    assert gone.failure is not None
    assert gone.failure.kind is FailureKind.PROTOCOL_ERROR


def test_a_port_without_a_link(tmp_path: Path) -> None:
    fake = switch()
    fake.ports[2].up = False
    answer = asked(tmp_path, fake, PortQuery("c101", "127.0.0.1", "sw-1", "Gi0/2"))
    assert answer.reading is not None
    assert (answer.reading.up, answer.reading.speed_bits_per_second, answer.reading.duplex) == (False, None, None)


@pytest.mark.parametrize("wide", [True, False])
def test_errors_and_octets_between_two_rounds(tmp_path: Path, wide: bool) -> None:
    fake = switch()
    fake.wide = wide
    fake.ports[1].octets = 2**32 - 1_000
    wanted = PortQuery("c101", "127.0.0.1", "sw-1", "Gi0/1")
    before = asked(tmp_path, fake, wanted)
    fake.uptime += 30_000
    port = fake.ports[1]
    port.octets, port.packets, port.errors, port.fcs = port.octets + 3_000_000_000 // 10, 20_000, 60, 50
    after = asked(tmp_path, fake, wanted)
    assert after.location is not None
    assert after.reading is not None
    record = record_of(after.location, after.reading, before.reading)
    assert (record.interval_seconds, record.receive_errors) == (300.0, 60)
    assert record.received_bytes == (300_000_000 if wide else None), "32 bits go round in 34 s at this speed"
    assert record.utilization_ratio == (pytest.approx(0.008) if wide else None)
    assert error_ratio(record) == pytest.approx(60 / 20_060)


def test_a_switch_that_is_silent_costs_its_own_classrooms_only(tmp_path: Path) -> None:
    with udp_server(agent(objects(switch().known()))) as port:
        silent = spec(tmp_path, 1, "sw-2")
        task = PortsTask(
            [spec(tmp_path, port), silent],
            [PortQuery("c101", "127.0.0.1", "sw-1", "Gi0/1"), PortQuery("c102", "127.0.0.1", "sw-2", "Gi0/1")],
        )
        well, ill = asyncio.run(ask(task, arp(tmp_path)))
    assert well.reading is not None
    assert ill.failure is not None
    finding = finding_of(ill, None)
    assert (finding.validity, finding.record) == (Validity.NOT_MEASURED, None)


def test_a_forwarding_table_that_never_ends(tmp_path: Path) -> None:
    def endless(kind: str, names: list[Oid], rows: int) -> list[tuple[Oid, object]]:
        if kind == "get":
            return objects(switch().known())(kind, names, rows)
        return [((*name, 1), number(1)) for _ in range(rows) for name in names]

    began = monotonic()
    with udp_server(agent(endless)) as port:
        (answer,) = asyncio.run(ask(PortsTask([spec(tmp_path, port)], [PortQuery("c101", "127.0.0.1")]), arp(tmp_path)))
    assert answer.location is None
    assert monotonic() - began < 30


def test_net_snmp_tells_its_own_interfaces(tmp_path: Path) -> None:
    with snmpd(tmp_path) as port:
        task = PortsTask([spec(tmp_path, port)], [PortQuery("c101", "127.0.0.1", "sw-1", "lo")])
        (before,) = asyncio.run(ask(task, arp(tmp_path)))
        (after,) = asyncio.run(ask(msgspec.structs.replace(task, locations={"c101": before.location}), arp(tmp_path)))
    assert before.reading is not None
    assert after.reading is not None
    assert (after.reading.name, after.reading.up, after.reading.octet_bits) == ("lo", True, 64)
    assert (
        (after.reading.received_octets or 0) >= (before.reading.received_octets or 0) > 0
    )  # it reads them every few seconds
