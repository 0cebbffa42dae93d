"""Streams of devices that speak RTSP in their own way: each row is a way that was met, and what a player hears of it."""

import contextlib
import hashlib
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from campus_agent.measure.equipment.sdp import base_of, describe
from campus_agent.measure.equipment.task import DeviceSeen, DeviceSpec
from campus_wire.failures import FailureKind
from tests.agent.measure.equipment.peers import server
from tests.agent.measure.equipment.test_poll import polled, secret
from tests.fakes.rtsp_device import PICTURE, SESSION, SOUND, Asked, RtspDevice

PASSWORD = "lesson-stream"


def listened(device: RtspDevice, path: str = "/live", login: dict[str, str] | None = None) -> DeviceSeen:
    """The device polled at this path."""
    return together({"": (device, path)}, login)[""]


def together(devices: dict[str, tuple[RtspDevice, str]], login: dict[str, str] | None = None) -> dict[str, DeviceSeen]:
    """Devices polled at their paths, at once; `{root}` in what one says and knows is its own scheme, host and port."""
    with contextlib.ExitStack() as stack:
        specs = []
        for name, (device, path) in devices.items():
            root = f"rtsp://127.0.0.1:{stack.enter_context(server(device.serve))}"
            device.known = tuple(each.replace("{root}", root) for each in device.known)
            device.base = device.base.replace("{root}", root) if device.base is not None else None
            device.description = device.description.replace("{root}", root)
            specs.append(DeviceSpec(name, "127.0.0.1", "stream-rtsp", {}, {"url": root + path} | (login or {})))
        return {each.id: each for each in polled(*specs)}


def camera(**odd: object) -> RtspDevice:
    """One picture at /live/t, odd in one way."""
    return RtspDevice(SESSION + PICTURE.format(control="t"), ("{root}/live/t",), **odd)  # type: ignore[arg-type]


def flows(seen: DeviceSeen) -> bool:
    return seen.up and seen.readings.get("stream_up") == 1.0 and seen.failure is None


ADDRESSES = [
    # what is asked, Content-Base, control, what the device knows
    ("/cam/realmonitor?channel=1&subtype=0", None, "trackID=0", "{root}/cam/realmonitor?channel=1&subtype=0/trackID=0"),
    ("/cam/realmonitor?channel=1&subtype=1", "{root}/cam/realmonitor?channel=1&subtype=1/", "trackID=0",
     "{root}/cam/realmonitor?channel=1&subtype=1/trackID=0"),
    ("/Streaming/Channels/101?transportmode=unicast", "{root}/Streaming/Channels/101/", "trackID=1", "{root}/Streaming/Channels/101/trackID=1"),
    ("/media/video1", None, "{root}/media/video1/video", "{root}/media/video1/video"),
    ("/live", "{root}/live", "track1", "{root}/live/track1"),
    ("/live", None, "?ctype=video", "{root}/live?ctype=video"),
    ("/live", None, "/live/track1", "{root}/live/track1"),
    ("/live", None, "rtsp://192.168.1.108/live/track1", "{root}/live/track1"),
    ("/live", None, "*", "{root}/live"),
    ("/live", "rtsp://rtsp://127.0.0.1/other/", "t", "rtsp://127.0.0.1/other/t"),
    ("/live", "RTSP://127.0.0.1/live/", "t", "rtsp://127.0.0.1/live/t"),
    ("/live", "/live/", "t", "{root}/live/t"),
    ("/live", "rtsp:///live/", "t", "{root}/live/t"),
    ("/live", "rtsp://[::1/live/", "t", "{root}/live/t"),
    ("/live", "rtsp://[", "t", "{root}/live/t"),
    ("/live", "nonsense", "t", "{root}/live/t"),
]  # fmt: skip


