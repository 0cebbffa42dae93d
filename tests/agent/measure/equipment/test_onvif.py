"""ONVIF without sockets (published vectors, any octets), and against a fake camera that is right, wrong, slow, or lying."""

import time
from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campus_agent.measure.equipment import onvif
from campus_agent.measure.equipment.camera import ALL_SECONDS
from campus_agent.measure.equipment.http1 import HttpError, ResponseReader, request
from campus_agent.measure.equipment.onvif import OnvifError, Token
from campus_agent.measure.equipment.task import DeviceSeen, DeviceSpec
from campus_agent.measure.equipment.xmltree import MAX_BYTES, MAX_DEPTH, XmlRefused, parse
from campus_wire.failures import FailureKind
from tests.agent.measure.equipment.peers import rtsp_source, server
from tests.agent.measure.equipment.test_poll import polled, secret
from tests.fakes.onvif_camera import PASSWORD, USER, FakeCamera, drip, fault, http, soap

GUIDE = Token(
    "admin", "userpassword", b64decode("LKqI6G/AikKCQrN0zqZFlg=="), datetime(2010, 9, 16, 7, 50, 45, tzinfo=UTC)
)
OURS = Token("a&b", "lesson-1", bytes(range(16)), datetime(2026, 11, 24, 0, 0, 5, tzinfo=UTC))


def test_the_digest_of_the_onvif_programmer_s_guide_and_one_by_openssl() -> None:
    """The first is the example of the ONVIF Application Programmer's Guide, section 6.1.1.3. The second was worked out apart from this code:

    printf '\\x00\\x01\\x02\\x03\\x04\\x05\\x06\\x07\\x08\\x09\\x0a\\x0b\\x0c\\x0d\\x0e\\x0f%s%s' 2026-11-24T00:00:05Z lesson-1 |
        openssl dgst -sha1 -binary | base64
    """
    assert GUIDE.digest == "tuOSpGlFlIXsozq4HFNeeGeFLEI="
    assert OURS.digest == "hHsLwqjhCljs83QKzXY6eoTSPXE="


def test_a_request_is_what_the_specifications_say() -> None:
    root = parse(onvif.envelope(onvif.call(onvif.MEDIA, "GetStreamUri", onvif.stream_of('a<b"&')), OURS))
    token = root.at("Header", "Security", "UsernameToken")
    assert token is not None
    assert (token.text_at("Username"), token.text_at("Created")) == ("a&b", "2026-11-24T00:00:05Z")
    assert token.text_at("Nonce") == "AAECAwQFBgcICQoLDA0ODw=="
    password = token.at("Password")
    assert password is not None
    assert password.attributes["Type"].endswith("oasis-200401-wss-username-token-profile-1.0#PasswordDigest")
    asked = root.at("Body", "GetStreamUri")
    assert asked is not None
    assert asked.text_at("ProfileToken") == 'a<b"&'
    assert asked.text_at("StreamSetup", "Transport", "Protocol") == "RTSP"
    assert "lesson-1" not in str(onvif.envelope("", OURS))


BOMB = b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><l>&b;</l>'
OUTSIDE = b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/passwd">]><l>&x;</l>'


@pytest.mark.parametrize(
    "octets",
    [
        BOMB,
        OUTSIDE,
        b'<!DOCTYPE l SYSTEM "http://192.0.2.1/x.dtd"><l/>',
        BOMB.decode().replace("<?xml version=\"1.0\"?>", '<?xml version="1.0" encoding="utf-16"?>').encode("utf-16"),
        b"<a>" * (MAX_DEPTH + 1),
        b"<a>" + b"<b/>" * 6000 + b"</a>",
        b"<a " + b" ".join(b'k%d="v"' % n for n in range(60)) + b"/>",
        b"<a>" + b" " * MAX_BYTES + b"</a>",
        b"<a",
        b"",
    ],
)  # fmt: skip
def test_xml_that_should_not_be_read(octets: bytes) -> None:
    with pytest.raises(XmlRefused):
        parse(octets)


