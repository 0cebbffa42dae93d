"""Passwords, lock-out, sessions, and what the commands do about people."""

import io
import re
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campus_collector.cli.main import main
from campus_collector.domain.people import Person
from campus_collector.http.auth.authenticator import MAX_ATTEMPTS
from campus_collector.http.auth.passwords import hash_of, policy_violation, rehash_if_needed, verify
from tests.collector.http.api.test_problems import Browser
from tests.collector.world import World, store_away

SENTENCE = "明天下午三点在县里开会讨论"


def admit(world: World, name: str = "王五", role: str = "operator", town: str = "", password: str = SENTENCE) -> None:
    person = Person(name, role, town)
    world.service.store.people.put(person, datetime.now(UTC), "console", password=hash_of(password))


def what(world: World) -> list[str]:
    return [event.what for event in reversed(world.service.store.ledger.events())]


@pytest.mark.real_passwords
def test_the_hash_is_argon2id_with_the_parameters_of_rfc_9106() -> None:
    kept = hash_of(SENTENCE)
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert kept != hash_of(SENTENCE), "a salt of its own"
    assert verify(SENTENCE, kept)
    assert not verify(SENTENCE + " ", kept)
    assert not verify(SENTENCE, None)
    assert not verify(SENTENCE, "no hash at all")
    assert rehash_if_needed(SENTENCE, kept) is None
    from argon2 import PasswordHasher

    weak = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(SENTENCE)
    assert verify(SENTENCE, weak)
    assert (rehash_if_needed(SENTENCE, weak) or "").startswith("$argon2id$v=19$m=65536,")


@pytest.mark.parametrize(
    ("password", "good"),
    [("short", False), ("x" * 201, False), ("aaaaaaaaaaaa", False), ("1234567890", False), ("我是王五123456", False), ("correct horse battery", True), (SENTENCE, True)],
)  # fmt: skip
def test_what_a_password_must_be(password: str, good: bool) -> None:
    assert (policy_violation(password, "王五") is None) is good


@settings(max_examples=50)
@given(st.text(max_size=300))
def test_no_password_breaks_the_rules(password: str) -> None:
    policy_violation(password, "王五")


def test_a_name_and_its_password_log_in(world: World) -> None:
    admit(world)
    browser = Browser(world)
    status, text, _ = browser.post("/login", name="王五", password="wrong wrong wrong")
    assert (status, "姓名或密码错误" in text) == (401, True)
    status, _, headers = browser.post("/login", name="王五", password=SENTENCE, next="/fleet")
    assert (status, headers["location"]) == (303, "/fleet")
    assert browser.send("GET", "/fleet")[0] == 200
    assert what(world)[-1] == "logged_in"
    if world.service.config.postgres is None:
        assert SENTENCE.encode() not in world.service.config.database.read_bytes()


def test_five_wrong_passwords_close_the_name_and_say_nothing_of_it(world: World) -> None:
    admit(world)
    texts = [Browser(world).post("/login", name="王五", password=f"wrong {number} wrong")[1] for number in range(5)]
    status, text, _ = Browser(world).post("/login", name="王五", password=SENTENCE)
    assert status == 401, "even the right one"
    unknown = Browser(world).post("/login", name="无此人", password=SENTENCE)
    assert unknown[0] == 401
    # the footer tells the minute of the data
    pages = {re.sub(r"<footer>.*?</footer>", "", page, flags=re.DOTALL) for page in (*texts, text, unknown[1])}
    assert len(pages) == 1, "unknown, wrong and locked read alike"
    assert "person_locked" in what(world)
    assert main(["person", "unlock", "王五", "--state-dir", str(world.service.config.database.parent)]) == 0
    assert Browser(world).post("/login", name="王五", password=SENTENCE)[0] == 303


def test_the_lock_ends_by_itself(world: World) -> None:
    admit(world)
    people, past = world.service.store.people, datetime.now(UTC) - timedelta(minutes=16)
    for _ in range(5):
        people.failed("王五", past, 5, timedelta(minutes=15))
    account = people.named("王五")
    assert account is not None
    assert account.locked(past + timedelta(minutes=14))
    assert Browser(world).post("/login", name="王五", password=SENTENCE)[0] == 303


def test_changing_the_password_ends_every_session(world: World) -> None:
    admit(world)
    first, second = Browser(world), Browser(world)
    for browser in (first, second):
        assert browser.post("/login", name="王五", password=SENTENCE)[0] == 303
    token = first.form_token("/account")
    new = "春风又绿江南岸明月何时照我还"
    actual = first.post("/account", form_token=token, old="not this one", new=new, again=new)
    assert (actual[0], "姓名或密码错误" in actual[1]) == (401, True)
    assert first.post("/account", form_token=token, old=SENTENCE, new=new, again=new + "x")[0] == 422
    assert first.post("/account", form_token=token, old=SENTENCE, new="short", again="short")[0] == 422
    assert first.post("/account", form_token="forged", old=SENTENCE, new=new, again=new)[0] == 403
    assert first.post("/account", form_token=token, old=SENTENCE, new=new, again=new)[0] == 303
    assert second.send("GET", "/account", Accept="text/html")[0] == 303
    assert Browser(world).post("/login", name="王五", password=SENTENCE)[0] == 401
    assert Browser(world).post("/login", name="王五", password=new)[0] == 303