def test_addresses_are_put_together_as_players_do() -> None:
    devices = {
        f"{path} {base} {control}": (RtspDevice(SESSION + PICTURE.format(control=control), (known,), base), path)
        for path, base, control, known in ADDRESSES
    }
    seen = together(devices)
    assert {name: devices[name][0].set_up() for name, each in seen.items() if not flows(each)} == {}


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("rtsp://::ffff:10.0.1.9/live/", "rtsp://[::ffff:10.0.1.9]/live/"),
        ("rtsp://::ffff:10.0.1.9:8554/live/", "rtsp://[::ffff:10.0.1.9]:8554/live/"),
        ("rtsp://fe80::1/live/", "rtsp://[fe80::1]/live/"),
        ("10.0.1.9:554/live/", "rtsp://10.0.1.9:554/live/"),
        ("rtsp://10.0.1.9:99999/live/", "rtsp://10.0.1.50:554/live/"),
        ("rtsp://(null)/live/", "rtsp://10.0.1.50:554/live/"),
        ("rtsp://admin:pw@10.0.1.9/live/", "rtsp://10.0.1.9/live/"),
        ("", "rtsp://10.0.1.50:554/1"),
        ("rtsp://" + "9" * 5000 + "/", "rtsp://10.0.1.50:554/"),
    ],
)
def test_a_base_is_mended_or_left(text: str, right: str) -> None:
    assert base_of(text, "rtsp://10.0.1.50:554/1") == right


BACK = SOUND + "a=sendonly\r\n"
DATA = "m=application 0 RTP/AVP 107\r\na=rtpmap:107 vnd.onvif.metadata/90000\r\na=control:meta\r\n"
UNNAMED = "m=video 0 RTP/AVP\r\na=control:odd\r\na=rtpmap:26 JPEG/90000\r\n"


REFUSALS = ("404 Not Found", "415 Unsupported Media Type", "453 Not Enough Bandwidth", "500 Oh", "hangs up")


def test_sound_that_cannot_be_had_is_told_beside_the_picture() -> None:
    def own(status: str, asked: Asked) -> bytes | None:
        if asked.method == "SETUP" and asked.address.endswith("sound"):
            return b"" if status == "hangs up" else asked.reply(status)
        return None

    text = SESSION + SOUND.format(control="sound") + PICTURE.format(control="t") + DATA + BACK.format(control="back")
    devices = {
        refusal: (RtspDevice(text, ("{root}/live/t",), own=partial(own, refusal)), "/live") for refusal in REFUSALS
    }
    for status, seen in together(devices).items():
        assert flows(seen), (status, seen)
        assert seen.words["codec"] == "H264"
        assert any(remark.startswith("stream: ") and "SETUP" in remark for remark in seen.remarks)
        assert not [each for each in devices[status][0].set_up() if each.endswith(("back", "meta"))]


def test_a_device_that_marks_everything_sendonly_speaks_of_itself() -> None:
    text = SESSION + "a=sendonly\r\n" + PICTURE.format(control="t") + SOUND.format(control="sound")
    seen = listened(RtspDevice(text, ("{root}/live/t", "{root}/live/sound")), "/live")
    assert flows(seen)
    assert seen.words["codec"] == "H264+PCMA"


@pytest.mark.parametrize(
    "odd",
    [UNNAMED, "m=\r\na=control:odd\r\n", "m=audio 0 RTP/AVP \u00b2\r\na=control:odd\r\na=rtpmap:\u00b2 X/\u00b2\r\n"],
)
def test_attributes_of_a_medium_that_is_not_understood_are_its_own(odd: str) -> None:
    actual = describe(SESSION + PICTURE.format(control="t") + odd, "rtsp://x.y/", "rtsp://x.y/").media[0]
    assert (actual.codec, actual.payload_type, actual.control) == ("H264", 96, "rtsp://x.y/t")


@pytest.mark.parametrize(
    ("medium", "rtpmap", "codec", "clock_rate"),
    [
        ("m=video 0 RTP/AVP 96", "96 H264/0", "H264", 90_000),
        ("m=video 0 RTP/AVP 96", "96 H264", "H264", 90_000),
        ("m=video 0 RTP/AVP 96", "96 H265/", "H265", 90_000),
        ("m=video 0 RTP/AVP 96", "96 H264/99999999999", "H264", 90_000),
        ("m=video 0 RTP/AVP 96", "96 H264/-1", "H264", 90_000),
        ("m=video 0 RTP/AVP 96", "96 H264/\uff19\uff10", "H264", 90_000),
        ("m=video 0 RTP/AVP 96", "96\tH264/90000", "H264", 90_000),
        ("m=video 0 RTP/AVP 96", " 96  H264 / 90000", "H264", 90_000),
        ("m=video 0 RTP/AVP 26", "26 /0", "JPEG", 90_000),
        ("m=video 0 RTP/AVP 96", "97 H264/90000", "", 90_000),
        ("m=audio 0 RTP/AVP 97", "97 opus/0/2", "opus", 48_000),
        ("m=audio 0 RTP/AVP 97", "97 PCMA/0", "PCMA", 8000),
        ("m=audio 0 RTP/AVP 8", "8 PCMA/0", "PCMA", 8000),
        ("m=audio 0 RTP/AVP 97", "97 MPEG4-GENERIC/16000/1", "MPEG4-GENERIC", 16_000),
    ],
)
def test_a_format_keeps_its_name_whatever_its_rate(medium: str, rtpmap: str, codec: str, clock_rate: int) -> None:
    text = f"{SESSION}{medium}\r\na=rtpmap:{rtpmap}\r\na=control:t\r\n"
    (media,) = describe(text, "rtsp://x.y/", "rtsp://x.y/").media
    assert (media.codec, media.clock_rate) == (codec, clock_rate)


