"""Reserving the test server: a real collector, and everything that can be wrong with one."""

import contextlib
import socket
import threading
from pathlib import Path

import pytest

from campus_agent.config.model import Collector
from campus_agent.ship.slots import NoSlot, release, reserve
from campus_wire.records import Slot, SlotRequest
from tests.collector.world import collector

ASK = SlotRequest(30.0, 1e9, 5.0)


def reader(folder: Path, url: str, token: str) -> Collector:
    (folder / "token").write_text(token + "\n")
    return Collector(url, folder / "token")


def test_given_and_given_back(tmp_path: Path) -> None:
    with collector(tmp_path / "c") as world:
        here = reader(tmp_path, f"http://127.0.0.1:{world.port}", world.token)
        (tmp_path / "b").mkdir()
        there = reader(tmp_path / "b", here.url, world.issue_token("s002"))
        slot = reserve(here, ASK)
        assert isinstance(slot, Slot)
        assert slot.start_in_seconds == pytest.approx(0.0, abs=0.5)
        refused = reserve(there, ASK)
        assert isinstance(refused, NoSlot)
        assert refused.asked
        assert "503: No slot the test server is taken for the next" in refused.detail
        release(here, slot)
        assert isinstance(reserve(there, ASK), Slot)


def test_nobody_there(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        actual = reserve(reader(tmp_path, f"http://127.0.0.1:{taken.getsockname()[1]}", "t"), ASK)
    assert isinstance(actual, NoSlot)
    assert not actual.asked
    assert "connection refused" in actual.detail


def test_a_refused_token(tmp_path: Path) -> None:
    with collector(tmp_path / "c") as world:
        actual = reserve(reader(tmp_path, f"http://127.0.0.1:{world.port}", "cm1_wrong"), ASK)
    assert isinstance(actual, NoSlot)
    assert "401" in actual.detail
    assert "cm1_wrong" not in actual.detail


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"not http at all",
        b"",
    ],
)
def test_something_else_answers(tmp_path: Path, answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def once() -> None:
            with contextlib.suppress(OSError):  # the test is over
                while True:
                    conversation, _ = server.accept()
                    with conversation:
                        conversation.recv(65_536)
                        conversation.sendall(answer)

        threading.Thread(target=once, daemon=True).start()
        actual = reserve(reader(tmp_path, f"http://127.0.0.1:{server.getsockname()[1]}", "t"), ASK)
    assert isinstance(actual, NoSlot)
    assert not actual.asked
