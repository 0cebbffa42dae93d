"""The signed repository as stock apt reads it, over HTTP: what the pinned key signed comes, and nothing else does."""

import functools
import http.server
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from campus_agent.config.model import Collector
from campus_agent.upgrade.look import NoUpgrade, _fetch, package_file
from campus_collector.release.repository import file_name, make_key
from campus_collector.release.service import Releases
from campus_collector.store.open import open_store
from tests.collector.release.test_waves import T0, deb


class Site:
    """A repository's files, served as they are in a folder: also what an attacker puts there."""

    def __init__(self, folder: Path) -> None:
        self.apt = folder / "site/apt"
        self.apt.mkdir(parents=True)
        self.store = open_store(folder / "campus.db")
        self.releases = Releases(self.store, folder)
        handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder / "site"))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.collector = Collector(f"http://127.0.0.1:{self.server.server_port}", folder / "token", None)

    def publish(self) -> None:
        for name in ("InRelease", "Packages", "release-key.asc"):
            (self.apt / name).write_bytes(self.store.releases.index(name) or b"")
        for package in self.store.releases.packages():
            (self.apt / file_name(package)).write_bytes(b"".join(self.store.releases.parts(package.sha256)))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    if shutil.which("apt-get") is None:
        pytest.skip("NO APT")
    site = Site(tmp_path)
    site.releases.add(deb(tmp_path, "1.0"), T0)
    site.publish()
    shutil.copy(site.apt / "release-key.asc", tmp_path / "pinned.asc")
    (tmp_path / "gateway").mkdir()
    yield site
    site.server.shutdown()
    site.server.server_close()
    site.store.close()


def fetch(site: Site, folder: Path, *versions: str) -> int:
    return _fetch(site.collector, folder / "pinned.asc", folder / "gateway", versions)


def test_what_the_key_signed_comes(site: Site, tmp_path: Path) -> None:
    site.releases.add(deb(tmp_path, "2.0"), T0)
    site.publish()
    assert fetch(site, tmp_path, "1.0", "2.0") == 2
    assert package_file(tmp_path / "gateway", "2.0").read_bytes() == (tmp_path / "2.0.deb").read_bytes()


def test_a_replayed_older_index_is_refused(site: Site, tmp_path: Path) -> None:
    old = (site.apt / "InRelease").read_bytes(), (site.apt / "Packages").read_bytes()
    site.releases.add(deb(tmp_path, "2.0"), T0)
    site.publish()
    fetch(site, tmp_path, "1.0", "2.0")
    shutil.rmtree(tmp_path / "gateway/apt")
    (site.apt / "InRelease").write_bytes(old[0])
    (site.apt / "Packages").write_bytes(old[1])
    with pytest.raises(NoUpgrade, match="older"):
        fetch(site, tmp_path, "1.0")


def test_another_key_is_refused(site: Site, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = make_key(site.store, tmp_path / "other").extract_certificate()
    (tmp_path / "pinned.asc").write_text(str(other))
    with pytest.raises(NoUpgrade, match="apt"):
        fetch(site, tmp_path, "1.0")
    assert not list((tmp_path / "gateway").glob("*.deb"))


@pytest.mark.parametrize("name", ["InRelease", "Packages", "campus-agent_1.0_amd64.deb"])
def test_a_changed_file_is_refused(site: Site, tmp_path: Path, name: str) -> None:
    body = bytearray((site.apt / name).read_bytes())
    at = body.index(b"Version: 1") if b"Version: 1" in body else len(body) // 2
    body[at + 9] ^= 1
    (site.apt / name).write_bytes(bytes(body))
    with pytest.raises(NoUpgrade):
        fetch(site, tmp_path, "1.0")
    assert not list((tmp_path / "gateway").glob("*.deb"))
