"""Devices polled for real: net-snmp, GStreamer, and sockets that are silent, endless or lying."""

import asyncio
import os
import re
import socket
import time
from base64 import b64decode, b64encode
from functools import partial
from pathlib import Path

import pytest

from campus_agent.measure.equipment.poll import poll
from campus_agent.measure.equipment.snmp import Access
from campus_agent.measure.equipment.task import DeviceSeen, DeviceSpec
from campus_agent.measure.link.icmp import Pinger
from campus_wire.failures import FailureKind
from tests.agent.measure.equipment.peers import (
    AUTH_KEY,
    COMMUNITY,
    PRIV_KEY,
    STREAM_PASSWORD,
    free_port,
    rtsp_source,
    server,
    snmpd,
    udp_server,
)
from tests.fakes.onvif_camera import drip


def secret(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text + "\n")
    return str(folder / name)


def v2c(folder: Path, port: int, community: str = COMMUNITY) -> dict[str, str]:
    return {"version": "2c", "port": str(port), "community_file": secret(folder, f"community-{community}", community)}


def v3(folder: Path, port: int, auth: str = AUTH_KEY, user: str = "monitor") -> dict[str, str]:
    return {
        "version": "3", "port": str(port), "user": user, "auth_protocol": "sha256", "priv_protocol": "aes",
        "auth_file": secret(folder, f"auth-{auth}", auth), "priv_file": secret(folder, "priv", PRIV_KEY),
    }  # fmt: skip


def polled(*specs: DeviceSpec, folder: Path | None = None) -> list[DeviceSeen]:
    return asyncio.run(poll(specs, folder))


def test_a_real_agent_in_both_versions_and_every_way_to_be_refused(tmp_path: Path) -> None:
    with snmpd(tmp_path) as port:
        good2, good3, wrong2, wrong3, nobody, no_file = polled(
            DeviceSpec("a", "127.0.0.1", "host-resources", v2c(tmp_path, port)),
            DeviceSpec("b", "127.0.0.1", "host-resources", v3(tmp_path, port)),
            DeviceSpec("c", "127.0.0.1", "host-resources", v2c(tmp_path, port, "wrong")),
            DeviceSpec("d", "127.0.0.1", "host-resources", v3(tmp_path, port, "wrong-passphrase")),
            DeviceSpec("e", "127.0.0.1", "host-resources", v3(tmp_path, port, user="nobody")),
            DeviceSpec("f", "127.0.0.1", "host-resources", {"version": "2c", "community_file": "/nowhere/community"}),
        )
    for good in (good2, good3):
        assert good.up
        assert good.words["firmware"] == "Recorder 7.1"
        assert 0 < good.readings["storage_free_ratio"] < 1
        assert abs(good.readings["clock_offset_seconds"]) < 5
        assert good.readings["uptime_seconds"] > 0
    assert (wrong2.up, wrong2.failure and wrong2.failure.kind) == (False, FailureKind.TIMEOUT)
    for refused in (wrong3, nobody):
        assert refused.up, "it is there, and it speaks: only our password is wrong"
        assert {why.kind for why in refused.failed.values()} == {FailureKind.NOT_AUTHORISED}
    assert not no_file.up
    assert no_file.failure is not None
    assert no_file.failure.kind is FailureKind.NOT_CONFIGURED
    text = "".join(str(each) for each in (good2, good3, wrong2, wrong3, nobody, no_file))
    assert not [
        word for word in (COMMUNITY, AUTH_KEY, PRIV_KEY, "wrong-passphrase") if word in text.replace("community-", "")
    ]


