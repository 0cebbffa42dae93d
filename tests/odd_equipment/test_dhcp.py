"""What answers to a DHCP question on a school's link: offers, and packets that are none."""

import subprocess
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campus_agent.discover.command import NoLink, links
from campus_agent.discover.frames import Offered, offered

HEAD = bytes.fromhex("ffffffffffff 0200000000aa")
TRANSACTION = 0x12345678
COOKIE = b"\x63\x82\x53\x63"
OFFER = COOKIE + b"\x35\x01\x02\x36\x04\x0a\x00\x01\x01\x03\x04\x0a\x00\x01\xfe\xff"


def frame(options: bytes, *, op: int = 2, transaction: int = TRANSACTION, port: int = 67, tags: bytes = b"") -> bytes:
    reply = bytes([op, 1, 6, 0]) + transaction.to_bytes(4) + bytes(8) + bytes([10, 0, 1, 77]) + bytes(216) + options
    datagram = port.to_bytes(2) + (68).to_bytes(2) + (8 + len(reply)).to_bytes(2) + b"\0\0" + reply
    header = b"\x45\0" + (20 + len(datagram)).to_bytes(2) + bytes(4) + b"\x40\x11\0\0" + bytes([10, 0, 1, 9]) + b"\xff" * 4
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
    for one in (octets, frame(octets), frame(COOKIE + octets), HEAD + b"\x08\x00\x45" + octets):
        offered(one, TRANSACTION)


def test_a_tunnel_is_nobody_s_lan() -> None:
    """A dummy link without ARP stands for every tunnel: it is never asked, not even by name."""
    name = f"t{uuid.uuid4().hex[:8]}"
    made = subprocess.run(["ip", "link", "add", name, "type", "dummy"], check=False, capture_output=True)
    if made.returncode:
        pytest.skip("NO PERMISSION to add a link")
    try:
        for command in (["addr", "add", "192.0.2.1/24", "dev", name], ["link", "set", name, "up"]):
            subprocess.run(["ip", *command], check=True)
        with pytest.raises(NoLink):  # a dummy link has NOARP
            links(name)
        subprocess.run(["ip", "link", "set", name, "arp", "on"], check=True)
        assert links(name) == {name: ["192.0.2.1/24"]}
    finally:
        subprocess.run(["ip", "link", "del", name], check=True)
