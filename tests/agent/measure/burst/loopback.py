"""A real responder on loopback, and a raw client that can say what it likes, for tests."""

import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from campus_agent.measure.burst.protocol.control import ControlConnection, proof, session_key
from campus_agent.measure.burst.protocol.messages import Challenge, Hello, Message, Prove, Welcome
from campus_agent.measure.burst.server import Responder, ResponderLimits, ResponderSettings

KEY = b"a shared test key"


@contextmanager
def responder(key: bytes | None = KEY, listen: str = "127.0.0.1", **limits: float) -> Iterator[Responder]:
    """Started and stopped; `port` tells where it is."""
    running = Responder(ResponderSettings(listen=listen, port=0, key=key, limits=ResponderLimits(**limits)))
    running.start()
    try:
        yield running
    finally:
        running.stop()


class Raw:
    """A client by hand: counts the octets both ways."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        """Connect."""
        self.socket = socket.create_connection((host, port), timeout=5)
        self.connection = ControlConnection("client")
        self._arrived: list[Message] = []
        self.sent = self.received = 0

    def __enter__(self) -> "Raw":
        """For `with`."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.socket.close()

    def say(self, data: bytes | Message) -> None:
        """Send octets, or a message as a frame. A connection that is already gone is no error."""
        frame = data if isinstance(data, bytes) else self.connection.frame_of(data)
        try:
            self.socket.sendall(frame)
            self.sent += len(frame)
        except OSError:
            pass

    def hear(self) -> Message:
        """The next message. Raises ConnectionError when there is none any more."""
        while not self._arrived:
            data = self.socket.recv(65_536)
            self.received += len(data)
            if not data:
                raise ConnectionError("closed")
            self._arrived += self.connection.receive(data)
        return self._arrived.pop(0)

    def finish(self) -> None:
        """Say that nothing more comes. A connection that is already gone is no error."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def silence(self, seconds: float = 5.0) -> int:
        """Listen until the other side closes, or the time is over; the octets it said."""
        self.socket.settimeout(seconds)
        heard = 0
        try:
            while data := self.socket.recv(65_536):
                heard += len(data)
        except OSError:
            pass
        self.received += heard
        return heard

    def greet(self, key: bytes = KEY) -> tuple[Hello, Challenge]:
        """Hello, challenge, proof; sealed afterwards."""
        hello = Hello(secrets.token_hex(32), [1])
        self.say(hello)
        challenge = self.hear()
        assert isinstance(challenge, Challenge)
        self.say(Prove(proof(key, hello, challenge)))
        self.connection.seal_with(session_key(key, hello, challenge))
        return hello, challenge

    def enter(self, key: bytes = KEY) -> Welcome:
        """A whole greeting."""
        self.greet(key)
        welcome = self.hear()
        assert isinstance(welcome, Welcome)
        return welcome
