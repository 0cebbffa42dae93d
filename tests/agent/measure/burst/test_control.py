"""The control connection without sockets: whole, byte by byte, truncated, hostile, replayed."""

import json
import random
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campus_agent.measure.burst.protocol.control import LENGTH_BYTES, ControlConnection, proof, proves, session_key
from campus_agent.measure.burst.protocol.messages import (
    BadSeal,
    Bounds,
    Bye,
    Challenge,
    Hello,
    LoadOrder,
    Message,
    ProtocolError,
    Prove,
    Received,
    Refused,
    Welcome,
    decode,
    encode,
)
from campus_agent.measure.burst.spec import MAX_GREETING_BYTES, MAX_REPORT_BYTES, MAX_REQUEST_BYTES, TAG_BYTES

KEY = b"a shared test key"
NONCE = "0f" * 32
LOAD = LoadOrder(1, "to_responder", 467, 1472, 1538, 115e6)
RECEIVED = Received(1, 2, [5, 1], [7, 0], [0, 1], [1, 1], [0], [1514], [1])
EVERY_MESSAGE: list[Message] = [
    Hello(NONCE, [1]),
    Challenge(NONCE, 1),
    Prove(NONCE),
    Welcome("ab" * 16, 5301, Bounds(1e9, 10, 20, 60.0), 14),
    Refused("busy"),
    LOAD,
    RECEIVED,
    Bye(),
]


def sealed_pair(key: bytes = b"k" * 32) -> tuple[ControlConnection, ControlConnection]:
    """A client and a responder that share a session key."""
    pair = ControlConnection("client"), ControlConnection("responder")
    for side in pair:
        side.seal_with(key)
    return pair


@pytest.mark.parametrize("message", EVERY_MESSAGE, ids=lambda message: type(message).__name__)
def test_every_message_survives_the_way(message: Message) -> None:
    assert decode(encode(message)) == message


def test_a_whole_handshake() -> None:
    client, responder = ControlConnection("client"), ControlConnection("responder")
    hello = Hello(secrets.token_hex(32), [1])
    (heard,) = responder.receive(client.frame_of(hello))
    assert heard == hello
    challenge = Challenge(secrets.token_hex(32), 1)
    (heard,) = client.receive(responder.frame_of(challenge))
    assert heard == challenge
    prove = Prove(proof(KEY, hello, challenge))
    (heard,) = responder.receive(client.frame_of(prove))
    assert isinstance(heard, Prove)
    assert proves(KEY, hello, challenge, heard)
    client.seal_with(session_key(KEY, hello, challenge))
    responder.seal_with(session_key(KEY, hello, challenge))
    assert list(client.receive(responder.frame_of(EVERY_MESSAGE[3]))) == [EVERY_MESSAGE[3]]
    assert list(responder.receive(client.frame_of(LOAD))) == [LOAD]


@pytest.mark.parametrize("sealed", [False, True])
def test_byte_by_byte_and_together(sealed: bool) -> None:
    client, responder = sealed_pair() if sealed else (ControlConnection("client"), ControlConnection("responder"))
    messages: list[Message] = [LOAD, Bye(), LOAD] if sealed else [Hello(NONCE, [1]), Prove(NONCE)]
    stream = b"".join(client.frame_of(message) for message in messages)
    heard = [message for octet in stream for message in responder.receive(bytes([octet]))]
    assert heard == messages
    client, responder = sealed_pair() if sealed else (ControlConnection("client"), ControlConnection("responder"))
    assert list(responder.receive(b"".join(client.frame_of(message) for message in messages))) == messages


def test_a_truncated_frame_gives_nothing_yet() -> None:
    client, responder = sealed_pair()
    frame = client.frame_of(LOAD)
    for cut in range(len(frame)):
        _, fresh = sealed_pair()
        assert list(fresh.receive(frame[:cut])) == []
    assert list(responder.receive(frame)) == [LOAD]


@pytest.mark.parametrize(
    ("role", "sealed", "limit"),
    [
        ("responder", False, MAX_GREETING_BYTES),
        ("client", False, MAX_GREETING_BYTES),
        ("responder", True, MAX_REQUEST_BYTES),
        ("client", True, MAX_REPORT_BYTES),
    ],
)
def test_a_frame_that_only_announces_too_much_is_refused_at_once(role, sealed: bool, limit: int) -> None:
    side = ControlConnection(role)
    if sealed:
        side.seal_with(b"k")
    assert list(side.receive(limit.to_bytes(LENGTH_BYTES, "big"))) == []
    side = ControlConnection(role)
    if sealed:
        side.seal_with(b"k")
    with pytest.raises(ProtocolError, match=f"a frame of {limit + 1} bytes; at most {limit} here"):
        list(side.receive((limit + 1).to_bytes(LENGTH_BYTES, "big")))


def test_an_empty_frame_is_refused() -> None:
    with pytest.raises(ProtocolError, match="a frame of 0 bytes"):
        list(ControlConnection("responder").receive(bytes(LENGTH_BYTES)))


