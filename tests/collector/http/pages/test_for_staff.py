"""No page asks a clerk to run a command: what needs one stands apart, for IT staff."""

import re
from pathlib import Path

import pytest

from campus_collector.http import pages
from campus_collector.http.pages.words import WORDS
from campus_collector.judge.explanations import EXPLANATIONS, technical_words
from tests.collector.http.api.test_problems import Browser, person
from tests.collector.world import World

TEMPLATES = Path(pages.__file__).with_name("templates")
COMMAND = re.compile(r"campus-(?:agent|collector) [a-z<\{]|iperf3 -s|systemctl|journalctl|make docs")
FOR_STAFF = re.compile(r"\{% call parts\.staff\(w\) %\}.*?\{% endcall %\}", re.DOTALL)


@pytest.mark.parametrize("template", sorted(TEMPLATES.glob("*.html")), ids=lambda path: path.name)
def test_commands_of_a_page_stand_in_its_part_for_staff(template: Path) -> None:
    text = FOR_STAFF.sub("", template.read_text(encoding="utf-8"))
    shown = [text, *(WORDS[key].en for key in re.findall(r"w\('(\w+)'[,)]", text) if key in WORDS)]
    assert [each[:80] for each in shown if COMMAND.search(each)] == []


def test_advice_can_be_followed_without_a_command() -> None:
    assert [code for code, each in EXPLANATIONS.items() if COMMAND.search(each.advice.en)] == []
    assert technical_words(["no_report", "agent_silent"], "zh") == ["在网关上运行 campus-agent doctor，按其提示处理"]


def test_an_administrator_finds_the_way_to_the_wall(world: World) -> None:
    browser = Browser(world)
    browser.post("/login", token=person(world, "李四", "admin"))
    status, page, _ = browser.send("GET", "/people?lang=zh")
    assert (status, "办公室大屏" in page) == (200, True)
    assert "生成链接" in page
