"""Files that root makes in a service's folder; files written whole; folders."""

import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from campus_agent.config import fetched
from campus_agent.config.model import Collector
from campus_agent.ship.rotate import rotate
from campus_agent.status import Snapshot, write_snapshot
from campus_base.files import file_mode_of, follow_owner, make_folder, publish, write_whole

SOMEBODY = 65_534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files for others")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "state"
    made.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(made, SOMEBODY, SOMEBODY)
    return made


@as_root
def test_what_root_makes_belongs_to_whom_the_folder_belongs(folder: Path) -> None:
    write_whole(folder / "reports.txt", b"x")
    make_folder(folder / "reports" / "2026-10")
    fetched.store(b"{}", folder)
    write_snapshot(folder, Snapshot("0.2.1", "boot", None))  # type: ignore[arg-type]
    actual = list(folder.rglob("*"))
    assert len(actual) == 5
    assert {(each.stat().st_uid, each.stat().st_gid) for each in actual} == {(SOMEBODY, SOMEBODY)}


@as_root
def test_a_token_that_root_replaces_stays_the_service_s(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = folder / "token"
    token.write_text("old")
    os.chown(token, SOMEBODY, SOMEBODY)
    os.chown(folder, 0, 0)  # not by the folder
    monkeypatch.setattr("campus_agent.ship.rotate._successor", lambda _: "new")
    rotate(Collector("http://127.0.0.1", token))
    assert (token.read_text(), token.stat().st_uid) == ("new\n", SOMEBODY)
    assert list(folder.iterdir()) == [token]


@as_root
def test_what_cannot_be_given_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A disk without owners, a folder of a file server."""

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", refused)
    monkeypatch.setenv("CAMPUS_LANG", "zh")
    (folder / "campus.db").touch()
    assert not follow_owner(folder / "campus.db")
    assert f"{folder / 'campus.db'}：属于用户 0" in caplog.text


@as_root
def test_a_link_is_not_followed(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.touch()
    (folder / "campus.db").symlink_to(secret)
    follow_owner(folder / "campus.db")
    assert secret.stat().st_uid == 0


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    write_whole(file, b"one", 0o600)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    write_whole(file, b"two")
    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (b"two", 0o600)
    with pytest.raises(OSError, match="No such file or directory") as raised:
        write_whole(tmp_path / "nowhere" / "a.txt", b"x")
    assert raised.value.filename == str(tmp_path / "nowhere" / "a.txt")
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path / "folder", b"x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "folder"]


def test_a_name_that_is_taken_is_never_given_again(tmp_path: Path) -> None:
    for name in ("new", "old"):
        (tmp_path / name).write_text(name)
    with pytest.raises(FileExistsError):
        publish(tmp_path / "new", tmp_path / "old")
    assert (tmp_path / "old").read_text() == "old"
    publish(tmp_path / "new", tmp_path / "free")
    assert (tmp_path / "free").read_text() == "new"


def whole(path: Path) -> None:
    write_whole(path, b"x")


def published(path: Path) -> None:
    beside = path.with_name("beside")
    beside.write_bytes(b"x")
    publish(beside, path)


@pytest.mark.parametrize("write", [whole, published])
def test_a_power_cut_leaves_the_whole_file_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], None]
) -> None:
    """The name appears with the file, and is brought to the disk too."""
    steps: list[str] = []
    replace, fsync = Path.replace, os.fsync

    def renamed(path: Path, target: Path) -> Path:
        steps.append("renamed over an empty file" if target.exists() else "renamed")
        return replace(path, target)

    def synced(descriptor: int) -> None:
        steps.append("folder synced" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file synced")
        fsync(descriptor)

    monkeypatch.setattr(Path, "replace", renamed)
    monkeypatch.setattr(os, "fsync", synced)
    write(tmp_path / "file")
    assert steps[-2:] == ["renamed", "folder synced"]


def test_of_two_that_publish_at_once_only_one_gets_the_name(tmp_path: Path) -> None:
    results: list[str] = []

    def offer(number: int) -> None:
        beside = tmp_path / f"beside-{number}"
        beside.write_text(str(number))
        try:
            publish(beside, tmp_path / "file")
            results.append(str(number))
        except FileExistsError:
            pass

    threads = [threading.Thread(target=offer, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [(tmp_path / "file").read_text()]


def test_a_file_in_place_of_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="exists|Not a directory"):
        make_folder(tmp_path / "file")
    with pytest.raises(OSError, match="exists|Not a directory"):
        make_folder(tmp_path / "file" / "below")


@pytest.mark.parametrize(
    ("folder", "file"), [(0o750, 0o640), (0o700, 0o600), (0o755, 0o640), (0o770, 0o660), (0o777, 0o660)]
)
def test_a_mode_follows_the_folder_s(tmp_path: Path, folder: int, file: int) -> None:
    tmp_path.chmod(folder)
    assert file_mode_of(tmp_path) == file
