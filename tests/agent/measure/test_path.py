"""What the interfaces of a path add to each frame."""

from pathlib import Path

import pytest

from campus_agent.measure.link.ethtool import ETHERNET, PPP, NicSettings
from campus_agent.measure.link.path import link_of

PPPOE = "Id       Address              Device\n"


@pytest.mark.parametrize(
    ("name", "hardware", "vlans", "sessions", "tags", "is_pppoe"),
    [
        ("eth0", ETHERNET, {}, "", 0, False),
        ("eth0.10", ETHERNET, {"eth0.10": "eth0"}, "", 1, False),
        ("lan", ETHERNET, {"lan": "eth0.7", "eth0.7": "eth0"}, "", 2, False),
        ("ppp0", PPP, {}, "00000A01 00:11:22:33:44:55     eth1\n", 0, True),
        ("wan", PPP, {}, "00000A01 00:11:22:33:44:55     eth1\n", 0, True),
        ("pppoe-wan", PPP, {"eth1.45": "eth1"}, "00000A01 00:11:22:33:44:55  eth1.45\n", 1, True),
        ("ppp0", PPP, {"eth1.45": "eth1"}, "00000A01 00:11:22:33:44:55  eth1.45\n00000B00 0:0:0:0:0:1 eth2\n", 0, True),
        ("ppp0", PPP, {}, "", 0, True),
        ("ppplan", ETHERNET, {}, "", 0, False),
    ],
)
def test_tags_and_pppoe_are_those_of_the_interfaces_whatever_their_names(
    tmp_path: Path, name: str, hardware: int, vlans: dict[str, str], sessions: str, tags: int, is_pppoe: bool
) -> None:
    (tmp_path / "vlan").mkdir()
    for vlan, device in vlans.items():
        (tmp_path / "vlan" / vlan).write_text(f"{vlan}  VID: 10\t REORDER_HDR: 1\nDevice: {device}\nINGRESS\n")
    (tmp_path / "pppoe").write_text(PPPOE + sessions)
    link = link_of(name, NicSettings(0, hardware, 1492, None, None), tmp_path)
    assert (link.vlan_tags, link.pppoe) == (tags, is_pppoe)
