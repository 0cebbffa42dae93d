"""When a session ends, and what a cookie is worth: its signature, its time, its id in the store."""

import base64
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from campus_collector.domain.people import Person
from campus_collector.domain.tokens import new_token, token_hash
from campus_collector.http.auth import sessions
from campus_collector.http.auth.sessions import COOKIE, KEY_FILE, Sessions
from campus_collector.http.service import open_service
from campus_collector.store.open import open_store
from campus_collector.store.tables.people import MAX_SESSIONS
from tests.collector.http.api.test_problems import Browser
from tests.collector.world import World, collector
from tests.stores import STORES


def log_in(world: World, name: str = "王五", role: str = "operator") -> Browser:
    """A browser with a session of a person, who is let in first."""
    token = new_token()
    world.service.store.people.put(Person(name, role, ""), datetime.now(UTC), "console", token_hash(token))
    browser = Browser(world)
    assert browser.post("/login", token=token)[0] == 303
    return browser


def is_logged_in(browser: Browser) -> bool:
    return browser.send("GET", "/account", Accept="text/html")[0] == 200


def with_cookie(world: World, cookie: str) -> Browser:
    browser = Browser(world)
    browser.cookies[COOKIE] = cookie
    return browser


def test_a_copied_cookie_ends_with_the_log_out_and_no_other_session_does(world: World) -> None:
    token = new_token()
    person = Person("王五", "viewer", "")
    world.service.store.people.put(person, datetime.now(UTC), "console", token_hash(token))
    first, second = Browser(world), Browser(world)
    for browser in (first, second):
        browser.post("/login", token=token)
    copied = with_cookie(world, first.cookies[COOKIE])
    assert is_logged_in(copied)
    assert first.post("/logout", form_token=first.form_token("/account"))[0] == 303
    assert not is_logged_in(copied)
    assert is_logged_in(second)


@pytest.mark.sqlite_only("the key is a file")
def test_a_session_outlives_a_restart(tmp_path: Path) -> None:
    with collector(tmp_path) as world:
        cookie = log_in(world).cookies[COOKIE]
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    with collector(tmp_path) as world:
        assert is_logged_in(with_cookie(world, cookie))
    (tmp_path / KEY_FILE).unlink()
    with collector(tmp_path) as world:
        assert not is_logged_in(with_cookie(world, cookie)), "another key"


def test_two_processes_know_each_other_s_sessions(world: World) -> None:
    browser = log_in(world)
    other = open_service(world.service.config)
    try:
        cookie = browser.cookies[COOKIE]
        session = other.authenticator.sessions.get(cookie)
        assert session is not None
        assert session.person.name == "王五"
        assert session.form_token == browser.form_token("/account")
        other.authenticator.sessions.end(cookie)
    finally:
        other.store.close()
    assert not is_logged_in(browser)


def test_what_was_not_signed_here_is_no_session(world: World) -> None:
    browser = log_in(world)
    cookie = browser.cookies[COOKIE]
    payload, time, signature = cookie.split(".")
    forged = base64.urlsafe_b64encode('["管理员",1,"x"]'.encode()).decode().rstrip("=")
    for damaged in (
        f"{forged}.{time}.{signature}", f"{payload}.{time}.{signature[:-1]}", f"{payload}.{time}.", f"{payload}.zzzz.{signature}",
        cookie + "x", payload, ".", "..", "", "x" * 4000, cookie.replace(".", ""),
    ):  # fmt: skip
        assert not is_logged_in(with_cookie(world, damaged)), damaged
    assert is_logged_in(browser)


def test_a_session_ends_with_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = log_in(world)
    monkeypatch.setattr(sessions, "SESSION_SECONDS", -1)
    assert not is_logged_in(browser)


@pytest.mark.parametrize("change", ["role", "revoked", "password"])
def test_a_session_ends_with_any_change_of_its_person(world: World, change: str) -> None:
    people, now = world.service.store.people, datetime.now(UTC)
    browser, other = log_in(world), log_in(world, "赵六")
    assert is_logged_in(browser)
    if change == "role":
        people.put(Person("王五", "viewer", ""), now, "console")
    elif change == "revoked":
        people.revoke("王五", now, "console")
    else:
        people.set_password("王五", "$argon2id$", now, "console")
    assert not is_logged_in(browser)
    assert is_logged_in(other)


def test_a_person_has_so_many_sessions_and_no_more(world: World) -> None:
    people = world.service.store.people
    first = log_in(world)
    other = log_in(world, "赵六")
    account = people.named("王五")
    assert account is not None
    for number in range(MAX_SESSIONS - 1):
        people.logged_in("王五", datetime.now(UTC), "token", f"s{number}")
    assert is_logged_in(first)
    people.logged_in("王五", datetime.now(UTC), "token", "one more")
    assert not is_logged_in(first)
    assert is_logged_in(other)
    account = people.named("王五")
    assert account is not None
    assert len(account.sessions) == MAX_SESSIONS


def test_a_form_of_another_session_is_refused(world: World) -> None:
    first, second = log_in(world, "管理员", "admin"), log_in(world, "赵六", "admin")
    foreign = first.form_token("/account")
    assert foreign != second.form_token("/account")
    assert second.post("/logout", form_token=foreign)[0] == 403
    assert second.upload("/inventory", "x.xlsx", b"x", form_token=foreign)[0] == 403
    assert is_logged_in(second)


@pytest.mark.sqlite_only("the key is a file")
def test_a_damaged_key_refuses_old_sessions_and_begins_new_ones(world: World) -> None:
    folder = world.service.config.database.parent
    (folder / KEY_FILE).write_bytes(b"short")
    browser = log_in(world)
    assert is_logged_in(browser), "for as long as this process lives"
    assert (folder / KEY_FILE).read_bytes() == b"short", "nobody's file is replaced"


def test_the_key_is_made_once(tmp_path: Path) -> None:
    store = open_store(tmp_path / "campus.db")
    try:
        made = [Sessions(store, tmp_path) for _ in range(8)]
        keys: set[bytes] = set()
        threads = [threading.Thread(target=lambda each=each: keys.add(each._key)) for each in made]  # type: ignore[misc]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert keys == {(tmp_path / KEY_FILE).read_bytes()}
        assert len(list(tmp_path.glob(".session*"))) == 0
    finally:
        store.close()


def test_collectors_on_a_server_have_one_key(tmp_path: Path) -> None:
    place = STORES["postgres"](tmp_path)
    stores = [open_store(place) for _ in range(2)]
    try:
        assert len({Sessions(stores[number % 2], None)._key for number in range(4)}) == 1
        values = ("state", "nonce", "verifier", "/fleet")
        cookie = Sessions(stores[0], None).sign_in_cookie(values)
        assert Sessions(stores[1], None).sign_in_values(cookie, 600) == values
        assert Sessions(stores[1], None).sign_in_values(cookie, -1) is None
        assert Sessions(stores[1], None).sign_in_values(cookie + "x", 600) is None
    finally:
        for store in stores:
            store.close()
