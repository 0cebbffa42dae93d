"""Pipes, devices, folders and files of another kind, given where a database, a backup or an inventory is expected; numbers out of bounds."""

import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from campus_collector.cli.main import main
from campus_collector.inventory.sample import sample
from campus_collector.inventory.write import as_xlsx, write_folder

pytestmark = pytest.mark.sqlite_only("what stands where its file is to be")

KINDS = {
    "device": ("is a device, not a file", "是设备文件，不是文件"),
    "pipe": ("is a named pipe, not a file", "是命名管道，不是文件"),
    "socket": ("is a socket, not a file", "是套接字，不是文件"),
    "folder": ("is a folder, not a file", "是文件夹，不是文件"),
}


@pytest.fixture
def odd(tmp_path: Path) -> Iterator[dict[str, Path]]:
    """A pipe, a folder, a socket and the like, by kind."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    here = Path.cwd()
    os.chdir(tmp_path)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket")
        os.chdir(here)
        yield {"device": Path("/dev/null")} | {name: tmp_path / name for name in ("pipe", "socket", "folder")}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("command", ["restore", "import", "database", "backup_of", "migrations", "judge"])
def test_what_is_no_file_is_named_and_never_opened(
    odd: dict[str, Path],
    tmp_path: Path,
    kind: str,
    command: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if (kind, command) == ("folder", "import"):
        return  # a folder is what an import takes
    path, state = odd[kind], str(tmp_path / "state")
    config = tmp_path / "collector.toml"
    config.write_text(f'[store]\nurl = "sqlite://{tmp_path}/link.db"\n')
    (tmp_path / "link.db").symlink_to(path)
    arguments = {
        "restore": ["restore", str(path), "--state-dir", state],
        "import": ["inventory", "import", str(path), "--state-dir", state],
        "database": ["agent-token", "s001", "--config", str(config)],
        "backup_of": ["backup", str(tmp_path / "copy.db"), "--config", str(config)],
        "migrations": ["migrations", "--config", str(config)],
        "judge": ["judge", "--month", "2026-11", "--config", str(config)],
    }[command]
    shown = str(path) if command in ("restore", "import") else f"{tmp_path}/link.db"
    for language, words in zip(("en", "zh"), KINDS[kind], strict=True):
        monkeypatch.setenv("CAMPUS_LANG", language)
        assert main(arguments) in (1, 2)
        printed = capsys.readouterr().err
        assert words in printed
        assert shown in printed


@pytest.mark.parametrize(
    "command", [["judge", "--month", "2026-11"], ["agent-token", "s001"], ["migrations"], ["verify"]]
)
def test_a_path_that_the_system_refuses_is_named(
    tmp_path: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "collector.toml"
    config.write_text(f'[store]\nurl = "sqlite://{tmp_path}/{"n" * 300}.db"\n')
    assert main([*command, "--config", str(config)]) in (1, 2)
    assert "nnn.db: File name too long" in capsys.readouterr().err


def test_a_pipe_in_a_folder_of_csv_files_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_folder(sample(2, 1), tmp_path / "county", "zh")
    (tmp_path / "county" / "devices.csv").unlink()
    os.mkfifo(tmp_path / "county" / "devices.csv")
    assert main(["inventory", "import", str(tmp_path / "county"), "--state-dir", str(tmp_path / "state")]) == 2
    assert "devices.csv: is a named pipe, not a file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "zh"),
    [
        (b"not a database at all, only some text" * 100, "不是采集平台的数据库"),
        (b"PK\x03\x04" + bytes(5000), "不是采集平台的数据库"),
        ("foreign", "不是采集平台的数据库"),
        ("newer", "版本"),
    ],
)
@pytest.mark.parametrize("command", ["restore", "judge", "serve", "migrations"])
def test_a_file_of_another_kind_is_named_with_its_path(
    tmp_path: Path,
    command: str,
    content: bytes | str,
    zh: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "campus.db"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content == "newer":
        assert main(["agent-token", "s001", "--state-dir", str(tmp_path)]) == 0
        with closing(sqlite3.connect(file)) as database, database:
            database.execute("INSERT INTO migration VALUES ('9999_later.sql', 'x', 'x')")
        if command == "migrations":
            return  # it lists them, and says which are of a newer program
    else:
        with closing(sqlite3.connect(file)) as database, database:
            database.execute("CREATE TABLE recipe (name TEXT)")
    before = file.read_bytes()
    state = str(tmp_path / "new" if command == "restore" else tmp_path)
    arguments = {"restore": ["restore", str(file)], "judge": ["judge", "--month", "2026-11"]}.get(command, [command])
    monkeypatch.setenv("CAMPUS_LANG", "zh")
    assert main([*arguments, "--state-dir", state]) == 1
    printed = capsys.readouterr().err
    assert str(file) in printed
    assert zh in printed
    if content != "newer":
        assert file.read_bytes() == before, "nothing of another program's file is changed"


def test_a_text_file_named_xlsx_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_folder(sample(2, 1), tmp_path / "county", "zh")
    wrong = (tmp_path / "county" / "schools.csv").rename(tmp_path / "schools.xlsx")
    assert main(["inventory", "import", str(wrong), "--state-dir", str(tmp_path / "state")]) == 2
    assert (
        "schools.xlsx: is not a readable XLSX file: it holds text (CSV); rename it to .csv" in capsys.readouterr().err
    )


def test_a_workbook_named_csv_is_read_as_what_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "county.csv").write_bytes(as_xlsx(sample(2, 1), "zh"))
    assert main(["inventory", "import", str(tmp_path / "county.csv"), "--state-dir", str(tmp_path / "state")]) == 0
    assert "schools: added 2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "bounds"),
    [
        (("ledger", "--older-than", "{}"), (0, 9999)),
        (("quarantine", "--last", "{}"), (1, 500)),
        (("agent-token", "s001", "--valid-days", "{}"), (1, 3650)),
        (("enroll-code", "s001", "--hours", "{}"), (1, 720)),
        (("inventory", "sample", "x", "--schools", "{}"), (1, 5000)),
        (("inventory", "sample", "x", "--seed", "{}"), (0, 10**9)),
        (("simulate", "--month", "2026-10", "--schools", "{}"), (1, 2000)),
        (("simulate", "--month", "2026-10", "--months", "{}"), (1, 36)),
        (("simulate", "--month", "2026-10", "--seed", "{}"), (0, 10**9)),
    ],
)
def test_numbers_are_bounded_and_the_bounds_are_said(
    tmp_path: Path,
    arguments: tuple[str, ...],
    bounds: tuple[int, int],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lowest, highest = bounds
    for value in (str(lowest - 1), str(highest + 1), "9" * 5000, "²", "1.5", "many", ""):
        for language, words in (
            ("en", f"must be within {lowest} … {highest}, not '"),
            ("zh", f"必须在 {lowest} 至 {highest} 之间"),
        ):
            monkeypatch.setenv("CAMPUS_LANG", language)
            with pytest.raises(SystemExit) as end:
                main([each.format(value) for each in arguments] + ["--state-dir", str(tmp_path)])
            assert end.value.code == 2
            printed = capsys.readouterr().err
            assert words in printed
            assert len(printed) < 4000


@pytest.mark.parametrize("value", ["0", "nan", "inf", "soon", "1e9"])
def test_the_time_of_a_backup_is_bounded(tmp_path: Path, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["backup", "x", "--seconds", value, "--state-dir", str(tmp_path)])
    assert "must be above 0 and at most 10000000" in capsys.readouterr().err
