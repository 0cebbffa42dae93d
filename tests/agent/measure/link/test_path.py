"""Which interface, and what passed it: on the real loopback."""

import socket
import sys

import pytest

from campus_agent.measure.link import tcp_info
from campus_agent.measure.link.interface_counters import open_counters
from campus_agent.measure.link.path import (
    counted_header_bytes,
    interface_of,
    interface_to,
)

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counters are of Linux")


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.9.10"])
def test_the_interface_of_a_connection(peer: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((peer, 9))
        assert interface_of(sock) == "lo"


def test_a_socket_that_leads_nowhere_has_no_interface() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        assert interface_of(sock) is None


@pytest.mark.parametrize(
    ("address", "interface"),
    [
        ("127.0.0.1", "lo"),
        ("::ffff:127.0.0.1", "lo"),
        ("fe80::1%lo", "lo"),
        ("fe80::1%1", "lo"),
        ("no address", None),
        ("", None),
        ("fe80::1%4000000000", None),
    ],
)
def test_the_interface_to_an_address(address: str, interface: str | None) -> None:
    assert interface_to(address) == interface


def test_the_counters_count() -> None:
    counters = open_counters("lo")
    assert counters is not None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        before = counters.read()
        for _ in range(10):
            sock.sendto(bytes(1000), sock.getsockname())
        after = counters.read()
    counters.close()
    assert after.received_packets - before.received_packets >= 10
    assert after.sent_bytes - before.sent_bytes >= 10 * (1000 + 28)


def test_no_counters_where_there_is_no_interface() -> None:
    assert open_counters(None) is None
    assert open_counters("o") is None  # the end of "lo" is not its name
    assert open_counters("nosuch0") is None
    assert counted_header_bytes("nosuch0") is None
    assert counted_header_bytes(None) is None


def test_loopback_counts_no_ethernet_header() -> None:
    assert counted_header_bytes("lo") == 0


def test_what_the_kernel_counts_on_a_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        other, _ = server.accept()
        with other:
            client.sendall(bytes(10_000))
            received = 0
            while received < 10_000:
                received += len(other.recv(65_536))
            sender, receiver = tcp_info.read(client), tcp_info.read(other)
    assert sender is not None
    assert receiver is not None
    assert (sender.bytes_sent, sender.total_retrans, receiver.bytes_received) == (10_000, 0, 10_000)
    assert receiver.data_segs_in >= 1
    assert 0 < sender.rtt_seconds < 1
    assert sender.snd_mss >= 536
    assert tcp_info.read(client) is None, "it is closed"
