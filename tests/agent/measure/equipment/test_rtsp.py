"""RTSP, SDP, RTP and authorization without sockets: vectors of the RFCs, and whatever octets a device may send."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campus_agent.measure.equipment import sdp
from campus_agent.measure.equipment.authorization import authorization
from campus_agent.measure.equipment.rtp import Listener
from campus_agent.measure.equipment.rtsp import (
    MAX_BODY_BYTES,
    MAX_HEADER_BYTES,
    Event,
    Interleaved,
    Parser,
    Response,
    RtspError,
    request,
)

ANSWER = b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: 5\r\nSession: 12;timeout=60\r\n\r\nhello"
PACKET = b"$\x00\x00\x04abcd"


def test_a_request() -> None:
    actual = request("SETUP", "rtsp://x/1", 3, {"Transport": "RTP/AVP/TCP"})
    assert actual == b"SETUP rtsp://x/1 RTSP/1.0\r\nCSeq: 3\r\nTransport: RTP/AVP/TCP\r\n\r\n"
    with pytest.raises(RtspError):
        request("PLAY", "rtsp://x/1\r\nX: y", 1, {})


@given(st.lists(st.integers(0, len(ANSWER + PACKET + ANSWER)), max_size=6))
def test_answers_and_packets_however_they_are_cut(cuts: list[int]) -> None:
    stream = ANSWER + PACKET + ANSWER
    parser = Parser()
    events: list[Event] = []
    edges = [0, *sorted(cuts), len(stream)]
    for start, end in pairwise(edges):
        events += parser.feed(stream[start:end])
    assert [type(event).__name__ for event in events] == ["Response", "Interleaved", "Response"]
    first, packet, _ = events
    assert isinstance(first, Response)
    assert (first.status, first.headers["session"], first.body) == (200, "12;timeout=60", b"hello")
    assert packet == Interleaved(0, b"abcd")


@given(st.binary(max_size=300))
def test_any_octets_give_events_or_one_clear_error(octets: bytes) -> None:
    try:
        list(Parser().feed(octets))
    except RtspError:
        pass


@pytest.mark.parametrize(
    "hostile",
    [
        b"RTSP/1.0 200 OK\r\n" + b"X: y\r\n" * (MAX_HEADER_BYTES // 6 + 1),
        b"RTSP/1.0 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        f"RTSP/1.0 200 OK\r\nContent-Length: {MAX_BODY_BYTES + 1}\r\n\r\n".encode(),
        b"RTSP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"RTSP/1.0 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
    ],
)
def test_too_much_of_anything_is_refused(hostile: bytes) -> None:
    with pytest.raises(RtspError):
        list(Parser().feed(hostile))


def test_digest_as_in_rfc_7616_and_rfc_2617() -> None:
    """RFC 2617 section 3.5 (MD5, qop auth); the client nonce of the example is given."""
    challenge = (
        'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",'
        ' opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )
    actual = authorization([challenge], "GET", "/dir/index.html", "Mufasa", "Circle Of Life", "0a4f113b")
    assert actual is not None
    assert 'response="6629fae49393a05397450978507c4ef1"' in actual
    assert 'opaque="5ccc069c403ebaf9f0171e9517f40e41"' in actual
    sha = (
        'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256,'
        ' nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
    )
    actual = authorization(
        [sha], "GET", "/dir/index.html", "Mufasa", "Circle of Life", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    )
    assert actual is not None
    assert 'response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"' in actual


def test_digest_without_quality_and_basic_as_a_last_resort() -> None:
    plain = authorization(['Digest realm="r", nonce="n"'], "DESCRIBE", "rtsp://x/1", "u", "p", "c")
    assert plain is not None
    assert "qop" not in plain
    both = authorization(['Basic realm="r"', 'Digest realm="r", nonce="n"'], "DESCRIBE", "rtsp://x/1", "u", "p", "c")
    assert both is not None
    assert both.startswith("Digest ")
    assert authorization(['Basic realm="r"'], "DESCRIBE", "rtsp://x/1", "u", "p", "c") == "Basic dTpw"
    assert authorization(["Negotiate"], "DESCRIBE", "rtsp://x/1", "u", "p", "c") is None
    assert authorization(['Digest realm="r", nonce="n", algorithm=SHA-1024'], "D", "u", "u", "p", "c") is None


CAMERA = """v=0
o=- 1 1 IN IP4 0.0.0.0
s=lesson
a=control:*
m=video 0 RTP/AVP 96
a=rtpmap:96 H264/90000
a=control:trackID=1
m=audio 0 RTP/AVP 0
a=control:rtsp://10.0.1.50/live/1/audio
"""


def test_a_camera_s_description() -> None:
    video, audio = sdp.describe(CAMERA, "rtsp://10.0.1.50/live/1/", "rtsp://x/").media
    assert (video.kind, video.codec, video.clock_rate, video.control) == (
        "video",
        "H264",
        90_000,
        "rtsp://10.0.1.50/live/1/trackID=1",
    )
    assert (audio.codec, audio.clock_rate, audio.control) == ("PCMU", 8000, "rtsp://10.0.1.50/live/1/audio")


@given(st.text(max_size=300))
def test_any_description(text: str) -> None:
    for media in sdp.describe(f"m=video 0 RTP/AVP 96\n{text}", "rtsp://x/", "rtsp://x/").media:
        assert media.clock_rate > 0


def packet(sequence: int, stamp: int) -> bytes:
    return bytes([0x80, 96]) + (sequence % 65_536).to_bytes(2) + (stamp % 2**32).to_bytes(4) + b"SSRC" + bytes(88)


def test_loss_and_rate_across_the_wrap_of_sequence_numbers() -> None:
    listener = Listener(90_000)
    for n in range(100):
        if n not in (40, 41):
            assert listener.take(packet(65_500 + n, 3600 * n), n * 0.04)
    assert (listener.packets, listener.lost) == (98, 2)
    assert listener.loss_ratio == pytest.approx(0.02)
    assert listener.jitter_seconds == pytest.approx(0.0, abs=1e-9)
    assert listener.bits_per_second == pytest.approx(98 * 100 * 8 / (99 * 0.04))


def test_jitter_is_that_of_rfc_3550() -> None:
    listener, expected = Listener(8000), 0.0
    arrivals = [0.0, 0.021, 0.039, 0.062, 0.080]
    for n, at in enumerate(arrivals):
        listener.take(packet(n, 160 * n), at)
        if n:
            expected += (abs((at - arrivals[n - 1]) - 0.02) - expected) / 16
    assert listener.jitter_seconds == pytest.approx(expected)


def test_a_late_packet_is_not_lost_and_a_new_start_is_no_loss() -> None:
    listener = Listener(90_000)
    for n, sequence in enumerate([1, 2, 4, 3, 5, 40_000, 40_001]):
        listener.take(packet(sequence, n), n * 0.01)
    assert listener.lost == 0
    assert not listener.take(b"short", 1.0)
    assert not listener.take(bytes([0x80, 200]) + bytes(20), 1.0), "RTCP"


@given(st.lists(st.binary(max_size=40), max_size=30))
def test_any_packets(packets: list[bytes]) -> None:
    listener = Listener(90_000)
    for n, each in enumerate(packets):
        listener.take(each, n * 0.01)
    assert listener.loss_ratio is None or 0 <= listener.loss_ratio <= 1


@pytest.mark.parametrize(("sequences", "lost"), [((0, 1, 4, 4, 5), 2), ((0, 2, 1, 3), 0), ((0, 3, 1, 4), 1)])
def test_a_packet_that_comes_twice_finds_none_that_was_lost(sequences: tuple[int, ...], lost: int) -> None:
    listener = Listener(90_000)
    for at, sequence in enumerate(sequences):
        listener.take(packet(sequence, 3600 * sequence), float(at))
    assert listener.lost == lost
