"""The page that is kept: what changed is written again, the rest stands; parts, OpenMetrics, gzip; and it always says what a new one would."""

import gzip
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from campus_collector.domain.agents import Principal
from campus_collector.domain.inventory import Classroom
from campus_collector.domain.tokens import new_token, token_hash
from campus_collector.export.exposition import StoredExposition, line
from campus_collector.export.metrics_cache import MetricsCache
from campus_collector.export.table import METRICS, SCOPES, scope_of
from campus_wire.records import AnnouncedClassroom, AnnouncedService, Announcement
from tests.collector.export.test_devices import device, room
from tests.collector.inventory.test_importer import apply, inventory
from tests.collector.lessons import FROZEN, lesson_streams
from tests.collector.world import World, envelope, service, throughput

NOT_COMPARED = ("campus_scrape_duration_seconds ", "campus_store_", "# HELP", "# TYPE")


def lines(world: World, cache: MetricsCache | None = None, **how: object) -> list[str]:
    """The samples of the kept page, or of another one, without those that tell of the scrape itself."""
    text = b"".join((cache or world.service.metrics).render(**how)).decode()  # type: ignore[arg-type]
    return sorted(splitline for splitline in text.splitlines() if not splitline.startswith(NOT_COMPARED))


def afresh(world: World) -> MetricsCache:
    """A page that knows nothing yet."""
    service = world.service
    return MetricsCache(service.store, service.verdicts, service.ingest_duration_seconds)


def test_a_kept_page_is_at_every_moment_what_a_new_one_would_be(world: World) -> None:
    now = datetime.now(UTC) - timedelta(minutes=1)

    def same() -> list[str]:
        kept = lines(world)
        assert kept == lines(world, afresh(world))
        return kept

    assert same()
    world.send(throughput(at=now), throughput(950e6, 950e6, subject="uplink", at=now), service(at=now))
    first = same()
    world.send(throughput(50e6, 60e6, at=now + timedelta(seconds=1)))
    second = same()
    changed = {each.partition(" ")[0] for each in set(first) ^ set(second)}
    assert changed
    assert not any("uplink" in each or "service" in each for each in changed)
    world.send(*(throughput(50e6, 50e6, at=now - timedelta(days=day)) for day in range(9)))
    world.send(device(now, storage_free_ratio=0.2), room(now, True))
    assert any(each.startswith("campus_room_up") for each in same())
    token = world.issue_token("s002")
    same()
    two = Announcement("t02", [AnnouncedClassroom("c201", "", 1e8)], [AnnouncedService("x", "")], True, 1e9)
    answer = world.post(
        envelope(throughput(subject="c201", school="s002", at=now), agent_id="s002", announcement=two), token
    )
    assert answer.status == 200
    assert any('school="s002"' in each and each.startswith("campus_classroom") for each in same())
    apply(world, inventory())
    same()


def test_a_silent_school_leaves_and_comes_back(world: World) -> None:
    now = datetime.now(UTC)
    world.send(throughput(at=now), device(now, load_ratio=0.1), room(now, True))

    def names(minutes: float) -> set[str]:
        return {each.partition("{")[0] for each in lines(world, now=now + timedelta(minutes=minutes))}

    assert {"campus_device_up", "campus_room_up", "campus_classroom_line_rate_bits_per_second"} <= names(14)
    quiet = names(16)
    assert "campus_device_up" not in quiet
    assert "campus_room_up" not in quiet
    assert "campus_classroom_line_rate_bits_per_second" in quiet
    assert not [name for name in names(24 * 60 + 1) if name.startswith(("campus_classroom", "campus_gateway"))]
    assert {"campus_device_up", "campus_classroom_line_rate_bits_per_second"} <= names(1)


def test_the_policy_says_how_long_silence_is_shown(world: World) -> None:
    from campus_collector.judge.policy import read_policy

    text = world.service.verdicts.policy.text
    assert world.service.verdicts.policy.present.stale_after_seconds == 86_400
    world.service.verdicts.policy = read_policy(
        text.replace("stale_after_seconds = 86400", "stale_after_seconds = 3600")
    )
    now = datetime.now(UTC)
    world.send(throughput(at=now))
    page = afresh(world)
    assert any(each.startswith("campus_classroom_") for each in lines(world, page, now=now + timedelta(minutes=59)))
    assert not any(each.startswith("campus_classroom_") for each in lines(world, page, now=now + timedelta(minutes=62)))


def test_a_gateway_that_replaces_another_speaks_for_its_school_once(world: World) -> None:
    world.send(throughput())
    token = new_token()
    world.service.store.tokens.issue(token_hash(token), Principal("s001", "s001-new"), "t01", datetime.now(UTC))
    assert world.post(envelope(throughput(), agent_id="s001-new"), token).status == 200
    assert len([each for each in lines(world) if each.startswith("campus_agent_up")]) == 1
    assert lines(world) == lines(world, afresh(world))


def test_a_token_that_ends_is_told(world: World) -> None:
    world.send(throughput())
    assert not any("token_expiry" in each for each in lines(world))
    now = datetime.now(UTC)
    world.service.store.tokens.revoke("s001", now)
    world.service.store.tokens.issue(b"t" * 32, Principal("s001", "s001"), "t01", now, now + timedelta(days=10))
    (actual,) = [each for each in lines(world) if "token_expiry" in each]
    assert float(actual.split()[-1]) == pytest.approx((now + timedelta(days=10)).timestamp())


