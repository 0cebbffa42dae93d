"""Two hosts joined by a line of known rate: namespaces, a veth pair, tbf on both ends as docs/pages/en/protocol.md describes; delay on demand."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.lab.namespaces import Namespace, command, prefix, sweep

NEAR_ADDRESS = "10.77.0.1"
FAR_ADDRESS = "10.77.0.2"
PORT = 5301
KEY = "a shared test key"
_FRAME_OVERHEAD_BYTES = 24
_RESPONDER = """
import sys
from campus_agent.measure.burst.server import ResponderLimits, ResponderSettings, serve_forever
key = sys.argv[2].encode() or None
serve_forever(ResponderSettings(listen=sys.argv[1], port=5301, key=key, limits=ResponderLimits(hour_bytes=10**12)))
"""


class ShapedLink:
    """`near` plays the gateway, `far` the classroom or the test server."""

    def __init__(self, delay_seconds: float = 0.0, *, apart: bool = False) -> None:
        """`delay_seconds` is one way; a relay in user space adds it.

        `apart`: the shaper works on the core of the receiver's process, the sender has another one to itself. Otherwise the shaper's timers
        fire on the sender's core, and at a gigabit leave it just the time to send what the line carries: it can never offer more.
        """
        self._name = prefix()
        self._delay = delay_seconds
        self._apart = apart and not delay_seconds and (os.cpu_count() or 1) > 1
        self.near = Namespace(f"{self._name}-near")
        self.far = Namespace(f"{self._name}-far")
        self._middle = Namespace(f"{self._name}-mid")
        self._children: list[subprocess.Popen[str]] = []

    def __enter__(self) -> "ShapedLink":
        """Build; whatever fails, nothing stays."""
        sweep()
        try:
            self._build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End every process and remove the namespaces."""
        for child in self._children:
            child.kill()
        for namespace in (self.near, self.far, self._middle):
            namespace.remove()
        for child in self._children:
            child.wait()

    def shape(self, rate_mbits: float, bucket_bytes: int = 16_000, limit_bytes: int = 128_000) -> None:
        """Set the line rate in both directions. tbf sees the frame without preamble, FCS and gap: `overhead` adds them."""
        ends = ((self.near, "near0"), (self.far, "far0"))
        if self._apart or self._delay:  # behind the relay: its own jitter disappears in the queue
            ends = ((self._middle, "port2"), (self._middle, "port1"))
        for namespace, device in ends:
            words = f"rate {int(rate_mbits * 1e6)}bit burst {bucket_bytes} limit {limit_bytes} overhead {_FRAME_OVERHEAD_BYTES}"
            argv = namespace.argv("tc", "qdisc", "replace", "dev", device, "root", "tbf", *words.split())
            command(*argv)

    def drop_udp(self) -> None:
        """From now on a firewall on the far side swallows UDP without a word."""
        self.far.ip("rule", "add", "pref", "10", "lookup", "local")
        self.far.ip("rule", "add", "pref", "5", "iif", "far0", "ipproto", "udp", "blackhole")
        self.far.ip("rule", "del", "pref", "0")

    def on_own_core(self, namespace: Namespace) -> tuple[str, ...]:
        """What to put before a command so that it runs where its side of the line does not."""
        return ("taskset", "-c", "0" if namespace is self.near else "1") if self._apart else ()

    def start(self, namespace: Namespace, *argv: str, **options: object) -> "subprocess.Popen[str]":
        """A process inside that ends with the link at the latest."""
        child = namespace.popen(*self.on_own_core(namespace), *argv, **options)
        self._children.append(child)
        return child

    @contextmanager
    def running(self, namespace: Namespace, *argv: str, **options: object) -> Iterator["subprocess.Popen[str]"]:
        """A process inside for the length of a block."""
        child = self.start(namespace, *argv, **options)
        try:
            yield child
        finally:
            child.kill()
            child.wait()
            self._children.remove(child)

    def start_responder(self, key: str = KEY) -> "subprocess.Popen[str]":
        """Our responder on the far side, ready to answer."""
        child = self.start(self.far, sys.executable, "-c", _RESPONDER, FAR_ADDRESS, key)
        for _ in range(200):
            listening = self.far.run("ss", "-Htln", "sport", "=", f":{PORT}").stdout
            if listening.strip():
                return child
            time.sleep(0.05)
        raise RuntimeError("the responder does not listen")

    def _build(self) -> None:
        for namespace in (self.near, self.far, self._middle) if self._delay or self._apart else (self.near, self.far):
            namespace.create()
        if self._delay:
            self._join_through_relay()
        elif self._apart:
            self._join_through_bridge()
        else:
            peer = ["peer", "name", "far0", "netns", self.far.name]
            command("ip", "link", "add", "near0", "netns", self.near.name, "type", "veth", *peer)
        for namespace, device, address in ((self.near, "near0", NEAR_ADDRESS), (self.far, "far0", FAR_ADDRESS)):
            namespace.ip("addr", "add", f"{address}/24", "dev", device)
            self._up(namespace, device)

    def _join_through_bridge(self) -> None:
        """What comes in from one side is worked on by the core of the other side (receive packet steering)."""
        self._middle.ip("link", "add", "br0", "type", "bridge")
        for namespace, device, port, other_core in (
            (self.near, "near0", "port1", "2"),
            (self.far, "far0", "port2", "1"),
        ):
            peer = ["peer", "name", port, "netns", self._middle.name]
            command("ip", "link", "add", device, "netns", namespace.name, "type", "veth", *peer)
            self._middle.ip("link", "set", port, "master", "br0")
            self._up(self._middle, port)
            steer = f"echo {other_core} > /sys/class/net/{port}/queues/rx-0/rps_cpus"
            command(*self._middle.argv("sh", "-c", steer))
        self._middle.ip("link", "set", "br0", "up")

    def _join_through_relay(self) -> None:
        for namespace, device, port, tap, bridge in (
            (self.near, "near0", "port1", "tap1", "br1"),
            (self.far, "far0", "port2", "tap2", "br2"),
        ):
            peer = ["peer", "name", port, "netns", self._middle.name]
            command("ip", "link", "add", device, "netns", namespace.name, "type", "veth", *peer)
            self._middle.ip("link", "add", bridge, "type", "bridge")
            self._middle.ip("tuntap", "add", tap, "mode", "tap")
            for member in (port, tap):
                self._middle.ip("link", "set", member, "master", bridge)
                self._up(self._middle, member)
            self._middle.ip("link", "set", bridge, "up")
        self.start(self._middle, sys.executable, "-m", "tests.lab.relay", "tap1", "tap2", str(self._delay), "0")

    def _up(self, namespace: Namespace, device: str) -> None:
        offloads = ("tso", "off", "gso", "off", "gro", "off")
        namespace.run("ethtool", "-K", device, *offloads)
        namespace.ip("link", "set", device, "up")
