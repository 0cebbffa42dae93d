"""The manual is whole, in both languages, and true: pages, links, commands, keys, metrics, reasons."""

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag

import pytest
import yaml

from campus_agent.cli.main import build_parser as agent_parser
from campus_agent.gate.rules import GateReason
from campus_base.command_line import CommandParser
from campus_collector.cli.main import build_parser as collector_parser
from campus_collector.export.table import METRICS
from campus_collector.judge.explanations import EXPLANATIONS
from campus_wire.encapsulation import Encapsulation, line_rate_from_goodput
from campus_wire.failures import FailureKind, SkipReason, Validity
from docs import reference

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs/pages"
FILES = sorted(PAGES.rglob("*.md"))
NAMES = [file.relative_to(PAGES).as_posix() for file in FILES]
ENGLISH_ONLY = {"architecture.md", "decisions.md"}
"""For developers; both pages say so."""
PROGRAMS = {"campus-agent": agent_parser("en"), "campus-collector": collector_parser("en")}
REFERENCE = reference.pages()
SAMPLES = [
    ROOT / "deploy/collector.sample.toml", ROOT / "deploy/agent.sample.toml", ROOT / "deploy/terms.sample.toml",
    ROOT / "collector/policy.toml",
]  # fmt: skip


def text_of(name: str) -> str:
    return (PAGES / name).read_text(encoding="utf-8")


def contents() -> list[str]:
    """The pages in the order of the contents."""

    def walk(part: Any) -> Iterator[str]:
        if isinstance(part, str):
            yield part
        for each in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
            yield from walk(each)

    plain = re.sub(r"!!python/name:\S+", "slugify", (ROOT / "docs/mkdocs.yml").read_text(encoding="utf-8"))
    return list(walk(yaml.safe_load(plain)["nav"]))


def test_every_page_is_in_the_contents_and_in_both_languages() -> None:
    listed = contents()
    assert sorted(listed) == sorted(NAMES)
    chinese = [name for name in listed if not name.startswith("en/")]
    english = [name.removeprefix("en/") for name in listed if name.startswith("en/")]
    assert [name for name in english if name not in ENGLISH_ONLY] == chinese, "the same pages in the same order"
    for name in ENGLISH_ONLY:
        assert "in English only" in text_of(f"en/{name}")
        assert "only_english: true" in text_of(f"en/{name}")


@pytest.mark.parametrize("name", NAMES)
def test_a_page_has_a_reader_and_a_next_step(name: str) -> None:
    text = re.sub(r"\A---\n.*?\n---\n", "", text_of(name), flags=re.DOTALL)
    chinese = not name.startswith("en/")
    first = text.split("\n\n")[1]
    assert text.startswith("# ")
    assert first.startswith("供" if chinese else "For "), first
    if name.removeprefix("en/") != "decisions.md":  # notes are added at its end
        last = text.rstrip().rpartition("\n")[2]
        assert last.startswith("下一步：" if chinese else "Next: "), last


class Links(HTMLParser):
    """What a page leads to, and the places in it; scripts and styles that stand within it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.places: set[str] = set()
        self.inline: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.places.update(filter(None, [values.get("id")]))
        if tag == "a":
            self.links += filter(None, [values.get("href")])
        elif tag != "link" or values.get("rel") != "alternate":
            self.loaded += filter(None, [values.get("src"), values.get("href")])
        if (tag == "script" and not values.get("src")) or tag in ("style", "iframe", "object", "embed", "base"):
            self.inline.append(tag)
        self.inline += [name for name in values if name == "style" or name.startswith("on")]


@cache
def parsed(file: Path) -> Links:
    return Links(file.read_text(encoding="utf-8"))


def test_no_link_is_dead(built: Path) -> None:
    dead = []
    for page in sorted(built.rglob("*.html")):
        for link in parsed(page).links + parsed(page).loaded:
            path, place = urldefrag(unquote(link))
            if re.match(r"[a-z]+:", path) or (path.endswith("../") and (page.parent / path).resolve() == built.parent):
                continue  # elsewhere, or the collector's own pages
            target = (page.parent / path).resolve() if path else page
            if not target.is_file() or (place and place not in parsed(target).places):
                dead.append((page.name, link))
    assert dead == []


def test_every_alert_leads_to_its_section(built: Path) -> None:
    """The anchors are those of the former runbooks, which rules in use name."""
    rules = (ROOT / "deploy/prometheus/alerts.rules.yml").read_text(encoding="utf-8")
    alerts = re.findall(r"- alert: (\w+)", rules)
    assert alerts
    for page in ("alerts.html", "en/alerts.html"):
        assert {alert.lower() for alert in alerts} <= parsed(built / page).places


def test_nothing_is_inline_and_nothing_comes_from_elsewhere(built: Path) -> None:
    """The collector's content security policy allows neither."""
    for page in built.rglob("*.html"):
        assert parsed(page).inline == [], page.name
        assert [link for link in parsed(page).loaded if re.match(r"[a-z]+:|//", link)] == [], page.name
    styles = "".join(file.read_text(encoding="utf-8") for file in built.rglob("*.css"))
    assert "url(" not in styles
    assert "@import" not in styles
    assert not re.search(r"\beval\b|new Function|innerHTML", (built / "assets/manual.js").read_text(encoding="utf-8"))


