"""A page that stays: its key, who may wait, what is said of one that does not, and what its load must prove."""

import http.client
import json
import socket
from pathlib import Path

import pytest
from msgspec.structs import replace

from campus_agent.cli.main import main
from campus_agent.config.model import Endpoint
from campus_agent.measure.request import ThroughputRequest
from campus_agent.page import waiting as waiting_module
from campus_agent.page.carried_test import JudgedLoad
from campus_agent.page.keys import RoomKeys
from campus_agent.page.rates import ArrivalCount
from campus_agent.page.server import PageServer
from campus_agent.page.shortcuts import shortcut_files, stay_url
from campus_agent.page.waiting import RETURN_SECONDS, WaitingPage, WaitingPages, _LastSeen, absence_of, answer_at
from campus_wire.encapsulation import Encapsulation
from tests.agent.page.test_page import MSS, ROOM, ask, config, page
from tests.flow.programs import until

BROWSER_ROOM = replace(ROOM, engine="browser")
ELSEWHERE = Endpoint("c102", "c102", "127.0.0.9", 8090, "browser", 100_000_000)


@pytest.mark.parametrize(
    ("what", "seconds_ago", "kind", "says"),
    [
        (None, 0.0, "host_unreachable", "no page of this classroom has been open"),
        ("answered", 1.0, None, ""),
        ("answered", RETURN_SECONDS + 1, "timeout", "suspended or throttled"),
        ("silent", 5.0, "timeout", "asleep, lid closed"),
        ("closed", 5.0, "host_unreachable", "the page was closed"),
        ("elsewhere", 5.0, "not_authorised", "open at 10.0.0.9, which is not the classroom's host"),
        ("key", 5.0, "not_authorised", "not, or no longer"),
    ],
)
def test_why_a_page_does_not_wait(what: str | None, seconds_ago: float, kind: str | None, says: str) -> None:
    failure = absence_of(None if what is None else _LastSeen(what, 100.0 - seconds_ago, "10.0.0.9"), 100.0)
    assert (failure.kind if failure else None) == kind
    assert failure is None or says in failure.detail


def test_a_key_is_kept_as_a_hash_and_can_be_replaced_and_revoked(tmp_path: Path) -> None:
    keys, beside = RoomKeys(tmp_path), RoomKeys(tmp_path)
    first = keys.renew(["c101", "c102"])
    assert beside.opens("c101", first["c101"])
    assert not beside.opens("c101", first["c102"]), "a key is of one classroom"
    assert not beside.opens("c109", "")
    assert not beside.opens("c101", "")
    text = (tmp_path / "page-keys.json").read_text()
    assert first["c101"] not in text
    assert (tmp_path / "page-keys.json").stat().st_mode & 0o077 == 0
    second = keys.renew(["c101"])
    assert (beside.opens("c101", first["c101"]), beside.opens("c101", second["c101"])) == (False, True)
    assert keys.revoke(["c101", "c109"]) == ["c101"]
    assert not beside.opens("c101", second["c101"])
    (tmp_path / "page-keys.json").write_text("{")
    assert not beside.opens("c102", first["c102"]), "what cannot be read opens nothing"


def wait(server: PageServer, key: str, room: str = "c101", tab: str = "a") -> http.client.HTTPConnection:
    line = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=60)
    line.request("POST", "/wait", json.dumps({"room": room, "key": key, "tab": tab}), {"X-CampusMeter": "1"})
    return line


def answer(line: http.client.HTTPConnection) -> tuple[int, dict]:
    response = line.getresponse()
    return response.status, json.loads(response.read())


def test_pages_that_wait(tmp_path: Path) -> None:
    own = config(tmp_path, classrooms=(BROWSER_ROOM, ELSEWHERE, replace(ROOM, id="c103")))
    keys = RoomKeys(tmp_path).renew(["c101", "c102", "c103"])
    with page(own) as server:
        pages = server.admission.carried.pages
        assert answer(wait(server, keys["c102"])) == (403, {"reason": "key"})
        assert answer(wait(server, keys["c103"], "c103")) == (403, {"reason": "room"}), "its engine is another"
        assert answer(wait(server, keys["c102"], "c102")) == (403, {"reason": "elsewhere"})
        assert "127.0.0.1, which is not" in str(pages.absence("c102"))
        first = wait(server, keys["c101"])
        until(lambda: pages.client_of("c101"), 60, "it waits")
        assert pages.absence("c101") is None
        second = wait(server, keys["c101"], tab="b")
        assert answer(first) == (200, {"do": "rest", "trial": ""}), "the newest tab serves"
        assert pages.client_of("c101") == "127.0.0.1"
        taken = pages.take("c101", "t1")
        assert taken is not None
        assert answer(second) == (200, {"do": "test", "trial": "t1"})
        assert pages.take("c101", "t2") is None
        third = wait(server, keys["c101"], tab="b")
        until(lambda: pages.client_of("c101"), 60, "it waits again")
        third.close()
        until(lambda: "the page was closed" in str(pages.absence("c101")), 60, "its end is seen")


def test_the_end_of_an_earlier_connection_does_not_end_the_page_that_took_its_place() -> None:
    """A page that is loaded again: its old connection's end is seen when the new one waits already."""
    pages, lines = WaitingPages(), [socket.socketpair() for _ in range(2)]
    try:
        held = [WaitingPage(ours, "a", "127.0.0.1", "", False, "", answer_at()) for ours, _ in lines]
        pages.add("c101", held[0])
        pages.add("c101", held[1])
        pages._note_end("c101", held[0].connection)
        assert pages.absence("c101") is None
        pages._note_end("c101", held[1].connection)
        assert "the page was closed" in str(pages.absence("c101"))
    finally:
        pages.close()
        for line in lines:
            for end in line:
                end.close()


