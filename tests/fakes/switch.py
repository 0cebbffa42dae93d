"""A switch by its objects, for the fake SNMP agent: ports with counters a test may move, and where it saw which addresses."""

from dataclasses import dataclass, field

from campus_agent.measure.ports import mibs
from tests.fakes.snmp_agent import number, text, ticks, v2c


@dataclass
class Port:
    """One port as a test wants it."""

    name: str
    speed_mbit: int = 1000
    up: bool = True
    duplex: int = 3
    octets: int = 0
    packets: int = 0
    errors: int = 0
    fcs: int = 0


@dataclass
class FakeSwitch:
    """Objects of IF-MIB, EtherLike-MIB, BRIDGE-MIB, Q-BRIDGE-MIB and LLDP-MIB."""

    ports: dict[int, Port]
    uptime: int = 1_000_000
    discontinuity: int = 0
    addresses: dict[str, int] = field(default_factory=dict)
    neighbours: dict[str, int] = field(default_factory=dict)
    wide: bool = True
    bridge: str = "q"

    def known(self) -> dict[str, object]:
        """All objects now."""
        found: dict[str, object] = {mibs.SYS_UP_TIME: ticks(self.uptime), "1.3.6.1.2.1.1.1.0": text("Switch 1.0")}
        for index, port in self.ports.items():
            found |= {
                f"{mibs.IF_DESCR}.{index}": text(f"Port {index}"),
                f"{mibs.IF_NAME}.{index}": text(port.name),
                f"{mibs.IF_OPER_STATUS}.{index}": number(1 if port.up else 2),
                f"{mibs.IF_LAST_CHANGE}.{index}": ticks(self.uptime - 6000),
                f"{mibs.IF_HIGH_SPEED}.{index}": v2c.Gauge32(port.speed_mbit),
                f"{mibs.IF_IN_ERRORS}.{index}": v2c.Counter32(port.errors % 2**32),
                f"{mibs.DOT3_FCS_ERRORS}.{index}": v2c.Counter32(port.fcs % 2**32),
                f"{mibs.DOT3_DUPLEX}.{index}": number(port.duplex),
                f"{mibs.IF_COUNTER_DISCONTINUITY}.{index}": ticks(self.discontinuity),
                f"{mibs.DOT1D_BASE_PORT_IF_INDEX}.{index}": number(index),
                f"{mibs.LLDP_LOC_PORT_ID}.{index}": text(port.name),
            }
            if self.wide:
                found[f"{mibs.IF_HC_IN_OCTETS}.{index}"] = v2c.Counter64(port.octets % 2**64)
                found[f"{mibs.IF_HC_OUT_OCTETS}.{index}"] = v2c.Counter64(0)
                found[f"{mibs.IF_HC_IN_UCAST}.{index}"] = v2c.Counter64(port.packets % 2**64)
            else:
                found[f"{mibs.IF_IN_OCTETS}.{index}"] = v2c.Counter32(port.octets % 2**32)
                found[f"{mibs.IF_OUT_OCTETS}.{index}"] = v2c.Counter32(0)
                found[f"{mibs.IF_IN_UCAST}.{index}"] = v2c.Counter32(port.packets % 2**32)
        for mac, index in self.addresses.items():
            numbers = ".".join(str(int(part, 16)) for part in mac.split(":"))
            column = f"{mibs.DOT1Q_FDB_PORT}.7" if self.bridge == "q" else mibs.DOT1D_FDB_PORT
            found[f"{column}.{numbers}"] = number(index)
        for place, (mac, index) in enumerate(self.neighbours.items(), 1):
            octets = v2c.OctetString(bytes(int(part, 16) for part in mac.split(":")))
            found[f"{mibs.LLDP_REM_CHASSIS_ID}.0.{index}.{place}"] = octets
        return found