def test_a_viewer_reads_and_changes_nothing(world: World) -> None:
    from tests.collector.http.api.test_problems import PROBLEM

    world.service.store.ledger.put([(PROBLEM, [])])
    admit(world, role="viewer")
    browser = Browser(world)
    browser.post("/login", name="王五", password=SENTENCE)
    token = browser.form_token("/account")
    status, text, _ = browser.post("/problems/1", form_token=token, action="acknowledge")
    assert (status, "您没有此项权限" in text) == (409, True)
    assert browser.upload("/inventory", "x.xlsx", b"x", form_token=token)[0] == 403
    assert browser.send("GET", "/people")[0] == 403


def test_an_admin_sees_people_and_the_trail(world: World) -> None:
    admit(world, "管理员甲", role="admin")
    admit(world, "他镇", role="viewer", town="t02")
    browser = Browser(world)
    browser.post("/login", name="管理员甲", password=SENTENCE)
    status, text, _ = browser.send("GET", "/people")
    assert status == 200
    assert "他镇" in text
    assert "授权人员" in text
    assert "命令行" in text
    assert "他镇 · 查看 · t02 · 密码" in text
    assert "argon2" not in text
    admit(world, "镇管理", role="admin", town="t01")
    town = Browser(world)
    town.post("/login", name="镇管理", password=SENTENCE)
    assert town.send("GET", "/people")[0] == 403, "an admin of one town does not see who else there is"