@pytest.mark.parametrize("mode", ["open", "basic", "digest"])
def test_a_real_stream(tmp_path: Path, mode: str) -> None:
    password = secret(tmp_path, "stream", STREAM_PASSWORD)
    with rtsp_source(mode) as url:
        (seen,) = polled(
            DeviceSpec("s", "127.0.0.1", "stream-rtsp", {}, {"url": url, "user": "monitor", "password_file": password})
        )
        (wrong,) = polled(
            DeviceSpec("s", "127.0.0.1", "stream-rtsp", {}, {"url": url, "user": "monitor", "password_file": secret(tmp_path, "bad", "guess")})
        )  # fmt: skip
    assert seen.up, seen
    assert seen.readings["stream_up"] == 1.0
    assert seen.words["codec"] == "H264+PCMU"
    assert seen.readings["stream_bits_per_second"] > 300e3
    assert seen.readings["stream_loss_ratio"] == 0.0
    assert 0 <= seen.readings["stream_jitter_seconds"] < 0.05
    if mode != "open":
        assert wrong.readings["stream_up"] == 0.0
        assert wrong.failed["stream_up"].kind is FailureKind.NOT_AUTHORISED
        assert STREAM_PASSWORD not in str(wrong) + str(seen)


@pytest.mark.parametrize(
    ("transports", "sound", "transport"),
    [("any", "aac", "auto"), ("any", "aac", "udp"), ("udp", "pcmu", "auto"), ("udp", "aac", "auto")],
)
def test_a_real_stream_beside_its_connection(transports: str, sound: str, transport: str) -> None:
    """A server that has only UDP answers 461 to the first SETUP; the second is for UDP."""
    with rtsp_source("open", transports, sound) as url:
        (seen,) = polled(DeviceSpec("s", "127.0.0.1", "stream-rtsp", {}, {"url": url, "transport": transport}))
        if transports == "udp":
            (within,) = polled(DeviceSpec("s", "127.0.0.1", "stream-rtsp", {}, {"url": url, "transport": "tcp"}))
            assert "461" in within.failed["stream_up"].detail
    assert seen.readings["stream_up"] == 1.0, seen
    assert seen.words["codec"] == ("H264+MPEG4-GENERIC" if sound == "aac" else "H264+PCMU")
    assert seen.readings["stream_bits_per_second"] > 300e3
    assert seen.readings["stream_loss_ratio"] == 0.0
    assert 0 <= seen.readings["stream_jitter_seconds"] < 0.05


DESCRIPTION = "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:1\r\n"


def frozen(client: socket.socket) -> None:
    """Plays, and never sends a picture."""
    while data := client.recv(65_536):
        body = DESCRIPTION if data.startswith(b"DESCRIBE") else ""
        client.sendall(f"RTSP/1.0 200 OK\r\nSession: 1\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())


def endless_headers(client: socket.socket) -> None:
    client.recv(65_536)
    client.sendall(b"RTSP/1.0 200 OK\r\n")
    while True:
        client.sendall(b"X: y\r\n" * 100)


def silent(client: socket.socket) -> None:
    time.sleep(30)


def hangs_up(client: socket.socket) -> None:
    client.recv(65_536)


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        (frozen, FailureKind.TIMEOUT),
        (endless_headers, FailureKind.PROTOCOL_ERROR),
        (silent, FailureKind.TIMEOUT),
        (hangs_up, FailureKind.CONNECTION_RESET),
    ],
)
def test_streams_that_do_not_flow(behaviour: object, kind: FailureKind) -> None:
    with server(behaviour) as port:  # type: ignore[arg-type]
        (seen,) = polled(DeviceSpec("s", "127.0.0.1", "stream-rtsp", {}, {"url": f"rtsp://127.0.0.1:{port}/live"}))
    assert seen.readings["stream_up"] == 0.0
    assert seen.failed["stream_up"].kind is kind
    assert seen.up is (behaviour in (frozen, endless_headers)), "it speaks, or it does not"


def repeats(client: socket.socket) -> None:
    """Wants Basic, and repeats in its error what it was told."""
    while data := client.recv(65_536):
        told = re.search(rb"Authorization: Basic (\S+)", data)
        if told:
            client.sendall(b"RTSP/1.0 400 " + told[1] + b" is " + b64decode(told[1]) + b"\r\n\r\n")
        else:
            client.sendall(b'RTSP/1.0 401 No\r\nWWW-Authenticate: Basic realm="r"\r\n\r\n')