def test_every_block_is_a_block(built: Path) -> None:
    """A fence within a list or a definition would stand in the line as code."""
    for page in built.rglob("*.html"):
        assert not re.search(r"<code>(sh|toml|text|yaml|powershell)\n|```", page.read_text(encoding="utf-8")), page.name


def test_two_builds_are_alike_and_small(built: Path) -> None:
    names = {file.name for file in built.rglob("*") if file.is_file()}
    assert not names & {"sitemap.xml", "sitemap.xml.gz"}, "the day of the build stands in it"
    assert sum(file.stat().st_size for file in built.rglob("*") if file.is_file()) < 5_000_000


def test_the_index_finds_chinese_within_a_sentence(built: Path) -> None:
    sections = json.loads((built / "search-zh.json").read_text(encoding="utf-8"))
    for words, url in (
        ("下课后自动休眠", "trouble.html#endpoint_off"),
        ("断了两芯", "classroom.html#交换机端口"),
        ("合同带宽", "trouble.html#flat_rate"),
        ("未经 TLS 的应答", "inventory.html"),
    ):
        assert [each["url"] for each in sections if words in each["text"] and each["url"].startswith(url)], words
    two_lines = "显示数据库大小、增长和剩余空间。请扩大磁盘"
    assert [each for each in sections if two_lines in each["text"]], "lines of a paragraph are joined without a blank"
    english = json.loads((built / "search-en.json").read_text(encoding="utf-8"))
    assert [each for each in english if "two broken wires" in each["text"]]
    assert {each["url"].partition("/")[0] for each in english} == {"en"}


@pytest.mark.parametrize("page", REFERENCE, ids=lambda page: str(page.relative_to(PAGES)))
def test_a_reference_page_is_up_to_date(page: Path) -> None:
    assert page.read_text(encoding="utf-8") == REFERENCE[page], "run `make docs`"


def test_nothing_is_translated_that_is_not_there() -> None:
    assert reference.CHINESE["metrics"].keys() == {metric.name for metric in METRICS}
    described = reference.document(reference.operations())["paths"]
    routes = {f"{method.upper()} {path}" for path, methods in described.items() for method in methods}
    assert reference.CHINESE["routes"].keys() == routes
    assert reference.CHINESE["cells"].keys() == reference.CELLS_EN.keys()


def command_lines(text: str) -> Iterator[str]:
    """Everything that is shown as typed: lines of blocks, and code within sentences."""
    blocks = re.findall(r"^```(?:sh|text)\n(.*?)^```|^( {8}\S.*)$", text, re.DOTALL | re.MULTILINE)
    for block in ("".join(each) for each in blocks):
        yield from re.split(r"&&|\$\(|\n|;", block.replace("\\\n", " "))
    yield from re.findall(r"`((?:\S*/)?campus-(?:agent|collector) [^`]+)`", text)


@pytest.mark.parametrize("name", [*NAMES, "../../README.md", "../../README.zh-CN.md"])
def test_commands_exist(name: str) -> None:
    """With their options; `NAME`, `编号` and the like stand for what a reader types."""
    if name.removeprefix("en/") in ("reference-commands.md", "decisions.md"):
        return
    for line in command_lines(text_of(name)):
        match = re.search(r"(?:^|[\s/])(campus-agent|campus-collector) ([a-z].*)", line.partition("#")[0].rstrip(" )|"))
        if match is None or match[2].split()[0].endswith((".service", "@.service")):
            continue
        if re.search(r"systemctl|apt|install |journalctl|mask|chown", line.partition(match[1])[0]):
            continue
        words = shlex.split(re.sub(r"\d?>.*$", "", match[2]).replace('"', ""))
        parser = PROGRAMS[match[1]]
        leaf, rest = descend(parser, words)
        assert leaf is not parser, line
        options = {option for action in leaf._actions for option in action.option_strings}
        assert [word for word in rest if word.startswith("--") and word not in options] == [], line


