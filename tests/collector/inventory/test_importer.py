"""What an inventory in force changes: who is judged, in which month, and what agents may still say."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from campus_collector.cli.main import main
from campus_collector.domain.inventory import Classroom, Device, Inventory, InventorySchool, InventoryService
from campus_collector.inventory.changes import changes
from campus_collector.inventory.importer import activate
from campus_collector.judge.month import Month
from campus_collector.store.open import open_store
from campus_wire.bandwidth import Verdict
from tests.collector.world import World, days, service, throughput

ZONE = ZoneInfo("Asia/Shanghai")
NOVEMBER, OCTOBER, DECEMBER = (Month(2026, number, ZONE) for number in (11, 10, 12))
SCHOOL = InventorySchool("t01", "柳河镇", "s001", "柳河镇中心小学", True)
EDU = InventoryService("smartedu-cn", "平台", "https://basic.example/")


def inventory(
    *rooms: Classroom, school: InventorySchool = SCHOOL, services: tuple[InventoryService, ...] = (EDU,)
) -> Inventory:
    return Inventory((school,), rooms, (), services)


def apply(world: World, whole: Inventory, since: date = date(2026, 11, 1)) -> None:
    store = world.service.store
    made = changes(store.inventory.current(), whole)
    activate(store, whole, made, "test", datetime.now(UTC), datetime(since.year, since.month, since.day, tzinfo=ZONE))


def judged(world: World, month: Month = NOVEMBER) -> dict[tuple[str, str], Verdict]:
    return {(subject.target, subject.subject): subject.verdict for subject in world.service.verdicts.subjects(month)}


def test_the_inventory_says_who_is_judged(world: World) -> None:
    world.send(*(throughput(at=at) for at in days(4, 2)), *(throughput(at=at, subject="c999") for at in days(4, 2)))
    assert ("classroom_bandwidth", "c999") in judged(world)
    apply(world, inventory(Classroom("s001", "c101", "一班"), Classroom("s001", "c102", "二班")))
    assert judged(world) == {
        ("classroom_bandwidth", "c101"): Verdict.MET,
        ("classroom_bandwidth", "c102"): Verdict.INSUFFICIENT,
        ("uplink_bandwidth", "uplink"): Verdict.INSUFFICIENT,
        ("live_class", "uplink"): Verdict.INSUFFICIENT,
        ("recording_room", "recording_room"): Verdict.INSUFFICIENT,
        ("platform_access", "smartedu-cn"): Verdict.INSUFFICIENT,
        ("classroom_bandwidth", "c999"): Verdict.MET,
    }, "what was announced before is judged for the month it was part of"
    world.send(throughput(subject="c999"), throughput(subject="c555"))
    assert ("classroom_bandwidth", "c555") not in judged(world), "an agent cannot add to the inventory"
    assert ("classroom_bandwidth", "c999") not in judged(world, DECEMBER)


def test_a_village_school_needs_no_recording_room(world: World) -> None:
    village = InventorySchool("t01", "柳河镇", "s001", "柳河镇东庄小学", False)
    apply(world, inventory(Classroom("s001", "c101", "一班"), school=village))
    assert ("recording_room", "recording_room") not in judged(world)


def test_exempt_by_the_inventory(world: World) -> None:
    world.send(*(throughput(10e6, 10e6, at=at) for at in days(4, 2)))
    apply(world, inventory(Classroom("s001", "c101", "一班", exempt_reason="撤并")))
    (actual,) = [subject for subject in world.service.verdicts.subjects(NOVEMBER) if subject.subject == "c101"]
    assert (actual.verdict, actual.exempt_reason, actual.causes) == (Verdict.EXEMPT, "撤并", ())
    apply(world, inventory(Classroom("s001", "c101", "一班")))
    assert judged(world)["classroom_bandwidth", "c101"] is Verdict.NOT_MET


def test_a_classroom_that_moves_or_closes_keeps_its_past(world: World) -> None:
    old = inventory(Classroom("s001", "c101", "一班"), Classroom("s001", "c102", "二班"))
    apply(world, old, date(2026, 10, 1))
    world.send(*(throughput(10e6, 10e6, at=at - timedelta(days=28)) for at in days(4, 2)))
    apply(world, inventory(Classroom("s001", "c102", "二班")), date(2026, 11, 1))
    assert judged(world, OCTOBER)["classroom_bandwidth", "c101"] is Verdict.NOT_MET
    assert ("classroom_bandwidth", "c101") not in judged(world, NOVEMBER)
    apply(world, old, date(2026, 12, 1))
    assert judged(world, DECEMBER)["classroom_bandwidth", "c101"] is Verdict.INSUFFICIENT


def test_nobody_is_judged_for_months_before_they_were_there(world: World) -> None:
    apply(world, inventory(Classroom("s001", "c101", "一班")), date(2026, 11, 1))
    assert judged(world, OCTOBER) == {}
    world.send(throughput(at=datetime(2026, 10, 20, 2, tzinfo=UTC)))
    assert ("classroom_bandwidth", "c101") in judged(world, OCTOBER), "a result shows that it was there"


def test_a_school_that_is_closed_leaves_with_its_subjects(world: World) -> None:
    other = InventorySchool("t02", "青山镇", "s002", "青山小学", False)
    both = Inventory(
        (SCHOOL, other), (Classroom("s001", "c101", "一班"), Classroom("s002", "c101", "一班")), (), (EDU,)
    )
    apply(world, both, date(2026, 10, 1))
    apply(world, inventory(Classroom("s001", "c101", "一班")), date(2026, 11, 1))
    assert {subject.school for subject in world.service.verdicts.subjects(OCTOBER)} == {"s001", "s002"}
    assert {subject.school for subject in world.service.verdicts.subjects(NOVEMBER)} == {"s001"}
    assert [school.id for school in world.service.store.schools.all()] == ["s001"]


def test_platforms_by_town(world: World) -> None:
    apply(world, inventory(services=(EDU, InventoryService("other", "他镇平台", "https://x.example/", "t02"))))
    world.send(service())
    assert [key for key in judged(world) if key[0] == "platform_access"] == [("platform_access", "smartedu-cn")]


def test_without_a_classroom_sheet_announced_classrooms_are_judged(world: World) -> None:
    apply(world, Inventory((SCHOOL,), None, None, None).over(Inventory()))
    world.send(*(throughput(at=at) for at in days(4, 2)))
    assert judged(world)["classroom_bandwidth", "c101"] is Verdict.MET


def test_an_import_by_another_process_is_seen(world: World) -> None:
    """The command works on the file of a collector that runs."""
    world.send(throughput())
    assert ("classroom_bandwidth", "c101") in judged(world)
    other = open_store(world.service.config.store)
    try:
        whole = inventory(Classroom("s001", "c777", "七班"))
        since = datetime(2026, 11, 1, tzinfo=ZONE)
        activate(other, whole, changes(other.inventory.current(), whole), "test", datetime.now(UTC), since)
    finally:
        other.close()
    assert ("classroom_bandwidth", "c777") in judged(world)


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_import_export_and_import_again(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("CAMPUS_LANG", "zh")
    state = tmp_path / "state"
    assert run(capsys, "inventory", "sample", tmp_path / "县.xlsx", "--schools", 12, "--lang", "zh")[0] == 0
    code, out, _ = run(capsys, "inventory", "import", tmp_path / "县.xlsx", "--dry-run", "--state-dir", state)
    assert (code, out.splitlines()[0]) == (0, "学校：新增 12")
    assert out.splitlines()[-1] == "未做任何修改（--dry-run）。"
    code, out, _ = run(capsys, "inventory", "import", tmp_path / "县.xlsx", "--state-dir", state)
    assert (code, out.splitlines()[-1]) == (0, "已生效。")
    assert run(capsys, "inventory", "export", tmp_path / "out", "--state-dir", state)[0] == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "schools.csv", "classrooms.csv", "devices.csv", "services.csv", "timetables.csv",
    }  # fmt: skip
    code, out, _ = run(capsys, "inventory", "import", tmp_path / "out", "--state-dir", state)
    assert (code, out.strip()) == (0, "没有变化。")


def test_a_mistake_imports_nothing(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("CAMPUS_LANG", "zh")
    state = tmp_path / "state"
    assert run(capsys, "inventory", "sample", tmp_path / "a", "--schools", 3)[0] == 0
    rooms = tmp_path / "a" / "classrooms.csv"
    rooms.write_text(rooms.read_text(encoding="utf-8-sig") + "s999,c1,一班,,,\n", encoding="utf-8")
    code, out, err = run(capsys, "inventory", "import", tmp_path / "a", "--state-dir", state)
    assert (code, out) == (2, "")
    assert err.splitlines()[0] == "共 1 处错误，未做任何修改："
    assert "学校“s999”不存在" in err
    code, out, _ = run(capsys, "inventory", "export", tmp_path / "b", "--state-dir", state)
    assert (tmp_path / "b" / "schools.csv").read_text(encoding="utf-8-sig").count("\n") == 1


def test_removing_much_needs_force(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("CAMPUS_LANG", "en")
    state, folder = tmp_path / "state", tmp_path / "a"
    run(capsys, "inventory", "sample", folder, "--schools", 10)
    assert run(capsys, "inventory", "import", folder, "--state-dir", state)[0] == 0
    rooms = (folder / "classrooms.csv").read_text(encoding="utf-8-sig").splitlines(keepends=True)
    (folder / "classrooms.csv").write_text("".join(rooms[:101]), encoding="utf-8")
    code, _, err = run(capsys, "inventory", "import", folder, "--state-dir", state)
    assert (code, "300 of 400 rows would be removed" in err) == (1, True)
    assert run(capsys, "inventory", "import", folder, "--force", "--state-dir", state)[0] == 0


@pytest.mark.parametrize("sheet", ["classrooms", "devices", "services", "schools"])
def test_one_removed_row_needs_force(tmp_path: Path, capsys, monkeypatch, sheet: str) -> None:
    monkeypatch.setenv("CAMPUS_LANG", "en")
    state, folder = tmp_path / "state", tmp_path / "a"
    run(capsys, "inventory", "sample", folder, "--schools", 3)
    assert run(capsys, "inventory", "import", folder, "--state-dir", state)[0] == 0
    lines = (folder / f"{sheet}.csv").read_text(encoding="utf-8-sig").splitlines(keepends=True)
    if sheet == "schools":
        school = lines.pop().split(",")[2]
        for other in ("classrooms", "devices"):
            rows = (folder / f"{other}.csv").read_text(encoding="utf-8-sig").splitlines(keepends=True)
            (folder / f"{other}.csv").write_text("".join(row for row in rows if not row.startswith(f"{school},")))
    else:
        lines.pop()
    (folder / f"{sheet}.csv").write_text("".join(lines), encoding="utf-8")
    before = run(capsys, "inventory", "import", folder, "--dry-run", "--json", "--state-dir", state)
    code, _, err = run(capsys, "inventory", "import", folder, "--state-dir", state)
    assert (code, f"{sheet}: 1 of " in err, "--force" in err) == (1, True, True)
    assert run(capsys, "inventory", "import", folder, "--dry-run", "--json", "--state-dir", state) == before
    assert run(capsys, "inventory", "import", folder, "--force", "--state-dir", state)[0] == 0


def test_devices_are_kept_for_the_agents(world: World) -> None:
    whole = Inventory((SCHOOL,), (), (Device("s001", "r1", "rec-1", "录播主机", "recorder-generic", "10.0.1.50"),), ())
    apply(world, whole)
    assert world.service.store.inventory.current() == whole
    (entry,) = world.service.store.inventory.imports()
    assert (entry.imported_by, entry.changes["devices"]) == ("test", {"added": 1, "changed": 0, "removed": 0})
    assert world.service.store.ledger.events()[0].what == "inventory_imported"
