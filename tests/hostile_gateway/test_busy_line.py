"""A busy line of a gateway with several addresses: the traffic beside a test is seen, and nobody is blamed for it."""

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.hostile_gateway.test_network import AGENT, configure, listening, measure, two_hosts
from tests.lab.busy import first_usable

pytestmark = pytest.mark.lab


def test_a_busy_line_is_not_blamed_by_a_gateway_with_two_addresses(tmp_path: Path) -> None:
    """110 Mbit/s with 40 in use, both ways: what is left is below the target; the rest was seen at the interface."""
    with two_hosts(("10.9.1.1/24", "10.9.2.1/24"), ("10.9.1.2/24", "10.9.2.2/24")) as (gw, pc):
        for host, link in ((gw, "lan"), (pc, "nic")):
            shape = ("rate", "110mbit", "burst", "16000", "limit", "128000", "overhead", "24")
            host.run("tc", "qdisc", "replace", "dev", link, "root", "tbf", *shape)
        configure(tmp_path, '[[classroom]]\nid = "c1"\nhost = "10.9.2.2"\nport = 5301\n')
        key = ("--test-key-file", str(tmp_path / "test.key"))
        pc.popen(*AGENT, "respond", "--port", "5301", "--iperf3-port", "0", *key)
        for host, peer in ((gw, "10.9.2.2"), (pc, "10.9.2.1")):
            host.popen(sys.executable, "-m", "tests.lab.cross", "sink")
            host.popen(sys.executable, "-m", "tests.lab.cross", peer, "40e6", "60")
        listening(pc, 5301)

        def ask() -> dict[str, Any]:
            said = measure(gw.argv(), tmp_path, "classroom", "c1")
            assert said["verdict"] != "not_met", said
            return said

        # who sends the other traffic needs a processor too
        first_usable(ask, lambda answer: (answer["cross_traffic_bits_per_second"] or 0.0) > 5e6)