def test_ten_log_ins_at_once_are_all_answered(world: World) -> None:
    admit(world)
    statuses: list[int] = []
    threads = [
        threading.Thread(
            target=lambda: statuses.append(Browser(world).post("/login", name="王五", password=SENTENCE)[0])
        )
        for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [303] * 10


def test_the_commands(world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    where = ["--state-dir", str(world.service.config.database.parent)]
    monkeypatch.setattr(sys, "stdin", io.StringIO("short\n"))
    assert main(["person", "add", "赵六", "--password", *where]) == 2
    assert "10" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdin", io.StringIO(SENTENCE + "\n"))
    assert main(["person", "add", "赵六", "--role", "viewer", "--town", "t01", "--password", *where]) == 0
    assert main(["person", "add", "钱七", "--identity", "qian@edu.example", *where]) == 0
    before = len(world.service.store.people.all())
    capsys.readouterr()
    assert main(["person", "add", "孙八", "--identity", "qian@edu.example", *where]) == 1, "that identity is taken"
    captured = capsys.readouterr()
    assert "钱七" in captured.err, "whose it is"
    assert "campus.db" not in captured.err, "and no other error"
    assert len(world.service.store.people.all()) == before
    assert captured.out == "", "no token was made"
    assert main(["person", "add", "measurements", *where]) == 2
    assert main(["person", "add", " x ", *where]) == 2
    assert main(["person", "list", *where]) == 0
    listed = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert ["赵六", "viewer", "t01", "active", "password"] in listed
    assert ["钱七", "operator", "*", "active", "identity=qian@edu.example"] in listed
    assert main(["person", "revoke", "赵六", *where]) == 0
    assert main(["person", "revoke", "赵六", *where]) == 1
    assert Browser(world).post("/login", name="赵六", password=SENTENCE)[0] == 401
    assert main(["person", "password", "nobody", *where]) == 2, "no line on standard input"
    assert what(world)[-3:] == ["person_admitted", "person_admitted", "person_refused"]


def test_who_comes_back_does_not_bring_an_old_session(world: World) -> None:
    people, now = world.service.store.people, datetime.now(UTC)
    admit(world, role="admin")
    old = Browser(world)
    assert old.post("/login", name="王五", password=SENTENCE)[0] == 303
    for role in ("viewer", "operator", "viewer"):
        assert people.revoke("王五", now, "console")
        admit(world, role=role)
        assert old.send("GET", "/people", Accept="text/html")[0] == 303, "the old cookie is nobody's"
    fresh = Browser(world)
    assert fresh.post("/login", name="王五", password=SENTENCE)[0] == 303
    assert fresh.send("GET", "/people")[0] == 403, "a viewer now"
    account = people.named("王五")
    assert account is not None
    assert account.generation >= 7, "a generation is never used again"


def test_who_comes_back_proves_it_anew(world: World) -> None:
    people, now = world.service.store.people, datetime.now(UTC)
    person = Person("王五", "viewer", "")
    people.put(person, now, "console", token_hash=b"t" * 32, password=hash_of(SENTENCE), identity="w@edu.example")
    people.revoke("王五", now, "console")
    people.put(person, now, "console", token_hash=b"u" * 32)
    account = people.named("王五")
    assert account is not None
    assert (account.password, account.identity, account.has_token) == (None, None, True)
    assert people.of_token(b"t" * 32) is None


def test_two_hundred_guesses_at_once_are_two_hundred(world: World) -> None:
    admit(world)
    statuses: list[int] = []

    def guess(number: int) -> None:
        statuses.append(Browser(world).post("/login", name="王五", password=f"wrong {number} wrong")[0])

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses.count(401) == 10
    assert statuses.count(429) == 50


def test_a_right_password_that_the_store_could_not_look_at_does_not_count(world: World) -> None:
    admit(world)
    with store_away(world):
        assert {Browser(world).post("/login", name="王五", password=SENTENCE)[0] for _ in range(MAX_ATTEMPTS + 2)} == {
            503
        }
    assert Browser(world).post("/login", name="王五", password=SENTENCE)[0] == 303


def test_people_of_an_older_database_are_kept(tmp_path: object) -> None:
    import sqlite3
    from pathlib import Path

    from campus_collector.store.migrate import migrate, shipped
    from campus_collector.store.open import open_store
    from campus_collector.store.sqlite import SqliteConnection
    from campus_collector.store.tables.people import PeopleTable

    file = Path(str(tmp_path)) / "campus.db"
    database = sqlite3.connect(file, isolation_level=None)
    migrate(SqliteConnection(database), [step for step in shipped("sqlite") if step.name < "0007"])
    database.execute("INSERT INTO person VALUES ('张三', x'01', 'operator', 't01', 0, NULL)")
    database.execute("INSERT INTO person VALUES ('离任', x'02', 'admin', '', 0, 5)")
    database.close()
    store = open_store(file)
    try:
        people: PeopleTable = store.people
        account = people.of_token(b"\x01")
        assert account is not None
        assert account.person == Person("张三", "operator", "t01")
        assert people.of_token(b"\x02") is None
    finally:
        store.close()


def test_refusals_are_pages_in_the_reader_s_language(world: World) -> None:
    admit(world, "查看员", role="viewer")
    browser = Browser(world)
    browser.post("/login", name="查看员", password=SENTENCE)
    for path, status, words in (
        ("/people", 403, "您没有此项权限"),
        ("/nowhere", 404, "没有找到您要的内容"),
        ("/problems?state=x", 400, "无法识别该请求"),
        ("/schools/nope", 404, "没有编号为 nope 的学校"),
        ("/explain/classroom_bandwidth/s001/nope", 404, "没有考核对象"),
        ("/explain/weather/s001/c101", 404, "没有这项指标"),
        ("/problems/99", 404, "没有编号为 99 的问题"),
    ):
        actual, text, headers = browser.send("GET", path, Accept="text/html")
        assert (actual, words in text) == (status, True), path
        assert headers["content-type"].startswith("text/html")
        assert "查看员" in text, "still logged in"
    assert browser.send("GET", "/people")[2]["content-type"] == "application/problem+json", "programs get the document"
    assert (
        browser.send("GET", "/v1/problems?state=x", Accept="text/html")[2]["content-type"] == "application/problem+json"
    )


def test_every_refused_password_is_a_commit(world: World) -> None:
    """Else the time to an answer would tell which names are known."""
    admit(world)
    people, now = world.service.store.people, datetime.now(UTC)
    read = "SELECT value FROM total WHERE name = 'login'"
    database = world.service.store._database
    for count, name in enumerate(("王五", "无此人", "王五", "王五", "王五", "王五", "王五"), 1):
        world.service.authenticator.count_wrong_password(name, now)
        assert database.first(read) == (count,)
    account = people.named("王五")
    assert account is not None
    assert account.locked(now)
    assert account.failures == 0, "a closed name is not closed for longer by more guesses"


def test_a_reader_of_a_town_is_not_told_of_other_towns(world: World) -> None:
    world.send()
    token = "cm1_town-reader"
    from campus_collector.domain.tokens import token_hash

    person = Person("镇街", "viewer", "t77")
    world.service.store.people.put(person, datetime.now(UTC), "console", token_hash(token))
    answer = world.get("/metrics", Authorization=f"Bearer {token}")
    assert answer.status in (200, 400)
    assert b"t01" not in answer.body


@pytest.mark.parametrize(("language", "browser_prefers"), [("zh", "en"), ("en", "zh")])
def test_the_language_asked_for_outlives_logging_in(world: World, language: str, browser_prefers: str) -> None:
    admit(world)
    browser = Browser(world)
    headers = {"Accept": "text/html", "Accept_Language": browser_prefers}
    status, _, answer = browser.send("GET", f"/?lang={language}", **headers)
    assert (status, answer["location"]) == (303, f"/login?next=/&lang={language}")
    status, page, _ = browser.send("GET", answer["location"], **headers)
    assert status == 200
    assert f'<html lang="{"zh-CN" if language == "zh" else "en"}">' in page
    assert browser.post("/login", name="王五", password=SENTENCE, next="/problems")[0] == 303
    page = browser.send("GET", "/", **headers)[1]
    assert f'<html lang="{"zh-CN" if language == "zh" else "en"}">' in page


def test_a_language_that_there_is_not_is_left_out(world: World) -> None:
    admit(world)
    status, _, answer = Browser(world).send("GET", "/policy?lang=%0d%0aX", Accept="text/html")
    assert (status, answer["location"]) == (303, "/login?next=/policy")
