"""Commands that read a database never begin one: with a wrong --state-dir they say that there is none."""

import argparse
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from campus_base.command_line import CommandParser
from campus_collector.cli.main import build_parser, main

pytestmark = pytest.mark.sqlite_only("a file that is not there")

NEED_ONE = {
    ("judge",): ("--month", "2026-11"),
    ("report",): ("--month", "2026-11", "--format", "html"),
    ("explain",): ("classroom_bandwidth", "s001/c101", "--month", "2026-11"),
    ("ledger",): (),
    ("verify",): (),
    ("quarantine",): (),
    ("backup",): ("copy.db",),
    ("inventory", "export"): ("folder",),
    ("person", "list"): (),
    ("person", "revoke"): ("Li",),
    ("person", "unlock"): ("Li",),
    ("person", "password"): ("Li",),
    ("store", "compact"): (),
    ("area", "status"): (),
    ("area", "revoke"): ("c01",),
    ("measure",): ("s001/c101",),
    ("release", "list"): (),
    ("release", "stop"): ("0.4.0",),
    ("release", "key"): (),
}
MORE = {
    ("agent-token",): ("s001", "--revoke"),
    ("verify",): ("--json",),
    ("judge",): ("--month", "2026-11", "--json"),
    ("ledger",): ("--out", "ledger.csv"),
    ("report",): ("--month", "2026-11", "--close"),
    ("archive",): ("--month", "2026-11"),
}
"""Other ways of using a command that need a database too."""
BEGIN_OR_DO_WITHOUT = {
    ("serve",), ("agent-token",), ("enroll-code",), ("person", "add"), ("inventory", "import"), ("simulate",), ("restore",),
    ("inventory", "sample"), ("tls", "init"), ("tls", "renew"), ("grafana", "provision"), ("grafana", "export"), ("migrations",), ("check-config",),
    ("store", "copy"), ("archive", "verify"), ("rejudge",), ("area", "enroll-code"), ("area", "enroll"), ("area", "send"), ("release", "add"),
}  # fmt: skip


def commands_of(parser: CommandParser, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    parser.load()
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    for action in below:
        for name, each in action.choices.items():
            yield from commands_of(each, (*above, name))
    if not below:
        yield above


def test_every_command_is_known_to_need_a_database_or_not() -> None:
    assert set(commands_of(build_parser("en"))) == NEED_ONE.keys() | BEGIN_OR_DO_WITHOUT


@pytest.mark.parametrize(("command", "arguments"), [*NEED_ONE.items(), *MORE.items()])
@pytest.mark.parametrize(
    ("language", "state"), [("en", "missing/folder"), ("zh", "empty"), ("zh", "file_of_no_octets")]
)
def test_a_wrong_place_is_named_and_nothing_is_begun_there(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: tuple[str, ...],
    arguments: tuple[str, ...],
    language: str,
    state: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CAMPUS_LANG", language)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file_of_no_octets").mkdir()
    (tmp_path / "file_of_no_octets" / "campus.db").touch()
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setattr("sys.stdin", io.StringIO("a-long-pass-phrase-of-nobody\n"))
    code = main([*command, *arguments, "--state-dir", state])
    captured = capsys.readouterr()
    assert code == 1
    words = {"en": "there is no database", "zh": "此处没有数据库"}[language]
    assert words in captured.err
    assert f"{state}/campus.db" in captured.err
    assert captured.out == ""
    assert sorted(tmp_path.rglob("*")) == before


def test_a_configuration_that_names_a_wrong_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "collector.toml"
    config.write_text(f'[store]\nurl = "sqlite://{tmp_path}/nowhere/campus.db"\n')
    assert main(["verify", "--config", str(config)]) == 1
    assert f"{tmp_path}/nowhere/campus.db: there is no database" in capsys.readouterr().err
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    "first",
    [
        ("agent-token", "s001"),
        ("enroll-code", "s001"),
        ("person", "add", "Li"),
        ("inventory", "import", "county"),
    ],
)
def test_what_a_new_bureau_runs_first_begins_its_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["inventory", "sample", "county", "--schools", "2"]) == 0
    assert main([*first, "--state-dir", "new"]) == 0
    assert main(["verify", "--state-dir", "new"]) == 0


def test_a_dry_run_of_the_first_import_shows_it_and_begins_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["inventory", "sample", "county", "--schools", "2"]) == 0
    capsys.readouterr()
    assert main(["inventory", "import", "county", "--dry-run", "--json", "--state-dir", "new"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert not shown["applied"]
    assert shown["changes"]["schools"]["added"] == 2
    assert not (tmp_path / "new").exists()


def test_migrations_of_no_database_are_all_to_come(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrations", "--state-dir", str(tmp_path / "new")]) == 0
    captured = capsys.readouterr()
    assert "there is no database" in captured.err
    assert "0001_spine.sql" in captured.out
    assert not (tmp_path / "new").exists()
