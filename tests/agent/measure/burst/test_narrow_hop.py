"""A hop in the middle that takes smaller packets, and says so: learnt within the test, in both directions, and recorded."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.agent.measure.burst.shaped_link import KEY
from tests.lab.namespaces import Namespace, command, permitted, prefix, sweep

_REASON = permitted()
pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(_REASON is not None, reason=f"no network namespaces here: {_REASON}"),
]
FAR = "10.79.3.1"
RESPONDER = """
import sys
from campus_agent.measure.burst.server import ResponderSettings, serve_forever
serve_forever(ResponderSettings(listen=sys.argv[1], port=5301, key=sys.argv[2].encode()), lambda port: print("ready", flush=True))
"""


@contextmanager
def path(*hops: int) -> Iterator[tuple[Namespace, Namespace]]:
    """Two hosts with routers between them; `hops` are the MTUs of the links."""
    sweep()
    name = prefix()
    hosts = [Namespace(f"{name}-h{number}") for number in range(len(hops) + 1)]
    try:
        for host in hosts:
            host.create()
            host.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        for number, mtu in enumerate(hops, 1):
            left, right = hosts[number - 1], hosts[number]
            command(
                "ip", "link", "add", "right", "netns", left.name, "type", "veth", "peer", "left", "netns", right.name
            )
            for host, device, last in ((left, "right", 2), (right, "left", 1)):
                host.ip("addr", "add", f"10.79.{number}.{last}/24", "dev", device)
                host.ip("link", "set", device, "mtu", str(mtu), "up")
        for number, host in enumerate(hosts):
            if number < len(hops):
                host.ip("route", "add", "10.79.0.0/16", "via", f"10.79.{number + 1}.1")
            for lower in range(1, number):
                host.ip("route", "add", f"10.79.{lower}.0/24", "via", f"10.79.{number}.2")
        yield hosts[0], hosts[-1]
    finally:
        for host in hosts:
            host.remove()


@pytest.mark.parametrize("hops", [(1500, 1400, 1500), (1500, 1480, 1300)])
def test_a_narrower_hop_is_learnt_in_the_same_test(hops: tuple[int, int, int]) -> None:
    with path(*hops) as (near, far):
        server = far.popen(sys.executable, "-c", RESPONDER, FAR, KEY, stdout=-1)
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"
            request = {"host": FAR, "port": 5301, "key": KEY, "segment": "classroom", "required_bits_per_second": 20e6}
            argv = (sys.executable, "-m", "tests.agent.measure.burst.run_client", "2")
            done = near.run(*argv, input=json.dumps(request), timeout=60)
        finally:
            server.kill()
            server.wait()
    assert done.returncode == 0, done.stderr
    answers: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    for answer in answers:
        assert answer["failure"] is None, answer
        assert answer["record"]["transport"] == "udp"
        assert answer["record"]["encapsulation"]["mtu_bytes"] == min(hops), answer
        assert answer["record"]["down"]["bytes"] > 0.05 * 20e6 / 8