def test_what_a_device_gives_away_we_do_not(tmp_path: Path) -> None:
    rtsp = {"user": "monitor", "password_file": secret(tmp_path, "stream", STREAM_PASSWORD)}
    with server(repeats) as port:
        (seen,) = polled(DeviceSpec("s", "127.0.0.1", "stream-rtsp", {}, rtsp | {"url": f"rtsp://127.0.0.1:{port}/"}))
    assert seen.failed["stream_up"].detail.startswith("DESCRIBE: 400 ***")
    assert STREAM_PASSWORD not in str(seen)
    assert b64encode(f"monitor:{STREAM_PASSWORD}".encode()).decode() not in str(seen)
    access = Access("3", COMMUNITY, "monitor", AUTH_KEY, PRIV_KEY)
    assert not [word for word in (COMMUNITY, AUTH_KEY, PRIV_KEY) if word in repr(access)]


@pytest.mark.parametrize(
    "start", [b"", b"RTSP/1.0 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n["]
)
def test_octets_that_drip_cost_bounded_time_and_no_other_device(tmp_path: Path, start: bytes) -> None:
    """Each octet comes in time, and the last never: a time-out for each read would wait for ever."""
    with (
        server(partial(drip, octets=start)) as port,
        server(answers(b'HTTP/1.0 200 OK\r\n\r\n{"board": {"t": 1}}')) as good,
    ):
        for name, at in (("box", port), ("good", good)):
            (tmp_path / f"{name}.toml").write_text(PAGE.format(port=at), encoding="utf-8")
        began = time.monotonic()
        page, stream, healthy = polled(
            DeviceSpec("w", "127.0.0.1", "box"),
            DeviceSpec("s", "127.0.0.1", "stream-rtsp", {}, {"url": f"rtsp://127.0.0.1:{port}/"}),
            DeviceSpec("g", "127.0.0.1", "good"),
            folder=tmp_path,
        )
    assert time.monotonic() - began < 60
    assert healthy.readings == {"temperature_celsius": 1.0}
    assert stream.readings["stream_up"] == 0.0
    for each in (page, stream):
        kind = each.failure.kind if each.failure else next(iter(each.failed.values())).kind
        assert kind in (FailureKind.TIMEOUT, FailureKind.PROTOCOL_ERROR)


PAGE = """
title_en = "Box"
title_zh = "盒子"
sources = ["its manual"]
up_when_any = ["http"]
[http]
path = "/status"
port = {port}
[[http.reading]]
reading = "temperature_celsius"
path = "board.t"
"""


def answers(text: bytes) -> object:
    def answer(client: socket.socket) -> None:
        client.recv(65_536)
        client.sendall(text)

    return answer


def endless_body(client: socket.socket) -> None:
    client.recv(65_536)
    client.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
    while True:
        client.sendall(b"x" * 65_536)


@pytest.mark.parametrize(
    ("behaviour", "up", "reading", "failed"),
    [
        (answers(b'HTTP/1.0 200 OK\r\n\r\n{"board": {"t": 41.5}}'), True, 41.5, None),
        (answers(b'HTTP/1.0 200 OK\r\n\r\n{"board": {"t": "warm"}}'), True, None, FailureKind.PROTOCOL_ERROR),
        (answers(b"HTTP/1.0 200 OK\r\n\r\n<html>"), True, None, FailureKind.PROTOCOL_ERROR),
        (answers(b"HTTP/1.0 500 Oh\r\n\r\n"), True, None, FailureKind.HTTP_STATUS),
        (answers(b"HTTP/1.0 200 OK\r\n\r\n" + b"[" * 100_000), True, None, FailureKind.PROTOCOL_ERROR),
        (answers(b"what?\r\n\r\n"), True, None, FailureKind.PROTOCOL_ERROR),
        (endless_body, True, None, FailureKind.PROTOCOL_ERROR),
    ],
)
def test_web_pages(
    tmp_path: Path, behaviour: object, up: bool, reading: float | None, failed: FailureKind | None
) -> None:
    with server(behaviour) as port:  # type: ignore[arg-type]
        (tmp_path / "box.toml").write_text(PAGE.format(port=port), encoding="utf-8")
        (seen,) = polled(DeviceSpec("w", "127.0.0.1", "box"), folder=tmp_path)
    assert seen.up is up, seen
    assert seen.readings.get("temperature_celsius") == reading
    actual = seen.failed.get("temperature_celsius")
    assert (actual.kind if actual else None) is failed