def descend(parser: CommandParser, words: list[str]) -> tuple[CommandParser, list[str]]:
    """The parser of the deepest command named, and the words after it."""
    parser.load()
    for action in parser._actions:
        if words and isinstance(action.choices, dict) and words[0] in action.choices:
            return descend(action.choices[words[0]], words[1:])
    return parser, words


def keys_of_samples() -> set[tuple[str, str]]:
    """(table, key) of everything that the samples show, also what is commented out."""
    keys: set[tuple[str, str]] = {("server", "max_batches_at_once"), ("exemption", "subject"), ("page", "listen")}
    for sample in SAMPLES:
        table = ""
        for line in sample.read_text(encoding="utf-8").splitlines():
            plain = line.lstrip("# ")
            if heading := re.match(r"\[\[?(\w+)\]\]?", plain):
                table = heading[1]
            elif key := re.match(r"(\w+) = ", plain):
                keys.add((table, key[1]))
    return keys


@pytest.mark.parametrize("name", NAMES)
def test_configuration_keys_exist(name: str) -> None:
    text, known = text_of(name), keys_of_samples()
    for table, key in re.findall(r"`\[(\w+)\] (\w+)", text):
        assert (table, key) in known, f"[{table}] {key}"
    if "reference-configuration" in name:
        return
    for block in re.findall(r"^ *```toml\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE):
        for table, values in tomllib.loads(block).items():
            for row in values if isinstance(values, list) else [values]:
                assert [key for key in row if (table, key) not in known] == [], f"[{table}]"


def test_the_chinese_page_lists_every_key() -> None:
    text = text_of("reference-configuration.md")
    missing = {key for _, key in keys_of_samples() if f"`{key}`" not in text}
    assert missing == set()


def test_metrics_exist() -> None:
    known = {metric.name for metric in METRICS} | {
        "campus_agent", "campus_collector", "campus_wire", "campus_base", "campus_scrape_", "campus_certificate_",
    }  # fmt: skip
    for name in NAMES:
        if name == "en/decisions.md":  # of the past too
            continue
        named = {re.sub("_bucket$", "", metric) for metric in re.findall(r"\bcampus_[a-z_]+", text_of(name))}
        assert named <= known, name


@pytest.mark.parametrize("name", ["trouble.md", "en/trouble.md"])
def test_every_reason_of_the_program_has_an_entry(name: str) -> None:
    text = text_of(name)
    entries = re.findall(r"^### .* \{#(\w+)\}$", text, re.MULTILINE)
    assert sorted(entries) == sorted(filter(None, EXPLANATIONS))
    parts = re.split(r"^## ", text, flags=re.MULTILINE)
    for vocabulary, heading in (
        ([*Validity], ("无效的原因", "Why results are not valid")),
        ([*FailureKind], ("测量失败的原因", "Why tests failed")),
        ([*SkipReason, *GateReason], ("未执行测速的原因", "Why tests were not made")),
    ):
        (part,) = [part for part in parts if part.startswith(heading)]
        assert re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE) == [str(word) for word in vocabulary]


@pytest.mark.parametrize("name", ["policy.md", "en/policy.md"])
def test_the_worked_example_is_right(name: str) -> None:
    """Every goodput of the example, as the program converts it."""
    rows = re.findall(r"\| ([\d.]+) ?[／/] ?([\d.]+) \| ([\d.]+) ?[／/] ?([\d.]+) \| (\S+)", text_of(name))
    assert len(rows) == 3
    path = Encapsulation()  # Ethernet, IPv4, TCP timestamps
    for *figures, word in rows:
        down, up, line_down, line_up = map(float, figures)
        converted = [line_rate_from_goodput(rate, path) for rate in (down, up)]
        assert [round(rate, 1) for rate in converted] == [line_down, line_up]
        assert (min(converted) >= 98) is word.startswith(("合格", "passes"))
