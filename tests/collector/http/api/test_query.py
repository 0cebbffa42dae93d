"""What is asked for in an address: unknown keys and wrong values are named, never left aside or replaced by others."""

from datetime import UTC, datetime
from urllib.parse import quote

import pytest

from campus_collector.cli.main import main
from tests.collector.world import ANNOUNCEMENT, World, envelope, throughput


def queries(world: World) -> dict[str, set[str]]:
    """Every GET route of the document under /v1 that people and programs read, with its keys."""
    document = world.get("/openapi.json").json
    return {
        path: {parameter["name"] for parameter in methods["get"].get("parameters", []) if parameter["in"] == "query"}
        for path, methods in document["paths"].items()
        if path.startswith("/v1/") and "get" in methods and path not in ("/v1/config", "/v1/token")
    }


def filled_in(path: str) -> str:
    return (
        path.replace("{school}", "s001").replace("{number}", "1").replace("{ending}", "csv")
        .replace("{month}", datetime.now(UTC).strftime("%Y-%m")).replace("{form}", "html")
    )  # fmt: skip


LISTS = {"number"}
"""Keys that may be repeated."""


def test_every_declared_key_is_read(world: World) -> None:
    """A value that none of them takes is refused, by its own name where it is a matter of its form."""
    world.send(throughput())
    for path, keys in queries(world).items():
        for key in keys:
            before = "school=s001&" if path.startswith("/v1/results") and key != "school" else ""
            value = "x" * 101 if key == "q" else "no+such"  # words of people are bounded by their length only
            of_agents = {"Authorization": f"Bearer {world.token}"} if path == "/v1/commands" else {}
            answer = world.get(f"{filled_in(path)}?{before}{key}={value}", **of_agents)
            assert answer.status in (400, 404), f"{path}: {key}"
            assert answer.status == 404 or answer.json["detail"].startswith(f"{key} "), answer.json["detail"]


def test_a_list_may_be_given_twice_and_an_unknown_key_of_the_metrics_is_named(world: World) -> None:
    assert world.get("/metrics?scope=agents&scope=collector").status == 200
    answer = world.get("/metrics?scop=agents")
    assert (answer.status, answer.json["title"]) == (400, "Bad query")
    assert answer.json["detail"] == "unknown key 'scop'; known here: scope, town"


def test_an_unknown_key_is_named_by_every_reading_route(world: World) -> None:
    world.send(throughput())
    actual = queries(world)
    assert len(actual) >= 7
    for path, keys in actual.items():
        filled = filled_in(path)
        for key in ("scool", "Limit", "months"):
            answer = world.get(f"{filled}?{key}=x")
            assert (answer.status, answer.json["title"]) == (400, "Bad query"), path
            assert f"'{key}'" in answer.json["detail"]
            assert all(known in answer.json["detail"] for known in keys), path
        for key in set(keys) - LISTS:
            answer = world.get(f"{filled}?{key}=x&{key}=y")
            assert (answer.status, f"{key} is given more than once") == (400, answer.json["detail"]), path


@pytest.mark.parametrize(
    ("path", "status", "named"),
    [
        ("/v1/results?school=nope", 404, "nope"),
        ("/v1/results?school=S%201", 400, "school must be an id"),
        ("/v1/results?school=s001&subject=../c", 400, "subject must be an id"),
        ("/v1/results?school=s001&kind=weather", 400, "kind must be one of"),
        ("/v1/results?school=s001&limit=000000010" + "9" * 5000, 400, "limit must be 1 to 5000"),
        ("/v1/results?school=s001&limit=-1", 400, "limit must be 1 to 5000"),
        ("/v1/results?school=s001&from=2026-11-02&to=2026-11-01", 400, "from must be before to"),
        ("/v1/compliance?town=nope", 404, "nope"),
        ("/v1/compliance?target=nope", 400, "target must be one of"),
        ("/v1/compliance?month=2026-1", 400, "a month is written YYYY-MM"),
        ("/v1/schools?month=", 400, "a month is written YYYY-MM"),
        ("/v1/schools/nope", 404, "nope"),
        ("/v1/schools/s001?month=November", 400, "not 'November'"),
        ("/v1/problems?school=nope", 404, "nope"),
        ("/v1/problems?town=nope", 404, "nope"),
        ("/v1/problems?state=nope", 400, "state must be one of"),
        ("/v1/problems?older_than=10000", 400, "older_than is a number of days"),
        ("/v1/problems.csv?lang=fr", 400, "lang must be one of zh, en"),
        ("/v1/monthly/2026-11.html?lang=fr", 400, "lang must be one of zh, en"),
    ],
)
def test_a_wrong_value_is_named(world: World, path: str, status: int, named: str) -> None:
    answer = world.get(path)
    assert (answer.status, answer.json["status"]) == (status, status)
    assert named in answer.json["detail"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/results?school=s001",
        "/v1/results?school=s001&subject=never-measured",
        "/v1/compliance?town=&target=uplink_bandwidth",
        "/v1/compliance?town=t01",
        "/v1/problems?town=t01&school=s001&state=&target=&older_than=",
        "/v1/problems.csv?town=&lang=en",
        "/v1/schools?month=2026-10",
    ],
)
def test_what_is_known_is_answered(world: World, path: str) -> None:
    world.send(throughput())
    assert world.get(path).status == 200


