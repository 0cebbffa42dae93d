"""ONVIF answers as devices write them, and what is read of them; clocks, long lists, HTTPS, and calls that a device has not."""

import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campus_agent.measure.equipment import onvif
from campus_agent.measure.equipment.camera import CALL_SECONDS
from campus_agent.measure.equipment.task import DeviceSeen, DeviceSpec
from campus_agent.measure.equipment.xmltree import TreeReader, XmlRefused, parse
from tests.agent.measure.equipment.peers import server
from tests.agent.measure.equipment.test_onvif import kinds, spec
from tests.agent.measure.equipment.test_poll import polled
from tests.fakes.certificates import Authority
from tests.fakes.onvif_camera import FakeCamera, fault, http, soap

FIRMWARE = "LC-200 5.6.3 build 190923"
INFORMATION = "<tds:GetDeviceInformationResponse>{}</tds:GetDeviceInformationResponse>"


def of(camera: FakeCamera, folder: Path) -> DeviceSeen:
    with server(camera.serve) as port:
        (device,) = polled(spec(folder, port))
    return device


def body(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


HONEST = body(soap(INFORMATION.format("<tds:Model>LC-200</tds:Model><tds:FirmwareVersion>5.6.3</tds:FirmwareVersion>")))
CHINESE = body(
    soap(
        INFORMATION.format(
            "<tds:Manufacturer>\u5f55\u64ad</tds:Manufacturer><tds:Model>LC-200</tds:Model><tds:FirmwareVersion>5.6.3</tds:FirmwareVersion>"
        )
    )
)
SPELLINGS: dict[str, bytes] = {
    "honest": HONEST,
    "GBK under UTF-8": CHINESE.decode().encode("gbk"),
    "GBK, declared": CHINESE.decode().replace("UTF-8", "GB2312").encode("gbk"),
    "UTF-8 declared as GB2312": CHINESE.decode().replace("UTF-8", "gb2312").encode(),
    "UTF-16": CHINESE.decode().replace("UTF-8", "UTF-16").encode("utf-16"),
    "a mark before it": b"\xef\xbb\xbf" + HONEST,
    "blank lines before it": b"\r\n\n " + HONEST,
    "no declaration": HONEST.partition(b"?>")[2],
    "prefixes nobody declared": HONEST.replace(b'xmlns:tds="http://www.onvif.org/ver10/device/wsdl"', b""),
    "NUL at its end": HONEST + b"\0\0",
    "NUL within": HONEST.replace(b"LC-200", b"LC-\x00200"),
    "a bare &": HONEST.replace(b"<tds:Model>", b"<tds:Manufacturer>A&B & Co</tds:Manufacturer><tds:Model>"),
    "an entity nobody declared": HONEST.replace(
        b"<tds:Model>", b"<tds:Manufacturer>&nbsp;</tds:Manufacturer><tds:Model>"
    ),
    "elements without an end": HONEST.replace(b"</tds:FirmwareVersion>", b""),
    "it breaks off": HONEST.partition(b"</tds:GetDeviceInformationResponse>")[0],
    "octets after its end": HONEST + b"<junk",
    "text that is not markup": HONEST.replace(b"LC-200", b"<![CDATA[LC-200]]>"),
    "a character that is none": HONEST.replace(b"LC-200", b"LC-&#0;200"),
}


@pytest.mark.parametrize("name", SPELLINGS)
@pytest.mark.parametrize("size", [7, 100_000])
def test_what_is_legible_is_read(name: str, size: int) -> None:
    octets, reader = SPELLINGS[name], TreeReader(onvif.NEEDED)
    for start in range(0, len(octets), size):
        if reader.feed(octets[start : start + size]):
            break
    actual = onvif.identity(onvif.answer(reader.tree(), "GetDeviceInformation"))
    assert (actual.model, actual.firmware) == ("LC-200", "5.6.3")
    odd = name not in ("honest", "UTF-8 declared as GB2312", "UTF-16", "a mark before it", "blank lines before it", "no declaration",
                       "prefixes nobody declared", "NUL at its end", "octets after its end", "text that is not markup", "a character that is none")  # fmt: skip
    assert bool(reader.odd) is odd, reader.odd


def test_gbk_is_read_as_it_was_meant() -> None:
    reader = TreeReader(onvif.NEEDED)
    reader.feed(SPELLINGS["GBK under UTF-8"])
    assert onvif.identity(onvif.answer(reader.tree(), "GetDeviceInformation")).manufacturer == "\u5f55\u64ad"


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_any_octets_however_they_are_cut(pieces: list[bytes]) -> None:
    reader = TreeReader(onvif.NEEDED)
    try:
        for piece in (b"<a>", *pieces):
            reader.feed(piece)
        assert reader.tree()
    except XmlRefused:
        pass


def test_a_thousand_profiles_cost_what_is_needed_of_them() -> None:
    """A recorder of 256 channels: 3 MB, of which the tokens are kept."""
    profile = (
        '<trt:Profiles token="p{n}"><tt:Name>x</tt:Name>'
        + "<tt:VideoSourceConfiguration><tt:Bounds/></tt:VideoSourceConfiguration>" * 40
        + "</trt:Profiles>"
    )
    answer = body(
        soap(
            "<trt:GetProfilesResponse>"
            + "".join(profile.format(n=n) for n in range(1000))
            + "</trt:GetProfilesResponse>"
        )
    )
    assert len(answer) > 2_500_000
    reader = TreeReader(onvif.NEEDED, onvif.MAX_ANSWER_BYTES)
    for start in range(0, len(answer), 16_384):
        reader.feed(answer[start : start + 16_384])
    assert reader.complete
    assert onvif.profiles(onvif.answer(reader.tree(), "GetProfiles"))[:2] == ["p0", "p1"]


def stays(answer: bytes, head: bytes = b"HTTP/1.1 200 OK\r\n\r\n") -> Callable[[], bytes]:
    """An answer of a device that names no length and leaves the connection open: the fake sends it, then waits in `late`."""
    return lambda: head + answer


class Lingering(FakeCamera):
    """Keeps each connection open for a while after its answer."""

    def serve(self, client: object) -> None:  # type: ignore[override]
        """As a camera does that expects the next request there."""
        super().serve(client)  # type: ignore[arg-type]
        client.settimeout(120)  # type: ignore[attr-defined]
        client.recv(1)  # type: ignore[attr-defined]


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n",
                                  b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n", b"HTTP/1.1 200 OK\nServer: x\n\n"])  # fmt: skip
def test_an_answer_ends_where_its_xml_ends(tmp_path: Path, head: bytes) -> None:
    began = time.monotonic()
    device = of(Lingering(spoil={"GetDeviceInformation": stays(HONEST, head)}), tmp_path)
    assert device.words["firmware"] == "LC-200 5.6.3"
    assert time.monotonic() - began < 60


def test_a_camera_that_is_silent_to_its_clock_is_asked_the_rest(tmp_path: Path) -> None:
    def silent() -> bytes:
        time.sleep(CALL_SECONDS + 2)
        return b""

    one = of(FakeCamera(spoil={"GetSystemDateAndTime": silent}), tmp_path)
    assert one.up
    assert one.words["firmware"] == FIRMWARE
    assert one.failed["clock_offset_seconds"].kind == "timeout"


def test_a_slow_camera_is_not_down(tmp_path: Path) -> None:
    def slow() -> bytes:
        time.sleep(2.5)
        return http(HONEST)

    device = of(FakeCamera(spoil={"GetDeviceInformation": slow}), tmp_path)
    assert device.up
    assert device.words["firmware"] == "LC-200 5.6.3"
    assert set(kinds(device)) == {"stream_up"}, "only the stream, which this fake has not"


@pytest.mark.parametrize("answer", [lambda: http(b"oh", 500), lambda: http(b"<html>404</html>", 404), lambda: b"", lambda: http(b"\0\1")],
                         ids=["500 without SOAP", "404", "hangs up", "nonsense"])  # fmt: skip
def test_services_are_asked_for_in_the_older_way_too(tmp_path: Path, answer: Callable[[], bytes]) -> None:
    camera = FakeCamera(spoil={"GetServices": answer})
    device = of(camera, tmp_path)
    assert "GetStreamUri" in camera.asked
    assert device.readings["recording"] == 1.0


class LocalTime(FakeCamera):
    """Tells local time as UTC, and checks by true UTC."""

    def _clock(self) -> str:
        honest, self.clock_ahead_seconds = self.clock_ahead_seconds, self.clock_ahead_seconds + 8 * 3600
        try:
            return super()._clock()
        finally:
            self.clock_ahead_seconds = honest


class OwnZone(FakeCamera):
    """Tells UTC, and checks by local time."""

    def _token(self, octets: bytes) -> bool:
        honest, self.clock_ahead_seconds = self.clock_ahead_seconds, self.clock_ahead_seconds + 8 * 3600
        try:
            return super()._token(octets)
        finally:
            self.clock_ahead_seconds = honest


def no_clock() -> bytes:
    return fault("Receiver", "ActionNotSupported", "Optional Action Not Implemented", 500)


def dated() -> bytes:
    """No such call, and its Date says that it is 3000 s ahead."""
    date = (datetime.now(UTC) + timedelta(seconds=3000)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    return b"HTTP/1.1 404 No\r\nDate: " + date.encode() + b"\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("camera", "offset"),
    [
        (LocalTime(), 0.0),
        (LocalTime(clock_ahead_seconds=120), 120.0),
        (OwnZone(), 28_800.0),
        (FakeCamera(spoil={"GetSystemDateAndTime": no_clock}), None),
        (FakeCamera(clock_ahead_seconds=28_800, spoil={"GetSystemDateAndTime": no_clock}), None),
        (FakeCamera(spoil={"GetSystemDateAndTime": lambda: b""}), None),
        (FakeCamera(clock_ahead_seconds=3000, spoil={"GetSystemDateAndTime": dated}), None),
    ],
    ids=["local time as UTC", "and two minutes ahead", "checks by local time", "no clock call", "no clock call, local time", "hangs up at it", "by its Date"],
)  # fmt: skip
def test_the_clock_that_fits(tmp_path: Path, camera: FakeCamera, offset: float | None) -> None:
    device = of(camera, tmp_path)
    assert device.words.get("firmware") == FIRMWARE, device
    if offset is not None:
        assert device.readings["clock_offset_seconds"] == pytest.approx(offset, abs=3)


def wrapped(camera: FakeCamera, folder: Path) -> Callable[[object], None]:
    """The camera behind TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*Authority(folder).certificate("camera", "IP:127.0.0.1"))

    def serve(client: object) -> None:
        with context.wrap_socket(client, server_side=True) as inner:  # type: ignore[arg-type]
            camera.serve(inner)

    return serve


@pytest.mark.parametrize("profile", ["camera-onvif", "only-tls"])
def test_a_camera_that_speaks_https_only(tmp_path: Path, profile: str) -> None:
    (tmp_path / "only-tls.toml").write_text(
        'title_en = "x"\ntitle_zh = "x"\nsources = ["x"]\nup_when_any = ["onvif"]\n[onvif]\nreadings = ["firmware"]\ntls = true\n',
        encoding="utf-8",
    )
    with server(wrapped(FakeCamera(), tmp_path)) as port:
        (device,) = polled(spec(tmp_path, port, profile=profile), folder=tmp_path)
    assert device.words.get("firmware") == FIRMWARE, device


def test_a_camera_that_sends_us_to_https(tmp_path: Path) -> None:
    with server(wrapped(FakeCamera(), tmp_path)) as port:

        def moved(client: object) -> None:
            client.recv(65_536)  # type: ignore[attr-defined]
            client.sendall(http(b"", 301, f"Location: https://elsewhere.example:{port}/\r\n"))  # type: ignore[attr-defined]

        with server(moved) as plain:
            (device,) = polled(spec(tmp_path, plain))
    assert device.words.get("firmware") == FIRMWARE, device


def test_digest_is_taken_where_basic_stands_first(tmp_path: Path) -> None:
    class Both(FakeCamera):
        def serve(self, client: object) -> None:  # type: ignore[override]
            class One:
                """The socket, with both challenges in one header."""

                recv = client.recv  # type: ignore[attr-defined]

                def sendall(self, octets: bytes) -> None:
                    client.sendall(
                        octets.replace(b"WWW-Authenticate: Digest", b'WWW-Authenticate: Basic realm="cam", Digest')
                    )  # type: ignore[attr-defined]

            super().serve(One())  # type: ignore[arg-type]

    camera = Both(digest_only=True)
    device = of(camera, tmp_path)
    assert device.words["firmware"] == FIRMWARE
    assert not [head for head in camera.heads if "basic" in head.lower()]


def test_documents_that_should_not_be_read() -> None:
    for octets in (b"<!DOCTYPE a><a/>", b'<a><!ENTITY x "y"></a>', b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"):
        with pytest.raises(XmlRefused):
            parse(octets)


def test_a_port_of_letters_is_no_crash(tmp_path: Path) -> None:
    (device,) = polled(DeviceSpec("cam", "127.0.0.1", "camera-onvif", {}, {}, {"port": "1"}))
    assert not device.up