def test_a_picture_without_a_rate_is_listened_to_by_its_name() -> None:
    text = SESSION + PICTURE.format(control="t").replace("H264/90000", "H264/0")
    seen = listened(RtspDevice(text, ("{root}/live/t",)))
    assert flows(seen)
    assert seen.words["codec"] == "H264"


def test_a_description_in_another_encoding_is_a_failure_that_names_it() -> None:
    def described(encoding: str, asked: Asked) -> bytes | None:
        body = (SESSION + PICTURE.format(control="t")).encode(encoding)
        return asked.reply(body=body, Content_Type="application/sdp") if asked.method == "DESCRIBE" else None

    named = {"utf-16": "UTF-16", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16", "utf-32": "UTF-32"}
    devices = {name: (RtspDevice("", (), own=partial(described, name)), "/live") for name in named}
    for name, seen in together(devices).items():
        assert seen.up, "it spoke"
        failure = seen.failed["stream_up"]
        assert failure.kind is FailureKind.PROTOCOL_ERROR
        assert failure.detail == f"the description is {named[name]} text instead of UTF-8"


BETWEEN: dict[str, Callable[[int], bytes]] = {
    "stray octets": lambda number: bytes(range(200)) if number % 20 == 5 else b"",
    "remains that look like a packet": lambda number: b"$\x00\xff\xff" + b"\x01" * 40 if number == 8 else b"",
    "dollars": lambda number: b"$" * 99 if number == 8 else b"",
    "blank lines": lambda number: b"\r\n" if number % 2 else b"",
    "a request": lambda number: b"OPTIONS * RTSP/1.0\r\nCSeq: 77\r\n\r\n" if number == 8 else b"",
    "a request with a body": lambda number: (
        b"SET_PARAMETER rtsp://x RTSP/1.0\r\nCSeq: 3\r\nContent-Length: 4\r\n\r\na: b" if number == 8 else b""
    ),
    "an answer nobody asked for": lambda number: b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n" if number == 8 else b"",
}


def test_what_stands_between_packets_is_passed_over() -> None:
    devices = {name: (camera(between=between), "/live") for name, between in BETWEEN.items()}
    for name, seen in together(devices).items():
        assert flows(seen), (name, seen)
        assert seen.readings["stream_loss_ratio"] < 0.1
        replies = [each.address for each in devices[name][0].asked if each.method == "reply"]
        assert len(replies) == (1 if "request" in name else 0), name


def described(length: str | None, asked: Asked) -> bytes | None:
    """The description with this length, or with none."""
    if asked.method != "DESCRIBE":
        return None
    head = f"Content-Length: {length}\r\n" if length else ""
    body = SESSION + PICTURE.format(control="t")
    return f"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Type: application/sdp\r\n{head}\r\n{body}".encode()


ODD = {
    "a blank line after the description": camera(after_sdp=b"\r\n"),
    "NUL after the description": camera(after_sdp=b"\0" * 30),
    "more of the description than was announced": camera(after_sdp=b"m=more\r\n"),
    "a description without a length": camera(own=partial(described, None)),
    "a description shorter than its length": camera(own=partial(described, "9999")),
    "it hangs up after its packets": camera(packets=30, leaves=True),
    "what is live has no beginning for it": camera(
        own=lambda asked: (
            asked.reply("457 Invalid Range") if asked.method == "PLAY" and "range" in asked.headers else None
        )
    ),
    "lines end without a carriage return": camera(
        own=lambda asked: b"RTSP/1.0 200 OK\nPublic: OPTIONS\n\n" if asked.method == "OPTIONS" else None
    ),
}


def test_odd_ways_to_say_the_same() -> None:
    seen = together({name: (device, "/live") for name, device in ODD.items()})
    assert {name: each for name, each in seen.items() if not flows(each)} == {}


def test_the_first_session_holds() -> None:
    text = SESSION + PICTURE.format(control="t") + SOUND.format(control="sound")
    device = RtspDevice(text, ("{root}/live/t", "{root}/live/sound"), session=lambda number: f"session-{number}")
    assert flows(listened(device, "/live"))


def md5(text: str) -> str:
    return hashlib.md5(text.encode("utf-8", "surrogateescape")).hexdigest()


def proved(asked: Asked, nonce: str, realm: str) -> bool:
    given = {
        name: (quoted or plain).strip('"')
        for name, quoted, plain in re.findall(r'(\w+)=(?:("[^"]*")|([^, ]+))', asked.headers.get("authorization", ""))
    }
    if not asked.headers.get("authorization", "").startswith("Digest") or given["nonce"] != nonce:
        return False
    middle = f":{given['nc']}:{given['cnonce']}:auth" if "qop" in given else ""
    first, action = md5(f"monitor:{realm}:{PASSWORD}"), md5(f"{asked.method}:{given['uri']}")
    return given["response"] == md5(f"{first}:{nonce}{middle}:{action}")


def guarded(challenge: str, realm: str, tail: str, asked: Asked) -> bytes | None:
    """Wants Digest for everything, tells so in these words, and perhaps hangs up."""
    if asked.method == "OPTIONS" or proved(asked, "n1", realm):
        return None
    return f"RTSP/1.0 401 Unauthorized\r\nCSeq: {asked.headers['cseq']} \r\n{challenge}{tail}\r\n".encode(
        "utf-8", "surrogateescape"
    )


GBK = "\u5f55\u64ad".encode("gbk").decode("utf-8", "surrogateescape")
CHALLENGES = [
    ('WWW-Authenticate: Basic realm="R", Digest realm="R", nonce="n1"\r\n', "R"),
    ('WWW-Authenticate: Digest realm="R", nonce="n1", qop="auth", Basic realm="R"\r\n', "R"),
    ('WWW-Authenticate: Basic realm="R"\r\nwww-authenticate: digest realm="R",nonce="n1",algorithm=md5\r\n', "R"),
    (
        'WWW-Authenticate: Digest realm="R", nonce="n1", algorithm=SHA-256\r\nWWW-Authenticate: Digest realm="R", nonce="n1"\r\n',
        "R",
    ),
    (f'WWW-Authenticate: Digest realm="{GBK}", nonce="n1"\r\n', GBK),
    ('WWW-Authenticate: Digest realm="a, Basic b", nonce="n1", stale=FALSE\r\n', "a, Basic b"),
]


def test_digest_wherever_it_is_offered_and_never_the_password(tmp_path: Path) -> None:
    """Also by one that hangs up after asking: that is answered once, on a new connection."""
    devices = {}
    for challenge, realm in CHALLENGES:
        for tail in ("", "Connection: close\r\n") if "SHA" not in challenge else ("",):
            devices[ascii(challenge + tail)] = (camera(own=partial(guarded, challenge, realm, tail)), "/live")
    seen = together(devices, {"user": "monitor", "password_file": secret(tmp_path, "stream", PASSWORD)})
    assert {name: each for name, each in seen.items() if not flows(each)} == {}
    for device, _ in devices.values():
        assert not [each for each in device.asked if each.headers.get("authorization", "").lower().startswith("basic")]


@pytest.mark.parametrize(
    "answer", [b"RTSP/1.0 401 No\r\n\r\n", b"RTSP/1.0 200 OK\r\n", b"SSH-2.0-x\r\n", b"\x15\x03\x01\x00\x02\x02\x46"]
)
def test_a_device_that_spoke_is_up(answer: bytes) -> None:
    def says(client: object) -> None:
        client.recv(1000)  # type: ignore[attr-defined]
        client.sendall(answer)  # type: ignore[attr-defined]

    with server(says) as port:
        (seen,) = polled(DeviceSpec("s", "127.0.0.1", "stream-rtsp", {}, {"url": f"rtsp://127.0.0.1:{port}/live"}))
    assert seen.up, seen
    assert seen.readings["stream_up"] == 0.0


def test_a_device_that_said_nothing_is_down() -> None:
    with server(lambda client: client.recv(1000) and None) as port:
        (seen,) = polled(DeviceSpec("s", "127.0.0.1", "stream-rtsp", {}, {"url": f"rtsp://127.0.0.1:{port}/live"}))
    assert not seen.up
    assert seen.failure is not None
    assert seen.failure.kind is FailureKind.CONNECTION_RESET