@given(st.binary(max_size=200))
def test_any_octets_are_a_tree_or_refused(octets: bytes) -> None:
    for each in (octets, b"<a>" + octets + b"</a>"):
        try:
            assert parse(each).name
        except XmlRefused:
            pass


READERS = (
    onvif.utc,
    onvif.identity,
    onvif.services,
    onvif.capabilities,
    onvif.profiles,
    onvif.jobs,
    onvif.job_state,
    partial(onvif.stream_uri, host="10.0.1.7"),
)
NAMES = st.sampled_from(
    ["SystemDateAndTime", "UTCDateTime", "Date", "Time", "Year", "Month", "Day", "Hour", "Model", "Service", "XAddr", "Namespace",
     "Capabilities", "Media", "Profiles", "MediaUri", "Uri", "State", "JobItem", "JobToken"]
)  # fmt: skip


@settings(deadline=None)
@given(
    st.recursive(
        st.text(alphabet="0123456789/:abc[]rtsp", max_size=12),
        lambda inner: st.lists(st.tuples(NAMES, inner), max_size=4),
    )
)
def test_any_answer_is_read_or_refused(content: object) -> None:
    def written(element: object) -> str:
        return (
            element
            if isinstance(element, str)
            else "".join(f"<{name}>{written(inner)}</{name}>" for name, inner in element)
        )  # type: ignore[attr-defined]

    tree = parse(f"<r>{written(content)}</r>".encode())
    for read in READERS:
        try:
            read(tree)  # type: ignore[operator]
        except OnvifError:
            pass


def clock(year: str, month: str = "11", second: str = "5") -> datetime:
    date = f"<Date><Year>{year}</Year><Month>{month}</Month><Day>24</Day></Date>"
    time_of_day = f"<Time><Hour>8</Hour><Minute>0</Minute><Second>{second}</Second></Time>"
    told = f"<r><SystemDateAndTime><UTCDateTime>{time_of_day}{date}</UTCDateTime></SystemDateAndTime></r>"
    return onvif.utc(parse(told.encode()))


def test_clocks_that_are_wrong_and_clocks_that_are_none() -> None:
    assert clock("1970") == datetime(1970, 11, 24, 8, 0, 5, tzinfo=UTC)
    assert clock("2026", second="60").second == 59  # a leap second
    for year, month in (("9999", "11"), ("0", "11"), ("2026", "13"), ("", "11"), ("-1", "11"), ("٢٠٢٦", "11")):
        with pytest.raises(OnvifError):
            clock(year, month)


def uri(text: str, host: str = "10.0.1.7") -> str:
    return onvif.stream_uri(parse(f"<r><MediaUri><Uri>{text}</Uri></MediaUri></r>".encode()), host)


def test_a_stream_s_address_stays_on_the_device() -> None:
    assert uri("rtsp://192.168.1.64:8554/h264?a=1&amp;b=2") == "rtsp://10.0.1.7:8554/h264?a=1&b=2"
    assert uri("rtsp://admin:guess@evil.example/x", "fe80::1") == "rtsp://[fe80::1]/x"
    for bad in (
        "http://10.0.1.7/x",
        "rtsp://x:99999/",
        "rtsp://x:0/",
        "rtsp://x/a b",
        "",
        "rtsp://[::/",
        "rtsp://x/" + "a" * 2000,
    ):
        with pytest.raises(OnvifError):
            uri(bad)


def test_a_service_s_address_is_only_a_path() -> None:
    listed = "".join(
        f"<Service><Namespace>{space}</Namespace><XAddr>{address}</XAddr></Service>"
        for space, address in (
            (onvif.MEDIA, "http://evil.example:8080/onvif/Media?x=1"),
            (onvif.RECORDING, "ftp:nonsense"),
        )
    )
    assert onvif.services(parse(f"<r>{listed}</r>".encode())) == onvif.Services("/onvif/Media?x=1", None)


@pytest.mark.parametrize(
    ("states", "expected"),
    [([], None), (["Idle"], 0.0), (["Idle", "Active"], 1.0), (["PartiallyActive"], 1.0), (["Error"], 0.0)],
)
def test_no_job_is_not_no_recording(states: list[str], expected: float | None) -> None:
    assert onvif.recording(states) == expected


