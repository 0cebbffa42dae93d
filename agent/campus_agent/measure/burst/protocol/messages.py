"""The messages of the control connection: one frozen type each, JSON on the wire (docs/pages/en/protocol.md, section 2).

A reader ignores fields it does not know, so later versions may add some. Every field is bounded here; what breaks a bound is a
`ProtocolError`, never anything else.
"""

from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta, field

from campus_agent.measure.burst.spec import MAX_COLUMN, NONCE_BYTES, PROTOCOL_NAME, TOKEN_BYTES

Hex32 = Annotated[str, Meta(pattern=f"^[0-9a-f]{{{2 * NONCE_BYTES}}}\\Z")]
Hex16 = Annotated[str, Meta(pattern=f"^[0-9a-f]{{{2 * TOKEN_BYTES}}}\\Z")]
Port = Annotated[int, Meta(ge=1, le=65_535)]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
PacketCount = Annotated[int, Meta(ge=1, le=10_000_000)]
BurstNumber = Annotated[int, Meta(ge=1, le=1_000_000)]
Rate = Annotated[float, Meta(gt=0, le=1e12)]
Seconds = Annotated[float, Meta(ge=0, le=3600)]
Columns = Annotated[list[Annotated[int, Meta(ge=-(2**62), le=2**62)]], Meta(max_length=MAX_COLUMN)]

LoadDirection = Literal["to_responder", "to_client"]
RefusalReason = Literal["not_authorised", "busy", "limit", "version", "protocol", "internal"]


class ProtocolError(ValueError):
    """The other side broke the protocol: the connection cannot go on."""


class BadSeal(ProtocolError):
    """A frame that was not sealed with our session key: another key, or a frame changed on the way."""


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """The client begins: the versions it supports, and its nonce."""

    nonce: Hex32
    versions: Annotated[list[Annotated[int, Meta(ge=1, le=1000)]], Meta(min_length=1, max_length=8)]
    protocol: Literal["campusmeter"] = PROTOCOL_NAME


class Challenge(msgspec.Struct, frozen=True, tag="challenge"):
    """The responder answers: the version chosen, and its nonce. Shorter than any hello."""

    nonce: Hex32
    version: Annotated[int, Meta(ge=1, le=1000)]


class Prove(msgspec.Struct, frozen=True, tag="prove"):
    """The client proves that it holds the key."""

    mac: Hex32


class Bounds(msgspec.Struct, frozen=True):
    """What the responder allows in this session."""

    rate_bits_per_second: Rate
    burst_bytes: Count = field(name="pulse_bytes")
    session_bytes: Count
    session_seconds: Seconds


