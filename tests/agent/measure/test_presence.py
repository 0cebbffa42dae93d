"""Who is switched on? Real sockets: an open port, a refused one, a machine that is not there, a name nobody knows."""

import asyncio
import socket

from campus_agent.measure.presence import PresenceTarget, check_presence
from campus_wire.failures import FailureKind


def test_open_and_refused_count_as_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        open_port = server.getsockname()[1]
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            refused = taken.getsockname()[1]
            targets = [
                PresenceTarget("open", "127.0.0.1", open_port, False),
                PresenceTarget("refused", "127.0.0.1", refused, False),
                PresenceTarget("echo", "127.0.0.1", refused, True),
                PresenceTarget("no-name", "nowhere.invalid", 1, False),
            ]
            assert asyncio.run(check_presence(targets)) == {
                "open": None,
                "refused": None,
                "echo": None,
                "no-name": None,
            }


def test_machines_that_do_not_answer() -> None:
    """A listener whose queue is full drops what comes next, as a machine that is off does."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for task in waiting:
            task.setblocking(False)
            task.connect_ex(address)
        targets = [PresenceTarget(f"c{n}", "127.0.0.1", address[1], False) for n in range(40)]
        output = asyncio.run(check_presence(targets))
        for task in waiting:
            task.close()
    assert {failure.kind for failure in output.values() if failure} == {FailureKind.TIMEOUT}
    assert all(output.values())