STRICT_READERS_REFUSE = {
    "blank lines before": b"\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n" + b'{"a":1}',
    "a header without a colon": b"HTTP/1.1 200 OK\r\nServer Boa\r\nContent-Length: 7\r\n\r\n" + b'{"a":1}',
    "a blank before the colon": b"HTTP/1.1 200 OK\r\nContent-Length : 7\r\n\r\n" + b'{"a":1}',
    "a blank in a name": b"HTTP/1.1 200 OK\r\nX Powered By: x\r\nContent-Length: 7\r\n\r\n" + b'{"a":1}',
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nContent-Length: 9\r\n\r\n" + b'{"a":1}',
    "no length after its name": b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n" + b'{"a":1}',
    "characters for octets": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n" + b'{"a":1}',
    "less than announced": b"HTTP/1.1 200 OK\r\nContent-Length: 70\r\n\r\n" + b'{"a":1}',
    "two encodings": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity, chunked\r\n\r\n7\r\n" + b'{"a":1}\r\n0\r\n\r\n',
    "no end of the last chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n" + b'{"a":1}\r\n0\r\n',
    "NUL in a header": b"HTTP/1.1 200 OK\r\nServer: a\x00\r\nContent-Length: 7\r\n\r\n" + b'{"a":1}',
}


@pytest.mark.parametrize("octets", STRICT_READERS_REFUSE.values(), ids=STRICT_READERS_REFUSE.keys())
def test_a_body_is_read_as_it_comes_from_answers_that_a_strict_reader_refuses(octets: bytes) -> None:
    """Why this is not h11, which refuses each of them."""
    body = bytearray()
    reader = ResponseReader(lambda piece: bool(body.extend(piece)))
    response = reader.feed(octets) or reader.end()
    assert response is not None
    assert (response.status, bytes(body)) == (200, b'{"a":1}')


WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"


@given(st.sampled_from([WHOLE, CHUNKED]), st.integers(1, 9))
def test_an_http_answer_however_it_is_cut(octets: bytes, size: int) -> None:
    reader = ResponseReader()
    answers = [reader.feed(octets[start : start + size]) for start in range(0, len(octets), size)]
    actual = next(answer for answer in answers if answer is not None)
    assert (actual.status, actual.body) == (200, b"hello")


@pytest.mark.parametrize(
    "octets",
    [
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 20_000,
        b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 300,
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"RTSP/1.0 200 OK\r\n\r\n",
        b"HTTP/1.1 2\xc2\xb20 OK\r\n\r\n",
    ],
)
def test_http_that_is_refused(octets: bytes) -> None:
    with pytest.raises(HttpError):
        ResponseReader().feed(octets)


@given(st.binary(max_size=200))
def test_any_octets_are_an_http_answer_or_one_clear_error(octets: bytes) -> None:
    for each in (octets, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + octets):
        reader = ResponseReader()
        try:
            if reader.feed(each) is None:
                reader.end()
        except HttpError:
            pass


def test_a_request_cannot_be_split() -> None:
    with pytest.raises(HttpError):
        request("POST", "x", "/a\r\nX: y", {})


def spec(folder: Path, port: int, password: str = PASSWORD, profile: str = "camera-onvif") -> DeviceSpec:
    login = {"port": str(port), "user": USER, "password_file": secret(folder, f"camera-{password[:5]}", password)}
    return DeviceSpec("cam", "127.0.0.1", profile, {}, {}, login)


def kinds(seen: DeviceSeen) -> dict[str, FailureKind]:
    return {name: why.kind for name, why in seen.failed.items()}


@pytest.mark.parametrize("mode", ["token", "digest", "old", "guarded"])
def test_a_good_camera(tmp_path: Path, mode: str) -> None:
    """By token, by HTTP Digest, without GetServices, and one that wants a password even for its clock."""
    with rtsp_source() as url:
        camera = FakeCamera(
            url.replace("127.0.0.1", "192.168.1.64"),
            digest_only=mode == "digest",
            services=mode != "old",
            guards_clock=mode == "guarded",
        )
        with server(camera.serve) as port:
            (seen,) = polled(spec(tmp_path, port))
    assert seen.up, seen
    assert seen.failed == {}
    assert seen.words == {"firmware": "LC-200 5.6.3 build 190923", "codec": "H264+PCMU"}
    assert abs(seen.readings["clock_offset_seconds"]) < 3
    assert (seen.readings["recording"], seen.readings["stream_up"]) == (1.0, 1.0)
    assert seen.readings["stream_bits_per_second"] > 300e3
    assert seen.remarks == []
    assert not [head for head in camera.heads if "basic" in head.lower()], "a password is never sent"


