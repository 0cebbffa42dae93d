"""The overview and a town's page: the months before, what changed, towns by targets, schools filtered and sorted."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from campus_collector.domain.inventory import Classroom, Inventory, InventorySchool
from campus_collector.http.pages.changes import Fold, SubjectToShow, changes_between, folded, still_to_do
from campus_collector.http.pages.reader import Reader
from campus_collector.http.pages.targets import HeatCell, heat, months_chart
from campus_collector.judge.month import month_of
from campus_collector.judge.tally import SchoolInTown, SchoolTally, ShortVerdict
from campus_wire.bandwidth import Verdict
from tests.collector.world import World, collector, throughput

COUNTY = Inventory(
    (
        InventorySchool("t01", "柳河镇", "s001", "柳河镇中心小学", False, "甲通信公司"),
        InventorySchool("t01", "柳河镇", "s002", "柳河镇东庄小学", False, "乙通信公司"),
        InventorySchool("t02", "松山镇", "s003", "松山镇小学", False, "乙通信公司"),
    ),
    tuple(
        Classroom(school, room, f"{number}年级1班", "10.0.0.1")
        for school in ("s001", "s002", "s003")
        for number, room in enumerate(("c101", "c102"), 1)
    ),
    (),
    (),
    (),
)
BEFORE, NOW = datetime(2026, 9, 7, 2, tzinfo=UTC), datetime(2026, 10, 12, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """September and October 2026 of three schools: s001/c101 becomes slow, s001/c102 is repaired, s002 is well, s003 is slow."""
    with collector(tmp_path_factory.mktemp("county")) as world:
        start = datetime(2026, 9, 1, tzinfo=UTC)
        world.service.store.inventory.apply(COUNTY, {}, "test", start, start)
        tokens = {"s001": world.token} | {school: world.issue_token(school) for school in ("s002", "s003")}
        rates = {
            ("s001", "c101"): (100e6, 60e6), ("s001", "c102"): (60e6, 100e6), ("s002", "c101"): (100e6, 100e6),
            ("s002", "c102"): (100e6, 100e6), ("s003", "c101"): (60e6, 60e6), ("s003", "c102"): (60e6, 60e6),
        }  # fmt: skip
        for school, token in tokens.items():
            world.token = token
            for number, start in enumerate((BEFORE, NOW)):
                moments = [start + timedelta(days=day, hours=hour) for day in range(5) for hour in range(3)]
                results = [
                    throughput(
                        rates[school, room][number], rates[school, room][number], at=at, subject=room, school=school
                    )
                    for at in moments
                    for room in ("c101", "c102")
                ]
                world.send(*results, agent_id=school, announcement=None)
        world.service.verdicts.catch_up()
        yield world


def text_of(world: World, path: str, language: str = "en") -> str:
    answer = world.get(path, Accept="text/html", Accept_Language=language)
    assert answer.status == 200, answer.body
    return answer.body.decode()


def listed(text: str) -> list[str]:
    return re.findall(r'<th scope="row"><a href="/schools/(s\d+)', text)


def lists(text: str) -> dict[str, tuple[int, str]]:
    """The lists of subjects: heading, how many there are, and the HTML of the rows."""
    found = re.findall(
        r'<section class="card"><h3>([^<]*) <span class="num">(\d+)</span></h3>\s*(.*?)</section>', text, re.DOTALL
    )
    return {title: (int(count), rows) for title, count, rows in found}


def test_what_the_month_changed(county: World) -> None:
    shown = lists(text_of(county, "/?month=2026-10"))
    newly, repaired = shown["Newly not met"], shown["Repaired this month"]
    assert newly[0] == repaired[0] == 1
    assert "/explain/classroom_bandwidth/s001/c101?month=2026-10" in newly[1]
    assert "/explain/classroom_bandwidth/s001/c102?month=2026-10" in repaired[1]
    assert "柳河镇中心小学 1年级1班" in newly[1]
    first = text_of(county, "/?month=2026-09")
    assert "Newly not met" not in first, "nothing is known of the month before"


def test_rooms_of_one_cause_are_one_row_that_opens_to_them(county: World) -> None:
    count, rows = lists(text_of(county, "/?month=2026-10"))["Still to do, by school and cause"]
    assert count == 9, "with the lines that nobody has tested"
    items = rows.split("<details ")
    assert len(items) == 2, "both rooms of s003 have one cause, the one of s001 is alone"
    assert "松山镇小学: 2 classrooms, one cause" in items[1]
    for room in ("c101", "c102"):
        assert f'<a href="/schools/s003/subjects/{room}?month=2026-10">' in items[1]
    assert "/explain/classroom_bandwidth/s001/c101?month=2026-10" in items[1], "after the row of most rooms"
    of_town = lists(text_of(county, "/towns/t01?month=2026-10"))["Still to do, by school and cause"]
    assert of_town[0] == 5
    assert "s003" not in of_town[1]
    assert "2 个班级，同一原因" in text_of(county, "/?month=2026-10", "zh")


def test_how_many_rooms_are_to_go_and_how_many_are_covered(county: World) -> None:
    text = text_of(county, "/?month=2026-10")
    assert "<strong>still 3 classrooms to go</strong>" in text
    assert '<a href="/unmeasured?month=2026-10">enough valid tests: 100.0% of classrooms (6 of 6)</a>' in text
    assert "<strong>still 1 classrooms to go</strong>" in text_of(county, "/towns/t01?month=2026-10")
    nothing = text_of(county, "/?month=2026-08")
    assert "enough valid tests: 0.0% of classrooms (0 of" in nothing or "enough valid tests" not in nothing


def test_a_row_for_each_school_target_and_cause() -> None:
    cut, slow = ShortVerdict(Verdict.NOT_MET, cause="half_duplex"), ShortVerdict(Verdict.NOT_MET, cause="flat_rate")
    now = {"s1": {"t": {"c1": cut, "c2": slow, "c3": MET}, "u": {"c1": cut}}, "s2": {"t": {"c1": OPEN, "c2": OPEN}}}
    rows = folded(still_to_do(now))
    assert rows == [
        Fold("s2", "t", "", ("c1", "c2")),
        Fold("s1", "t", "flat_rate", ("c2",)),
        Fold("s1", "t", "half_duplex", ("c1",)),
        Fold("s1", "u", "half_duplex", ("c1",)),
    ]


def test_the_line_of_months_and_what_is_left(county: World) -> None:
    text = text_of(county, "/?month=2026-10")
    rooms = text[text.index("Every class at 100") :] if "Every class at 100" in text else text
    assert "50.0%" in rooms
    assert "as last month" in rooms
    assert "still 3 to go" in rooms
    assert re.findall(r'<th scope="row" class="num">(2026-\d\d)</th><td class="num">([^<]*)</td>', rooms)[:2] == [
        ("2026-09", "50.0%"),
        ("2026-10", "50.0%"),
    ]
    assert 'svg class="months"' not in text_of(county, "/?month=2026-09"), "one month is no line"


def test_towns_by_targets_lead_to_their_pages(county: World) -> None:
    text = text_of(county, "/?month=2026-10")
    table = text[text.index('<table class="heat">') : text.index("</table>", text.index('<table class="heat">'))]
    assert re.findall(r'<a href="/towns/(t\d+)\?month=2026-10">([^<]*)</a>', table) == [
        ("t02", "松山镇"),
        ("t01", "柳河镇"),
    ]
    assert 'class="num shade3"' in table, "3 of 4 rooms of t01"
    assert 'class="num shade0"' in table, "no room of t02"
    assert 'title="3 of 4"' in table


def test_a_town_s_page(county: World) -> None:
    text = text_of(county, "/towns/t01?month=2026-10", "zh")
    assert "柳河镇" in text
    assert listed(text) == []  # two schools are shown in full
    assert 'id="school-s001"' in text
    assert "松山镇" not in text
    assert "75.0%" in text
    assert listed(text_of(county, "/towns/t01?month=2026-10&sort=better")) == []
    assert county.get("/towns/t99", Accept="text/html").status == 404
    assert county.get("/towns/..%2Fx", Accept="text/html").status == 404


@pytest.mark.parametrize(
    ("query", "schools"),
    [
        ("", ["s003", "s001", "s002"]),
        ("sort=better", ["s002", "s001", "s003"]),
        ("sort=name", ["s003", "s002", "s001"]),
        ("sort=town", ["s001", "s002", "s003"]),
        ("town=t02", ["s003"]),
        ("verdict=not_met&target=classroom_bandwidth", ["s003", "s001"]),
        ("verdict=met&target=classroom_bandwidth", ["s001", "s002"]),
        ("target=recording_room", []),
        ("carrier=%E4%B9%99%E9%80%9A%E4%BF%A1%E5%85%AC%E5%8F%B8", ["s003", "s002"]),
        ("carrier=none", []),
        ("town=&target=&verdict=&cause=&carrier=&sort=", ["s003", "s001", "s002"]),
    ],
)
def test_schools_filtered_and_sorted(county: World, query: str, schools: list[str]) -> None:
    assert listed(text_of(county, f"/?month=2026-10&{query}")) == schools


def test_schools_by_a_cause(county: World) -> None:
    verdicts = county.service.verdicts
    month = month_of(NOW, verdicts.zone)
    causes = {
        school: {verdict.cause for verdict in of_school["classroom_bandwidth"].values()}
        for school, of_school in verdicts.short_verdicts(month).items()
    }
    assert causes["s002"] == {""}
    (cause,) = causes["s003"]
    expected = {school for school, has in causes.items() if cause in has}
    assert set(listed(text_of(county, f"/?month=2026-10&cause={cause}"))) == expected


@pytest.mark.parametrize("query", ["target=x", "verdict=good", "verdict=exempt", "cause=weather", "sort=luck"])
def test_what_is_not_known_is_named(county: World, query: str) -> None:
    answer = county.get(f"/?{query}")
    assert answer.status == 400
    assert query.partition("=")[0] in answer.body.decode()


def test_the_form_keeps_month_and_language(county: World) -> None:
    text = text_of(county, "/?month=2026-10&lang=en&page=1")
    form = text[text.index('action="#schools"') : text.index("</form>", text.index('action="#schools"'))]
    assert set(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form)) == {
        ("month", "2026-10"),
        ("lang", "en"),
    }


def test_a_month_before_all_data_is_no_error(county: World) -> None:
    assert county.get("/?month=2020-01", Accept="text/html").status == 200


MET, NOT_MET, OPEN = ShortVerdict(Verdict.MET), ShortVerdict(Verdict.NOT_MET), ShortVerdict(Verdict.INSUFFICIENT)


@pytest.mark.parametrize(
    ("before", "now", "newly", "repaired"),
    [(MET, NOT_MET, 1, 0), (NOT_MET, MET, 0, 1), (MET, MET, 0, 0), (OPEN, NOT_MET, 0, 0), (MET, OPEN, 0, 0), (None, NOT_MET, 0, 0)],
)  # fmt: skip
def test_what_counts_as_a_change(before: ShortVerdict | None, now: ShortVerdict, newly: int, repaired: int) -> None:
    earlier = {} if before is None else {"s1": {"t": {"c1": before}}}
    changes = changes_between(earlier, {"s1": {"t": {"c1": now}}})
    expected = [SubjectToShow("s1", "t", "c1")]
    assert changes.newly_not_met == expected[:newly]
    assert changes.repaired == expected[:repaired]


@pytest.mark.parametrize(("met", "shade"), [(0, 0), (1, 0), (20, 1), (59, 2), (79, 3), (99, 3), (100, 4)])
def test_the_darkest_shade_is_for_a_town_that_is_done(met: int, shade: int) -> None:
    tally = SchoolTally({"classroom_bandwidth": {Verdict.MET: met, Verdict.NOT_MET: 100 - met}}, {}, 1)
    (row,) = heat(Reader("en", NOW), {"s1": SchoolInTown("t1", tally)}, {"t1": "镇"})
    assert row.cells[0] == HeatCell(f"{met}.0%", shade, f"{met} of 100")
    assert row.cells[1].shade == -1


def test_a_line_of_months_has_gaps() -> None:
    svg = months_chart([0.5, None, 0.7, 0.8], "x & y")
    assert svg.count("<polyline") == 1
    assert svg.count("<circle") == 2, "a month alone, and the newest"
    assert "x &amp; y" in svg
    assert months_chart([None, None], "x").count("<circle") == 0