def test_towns_together_are_the_whole_page(world: World) -> None:
    world.send(throughput(), service())
    whole = lines(world)
    assert sorted(lines(world, towns=["t01"]) + lines(world, towns=[""])) == whole
    assert sorted(lines(world, towns=["t01", ""])) == whole
    assert not [each for each in lines(world, towns=["t01"]) if each.startswith(("campus_slots", "campus_ingest"))]
    assert any(each.startswith("campus_agent_up") for each in lines(world, towns=["t01"]))


def test_scopes_together_are_the_whole_page(world: World) -> None:
    world.send(throughput(), service())
    assert sorted(each for scope in SCOPES for each in lines(world, scopes=[scope])) == lines(world)
    assert {scope_of(metric) for metric in METRICS} == set(SCOPES)


@pytest.mark.parametrize(
    ("query", "words"),
    [("?scope=weather", "compliance"), ("?town=atlantis", "t02"), ("?shard=1", "known here: scope, town")],
)
def test_what_does_not_exist_is_said_with_what_does(world: World, query: str, words: str) -> None:
    answer = world.get(f"/metrics{query}")
    assert answer.status == 400
    assert words in answer.json["detail"]


def test_text_openmetrics_and_gzip_by_negotiation(world: World) -> None:
    world.send(throughput(), service())
    text = world.get("/metrics")
    assert text.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "content-encoding" not in text.headers
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    modern = world.get("/metrics?scope=agents&scope=collector", Accept=accept, Accept_Encoding="gzip")
    assert modern.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert modern.headers["content-encoding"] == "gzip"
    body = gzip.decompress(modern.body).decode()
    assert body.endswith("# EOF\n")
    families = {parse_openmetric.name: parse_openmetric for parse_openmetric in parse_openmetrics(body)}
    assert families["campus_slots_granted"].type == "counter"
    assert families["campus_ingest_request_duration_seconds"].type == "histogram"
    assert {sample.name for sample in families["campus_agent_up"].samples} == {"campus_agent_up"}
    plain = {
        text_string_to_metric_family.name
        for text_string_to_metric_family in text_string_to_metric_families(text.body.decode())
    }
    whole = world.get("/metrics", Accept=accept).body.decode()
    assert {parse_openmetric.name for parse_openmetric in parse_openmetrics(whole)} >= plain - {
        "campus_ingest_request_duration_seconds_created"
    }


def test_names_of_every_kind_are_written_so_that_they_can_be_read() -> None:
    name = 'a"b\\c\nd'
    (family,) = text_string_to_metric_families(line("campus_agent_up", (name,), 1.0))
    assert family.samples[0].labels == {"school": name}
    with pytest.raises(ValueError, match="takes the labels"):
        line("campus_agent_up", ("s1", "s2"), 1.0)


def test_an_owner_that_moves_leaves_nothing_behind() -> None:
    kept, metric = StoredExposition(), next(metric for metric in METRICS if metric.name == "campus_agent_up")
    kept.put(("agent", "s1"), "t01", [("campus_agent_up", ("s1",), 1.0)])
    kept.put(("agent", "s1"), "t02", [("campus_agent_up", ("s1",), 0.0)])
    assert b"} 1.0" not in b"".join(kept.parts_of(metric, None, False))
    assert b"campus_agent_up{" not in b"".join(kept.parts_of(metric, ["t01"], False))
    kept.put(("agent", "s1"), "t02", ())
    assert b"campus_agent_up{" not in b"".join(kept.parts_of(metric, None, False))


def test_trouble_with_the_store_loses_no_news(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from campus_collector.store.errors import StoreUnavailable

    lines(world)
    world.send(throughput(50e6, 50e6))

    def gone(*_: object) -> None:
        raise StoreUnavailable("the disk is gone")

    with monkeypatch.context() as patched:
        patched.setattr(world.service.store.results, "latest", gone)
        answer = world.get("/metrics")
        assert answer.status == 503
        assert answer.headers["retry-after"]
    assert any(each.startswith("campus_classroom_line_rate") for each in lines(world))
    assert lines(world) == lines(world, afresh(world))


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_in_whatever_order(world: World, seed: int) -> None:
    """Results of every kind, early and late, announcements that come and go, silence, an inventory: kept is as good as new."""
    chance = Random(seed)
    start = datetime.now(UTC)
    rooms = [AnnouncedClassroom(f"c{number}", "", 1e8) for number in (101, 102, 103)]
    for step in range(25):
        at = start - timedelta(minutes=chance.choice((0, 1, 10, 20, 3000)))
        subject = chance.choice(("c101", "c102", "c103", "uplink"))
        announced = Announcement("t01", chance.sample(rooms, 2), [AnnouncedService("smartedu-cn", "")], True, 1e9)
        results = [
            throughput(chance.choice((50e6, 99e6)), chance.choice((None, 99e6)), at=at, subject=subject),
            service(chance.choice((None, 0.2)), at=at),
            device(at, chance.choice(("rec-1", "rec-2")), up=chance.random() < 0.5),
            room(at, chance.random() < 0.5),
            *lesson_streams(at - timedelta(minutes=5), 5, {chance.randrange(5): FROZEN}, name=f"{step}"),
        ]
        world.send(*chance.sample(results, chance.randrange(4)), announcement=announced)
        if step == 15 and chance.random() < 0.5:
            apply(world, inventory(Classroom("s001", "c101", "一班")))
        now = start + timedelta(minutes=chance.choice((0, 10, 30, 3000)))
        assert lines(world, now=now) == lines(world, afresh(world), now=now), f"step {step}"
