"""What answers to a DHCP question on a school's link: offers, and packets that are none."""

import subprocess
import sys
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campus_agent.measure.discover.frames import Offered, offered

HEAD = bytes.fromhex("ffffffffffff 0200000000aa")
TRANSACTION = 0x12345678
COOKIE = b"\x63\x82\x53\x63"
OFFER = COOKIE + b"\x35\x01\x02\x36\x04\x0a\x00\x01\x01\x03\x04\x0a\x00\x01\xfe\xff"


def frame(options: bytes, *, op: int = 2, transaction: int = TRANSACTION, port: int = 67, tags: bytes = b"") -> bytes:
    reply = bytes([op, 1, 6, 0]) + transaction.to_bytes(4) + bytes(8) + bytes([10, 0, 1, 77]) + bytes(216) + options
    datagram = port.to_bytes(2) + (68).to_bytes(2) + (8 + len(reply)).to_bytes(2) + b"\0\0" + reply
    header = (
        b"\x45\0" + (20 + len(datagram)).to_bytes(2) + bytes(4) + b"\x40\x11\0\0" + bytes([10, 0, 1, 9]) + b"\xff" * 4
    )
    return HEAD + tags + b"\x08\x00" + header + datagram


FOUND = Offered("10.0.1.1", "02:00:00:00:00:aa", "10.0.1.77", "10.0.1.254")


@pytest.mark.parametrize(
    ("octets", "found"),
    [
        (frame(OFFER), FOUND),
        (frame(OFFER, tags=b"\x81\x00\x00\x05"), FOUND),
        (frame(COOKIE + b"\0\0\x35\x01\x02"), Offered("10.0.1.9", FOUND.mac, FOUND.address, "")),
        (frame(COOKIE + b"\x35\x01\x02\x36\xff\x0a"), Offered("10.0.1.9", FOUND.mac, FOUND.address, "")),
        (frame(b""), None),  # BOOTP without options
        (frame(COOKIE), None),
        (frame(COOKIE + b"\x35\x01\x06\xff"), None),  # a refusal
        (frame(OFFER, op=1), None),
        (frame(OFFER, transaction=1), None),
        (frame(OFFER, port=68), None),
        (frame(OFFER)[:60], None),
    ],
)
def test_offers(octets: bytes, found: Offered | None) -> None:
    assert offered(octets, TRANSACTION) == found


@given(st.binary(max_size=400))
def test_no_packet_breaks_the_reader(octets: bytes) -> None:
    for each in (octets, frame(octets), frame(COOKIE + octets), HEAD + b"\x08\x00\x45" + octets):
        offered(each, TRANSACTION)


def test_a_tunnel_is_nobody_s_lan() -> None:
    """A link without ARP stands for every tunnel: it is never asked, not even by name."""
    space = f"cm-{uuid.uuid4().hex[:8]}"
    if subprocess.run(["ip", "netns", "add", space], check=False, capture_output=True).returncode:
        pytest.skip("NO PERMISSION to add a namespace")

    def ip(*arguments: str) -> None:
        subprocess.run(["ip", "-n", space, *arguments], check=True)

    def told(only: str) -> str:
        code = f"from campus_agent.measure.discover.links import NoLink, links\ntry: print(links({only}))\nexcept NoLink: print('none')"
        command = ["ip", "netns", "exec", space, sys.executable, "-c", code]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    try:
        ip("link", "add", "lan", "type", "veth", "peer", "name", "tunnel")
        for name, network in (("lan", "192.0.2.1/24"), ("tunnel", "198.51.100.1/24")):
            ip("addr", "add", network, "dev", name)
            ip("link", "set", name, "up")
        ip("link", "set", "tunnel", "arp", "off")
        assert told("") == "{'lan': ['192.0.2.1/24']}"
        assert told("'tunnel'") == "none"
    finally:
        subprocess.run(["ip", "netns", "del", space], check=True)