@pytest.mark.parametrize("digest_only", [False, True])
def test_a_wrong_password_is_not_a_camera_that_is_down(tmp_path: Path, digest_only: bool) -> None:
    with server(FakeCamera(digest_only=digest_only).serve) as port:
        (seen,) = polled(spec(tmp_path, port, "guess"))
    assert seen.up
    assert abs(seen.readings["clock_offset_seconds"]) < 3
    assert kinds(seen) == dict.fromkeys(("firmware", "recording", "stream_up"), FailureKind.NOT_AUTHORISED)
    assert set(seen.readings) == {"clock_offset_seconds"}, "what was not learnt is not zero"


def test_a_clock_nine_hours_off_is_one_remark_and_no_reason_to_be_refused(tmp_path: Path) -> None:
    with rtsp_source() as url, server(FakeCamera(url, clock_ahead_seconds=9 * 3600).serve) as port:
        (seen,) = polled(spec(tmp_path, port))
    assert seen.up
    assert seen.failed == {}
    assert seen.readings["clock_offset_seconds"] == pytest.approx(32_400, abs=3)
    assert [remark.split()[0] for remark in seen.remarks] == ["clock_offset_seconds"]


@pytest.mark.parametrize(
    ("recording", "expected"), [(None, None), ("Idle", 0.0), ("Error", 0.0), ("PartiallyActive", 1.0)]
)
def test_recording_is_told_or_absent(tmp_path: Path, recording: str | None, expected: float | None) -> None:
    with server(FakeCamera(recording=recording).serve) as port:
        (seen,) = polled(spec(tmp_path, port))
    assert seen.readings.get("recording") == expected
    assert "recording" not in seen.failed
    assert seen.readings["stream_up"] == 0.0
    assert seen.failed["stream_up"].kind is FailureKind.CONNECTION_REFUSED


def only_silence() -> bytes:
    time.sleep(20)
    return b""


@pytest.mark.parametrize(
    ("operation", "octets", "kind", "hit"),
    [
        ("GetDeviceInformation", lambda: fault("Receiver", "Action", "out of order", 500), FailureKind.PROTOCOL_ERROR, {"firmware"}),
        ("GetDeviceInformation", lambda: http(BOMB), FailureKind.PROTOCOL_ERROR, {"firmware"}),
        ("GetDeviceInformation", lambda: http(OUTSIDE), FailureKind.PROTOCOL_ERROR, {"firmware"}),
        ("GetDeviceInformation", lambda: http(b"<html>router</html>"), FailureKind.PROTOCOL_ERROR, {"firmware"}),
        ("GetDeviceInformation", lambda: http(b"\x00\x01"), FailureKind.PROTOCOL_ERROR, {"firmware"}),
        ("GetDeviceInformation", lambda: http(b"oh", 500), FailureKind.HTTP_STATUS, {"firmware"}),
        ("GetDeviceInformation", lambda: soap("<x/>"), FailureKind.PROTOCOL_ERROR, {"firmware"}),
        ("GetDeviceInformation", lambda: http(b"<l/>", 200)[:-1], FailureKind.PROTOCOL_ERROR, {"firmware"}),
        ("GetSystemDateAndTime", lambda: soap("<tds:GetSystemDateAndTimeResponse/>"), FailureKind.PROTOCOL_ERROR, {"clock_offset_seconds"}),
        ("GetStreamUri", lambda: soap("<trt:GetStreamUriResponse/>"), FailureKind.PROTOCOL_ERROR, {"stream_up"}),
        ("GetRecordingJobState", lambda: fault("Sender", "InvalidArgVal", "?"), FailureKind.PROTOCOL_ERROR, {"recording"}),
        ("GetRecordingJobs", only_silence, FailureKind.TIMEOUT, {"recording", "stream_up"}),
    ],
)  # fmt: skip
def test_one_bad_answer_is_one_failed_reading(
    tmp_path: Path, operation: str, octets: Callable[[], bytes], kind: FailureKind, hit: set[str]
) -> None:
    began = time.monotonic()
    with server(FakeCamera(spoil={operation: octets}).serve) as port:
        (seen,) = polled(spec(tmp_path, port))
    assert time.monotonic() - began < 60
    assert seen.up
    actual = kinds(seen)
    assert {name for name, each in actual.items() if each is kind} == hit, actual
    rest = {"stream_up": FailureKind.CONNECTION_REFUSED} if "stream_up" not in hit else {}
    assert {name: each for name, each in actual.items() if name not in hit} == rest, "the others came"