@pytest.mark.parametrize(
    "answer",
    [
        lambda data: os.urandom(60),
        lambda data: data[: len(data) // 2],
        lambda data: data,
        lambda data: b"\x30\x84\xff\xff\xff\xff\x02\x01\x01",
        lambda data: b"",
    ],
    ids=["noise", "truncated", "echo", "huge length", "nothing"],
)
def test_snmp_agents_that_talk_nonsense_never_hold_up_a_healthy_one(tmp_path: Path, answer: object) -> None:
    with snmpd(tmp_path) as good, udp_server(answer) as bad:  # type: ignore[arg-type]
        broken, healthy = polled(
            DeviceSpec("bad", "127.0.0.1", "switch-generic", v2c(tmp_path, bad)),
            DeviceSpec("good", "127.0.0.1", "switch-generic", v2c(tmp_path, good)),
        )
    assert healthy.up
    assert healthy.failed == {}
    assert broken.readings == {}


def test_one_that_is_gone_a_name_nobody_knows_and_a_profile_nobody_wrote() -> None:
    gone, nameless, odd = polled(
        DeviceSpec("a", "127.0.0.1", "stream-rtsp", {}, {"url": f"rtsp://127.0.0.1:{free_port()}/1"}),
        DeviceSpec("b", "nowhere.invalid", "web-http"),
        DeviceSpec("c", "127.0.0.1", "toaster"),
    )
    kinds = [each.failure.kind if each.failure else None for each in (gone, nameless, odd)]
    assert kinds[0] is FailureKind.CONNECTION_REFUSED
    assert kinds[1] in (FailureKind.NAME_NOT_FOUND, FailureKind.NAME_SERVER_FAILED)
    assert not any(each.up for each in (gone, nameless, odd))
    assert odd.failure is not None
    assert "no such profile; known:" in odd.failure.detail


def test_a_device_that_only_echoes(tmp_path: Path) -> None:
    """A projector or a door that speaks nothing else: up when it answers ICMP."""
    text = 'title_en = "Projector"\ntitle_zh = "投影机"\nsources = ["RFC 792"]\nup_when_any = ["icmp"]\n'
    (tmp_path / "projector.toml").write_text(text, encoding="utf-8")
    (here,) = polled(DeviceSpec("a", "127.0.0.1", "projector"), folder=tmp_path)
    assert (here.up, here.failure, here.readings) == (True, None, {})


def test_a_device_that_does_not_echo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def lost(self: Pinger, interval_seconds: float, count: int) -> None:
        """Nothing goes out: whatever is sent is lost."""

    monkeypatch.setattr(Pinger, "send_every", lost)
    text = 'title_en = "Projector"\ntitle_zh = "投影机"\nsources = ["RFC 792"]\nup_when_any = ["icmp"]\n'
    (tmp_path / "projector.toml").write_text(text, encoding="utf-8")
    (away,) = polled(DeviceSpec("b", "127.0.0.1", "projector"), folder=tmp_path)
    assert not away.up
    assert away.failure is not None
    assert away.failure.kind is FailureKind.TIMEOUT
