"""Text of agents, files and people on a terminal: no control character, and nothing that begins a line of its own."""

import io
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec import structs

from campus_base.messages import verbatim
from campus_collector.cli.main import main
from campus_collector.domain.agents import Principal
from campus_collector.domain.people import Person
from campus_collector.domain.problem import Event
from campus_collector.domain.results import Batch, RejectedResult
from campus_collector.inventory.sample import sample
from campus_collector.inventory.write import write_folder
from tests.collector.http.api.test_problems import PROBLEM
from tests.collector.world import World

FOREIGN = "\x1b[2J\x1b]0;title\x07\x9b31m\x7f\u202e\u2066\u2028\nFORGED line\r\nFORGED again\rFORGED\tend"


def harmless(printed: str) -> None:
    """Raises AssertionError for a control character and for a line that foreign text begins."""
    assert not {letter for letter in printed if letter != "\n" and (ord(letter) < 32 or 127 <= ord(letter) < 160)} - {
        "\t"
    }
    assert not set(printed) & set("\u202e\u2066\u2028\u2029\r")
    assert not [line for line in printed.splitlines() if line.startswith("FORGED")]
    assert "FORGED" in printed, "it is shown"


@pytest.fixture(params=["en", "zh"])
def state(world: World, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A collector's state folder in either language."""
    monkeypatch.setenv("CAMPUS_LANG", request.param)
    return ["--state-dir", str(world.service.config.database.parent)]


def test_the_ledger_shows_stored_escapes(world: World, state: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    world.send()
    problem = structs.replace(PROBLEM, unit=FOREIGN, responsible=FOREIGN, subject=FOREIGN, evidence=verbatim(FOREIGN))
    opened = Event(at=datetime(2026, 9, 10, tzinfo=UTC), who=FOREIGN, what="opened", values={"day": "2026-09-09"})
    world.service.store.ledger.put([(problem, [opened])])
    assert main(["ledger", *state]) == 0
    captured = capsys.readouterr()
    harmless(captured.out + captured.err)


def test_the_quarantine_shows_stored_escapes(
    world: World, state: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    raw = FOREIGN.encode()
    bad = (
        RejectedResult(FOREIGN[:96], FOREIGN, raw),
        RejectedResult(None, f"Invalid value '{FOREIGN}' - at `$.kind`", raw),
    )
    batch = Batch(Principal("s001", "s001"), datetime.now(UTC), "boot", (), bad)
    world.service.store.submit(batch).result()
    assert main(["quarantine", *state]) == 0
    harmless(capsys.readouterr().out)
    assert main(["quarantine", "--json", *state]) == 0
    assert not set(capsys.readouterr().out) & set("\x1b\x9b\u202e\r")


def test_people_are_listed_on_a_line_each(world: World, state: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    world.service.store.people.put(Person("Li", "viewer", ""), datetime.now(UTC), "console", None, None, FOREIGN)
    assert main(["person", "list", *state]) == 0
    listed = capsys.readouterr().out
    harmless(listed)
    assert len(listed.splitlines()) == 1


@pytest.mark.parametrize("force", [True, False])
def test_an_import_shows_names_of_files_sheets_and_cells_on_their_lines(
    tmp_path: Path, state: list[str], capsys: pytest.CaptureFixture[str], force: bool
) -> None:
    folder = tmp_path / "county"
    write_folder(sample(2, 1), folder, "en")
    (folder / "note\x1b[2J\nFORGED.csv").write_text("a,b\n1,2\n")
    if not force:
        rooms = folder / "classrooms.csv"
        rooms.write_text(
            rooms.read_text(encoding="utf-8-sig") + 'sch001,"c\x1b[2J\nFORGED",x,10.0.0.1,5301,\n', "utf-8"
        )
    main(["inventory", "import", str(folder), "--force", *state])
    captured = capsys.readouterr()
    harmless(captured.out + captured.err)


def test_a_zip_s_names_stay_on_their_line(tmp_path: Path, state: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a\x1b[2J\nFORGED.xlsx", b"PK")
    (tmp_path / "county.zip").write_bytes(packed.getvalue())
    assert main(["inventory", "import", str(tmp_path / "county.zip"), *state]) == 2
    harmless(capsys.readouterr().err)


def test_a_configuration_s_keys_stay_on_their_line(
    tmp_path: Path, state: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "collector.toml"
    config.write_text('[server]\n"x\\nFORGED\\u001b[2J" = 1\nlisten = "a\\nFORGED"\n')
    assert main(["check-config", "--config", str(config)]) == 2
    harmless(capsys.readouterr().err)