@pytest.mark.parametrize(
    ("path", "status", "zh", "en"),
    [
        ("/?month=nonsense", 400, "month 应为月份", "a month is written YYYY-MM"),
        ("/?month=2026-13", 400, "不能是 &#39;2026-13&#39;", "not &#39;2026-13&#39;"),
        ("/schools/s001?month=2026/11", 400, "month 应为月份", "a month is written YYYY-MM"),
        ("/explain/uplink_bandwidth/s001/uplink?month=x", 400, "month 应为月份", "a month is written YYYY-MM"),
        ("/problems?state=nope", 400, "state 应为以下之一", "state must be one of"),
        ("/problems?target=nope", 400, "target 应为以下之一", "target must be one of"),
        ("/problems?older_than=-3", 400, "older_than 应为天数", "older_than is a number of days"),
        ("/problems?town=nope", 404, "没有此镇街：nope", "No such town: nope"),
        ("/quarantine?school=nope", 404, "没有此学校：nope", "No such school: nope"),
        ("/monthly/excerpt?month=x&form=pdf&area=town:t01", 404, "month 应为月份", "a month is written YYYY-MM"),
        ("/monthly/excerpt?month=2026-11&form=odt&area=town:t01", 404, "form 应为以下之一", "form must be one of"),
        ("/monthly/excerpt?month=2026-11&form=pdf&area=nope", 404, "area 应为", "area must be"),
    ],
)  # fmt: skip
def test_pages_name_a_wrong_value_in_both_languages(world: World, path: str, status: int, zh: str, en: str) -> None:
    for language, words in (("zh", zh), ("en", en)):
        answer = world.request("GET", f"{path}&lang={language}", b"", Accept="text/html")
        body = answer.body.decode()
        assert (answer.status, words in body) == (status, True), body[-1500:]
        assert "text/html" in answer.headers["content-type"]


@pytest.mark.parametrize("value", ["<script>alert(1)</script>", "x" * 2000, "\x1b[2J", "\u202eabc"])
def test_a_named_value_is_harmless_on_the_page(world: World, value: str) -> None:
    body = world.request("GET", f"/?month={quote(value)}", b"", Accept="text/html").body.decode()
    assert "month" in body
    assert not any(raw in body for raw in ("<script>alert", "x" * 100, "\x1b", "\u202e"))


def test_the_first_page_shows_the_month_asked_for_and_its_links_keep_it(world: World) -> None:
    now = datetime.now(UTC)
    world.post(envelope(throughput(at=now), announcement=ANNOUNCEMENT))
    this = str(world.service.verdicts.this_month())
    earlier = world.get("/?month=2026-10").body.decode()
    assert "2026 年 10 月" in earlier or "2026-10" in earlier
    assert f"/schools/s001/subjects/c101?month={this}" in world.get(f"/schools/s001?month={this}").body.decode()
    assert "?month=" not in world.get("/schools/s001").body.decode()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("verify", "--school", "nope"), "没有此学校：nope"),
        (("quarantine", "--school", "nope"), "没有此学校：nope"),
        (("ledger", "--town", "nope"), "没有此镇街：nope"),
    ],
)
def test_commands_name_an_unknown_school_or_town(
    world: World,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    words: str,
) -> None:
    monkeypatch.setenv("CAMPUS_LANG", "zh")
    state = str(world.service.config.database.parent)
    assert main([*arguments, "--json", "--state-dir", state]) == 1
    captured = capsys.readouterr()
    assert words in captured.err
    assert captured.out == ""
