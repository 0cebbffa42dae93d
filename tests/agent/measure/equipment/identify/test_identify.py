"""Unknown devices: which profile fits, and what the draft says; by net-snmp's agent, GStreamer's server, a walk, a capture."""

import json
import warnings
from pathlib import Path

import pytest

from campus_agent.cli.main import main
from campus_agent.cli.profiles import line_of
from campus_agent.measure.equipment.identify.ask import without_passwords
from campus_agent.measure.equipment.identify.capture import Segment, evidence_of, streams
from campus_agent.measure.equipment.identify.walk import MAX_WALK_BYTES
from campus_agent.measure.equipment.profile import load_profile
from tests.agent.measure.equipment.peers import COMMUNITY, STREAM_PASSWORD, rtsp_source, snmpd

HIKVISION = """.1.3.6.1.2.1.1.1.0 = STRING: "Hikvision company products"
.1.3.6.1.2.1.1.3.0 = Timeticks: (8640000) 1 day, 0:00:00.00
.1.3.6.1.2.1.1.6.0 = STRING: "3rd floor; password is secret99"
.1.3.6.1.4.1.39165.1.3.0 = STRING: "V5.5.3 build 171025"
.1.3.6.1.4.1.39165.1.7.0 = STRING: "15 PERCENT"
.1.3.6.1.4.1.50001.1.241.1.4.0 = INTEGER: 100000
.1.3.6.1.4.1.50001.1.241.1.5.0 = INTEGER: 3815447
.1.3.6.1.4.1.39165.1.99.0 = INTEGER: 41
.1.3.6.1.4.1.39165.1.98.0 = STRING: "secret99"
"""


def probed(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, object]]:
    code = main(["probe-device", "--json", *map(str, arguments)])
    out = capsys.readouterr()
    return code, json.loads(out.out) if out.out else {"error": out.err}


def test_a_maker_s_walk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    walk, draft = tmp_path / "nvr.txt", tmp_path / "nvr.toml"
    walk.write_text(HIKVISION)
    code, answer = probed(capsys, "--walk", walk, "--draft", draft)
    assert code == 0
    fits: list[dict[str, dict[str, object]]] = answer["fits"]  # type: ignore[assignment]
    assert fits[0]["profile"] == "recorder-hikvision-like"  # type: ignore[comparison-overlap]
    assert fits[0]["readings"]["firmware"] == "V5.5.3 build 171025"
    text = draft.read_text()
    assert "secret99" not in text, "texts of a device may be passwords"
    assert "# 1.3.6.1.4.1.39165.1.99.0 = 41" in text
    profile = load_profile(draft)
    assert {"uptime_seconds", "firmware", "load_ratio", "storage_free_ratio"} <= set(profile.readings)
    assert main(["profiles", "check", str(draft), "--walk", str(walk)]) == 1, "something is still unknown"
    checked = capsys.readouterr().out
    assert "temperature_celsius" in checked
    assert "V5.5.3 build 171025" in checked
    code, _ = probed(capsys, "--walk", walk, "--draft", draft)
    assert code == 2, "a draft that somebody worked on is never written over"
    assert draft.read_text() == text


def test_a_device_by_real_servers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "community").write_text(COMMUNITY)
    (tmp_path / "password").write_text(STREAM_PASSWORD)
    draft = tmp_path / "draft.toml"
    with snmpd(tmp_path) as port, rtsp_source("digest") as url:
        code, answer = probed(
            capsys, "127.0.0.1", "--community-file", tmp_path / "community", "--snmp-port", port, "--draft", draft,
            "--rtsp-url", url, "--user", "monitor", "--password-file", tmp_path / "password",
        )  # fmt: skip
    assert code == 0, answer
    spoken = {each["protocol"] for each in answer["answers"] if each["speaks"]}  # type: ignore[attr-defined]
    assert {"snmp", "rtsp"} <= spoken
    best = answer["fits"][0]  # type: ignore[index]
    assert best["profile"] == "recorder-generic"
    assert best["readings"]["stream_up"] == 1
    text = draft.read_text()
    assert COMMUNITY not in text + json.dumps(answer)
    assert STREAM_PASSWORD not in text + json.dumps(answer)
    profile = load_profile(draft)
    assert profile.up_when_any == ("snmp", "rtsp")
    assert "rtsp://ADDRESS/live/1" in text