class Welcome(msgspec.Struct, frozen=True, tag="welcome"):
    """The responder opens the session; that this message's seal fits proves that it holds the key too.

    `interface_header_bytes` is what the responder's interface counters include of a frame beside the IP packet (14 on
    Ethernet, 0 on tunnels); absent when it has no counters. `streams`: it knows `stream`; `accounts`: it tells of what it sent, when asked
    (an older one does not say so).
    """

    token: Hex16
    udp_port: Port
    bounds: Bounds
    interface_header_bytes: Annotated[int, Meta(ge=0, le=64)] | None = None
    streams: bool = False
    accounts: bool = False


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The responder will not go on, and closes."""

    reason: RefusalReason
    detail: Annotated[str, Meta(max_length=120)] = ""


class LoadOrder(msgspec.Struct, frozen=True, tag="load"):
    """The client orders one burst: towards the responder it begins at once, towards the client the responder begins.

    `block_packets` above 1: the responder hands over so many packets at once, because it could not keep up without.
    `account`: after a load towards the client the responder says `sent`.
    """

    burst: BurstNumber = field(name="pulse")
    direction: LoadDirection
    packets: PacketCount
    payload_bytes: Annotated[int, Meta(ge=64, le=65_000)]
    wire_bytes: Annotated[int, Meta(ge=84, le=65_535)]
    rate_bits_per_second: Rate
    block_packets: Annotated[int, Meta(ge=1, le=40)] = 1
    account: bool = False

    @property
    def total_wire_bytes(self) -> int:
        return self.packets * self.wire_bytes

    @property
    def interval_ns(self) -> float:
        return self.wire_bytes * 8e9 / self.rate_bits_per_second

    @property
    def planned_ns(self) -> int:
        return int(self.packets * self.interval_ns)


class Received(msgspec.Struct, frozen=True, tag="received"):
    """What arrived of a burst towards the responder, in the order of arrival; of a long one, some packets only.

    Columns hold differences to the row before (the first to 0): arrival and departure in nanoseconds of either side's own
    monotonic clock, sequence number, packets received so far. `sample_*` hold the interface counters (differences likewise),
    each read at `sample_ns` of the same clock as `received_ns`. `waited_ns`: how long the responder's thread was ready meanwhile but had
    no processor; absent where its kernel does not tell.
    """

    burst: BurstNumber = field(name="pulse")
    packets: Count
    received_ns: Columns
    sent_ns: Columns
    sequence: Columns
    count: Columns
    sample_ns: Columns
    sample_bytes: Columns
    sample_packets: Columns
    overflow: Count = 0
    overflow_ns: Count = 0
    clock_step_ns: Count = 0
    kernel_stamps: bool = True
    waited_ns: Count | None = None


class SentReport(msgspec.Struct, frozen=True, tag="sent"):
    """The responder has sent a burst or a stream towards the client that asked for an account: packets handed to the kernel (of a stream,
    bytes), and how long its thread was ready meanwhile but had no processor; absent where its kernel does not tell. `mtu_bytes`: the load
    ended early, because a hop on the way takes no IP packets above this.
    """

    burst: BurstNumber = field(name="pulse")
    count: Count
    waited_ns: Count | None = None
    mtu_bytes: Annotated[int, Meta(ge=68, le=65_535)] | None = None


class StreamOrder(msgspec.Struct, frozen=True, tag="stream"):
    """The client orders one load by TCP, where UDP does not pass. Pace and bytes are those of the payload; `account` as in `load`."""

    stream: BurstNumber
    direction: LoadDirection
    octets: Annotated[int, Meta(ge=1, le=2**40)]
    seconds: Annotated[float, Meta(gt=0, le=60)]
    rate_bits_per_second: Rate
    account: bool = False


class Opened(msgspec.Struct, frozen=True, tag="opened"):
    """The responder expects the data connection, which shows this ticket: good once, from the client's address, for a moment."""

    stream: BurstNumber
    ticket: Hex16


class Flow(msgspec.Struct, frozen=True, tag="flow"):
    """What has come of a stream towards the responder since its last `flow`: payload bytes so far, at moments of its clock.

    `at_ns` and `octets` are differences as in `received`, the first row of each message to 0; the counters beside them likewise, or
    absent. `last`: the stream has ended. `waited_ns`: as in `received`, since the stream began.
    """

    stream: BurstNumber
    at_ns: Columns
    octets: Columns
    sample_bytes: Columns = []
    sample_packets: Columns = []
    last: bool = False
    waited_ns: Count | None = None


class Bye(msgspec.Struct, frozen=True, tag="bye"):
    """The client is done; the responder's slot is free."""


FromClient = Hello | Prove | LoadOrder | StreamOrder | Bye
FromResponder = Challenge | Welcome | Refused | Received | SentReport | Opened | Flow
Message = FromClient | FromResponder
MessageT = TypeVar("MessageT", bound=Message)
_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)


def encode(message: Message) -> bytes:
    return _encoder.encode(message)


def decode(body: bytes) -> Message:
    """One message from JSON. Raises ProtocolError, whatever the bytes are."""
    try:
        return _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(f"not a message of this protocol: {str(error)[:200]}") from None


def require(message: Message, expected: type[MessageT]) -> MessageT:
    """The message. Raises ProtocolError for one that is not due now."""
    if not isinstance(message, expected):
        raise ProtocolError(f"a {type(message).__name__} where a {expected.__name__} was due")
    return message