def test_a_stranger_does_not_hide_that_the_page_was_just_answered() -> None:
    """Whoever posts a wrong key meanwhile must not make an answered page one that is away."""
    pages, (ours, theirs) = WaitingPages(), socket.socketpair()
    try:
        pages.add("c101", WaitingPage(ours, "a", "127.0.0.1", "", False, "", answer_at()))
        assert pages.take("c101", "t1") is not None
        pages.note("c101", "key", "10.0.0.66")
        assert pages.absence("c101") is None, "it comes back within seconds"
    finally:
        pages.close()
        theirs.close()


def test_a_request_is_answered_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_module, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(waiting_module, "SPREAD_SECONDS", 0.1)
    monkeypatch.setattr(waiting_module, "WATCH_SECONDS", 0.05)
    with page(config(tmp_path, classrooms=(BROWSER_ROOM,))) as server:
        key = RoomKeys(tmp_path).renew(["c101"])["c101"]
        assert answer(wait(server, key)) == (200, {"do": "again", "trial": ""})


def test_the_page_itself(tmp_path: Path) -> None:
    with page(config(tmp_path, classrooms=(BROWSER_ROOM,))) as server:
        status, shown = ask(server, "GET", "/stay?room=c101&key=x")
        assert status == 200
        assert "?." not in shown["text"].partition("<script")[2], "old browsers know no optional chaining"
        assert ask(server, "GET", "/stay?room=%3Cscript%3E")[0] == 404
        assert ask(server, "POST", "/wait", {"room": "c101", "key": "x"}, X_CampusMeter="")[0] == 403


def load_of(up: bool, rate: float, lost: int, window_limited: float = 0.0, rtt: float = 0.0003) -> JudgedLoad:
    """A load over a second at this line rate, sampled as the gateway does."""
    request = ThroughputRequest("127.0.0.1", 0, "browser", "classroom", 100e6)
    load = JudgedLoad(up, 10**9, 10**9, request=request, path=Encapsulation(), pings=[0.0003] * 4)
    seconds = [n * 0.003 for n in range(300)]
    segments = [int(at * rate / 8 / 1538) for at in seconds]
    load.began = 1000.0
    load.counts = [ArrivalCount(1000.0 + at, n * MSS, n) for at, n in zip(seconds, segments, strict=True)]
    load.payload_bytes, load.lost_segments = segments[-1] * MSS, lost
    load.window_limited_seconds, load.rtts = window_limited, [rtt] * 50
    return load


@pytest.mark.parametrize(
    ("load", "reached", "validity", "lower_bound"),
    [
        (load_of(False, 100e6, 20, rtt=0.008), True, "ok", False),
        (load_of(False, 90e6, 20, rtt=0.008), None, "inconclusive", True),  # without counters nothing is proved
        (load_of(False, 60e6, 0), None, "inconclusive", True),
        (load_of(False, 60e6, 0, window_limited=0.8, rtt=0.01), None, "inconclusive", True),
        (load_of(True, 60e6, 0), None, "inconclusive", True),
        (load_of(True, 114e6, 0), True, "ok", True),  # the pace: at least so much
    ],
)
def test_what_a_load_must_prove(load: JudgedLoad, reached: bool | None, validity: str, lower_bound: bool) -> None:
    load._judge(last=True)
    record = load.record(load.path)
    assert record is not None
    assert (load.verdict.reached, str(load.verdict.validity)) == (reached, validity), load.verdict
    assert record.lower_bound is lower_bound


def test_what_opens_the_pages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert stay_url("http://10.0.1.1:8090/", "c101", "a-b_c") == "http://10.0.1.1:8090/stay?room=c101&key=a-b_c"
    files = shortcut_files([BROWSER_ROOM, ELSEWHERE], {"c101": "k1"}, "http://10.0.1.1:8090", "zh")
    assert sorted(files) == ["c101.url", "codes.html", "startup.ps1"]
    assert files["c101.url"] == "[InternetShortcut]\r\nURL=http://10.0.1.1:8090/stay?room=c101&key=k1\r\n"
    assert "'127.0.0.1' = 'http://10.0.1.1:8090/stay?room=c101&key=k1'" in files["startup.ps1"]
    assert "<svg" in files["codes.html"]
    file = tmp_path / "agent.toml"
    file.write_text(
        '[agent]\nschool = "s001"\nstate_dir = "state"\n[page]\nport = 8090\n'
        '[[classroom]]\nid = "c101"\nhost = "10.0.1.2"\nengine = "browser"\n'
    )
    command = [
        "page",
        "shortcuts",
        "--config",
        str(file),
        "--url",
        "http://10.0.1.1:8090",
        "--out",
        str(tmp_path / "o"),
    ]
    assert main(command) == 0
    assert (tmp_path / "o" / "c101.url").stat().st_mode & 0o077 == 0
    key = (tmp_path / "o" / "c101.url").read_text().strip().partition("key=")[2]
    assert RoomKeys(tmp_path / "state").opens("c101", key)
    assert main(command) == 0, "a classroom that has a key keeps it"
    assert RoomKeys(tmp_path / "state").opens("c101", key)
    assert main([*command, "--room", "c109"]) == 2
    assert main(["page", "revoke", "--config", str(file), "c101"]) == 0
    assert not RoomKeys(tmp_path / "state").opens("c101", key)
    capsys.readouterr()


def test_a_url_that_would_end_a_string_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["page", "shortcuts", "--url", "http://a'; rm", "--out", "x"])
    capsys.readouterr()