def endless(client: object) -> None:
    client.recv(65_536)  # type: ignore[attr-defined]
    client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")  # type: ignore[attr-defined]
    while True:
        client.sendall(b"<a>" * 20_000)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("behaviour", "up", "kind"),
    [
        (endless, True, FailureKind.PROTOCOL_ERROR),
        (drip, False, FailureKind.TIMEOUT),
        (partial(drip, octets=b"HTTP/1.1 200 OK\r\n\r\n<a>"), True, FailureKind.TIMEOUT),  # it speaks, if slowly
        (lambda client: client.recv(65_536) and None, False, FailureKind.CONNECTION_RESET),
    ],
    ids=["body without end", "headers that drip", "a body that drips", "hangs up"],
)
def test_hostile_cameras_cost_bounded_time_and_no_other_device(
    tmp_path: Path, behaviour: object, up: bool, kind: FailureKind
) -> None:
    began = time.monotonic()
    with server(behaviour) as bad, server(FakeCamera().serve) as good:  # type: ignore[arg-type]
        broken, healthy = polled(spec(tmp_path, bad), spec(tmp_path, good))
    assert time.monotonic() - began < ALL_SECONDS + 60
    assert healthy.up
    assert healthy.words["firmware"] == "LC-200 5.6.3 build 190923"
    assert broken.up is up
    actual = set(kinds(broken).values()) if up else {broken.failure.kind if broken.failure else None}
    assert actual == {kind}


@pytest.mark.parametrize("way", ["redirect", "service", "stream"])
def test_no_answer_sends_us_to_another_host(tmp_path: Path, way: str) -> None:
    """Another host is another port here, since a test has loopback only: nothing may arrive at it."""
    visits: list[object] = []
    with server(lambda client: visits.append(client.recv(100))) as trap:
        elsewhere = f"http://localhost:{trap}"
        moved = http(b"", 302, f"Location: {elsewhere}/onvif/device_service\r\n")
        camera = FakeCamera(
            stream=f"rtsp://localhost:{trap}/x" if way == "stream" else "rtsp://127.0.0.1:1/x",
            address=elsewhere if way == "service" else "http://192.0.2.7",
            spoil={"GetDeviceInformation": lambda: moved} if way == "redirect" else {},
        )
        with server(camera.serve) as port:
            (seen,) = polled(spec(tmp_path, port))
    assert seen.up
    if way == "redirect":
        assert seen.failed["firmware"].kind is FailureKind.HTTP_STATUS
    if way == "stream":  # the device's own address, at the port it names: its own affair
        assert seen.failed["stream_up"].kind is FailureKind.CONNECTION_RESET
    else:
        assert visits == []
        assert camera.asked[-2:] == ["GetProfiles", "GetStreamUri"]


def test_without_a_user_only_the_clock_is_told(tmp_path: Path) -> None:
    with server(FakeCamera().serve) as port:
        (seen,) = polled(DeviceSpec("cam", "127.0.0.1", "camera-onvif", {}, {}, {"port": str(port)}))
    assert seen.up
    assert set(seen.readings) == {"clock_offset_seconds"}
    assert set(kinds(seen).values()) == {FailureKind.NOT_AUTHORISED}
