"""A one-time code for a token: used once, for a time, guessed in vain."""

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campus_collector.cli.main import main
from campus_collector.domain.agents import Enrolment, Principal
from campus_collector.domain.enrolment_codes import LETTERS, code_hash, grouped, new_code, plain
from campus_collector.http.api.enroll import MAX_TRIES, WINDOW_SECONDS
from campus_collector.store.errors import StoreUnavailable
from campus_wire.codec import compress
from tests.collector.world import Answer, World, envelope, store_away, throughput


def ask(world: World, code: str, **more: object) -> Answer:
    body = json.dumps({"code": code} | more).encode()
    return world.request("POST", "/v1/enroll", body, Content_Type="application/json")


def issue(world: World, school: str = "s009", hours: float = 1, town: str | None = "t09") -> str:
    code, now = new_code(), datetime.now(UTC)
    world.service.store.tokens.issue_code(code_hash(plain(code) or ""), school, town, now, now + timedelta(hours=hours))
    return code


def test_a_code_is_exchanged_for_a_token_that_works(world: World) -> None:
    answer = ask(world, issue(world), version="0.1.0", os="Debian")
    assert answer.status == 201
    actual = answer.json
    assert (actual["school"], actual["town"], actual["agent_id"]) == ("s009", "t09", "s009")
    sent = world.post(envelope(throughput(school="s009"), agent_id="s009", announcement=None), actual["token"])
    assert sent.status == 200
    other = world.post(envelope(throughput(school="s001"), agent_id="s009", announcement=None), actual["token"])
    assert other.status != 200 or other.json["stored"] == 0, "another school's subject is refused"


def test_nothing_is_read_after_the_code_is_spent(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that fails then would cost the code, and the gateway has no token."""

    def fails(*_: object) -> None:
        raise StoreUnavailable("away")

    code = issue(world, "s001", town=None)
    for name in ("schools", "agents"):
        monkeypatch.setattr(world.service.store, name, fails)
    answer = ask(world, code)
    assert (answer.status, answer.json["town"]) == (201, "t02")


def test_it_is_good_once(world: World) -> None:
    code = issue(world)
    assert ask(world, code).status == 201
    again = ask(world, code)
    assert again.status == 403
    assert again.json["detail"] == ask(world, new_code()).json["detail"], "used and unknown are told alike"


def test_two_that_come_at_once_cannot_both_have_it(world: World) -> None:
    code, answers = issue(world), []
    threads = [threading.Thread(target=lambda: answers.append(ask(world, code).status)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [201, 403, 403, 403, 403, 403]


def test_it_ends_and_a_new_one_voids_it(world: World) -> None:
    assert ask(world, issue(world, hours=-0.001)).status == 403
    first, second = issue(world), issue(world)
    assert ask(world, first).status == 403
    assert ask(world, second).status == 201


def test_a_new_gateway_takes_the_place_of_the_old_one(world: World) -> None:
    token = world.token
    assert world.post(envelope(throughput()), token).status == 200
    fresh = ask(world, issue(world, "s001", town=None)).json["token"]
    assert world.post(envelope(throughput()), token).status == 401
    assert world.post(envelope(throughput()), fresh).status == 200


def test_guessing_is_slowed_down(world: World) -> None:
    for _ in range(MAX_TRIES):
        assert ask(world, new_code()).status == 403
    code = issue(world)
    refused = ask(world, code)
    assert refused.status == 429
    assert int(refused.headers["retry-after"]) <= WINDOW_SECONDS


def test_tries_that_the_store_could_not_look_at_do_not_count(world: World) -> None:
    code = issue(world)
    with store_away(world):
        assert {ask(world, code).status for _ in range(MAX_TRIES + 2)} == {503}
    assert ask(world, code).status == 201


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"code": 5}', b"[]", b'{"code": ""}', b'{"code": "' + b"A" * 41 + b'"}', b"[" * 4000]
)
def test_bad_requests(world: World, body: bytes) -> None:
    assert world.request("POST", "/v1/enroll", body, Content_Type="application/json").status == 400
    assert world.request("POST", "/v1/enroll", body, Content_Type="text/plain").status == 415
    assert world.get("/v1/enroll").status == 405


def test_only_hashes_are_stored(world: World, tmp_path: Path) -> None:
    code = issue(world)
    token = ask(world, code).json["token"]
    world.service.store.check()
    for file in tmp_path.glob("campus.db*"):
        octets = file.read_bytes()
        assert (plain(code) or "").encode() not in octets
        assert code.encode() not in octets
        assert token.encode() not in octets


@given(st.text(LETTERS, min_size=12, max_size=12))
def test_a_code_is_read_as_people_type_it(letters: str) -> None:
    assert plain(grouped(letters)) == letters
    assert plain(f" {grouped(letters).lower()} ") == letters
    typed = grouped(letters).replace("0", "o").replace("1", "l").replace("-", " ")
    assert plain(typed) == letters


@given(st.text(max_size=40))
def test_what_is_no_code_is_none(text: str) -> None:
    actual = plain(text)
    assert actual is None or (len(actual) == 12 and set(actual) <= set(LETTERS))


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAMPUS_LANG", "zh")
    assert main(["enroll-code", "s001", "--state-dir", str(tmp_path), "--url", "https://bureau.example:8443"]) == 0
    captured = capsys.readouterr()
    code = captured.out.strip()
    assert plain(code)
    assert f"campus-agent enroll https://bureau.example:8443 {code}" in captured.err
    assert "仅可使用一次" in captured.err
    assert main(["enroll-code", "S 1", "--state-dir", str(tmp_path)]) == 2
    with pytest.raises(SystemExit) as end:
        main(["enroll-code", "s001", "--hours", "0", "--state-dir", str(tmp_path)])
    assert end.value.code == 2


def test_a_code_is_the_schools_own(world: World) -> None:
    code = issue(world, "s001")
    enrolment = world.service.store.tokens.redeem_code(code_hash(plain(code) or ""), b"t" * 32, datetime.now(UTC))
    assert enrolment == Enrolment(Principal("s001", "s001"), "t09")


def test_what_is_too_large_or_packed_to_be_is_refused(world: World) -> None:
    for body, coding in ((b"x" * 5000, None), (compress(b" " * 3_000_000), "gzip")):
        more = {"Content_Encoding": coding} if coding else {}
        assert world.request("POST", "/v1/enroll", body, Content_Type="application/json", **more).status == 413


def test_a_revoked_token_gets_no_configuration(world: World) -> None:
    assert world.get("/v1/config", Authorization=f"Bearer {world.token}").status == 200
    world.service.store.tokens.revoke("s001", datetime.now(UTC))
    assert world.get("/v1/config", Authorization=f"Bearer {world.token}").status == 401