def test_replayed_dropped_changed_and_reflected_frames_are_refused() -> None:
    client, responder = sealed_pair()
    first, second = client.frame_of(LOAD), client.frame_of(Bye())
    assert list(responder.receive(first)) == [LOAD]
    with pytest.raises(BadSeal):
        list(responder.receive(first))  # replayed
    client, responder = sealed_pair()
    client.frame_of(LOAD)
    with pytest.raises(BadSeal):
        list(responder.receive(client.frame_of(Bye())))  # the frame before it was dropped
    client, responder = sealed_pair()
    frame = bytearray(client.frame_of(LOAD))
    frame[-TAG_BYTES - 3] ^= 1
    with pytest.raises(BadSeal):
        list(responder.receive(bytes(frame)))  # changed
    client, _ = sealed_pair()
    with pytest.raises(BadSeal):
        list(client.receive(client.frame_of(Bye())))  # sent back to its sender
    _, other = sealed_pair(b"another session")
    with pytest.raises(BadSeal):
        list(other.receive(second))


def test_the_proof_belongs_to_both_nonces_the_version_and_the_key() -> None:
    hello, challenge = Hello(NONCE, [1]), Challenge("1e" * 32, 1)
    right = Prove(proof(KEY, hello, challenge))
    assert proves(KEY, hello, challenge, right)
    assert not proves(b"another key", hello, challenge, right)
    assert not proves(KEY, Hello("10" * 32, [1]), challenge, right)
    assert not proves(KEY, hello, Challenge("2e" * 32, 1), right)
    assert not proves(KEY, hello, Challenge("1e" * 32, 2), right)
    assert session_key(KEY, hello, challenge).hex() != right.mac


def test_before_authentication_the_responder_says_less_than_it_heard() -> None:
    client, responder = ControlConnection("client"), ControlConnection("responder")
    heard = len(client.frame_of(Hello(NONCE, [1])))
    assert len(responder.frame_of(Challenge(NONCE, 1))) <= heard
    assert len(responder.frame_of(Refused("version"))) <= heard
    heard = len(client.frame_of(Prove(NONCE)))
    responder.seal_with(b"k")
    assert len(responder.frame_of(Refused("not_authorised"))) <= heard


def test_our_own_oversized_message_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="more than the protocol allows"):
        ControlConnection("responder").frame_of(RECEIVED.__class__(1, 2, [1] * 500, [], [], [], [], [], []))


BAD_BODIES = {
    "no object": b"[]",
    "no type": b"{}",
    "unknown type": b'{"type":"eval"}',
    "not UTF-8": b'{"type":"\xff"}',
    "no JSON": b"\x00\x01",
    "deep": b'{"type":"hello","nonce":' + b"[" * 400 + b"]" * 400 + b"}",
    "nonce too short": b'{"type":"hello","nonce":"0f","versions":[1]}',
    "nonce in capitals": b'{"type":"hello","nonce":"' + b"0F" * 32 + b'","versions":[1]}',
    "no versions": b'{"type":"hello","nonce":"' + b"0f" * 32 + b'","versions":[]}',
    "another protocol": b'{"type":"hello","nonce":"' + b"0f" * 32 + b'","versions":[1],"protocol":"smtp"}',
    "rate 0": json.dumps({**json.loads(encode(LOAD)), "rate_bits_per_second": 0}).encode(),
    "rate NaN": encode(LOAD).replace(b"115000000.0", b"NaN"),
    "no packets": json.dumps({**json.loads(encode(LOAD)), "packets": 0}).encode(),
    "too many packets": json.dumps({**json.loads(encode(LOAD)), "packets": 10**8}).encode(),
    "direction": json.dumps({**json.loads(encode(LOAD)), "direction": "to_somebody_else"}).encode(),
    "huge number": json.dumps({**json.loads(encode(LOAD)), "packets": 10**40}).encode(),
    "port": b'{"type":"welcome","token":"' + b"ab" * 16 + b'","udp_port":0,"bounds":{}}',
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
def test_hostile_bodies_give_one_clear_error(body: bytes) -> None:
    with pytest.raises(ProtocolError, match="not a message of this protocol"):
        decode(body)


def test_fields_of_later_versions_are_ignored() -> None:
    body = json.dumps({**json.loads(encode(LOAD)), "colour": "red"}).encode()
    assert decode(body) == LOAD


@given(st.binary(max_size=600))
def test_any_bytes_are_messages_or_a_protocol_error(data: bytes) -> None:
    for side in (ControlConnection("responder"), sealed_pair()[1]):
        try:
            list(side.receive(data))
        except ProtocolError:
            pass


@given(st.data())
def test_a_damaged_sealed_stream_never_gives_a_message_that_was_not_sent(data: st.DataObject) -> None:
    client, responder = sealed_pair()
    stream = bytearray(client.frame_of(LOAD) + client.frame_of(Bye()))
    place = data.draw(st.integers(0, len(stream) - 1))
    stream[place] ^= data.draw(st.integers(1, 255))
    heard: list[Message] = []
    try:
        cut = random.Random(place).randrange(len(stream))
        for part in (stream[:cut], stream[cut:]):
            heard += responder.receive(bytes(part))
    except ProtocolError:
        pass
    assert heard in ([], [LOAD])
