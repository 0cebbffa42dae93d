"""RTP beside the connection: a pair of ports as the protocol wants it, and nobody but the device is heard."""

import asyncio
import socket

from campus_agent.measure.equipment.datagrams import PortPair
from campus_agent.measure.equipment.rtp import Listener
from campus_agent.measure.equipment.stream import _server_ports
from tests.agent.measure.equipment.test_rtsp import packet


async def heard(sources: dict[str, int]) -> Listener:
    """What a listener to 127.0.0.1 has after each of these addresses has sent so many packets."""
    pair, listener = PortPair("127.0.0.1", "127.0.0.1"), Listener(90_000)
    try:
        pair.feed(listener)
        for address, count in sources.items():
            with socket.socket(type=socket.SOCK_DGRAM) as sender:
                sender.bind((address, 0))
                for n in range(count):
                    sender.sendto(packet(n, 3600 * n), ("127.0.0.1", pair.port))
        await asyncio.sleep(0.3)
    finally:
        pair.close()
    return listener


def test_only_the_device_is_heard() -> None:
    listener = asyncio.run(heard({"127.0.0.2": 50, "127.0.0.1": 30, "127.0.0.3": 20}))
    assert (listener.packets, listener.lost) == (30, 0)


def test_ports_are_pairs_and_are_given_back() -> None:
    pairs = [PortPair("127.0.0.1", "127.0.0.1") for _ in range(20)]
    ports = {pair.port for pair in pairs}
    assert len(ports) == 20
    assert not [port for port in ports if port % 2], "RTP on the even port (RFC 3550 section 11)"
    for pair in pairs:
        pair.open_firewall((9, 9))  # nobody listens there: no error
        pair.close()
    with socket.socket(type=socket.SOCK_DGRAM) as again:
        again.bind(("127.0.0.1", min(ports) + 1))


def test_the_ports_a_device_names() -> None:
    assert _server_ports("RTP/AVP;unicast;client_port=5000-5001;server_port=6970-6971;ssrc=1") == (6970, 6971)
    for odd in (
        "",
        "RTP/AVP;server_port=",
        "server_port=0-1",
        "server_port=70000-70001",
        "server_port=a-b",
        "server_port=5",
    ):
        assert _server_ports(odd) is None
