"""Control characters in names that are stored already, or that somebody sends: every export is made, and opens."""

import csv
import io
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import msgspec
import openpyxl
import pypdfium2
import pytest
from docx import Document as read_docx

from campus_base.messages import verbatim
from campus_collector.domain.inventory import Classroom, Device, Inventory, InventorySchool, InventoryService
from campus_collector.inventory.write import as_csv, as_xlsx
from campus_collector.judge.month import month_of
from campus_collector.report.compose import compose
from campus_collector.report.forms.render import FORMS, render
from campus_wire.records import AgentState, AnnouncedClassroom, AnnouncedService, Announcement
from tests.collector.http.api.test_problems import PROBLEM, patch, person
from tests.collector.report.county import failing, figures, school
from tests.collector.world import World, days, envelope, throughput

pytestmark = pytest.mark.sqlite_only("the database is changed by hand")

ODD = "一\x00年\x1b级\x0b\x7f\x9b1\ufffe\uffff班\u202e"
KEPT = "一年级"
BROKEN = [chr(code) for code in range(0x20) if chr(code) not in "\t\n\r"] + [
    "\x7f",
    "\x9b",
    "\ufffe",
    "\uffff",
    "\u202e",
]


def words_of(form: str, octets: bytes) -> str:
    """What a program that opens the document reads."""
    if form == "xlsx":
        book = openpyxl.load_workbook(io.BytesIO(octets))
        return "\n".join(str(cell) for page in book for row in page.iter_rows(values_only=True) for cell in row)
    if form == "docx":
        word = read_docx(io.BytesIO(octets))
        cells = [cell.text for table in word.tables for cell in table._cells]
        return "\n".join([*(paragraph.text for paragraph in word.paragraphs), *cells])
    if form == "pdf":
        pages = pypdfium2.PdfDocument(octets)
        return "".join(page.get_textpage().get_text_range() for page in pages).replace(
            "\ufffe", ""
        )  # its mark of a hyphen
    read: list[str] = []
    parser = HTMLParser()
    parser.handle_data = read.append  # type: ignore[method-assign]
    parser.feed(octets.decode())
    return "".join(read)


def whole(form: str, octets: bytes) -> None:
    """It opens, names the odd thing, and holds nothing that another program stumbles over."""
    words = words_of(form, octets)
    assert KEPT in words.replace("\r\n", "")
    assert not [repr(text) for text in BROKEN if text in words]


def put_odd_names(world: World) -> None:
    """As a collector that did not look at names has stored them."""
    with closing(sqlite3.connect(world.service.config.database)) as database, database:
        database.execute("UPDATE subject SET name = ?", (ODD,))
        database.execute("UPDATE school SET name = ?1, town_name = ?1", (ODD,))


@pytest.mark.parametrize("form", FORMS)
def test_a_report_with_such_names_everywhere(form: str) -> None:
    """Names in tables, sentences, charts and titles."""
    made = figures(
        county=ODD,
        failing=[failing(ODD, ODD)],
        towns=[msgspec.structs.replace(town, name=ODD) for town in figures().towns],
        schools=[school(1, "t01", ODD, 3, 4)],
    )
    whole(form, render(compose(made, "zh"), form))  # type: ignore[arg-type]


def test_a_month_of_a_database_with_such_names(world: World) -> None:
    month = month_of(datetime.now(UTC), world.service.config.timezone).before()
    world.send(*(throughput(at=day) for day in days(4, 2, month.start)))
    put_odd_names(world)
    world.service.reports.close(month)
    for form in FORMS:
        answer = world.get(f"/v1/monthly/{month}.{form}")
        assert answer.status == 200, form
        whole(form, answer.body)


def test_the_ledger_of_such_a_database(world: World) -> None:
    world.send()
    fields: dict[str, Any] = {"measure": f"=1+1{ODD}", "responsible": f"\x00={ODD}", "evidence": verbatim(ODD)}
    world.service.store.ledger.put([(msgspec.structs.replace(PROBLEM, **fields), [])])
    put_odd_names(world)
    whole("xlsx", world.get("/v1/problems.xlsx").body)
    cells = list(csv.reader(io.StringIO(world.get("/v1/problems.csv").body.decode("utf-8-sig"))))[1]
    assert not [repr(text) for text in BROKEN if text in "".join(cells)]
    assert cells[4][:2] == cells[5][:2] == "'="
    assert "\x00" not in world.get("/problems").body.decode()
    assert "\x00" not in world.get("/metrics").body.decode()


def test_the_inventory_with_such_names() -> None:
    inventory = Inventory(
        schools=[InventorySchool("t01", ODD, "s001", ODD, False)],
        classrooms=[Classroom("s001", "c101", ODD, "192.0.2.1", exempt_reason=ODD)],
        devices=[Device("s001", "r1", "d1", ODD, "web-http", "192.0.2.2")],
        services=[InventoryService("p1", ODD, "https://example.test/", expect_text=ODD)],
    )
    whole("xlsx", as_xlsx(inventory))
    for sheet in ("schools", "classrooms", "devices", "services"):
        text = as_csv(inventory, sheet).decode("utf-8-sig")
        assert KEPT in text
        assert not [repr(broken) for broken in BROKEN if broken in text]


def test_names_that_an_agent_announces_are_cleaned(world: World) -> None:
    announced = Announcement(
        town="t01",
        classrooms=[AnnouncedClassroom("c101", ODD), AnnouncedClassroom("c102", "\x00\x07")],
        services=[AnnouncedService("p1", "云\r\n平台\x1b")],
    )
    state = AgentState(version="0.1\x1b[2J", config_problem_en="a\x00b", config_problem_zh="\u202e坏")
    assert world.post(envelope(throughput(), announcement=announced, agent=state)).status == 200
    names = {subject.id: subject.name for subject in world.service.store.subjects.all()}
    assert names["c101"] == "一年级 1\ufffd\ufffd班"
    assert names["c102"] == "c102"
    assert names["p1"] == "云 平台"


def test_words_of_people_are_cleaned(world: World) -> None:
    world.send()
    world.service.store.ledger.put([(PROBLEM, [])])
    token = person(world)
    assert patch(world, token, {"action": "assign", "responsible": f"\x00{ODD}\n"})[0] == 200
    assert patch(world, token, {"action": "measure", "text": f"{ODD}\r\n二\x9b"})[0] == 200
    assert patch(world, token, {"action": "comment", "text": "\x00\x1b"})[0] == 409
    assert patch(world, token, {"action": "assign", "responsible": "\u202e"})[0] == 409
    kept = world.service.store.ledger.problem(1)
    assert kept is not None
    assert kept.responsible == "一年级 1\ufffd\ufffd班"
    assert kept.measure == "一年级\n1\ufffd\ufffd班\n二"
    answer = json.dumps([event.text for event in world.service.store.ledger.events(1)])
    assert "\\u0000" not in answer
