"""Verdicts while somebody judges: a reader waits or is told, and what another program judged is seen at once."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from campus_collector.domain.agents import Principal
from campus_collector.domain.evidence import DayRow, Unjudged
from campus_collector.domain.results import AcceptedResult, Batch
from campus_collector.http.service import Service
from campus_collector.judge.month import Month
from campus_collector.judge.service import Verdicts
from campus_collector.report.service import NoReport
from campus_collector.verify.database import verify
from campus_wire.bandwidth import Verdict
from campus_wire.codec import encode_result
from campus_wire.records import AnnouncedClassroom, Announcement, AnyResult
from tests.collector.world import World, days, throughput


def november(verdicts: Verdicts) -> Month:
    return Month(2026, 11, verdicts.zone)


def found(verdicts: Verdicts, subject: str = "c101") -> tuple[Verdict, int]:
    (verdict,) = [
        entry
        for entry in verdicts.subjects(november(verdicts))
        if (entry.subject, entry.target) == (subject, "classroom_bandwidth")
    ]
    return verdict.verdict, verdict.evidence.valid_results


def store(service: Service, *results: AnyResult) -> None:
    """As another process stores: nobody here is told."""
    valid = tuple(AcceptedResult(result, encode_result(result)) for result in results)
    batch = Batch(Principal("s001", "s001"), datetime.now(UTC), "boot-2", valid, ())
    service.store.submit(batch).result(30)


ROOMS = Announcement("t01", [AnnouncedClassroom("c101", "", 1e8)])
MORE_ROOMS = Announcement("t01", [AnnouncedClassroom("c101", "", 1e8), AnnouncedClassroom("c103", "", 1e8)])


class Halted:
    """A thread that judges, and stops when it has judged so many schools until it may go on."""

    def __init__(self, verdicts: Verdicts, judged: int = 0) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()

        def progress(done: int, _: int) -> None:
            if done < judged:
                return
            self.begun.set()
            assert self.go_on.wait(60)

        self.thread = threading.Thread(target=verdicts.catch_up, args=(progress,))

    def __enter__(self) -> "Halted":
        self.thread.start()
        assert self.begun.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self.go_on.set()
        self.thread.join(60)


def test_whoever_asks_while_another_thread_judges_waits_for_it(world: World) -> None:
    verdicts = world.service.verdicts
    verdicts.reader_timeout_seconds = None
    world.send(*(throughput(at=at) for at in days(6, 2)))
    with Halted(verdicts) as halted, ThreadPoolExecutor(3) as readers:
        asked = [readers.submit(found, verdicts) for _ in range(3)]
        assert not any(each.done() for each in asked)
        halted.go_on.set()
        assert [each.result(30) for each in asked] == [(Verdict.MET, 12)] * 3


def test_nobody_sees_a_month_that_is_half_judged(world: World) -> None:
    """Two schools fail; the judge is between them. What a reader is shown is of before, or of after: never one of each."""
    verdicts, store_ = world.service.verdicts, world.service.store
    world.issue_token("s002")

    def send(rate: float, first: int) -> None:
        for school in ("s001", "s002"):
            results = [throughput(rate, rate, at=at, school=school) for at in days(first, 2)]
            valid = tuple(AcceptedResult(result, encode_result(result)) for result in results)
            store_.submit(
                Batch(Principal(school, school), datetime.now(UTC), "boot", valid, (), announcement=ROOMS)
            ).result(30)

    def of_both() -> set[Verdict]:
        by_school = verdicts.by_school(november(verdicts))
        assert set(by_school) == {"s001", "s002"}
        judged = {verdict for school in by_school.values() for verdict in school.tally.counts["classroom_bandwidth"]}
        return judged - {Verdict.INSUFFICIENT}  # the room that is announced meanwhile

    verdicts.reader_timeout_seconds = None
    send(100e6, 6)
    assert of_both() == {Verdict.MET}
    send(10e6, 14)
    verdicts.reader_timeout_seconds = 0.05
    with Halted(verdicts, judged=1):
        store_.submit(
            Batch(Principal("s001", "s001"), datetime.now(UTC), "boot", (), (), announcement=MORE_ROOMS)
        ).result(30)
        assert len(store_.evidence.schools_unjudged()) == 1
        assert of_both() == {Verdict.MET}
        page = world.get("/?lang=zh").body.decode()
        assert "正在统计" in page
    verdicts.reader_timeout_seconds = None
    assert of_both() == {Verdict.NOT_MET}


def test_a_page_says_that_it_is_still_being_worked_out(world: World) -> None:
    verdicts = world.service.verdicts
    world.send(*(throughput(at=at) for at in days(6, 2)))
    verdicts.reader_timeout_seconds = 0.05
    with Halted(verdicts):
        for path in ("/", "/schools/s001", "/problems", "/fleet", "/monthly"):
            assert "正在统计" in world.get(f"{path}?lang=zh").body.decode(), path
            assert "Still being worked out" in world.get(f"{path}?lang=en").body.decode(), path
        for path in ("/v1/compliance?month=2026-11", "/v1/schools?month=2026-11", "/v1/schools/s001?month=2026-11"):
            answer = world.get(path).json
            assert (answer["complete"], answer["waiting_schools"]) == (False, 1), path
        metrics = world.get("/metrics").body.decode()
        assert "campus_judge_waiting_schools 1.0" in metrics
        assert "campus_target_compliance_ratio{" not in metrics, "half a county is no rate"
    verdicts.reader_timeout_seconds = 10.0
    world.service.ledger.catch_up()
    page = world.get("/?lang=zh").body.decode()
    assert "数据截至 20" in page
    assert "正在统计" not in page
    answer = world.get("/v1/compliance?month=2026-11").json
    assert (answer["complete"], answer["as_of"][:2]) == (True, "20")
    assert "campus_judge_waiting_schools 0.0" in world.get("/metrics").body.decode()


def test_a_report_says_of_when_it_is(world: World) -> None:
    world.send(*(throughput(at=at) for at in days(6, 2)))
    world.service.verdicts.reader_timeout_seconds = 0.05
    with Halted(world.service.verdicts):
        with pytest.raises(NoReport, match="no results yet"):
            world.service.reports.document(november(world.service.verdicts), "html", "zh")
        # a document that is fetched is made in another process, which judges what is not judged yet
        report = world.get("/v1/monthly/2026-11.html?lang=zh").body.decode()
        assert "未结" in report
        assert "尚无测量结果" not in report


def test_a_month_is_closed_on_everything_that_has_come(world: World, other: Service) -> None:
    """The command closes while the collector that serves is in the middle of its work."""

    october = november(world.service.verdicts).before()
    results = [throughput(at=at.replace(month=10)) for at in days(6, 2)]
    world.send(*results)
    with Halted(world.service.verdicts):
        figures = other.reports.figures(october)
    assert [target.count.met for target in figures.targets if target.target == "classroom_bandwidth"] == [1]


def test_what_another_program_judged_is_on_the_pages(world: World, other: Service) -> None:
    verdicts = world.service.verdicts
    world.send(*(throughput(at=at) for at in days(6, 2)))
    assert found(verdicts) == (Verdict.MET, 12)
    world.get("/metrics")
    bad = [throughput(10e6, 10e6, at=at) for at in days(12, 3)]
    world.send(*bad[:18])
    other.verdicts.catch_up()  # a report made beside it: the hours are off the list
    assert found(verdicts) == found(other.verdicts) == (Verdict.NOT_MET, 30)
    store(other, *bad[18:])
    assert found(verdicts) == (Verdict.NOT_MET, 48), "stored by another program"
    store(other, *(throughput(subject="c102", at=at) for at in days(6, 2)))
    other.verdicts.catch_up()
    now = datetime.now(UTC)
    if (now.year, now.month) == (2026, 11):
        metrics = world.get("/metrics").body.decode()
        assert 'subject="c101"' in metrics
        assert 'classroom="c102"' in metrics


def test_two_programs_that_judge_at_once_agree(world: World, other: Service) -> None:
    services = [world.service, other]

    def go_on(number: int) -> None:
        for at in days(8, 2):
            store(services[number], throughput(at=at, subject=f"c10{1 + number}"), throughput(at=at, subject="c101"))
            services[number].verdicts.catch_up()

    with ThreadPoolExecutor(2) as both:
        for each in [both.submit(go_on, number) for number in range(2)]:
            each.result(120)
    assert found(world.service.verdicts) == found(other.verdicts) == (Verdict.MET, 48)
    assert verify(world.service.store, world.service.verdicts).findings == (), (
        "no evidence of an older look was kept over a newer one"
    )


def test_an_hour_that_was_judged_by_another_program_is_not_overwritten(world: World, other: Service) -> None:
    """Somebody read the results, then others came and were judged, then the first one wants to keep what it knew."""
    at = days(1)[0]
    world.send(throughput(at=at))
    evidence = world.service.store.evidence
    waiting = evidence.unjudged("s001")
    rows = world.service.verdicts._judge_hours("s001", waiting)
    other.verdicts.catch_up()
    world.send(throughput(at=at))
    other.verdicts.catch_up()
    world.send(throughput(at=at))  # one arrival again, as when the first one looked
    assert not evidence.keep("s001", rows, waiting) or evidence.unjudged("s001")
    assert found(world.service.verdicts)[1] == 3
    assert verify(world.service.store, world.service.verdicts).findings == ()


def test_what_another_process_judges_meanwhile_is_not_judged_again(
    world: World, other: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdicts = world.service.verdicts
    schools = [f"s{number:03d}" for number in range(1, 9)]
    for school in schools:
        world.issue_token(school)
        result = throughput(school=school)
        valid = (AcceptedResult(result, encode_result(result)),)
        batch = Batch(Principal(school, school), datetime.now(UTC), "boot", valid, (), announcement=ROOMS)
        world.service.store.submit(batch).result(30)
    judged: list[str] = []
    judge_hours = Verdicts._judge_hours

    def counting(self: Verdicts, school: str, waiting: Sequence[Unjudged]) -> list[DayRow]:
        judged.append(school)
        return judge_hours(self, school, waiting)

    monkeypatch.setattr(Verdicts, "_judge_hours", counting)
    with Halted(verdicts, judged=2):
        assert len(judged) == 2
        assert other.verdicts.catch_up().complete
    assert sorted(judged) == schools
    assert len(judged_here := verdicts.subjects(november(verdicts))) >= 8
    assert judged_here == other.verdicts.subjects(november(other.verdicts))
