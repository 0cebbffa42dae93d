"""The control connection without the socket: bytes in, messages out; messages in, bytes out (docs/pages/en/protocol.md, section 2).

A frame is the body's length (4 octets, big-endian), the body (JSON), and, after the client's `prove`, a seal: the first 16 octets
of HMAC-SHA256 under the session's key over sender, frame number and body. So nothing can be inserted, changed, dropped or
repeated, within a session or from another one. The caller owns sockets, time and randomness.
"""

import hashlib
import hmac
from typing import Literal

from campus_agent.measure.burst.protocol.messages import (
    BadSeal,
    Challenge,
    Hello,
    Message,
    ProtocolError,
    Prove,
    decode,
    encode,
)
from campus_agent.measure.burst.spec import (
    MAX_GREETING_BYTES,
    MAX_REPORT_BYTES,
    MAX_REQUEST_BYTES,
    PROTOCOL_NAME,
    TAG_BYTES,
)

Role = Literal["client", "responder"]
LENGTH_BYTES = 4
_PEER: dict[Role, Role] = {"client": "responder", "responder": "client"}
_MAX_FROM: dict[Role, int] = {"client": MAX_REQUEST_BYTES, "responder": MAX_REPORT_BYTES}


class ControlConnection:
    """One side of a control connection: frames, limits, seals. `received_bytes` counts all that came, whole frames or not."""

    def __init__(self, role: Role) -> None:
        self._role = role
        self._key: bytes | None = None
        self._buffer = bytearray()
        self._frames_sent = self._frames_received = 0
        self.received_bytes = 0

    def seal_with(self, session_key: bytes) -> None:
        """From the next frame on, in both directions, frames are sealed with this key."""
        self._key = session_key
        self._frames_sent = self._frames_received = 0

    def frame_of(self, message: Message) -> bytes:
        """The frame to be sent: its number is used up. Raises ValueError for a message of ours that is too long."""
        body = encode(message)
        if len(body) > self._limit(self._role):
            raise ValueError(f"a {type(message).__name__} of {len(body)} bytes is more than the protocol allows")
        frame = len(body).to_bytes(LENGTH_BYTES, "big") + body
        if self._key is not None:
            frame += _seal(self._key, self._role, self._frames_sent, body)
            self._frames_sent += 1
        return frame

    def receive(self, data: bytes) -> list[Message]:
        """Keep these bytes; the messages that are complete by now. Raises ProtocolError: the connection is then of no more use."""
        self._buffer += data
        self.received_bytes += len(data)
        return list(iter(self._next_message, None))

    def _next_message(self) -> Message | None:
        """None: more bytes are needed. Raises ProtocolError, also for a frame that only announces too much, and BadSeal."""
        if len(self._buffer) < LENGTH_BYTES:
            return None
        size = int.from_bytes(self._buffer[:LENGTH_BYTES], "big")
        limit = self._limit(_PEER[self._role])
        if not 0 < size <= limit:
            raise ProtocolError(f"a frame of {size} bytes; at most {limit} here")
        end = LENGTH_BYTES + size
        frame_bytes = end + (TAG_BYTES if self._key is not None else 0)
        if len(self._buffer) < frame_bytes:
            return None
        body, seal = bytes(self._buffer[LENGTH_BYTES:end]), bytes(self._buffer[end:frame_bytes])
        del self._buffer[:frame_bytes]
        if self._key is not None:
            expected = _seal(self._key, _PEER[self._role], self._frames_received, body)
            if not hmac.compare_digest(seal, expected):
                raise BadSeal("a frame whose seal does not fit")
            self._frames_received += 1
        return decode(body)

    def _limit(self, sender: Role) -> int:
        return MAX_GREETING_BYTES if self._key is None else _MAX_FROM[sender]


def proof(key: bytes, hello: Hello, challenge: Challenge) -> str:
    """What only a holder of the key can say about these two nonces and this version (hex)."""
    return _derive(key, "proof", hello, challenge).hex()


def proves(key: bytes, hello: Hello, challenge: Challenge, message: Prove) -> bool:
    """Does the client hold the key? Takes the same time whatever was said."""
    return hmac.compare_digest(proof(key, hello, challenge), message.mac)


def session_key(key: bytes, hello: Hello, challenge: Challenge) -> bytes:
    """The key that seals this one session: new with every pair of nonces."""
    return _derive(key, "session", hello, challenge)


def _derive(key: bytes, purpose: str, hello: Hello, challenge: Challenge) -> bytes:
    text = f"{PROTOCOL_NAME} {purpose} {challenge.version} {hello.nonce} {challenge.nonce}"
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _seal(key: bytes, sender: Role, number: int, body: bytes) -> bytes:
    text = b"%s %d " % (sender.encode(), number)
    return hmac.new(key, text + body, hashlib.sha256).digest()[:TAG_BYTES]