@pytest.mark.parametrize(
    "arguments",
    [[], ["10.0.0.1", "--walk", "x"], ["10.0.0.1", "--rtsp-url", "rtsp://u:p@10.0.0.1/"], ["h", "--password-file", "f"],
     ["10.0.0.1", "--rtsp-url", "rtsp://10.0.0.1/user=a&password=b"], ["h", "--rtsp-url", "http://h/"]],
)  # fmt: skip
def test_arguments_that_do_not_go_together(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe-device", *arguments]) == 2
    assert capsys.readouterr().err.startswith("campus-agent probe-device: ")


@pytest.mark.parametrize("content", [b"", b"\x00" * 50, b"\xd4\xc3\xb2\xa1 no capture at all", b"hello\n" * 10])
@pytest.mark.parametrize("option", ["--walk", "--pcap"])
def test_a_file_that_is_something_else(
    option: str, content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_bytes(content)
    code, _ = probed(capsys, option, tmp_path / "file", "--draft", tmp_path / "draft.toml")
    assert code == 3
    assert not (tmp_path / "draft.toml").exists()


ASKED = (
    b"DESCRIBE rtsp://admin:secret99@10.0.1.50:554/Streaming/Channels/101 RTSP/1.0\r\nCSeq: 1\r\n\r\n"
    b"PLAY rtsp://10.0.1.50:554/Streaming/Channels/101 RTSP/1.0\r\nCSeq: 3\r\n\r\n"
)
SDP = b"v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H265/90000\r\n"
ANSWERED = (
    b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nServer: NVR 4\r\nContent-Length: %d\r\n\r\n%b" % (len(SDP), SDP)
    + b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nTransport: RTP/AVP/TCP;interleaved=0-1\r\n\r\n"
    + b"RTSP/1.0 200 OK\r\nCSeq: 3\r\n\r\n"
    + b"".join(b"$\x00\x00\x10\x80" + bytes(15) for _ in range(12))
)


def test_a_capture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from scapy.layers.inet import IP, TCP
        from scapy.layers.l2 import Ether
        from scapy.utils import wrpcap

    def frame(source: str, target: str, ports: tuple[int, int], sequence: int, payload: bytes) -> object:
        return (
            Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
            / IP(src=source, dst=target)
            / TCP(sport=ports[0], dport=ports[1], seq=sequence, flags="PA")
            / payload
        )

    here, device = "10.0.1.9", "10.0.1.50"
    frames = [frame(here, device, (40000, 554), 2**32 - 10, ASKED)]
    parts = [(start, ANSWERED[start : start + 70]) for start in range(0, len(ANSWERED), 70)]
    parts[2], parts[3] = parts[3], parts[2]
    frames += [frame(device, here, (554, 40000), 1000 + start, part) for start, part in [*parts, parts[1]]]
    wrpcap(str(tmp_path / "rtsp.pcap"), frames)
    code, answer = probed(capsys, "--pcap", tmp_path / "rtsp.pcap", "--draft", tmp_path / "draft.toml")
    assert code == 0, answer
    best = answer["fits"][0]  # type: ignore[index]
    assert best["readings"]["stream_up"] == 1
    text = (tmp_path / "draft.toml").read_text()
    assert "rtsp://ADDRESS/Streaming/Channels/101" in text
    assert "secret99" not in text + json.dumps(answer)


def test_a_gap_ends_what_is_read() -> None:
    way = ("a", 554, "b", 1)
    segments = [Segment(way, 10, b"RTSP/1.0 200 OK\r\n"), Segment(way, 99, b"CSeq: 1\r\n\r\n")]
    assert streams(segments) == {way: b"RTSP/1.0 200 OK\r\n"}
    assert not evidence_of(streams(segments)).speaks("rtsp")


@pytest.mark.parametrize(("packets", "stream_up"), [(0, None), (3, None), (12, 1.0)])
def test_a_stream_that_the_capture_does_not_show_is_no_stream_that_is_down(
    packets: int, stream_up: float | None
) -> None:
    """RTP goes by UDP, or the capture ended before PLAY."""
    there, back = ("10.0.1.9", 1, "10.0.1.50", 554), ("10.0.1.50", 554, "10.0.1.9", 1)
    talk = ANSWERED[: ANSWERED.index(b"$\x00")] + b"".join(b"$\x00\x00\x10\x80" + bytes(15) for _ in range(packets))
    evidence = evidence_of({there: ASKED, back: talk})
    assert evidence.stream_path == "/Streaming/Channels/101"
    assert evidence.readings.get("stream_up") == stream_up


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/user=admin&password=1234&channel=1", "/user=***&password=***&channel=1"),
        ("/live?token=abc", "/live?token=***"),
        ("/cam/realmonitor?channel=1&subtype=0", "/cam/realmonitor?channel=1&subtype=0"),
        ("/user=admin_password=tlJwpbo6_channel=1", "/user=***_password=***_channel=1"),
    ],
)
def test_passwords_in_addresses(path: str, shown: str) -> None:
    assert without_passwords(path) == shown


BROKEN = """title_en = "x"
colour = "red"

[[snmp]]
reading = "load_ratio"
object = "X::y"
oid = "1.3.6.1"

[[snmp]]
reading = "weight"
object = "X::y"
oid = "1.3.six"
"""


def test_every_mistake_has_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.toml").write_text(BROKEN)
    assert main(["profiles", "check", str(tmp_path / "x.toml")]) == 2
    said = capsys.readouterr().err
    for place in ("  2 colour: ", "  10 snmp[1].reading: ", "  12 snmp[1].oid: ", "title_zh: "):
        assert place in said, said


@pytest.mark.parametrize(
    ("place", "line"),
    [("colour", 2), ("snmp[0].reading", 5), ("snmp[1].nothing", 9), ("snmp[1]", 9), ("title_zh", None)],
)
def test_a_place_in_a_file(place: str, line: int | None) -> None:
    assert line_of(BROKEN, place) == line


def test_a_good_profile_and_one_that_cannot_be_meant(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = 'title_en = "x"\ntitle_zh = "x"\nup_when_any = ["rtsp"]\n[[limit]]\nreading = "stream_up"\nminimum = 1\n'
    (tmp_path / "x.toml").write_text(good)
    assert main(["profiles", "check", str(tmp_path / "x.toml")]) == 0
    (tmp_path / "x.toml").write_text(good.replace("stream_up", "temperature_celsius") + "maximum = 0\n")
    capsys.readouterr()
    assert main(["profiles", "check", str(tmp_path / "x.toml")]) == 1
    assert "5 limit[0].reading" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "says"), [(None, "no file, but a folder"), (b"x" * (MAX_WALK_BYTES + 1), "larger than 8 MB")]
)
def test_a_walk_that_cannot_be_used_is_the_file_that_is_named(
    content: bytes | None, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profile, walk = tmp_path / "x.toml", tmp_path / "walk"
    profile.write_text('title_en = "x"\ntitle_zh = "x"\nup_when_any = ["tcp"]\n')
    if content is None:
        walk.mkdir()
    else:
        walk.write_bytes(content)
    assert main(["profiles", "check", str(profile), "--walk", str(walk)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"{walk}: "), error
    assert says in error
