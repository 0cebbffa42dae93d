"""The bureau's commands as a person types them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def run(*arguments: str, language: str = "en") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "campus_collector", *arguments],
        capture_output=True, text=True, timeout=60, check=False, env=os.environ | {"CAMPUS_LANG": language},
    )  # fmt: skip


def test_a_token_is_printed_alone_and_can_be_revoked(tmp_path: Path) -> None:
    state = ("--state-dir", str(tmp_path))
    made = run("agent-token", "s001", "--town", "t01", *state)
    assert made.returncode == 0
    assert made.stdout.startswith("cm1_")
    assert len(made.stdout.split()) == 1
    assert made.stdout.strip() not in made.stderr
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert made.stdout.strip().encode() not in stored
    assert "1 token(s) of s001 revoked" in run("agent-token", "s001", "--revoke", *state).stderr
    assert run("agent-token", "s001", "--revoke", *state).returncode == 1


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("agent-token", "S 1"), 2, "SCHOOL: lower-case letters"),
        (("judge", "--month", "2026-13"), 2, "a month is written YYYY-MM"),
        (("judge", "--month", "2026-11", "--config", "/nowhere.toml"), 2, "/nowhere.toml: 1 mistake(s)"),
        (("nonsense",), 2, "invalid choice"),
        (("ledger", "--until", "last week"), 2, "must be a day like 2026-09-01"),
        (("ledger", "--until", "2026年9月1日", "--json"), 1, "there is no database"),
        (("inventory", "import", "nowhere", "--since", "9/1"), 2, "must be a day like 2026-09-01"),
    ],
)
@pytest.mark.sqlite_only("a file that is not there, or is none")
def test_wrong_use_is_told(tmp_path: Path, arguments: tuple[str, ...], code: int, told: str) -> None:
    where = () if "--config" in arguments or arguments == ("nonsense",) else ("--state-dir", str(tmp_path))
    done = run(*arguments, *where)
    assert done.returncode == code
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_an_empty_month_is_an_answer(tmp_path: Path) -> None:
    assert run("person", "add", "Li", "--state-dir", str(tmp_path)).returncode == 0  # begins the database
    answer = run("judge", "--month", "2026-11", "--json", "--state-dir", str(tmp_path))
    assert json.loads(answer.stdout)["targets"] == []
    output = run("judge", "--month", "2026-11", "--state-dir", str(tmp_path), language="zh")
    assert output.stdout.strip() == "2026-11：尚无考核对象。"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_help_is_in_the_reader_s_language(language: str) -> None:
    from campus_collector.cli.main import COMMANDS

    output = run("--help", language=language).stdout
    for words in COMMANDS.values():
        assert words.in_(language)[:12] in output


def test_the_configuration_is_checked(tmp_path: Path) -> None:
    done = run("check-config", "--state-dir", str(tmp_path))
    assert done.returncode == 0
    assert "Listens on 127.0.0.1:8080" in done.stdout


@pytest.mark.sqlite_only("a file that is not there, or is none")
def test_errors_are_readable_to_who_reads_only_chinese(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    month = run("judge", "--month", "2026-13", "--state-dir", str(tmp_path), language="zh")
    assert "月份应写作 YYYY-MM" in month.stderr
    broken = run("judge", "--month", "2026-11", "--state-dir", str(tmp_path / "file"), language="zh")
    assert broken.returncode == 1
    assert "数据库无法使用" in broken.stderr
    assert "Traceback" not in broken.stderr
    assert "错误：" in run("nonsense", language="zh").stderr
