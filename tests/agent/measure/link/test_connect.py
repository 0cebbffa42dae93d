"""Happy Eyeballs on real sockets: the address that answers is used, in time, whatever the others do."""

import asyncio
import errno
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from campus_agent.measure.link.connect import connect, connect_here, in_turn
from campus_agent.measure.link.resolve import Address


def v4(text: str) -> Address:
    return Address(text, socket.AF_INET, 0.0)


def v6(text: str) -> Address:
    return Address(text, socket.AF_INET6, 0.0)


SILENT = "127.0.0.9"


@contextmanager
def silent(port: int) -> Iterator[None]:
    """An address that takes no more connections: its queue is full, and what comes is dropped without a word."""
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((SILENT, port))
        listening.listen(0)
        fillers = []
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex((SILENT, port))
            fillers.append(filler)
        time.sleep(0.05)
        yield
        for filler in fillers:
            filler.close()


@contextmanager
def answering(address: str = "127.0.0.1") -> Iterator[int]:
    with socket.create_server((address, 0)) as listening:
        yield listening.getsockname()[1]


def reached(addresses: list[Address], port: int, seconds: float = 5.0) -> tuple[str, float]:
    began = time.monotonic()

    async def work() -> str:
        sock, address = await connect(addresses, port, seconds)
        sock.close()
        return address.text

    return asyncio.run(work()), time.monotonic() - began


def test_a_silent_address_is_passed_by_and_a_refusing_one_at_once() -> None:
    with answering() as port:
        with silent(port):
            assert reached([v4(SILENT), v4("127.0.0.1")], port)[0] == "127.0.0.1"
        text, seconds = reached([v4("127.0.0.8"), v4("127.0.0.7"), v4("127.0.0.1")], port)
    assert (text, seconds < 4) == ("127.0.0.1", True)


def test_the_preferred_address_is_used_where_both_answer() -> None:
    with answering("0.0.0.0") as port:
        assert reached([v4("127.0.0.2"), v4("127.0.0.1")], port)[0] == "127.0.0.2"


def test_nothing_is_left_open() -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    with answering() as port, silent(port):
        reached([v4(SILENT), v4("127.0.0.1")], port)
        before = descriptors()
        for _ in range(5):
            reached([v4(SILENT), v4("127.0.0.1")], port)
        with pytest.raises(TimeoutError):
            reached([v4(SILENT)], port, 0.3)
        assert descriptors() == before


def test_the_error_of_several_tells_most() -> None:
    with answering() as port:
        pass
    with pytest.raises(ConnectionRefusedError) as caught:
        reached([v6("::ffff:0.0.0.0"), v4("127.0.0.1"), v4("127.0.0.2")], port)
    assert caught.value.errno == errno.ECONNREFUSED
    assert "127.0.0.2" in str(caught.value)


def test_the_families_take_turns() -> None:
    mixed = [v6("::1"), v6("::2"), v6("::3"), v4("10.0.0.1"), v4("10.0.0.2")]
    assert [each.text for each in in_turn(mixed)] == ["::1", "10.0.0.1", "::2", "10.0.0.2", "::3"]
    assert [each.text for each in in_turn([v4("10.0.0.1"), v6("::1")])] == ["10.0.0.1", "::1"]


def test_a_thread_without_a_loop_gets_a_blocking_socket() -> None:
    with answering() as port:
        sock, address = connect_here("localhost", port, 2.0)
        with sock:
            assert (address.text, sock.gettimeout()) == ("127.0.0.1", 2.0)
    with pytest.raises(socket.gaierror):
        connect_here("no-such-name.invalid", port, 2.0)
