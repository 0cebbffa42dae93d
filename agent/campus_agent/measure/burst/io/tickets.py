"""Which data connection belongs to the running session? A ticket for one order, good once, from the one address, for a moment."""

import hmac
import socket
import threading


class Tickets:
    """At most one ticket is out at a time: there is one session, and it orders one stream after another."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._expected: tuple[bytes, str] | None = None
        self._came: socket.socket | None = None

    def expect(self, ticket: bytes, host: str) -> None:
        """From now on the first connection from `host` that shows `ticket` is the one."""
        with self._condition:
            self._expected, self._came = (ticket, host), None

    def redeem(self, ticket: bytes, host: str, sock: socket.socket) -> bool:
        """Pass on a connection that showed a ticket. False: it is not expected, and the caller closes it."""
        with self._condition:
            if self._expected is None or host != self._expected[1]:
                return False
            if not hmac.compare_digest(ticket, self._expected[0]):
                return False
            self._expected, self._came = None, sock
            self._condition.notify_all()
            return True

    def wait(self, seconds: float) -> socket.socket | None:
        """The connection, or None when it did not come; the ticket is void afterwards."""
        with self._condition:
            self._condition.wait_for(lambda: self._came is not None, seconds)
            came, self._expected, self._came = self._came, None, None
            return came
