"""A simulated county of two months, closed and archived; and archives that somebody changed."""

import contextlib
import io
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from campus_collector.archive.write import ArchiveWriter
from campus_collector.cli.main import main
from campus_collector.config import load_config, shipped_policy
from campus_collector.http.service import open_service
from campus_collector.judge.month import parse_month
from campus_collector.store.archive.format import CONTEXT, MANIFEST, Context, Manifest, hash_of

MONTHS = ("2026-09", "2026-10")
COUNTY = ("--schools", "24", "--classrooms", "3", "--density", "0.06", "--month", MONTHS[-1], "--months", "2")


def make_county(folder: Path) -> None:
    """The collector's state in `state`, the archives in `archive`."""
    with contextlib.redirect_stdout(io.StringIO()):
        assert main(["simulate", *COUNTY, "--state-dir", str(folder / "state")]) == 0
    service = open_service(load_config(None, folder / "state", {}))
    try:
        for name in MONTHS:
            month = parse_month(name, service.config.timezone)
            service.reports.close_figures(month, datetime.now(UTC), None)
            ArchiveWriter(service.store, service.verdicts.policy, "示例县", folder / "archive").write(
                month, lambda _: {}
            )
    finally:
        service.store.close()


def changed_policy(folder: Path, before: str, after: str) -> Path:
    """The shipped policy with other words in it."""
    text = shipped_policy().read_text(encoding="utf-8")
    assert before in text
    file = folder / "other.toml"
    file.write_text(text.replace(before, after), encoding="utf-8")
    return file


def copy_of(archive: Path, folder: Path) -> Path:
    """For a test that changes it."""
    return Path(shutil.copytree(archive, folder / "copy"))


def forge_context(month: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Another context, and a manifest that says so."""
    context = msgspec.json.decode((month / CONTEXT).read_bytes())
    change(context)
    body = msgspec.json.encode(msgspec.convert(context, Context))
    (month / CONTEXT).write_bytes(body)
    forge_manifest(month, lambda files: files[CONTEXT].update(sha256=sha256(body).hexdigest(), bytes=len(body)))


def forge_manifest(month: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Other files listed, with a hash that fits."""
    manifest = msgspec.json.decode((month / MANIFEST).read_bytes())
    change(manifest["files"])
    forged = msgspec.convert(manifest, Manifest)
    (month / MANIFEST).write_bytes(msgspec.json.encode(msgspec.structs.replace(forged, sha256=hash_of(forged))))
