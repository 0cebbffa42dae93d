"""`campus-collector grafana`: against a FAKE of Grafana's API (no Grafana can be had here), and as files."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from campus_collector.cli.main import main
from tests.agent.measure.equipment.peers import free_port
from tests.fakes.grafana import TOKEN, FakeGrafana, fake_grafana


@pytest.fixture
def grafana(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGrafana]:
    monkeypatch.setenv("CAMPUS_LANG", "en")
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with fake_grafana() as running:
        yield running


def provision(grafana: FakeGrafana, folder: Path, *more: str, token: str = TOKEN, url: str = "") -> int:
    file = folder / "token"
    file.write_text(token + "\n")
    file.chmod(0o600)
    address = url or f"http://127.0.0.1:{grafana.port}"
    return main(
        ["grafana", "provision", "--url", address, "--token-file", str(file), "--state-dir", str(folder), *more]
    )


def test_once_twice_and_after_a_change(grafana: FakeGrafana, tmp_path: Path, capsys) -> None:
    assert provision(grafana, tmp_path, "--dry-run") == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "create: folder 校园测 CampusMeter"
    assert printed[-1] == "Nothing was changed (--dry-run)."
    assert (len(printed), grafana.writes) == (10, [])
    assert provision(grafana, tmp_path) == 0
    assert len(grafana.dashboards) == 7
    assert grafana.datasources["CampusMeter"]["url"] == "http://127.0.0.1:9090"
    first = list(grafana.writes)
    capsys.readouterr()
    assert provision(grafana, tmp_path, "--json") == 0
    steps = json.loads(capsys.readouterr().out)["steps"]
    assert {step["what"] for step in steps} == {"unchanged"}
    assert grafana.writes == first, "the second time changes nothing"
    grafana.dashboards["campus-county"]["title"] = "mine"
    assert provision(grafana, tmp_path, "--prometheus-url", "http://prometheus:9090") == 0
    printed = capsys.readouterr().out
    assert "change: data source CampusMeter (url)" in printed
    assert "change: dashboard 校园测：全县总览 (title)" in printed
    assert grafana.dashboards["campus-county"]["title"] == "校园测：全县总览"
    assert grafana.writes[len(first) :] == ["PUT /api/datasources/7", "POST /api/dashboards/db"]


def test_english_dashboards_stand_beside_the_chinese(grafana: FakeGrafana, tmp_path: Path) -> None:
    assert provision(grafana, tmp_path) == 0
    assert provision(grafana, tmp_path, "--lang", "en") == 0
    assert len(grafana.dashboards) == 14


def test_somebody_else_s_dashboard_is_left_alone(grafana: FakeGrafana, tmp_path: Path, capsys) -> None:
    grafana.dashboards["campus-town"] = {"uid": "campus-town", "title": "theirs", "tags": [], "version": 3, "id": 5}
    assert provision(grafana, tmp_path) == 1
    assert "conflict: somebody else's" in capsys.readouterr().out
    assert grafana.writes == [], "nothing at all is done"
    assert provision(grafana, tmp_path, "--overwrite") == 0
    assert grafana.dashboards["campus-town"]["title"] == "校园测：镇街"


@pytest.mark.parametrize(
    ("change", "more", "words"),
    [
        ({}, {"token": "glsa_wrong"}, "refuses the token"),
        ({"role": "Viewer"}, {}, "the token lacks permission"),
        ({"role": "Editor"}, {}, "the token lacks permission"),
        ({"version": "9.5.1"}, {}, "Grafana 9.5.1 is too old; 10.0 or later"),
        ({"version": ""}, {}, "is no Grafana"),
        ({}, {"url": "http://127.0.0.1:{port}"}, "is not reached"),
        ({}, {"url": "https://127.0.0.1:{own}"}, "is not"),
    ],
)
def test_what_goes_wrong_is_said(
    grafana: FakeGrafana, tmp_path: Path, capsys, change: dict, more: dict, words: str
) -> None:
    for name, value in change.items():
        setattr(grafana, name, value)
    if "url" in more:
        more = {"url": more["url"].format(port=free_port(), own=grafana.port)}
    assert provision(grafana, tmp_path, **more) == 1
    captured = capsys.readouterr()
    assert words in captured.err
    assert "glsa_" not in captured.out + captured.err


def test_usage(grafana: FakeGrafana, tmp_path: Path, capsys) -> None:
    assert provision(grafana, tmp_path, url="http://grafana.example") == 2
    assert "would travel readable" in capsys.readouterr().err
    assert provision(grafana, tmp_path, token="") == 2
    assert provision(grafana, tmp_path, url="ftp://x") == 1
    (tmp_path / "open").write_text(TOKEN)
    (tmp_path / "open").chmod(0o644)
    address = f"http://127.0.0.1:{grafana.port}"
    assert (
        main(
            [
                "grafana",
                "provision",
                "--url",
                address,
                "--token-file",
                str(tmp_path / "open"),
                "--state-dir",
                str(tmp_path),
            ]
        )
        == 0
    )
    assert "can be read by others" in capsys.readouterr().err


def test_a_race_is_told(grafana: FakeGrafana, tmp_path: Path, capsys, monkeypatch) -> None:
    assert provision(grafana, tmp_path) == 0
    grafana.dashboards["campus-county"]["title"] = "edited"
    original = grafana.answer

    def raced(method: str, path: str, body: object, token: str):
        if path == "/api/dashboards/db":
            grafana.dashboards["campus-county"]["version"] += 1
        return original(method, path, body, token)

    monkeypatch.setattr(grafana, "answer", raced)
    assert provision(grafana, tmp_path) == 1
    assert "then --overwrite" in capsys.readouterr().err


def test_a_collector_above_counties_has_one_more(tmp_path: Path) -> None:
    config = tmp_path / "collector.toml"
    config.write_text('[area]\nlevel = "prefecture"\nname = "示例市"\n')
    assert main(["grafana", "export", str(tmp_path / "out"), "--config", str(config)]) == 0
    written = {path.stem for path in (tmp_path / "out/dashboards/campusmeter").iterdir()}
    assert len(written) == 8
    assert "campus-area" in written


def test_as_files(tmp_path: Path, capsys) -> None:
    assert main(["grafana", "export", str(tmp_path / "out"), "--state-dir", str(tmp_path)]) == 0
    assert len(list((tmp_path / "out/dashboards/campusmeter").iterdir())) == 7
    source = (tmp_path / "out/provisioning/datasources/campusmeter.yaml").read_text()
    assert '    url: "http://127.0.0.1:9090"' in source
    assert (
        "path: /var/lib/grafana/dashboards/campusmeter"
        in (tmp_path / "out/provisioning/dashboards/campusmeter.yaml").read_text()
    )
