"""What the READMEs say is true: links lead somewhere, commands exist, both languages tell the same."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
READMES = [ROOT / "README.md", ROOT / "README.zh-CN.md"]
DOCUMENTS = [*READMES, *sorted((ROOT / "docs/pages").rglob("*.md")), ROOT / "CHANGELOG.md"]


def commands(text: str) -> set[tuple[str, str]]:
    return set(re.findall(r"(campus-agent|campus-collector) ([a-z][a-z-]+)", text))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", document.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


@pytest.mark.parametrize("program", ["campus_agent", "campus_collector"])
def test_every_documented_command_exists(program: str) -> None:
    """All commands with their options: docs/pages/reference-commands.md, which is written from the programs."""
    name = program.replace("_", "-")
    done = subprocess.run([sys.executable, "-m", program, "--help"], capture_output=True, text=True, check=True)
    real = set(re.findall(r"^    ([a-z][a-z-]+)(?: |$)", done.stdout, re.MULTILINE))
    assert real
    for readme in READMES:
        documented = {command for each, command in commands(readme.read_text(encoding="utf-8")) if each == name}
        assert documented <= real, readme.name


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_a_readme_is_short_and_has_four_small_pictures(readme: Path) -> None:
    text = readme.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 100
    pictures = [ROOT / name for name in re.findall(r"!\[[^]]+\]\(([^)]+)\)", text)]
    assert len(pictures) == 4
    assert [picture.name for picture in pictures if picture.stat().st_size > 150_000] == []


def test_both_languages_show_the_same_commands() -> None:
    english, chinese = (readme.read_text(encoding="utf-8") for readme in READMES)
    assert commands(english) == commands(chinese)
    blocks = [
        re.findall(r"^[a-z/][^\n#|]*", "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL)), re.MULTILINE)
        for text in (english, chinese)
    ]
    assert [line.strip() for line in blocks[0]] == [line.strip() for line in blocks[1]]


def test_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"(?:`|^)make ([a-z]+)", READMES[0].read_text(), re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_nothing_names_a_place_of_this_machine() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    private = re.compile(rb"(?<![\w.])/(?:work|farm|root)/")
    for name in filter(None, listed.stdout.split(b"\0")):
        path = ROOT / name.decode()
        if path.suffix not in (".png", ".webp") and path.is_file() and path != Path(__file__):
            assert private.search(path.read_bytes()) is None, path


def test_the_version_is_the_same_everywhere() -> None:
    from campus_wire.version import VERSION

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["tool"]["hatch"]["version"]["path"] == "agent/campus_wire/version.py"
    assert f"## {VERSION}" in (ROOT / "CHANGELOG.md").read_text()
