"""Waves of a release: rules as tables, and a county of 500 simulated gateways that ask a real store, day by day."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from campus_collector.domain.agents import Principal
from campus_collector.domain.releases import (
    Condition,
    GatewayUpgrade,
    Health,
    MeasuredSpan,
    health,
    wave_size,
)
from campus_collector.release.repository import PackageRefused, read_package
from campus_collector.release.service import Releases
from campus_collector.store.open import open_store
from campus_wire.records import UpgradeQuestion

T0 = datetime(2026, 11, 2, 2, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
GATEWAYS = 500
PAST = MeasuredSpan(20, 18, 500e6)


@pytest.mark.parametrize(
    ("wave", "gateways", "size"),
    [(0, 500, 1), (1, 500, 25), (2, 500, 150), (3, 500, 500), (1, 3, 2), (2, 3, 3), (0, 0, 0)],
)
def test_size_of_a_wave(wave: int, gateways: int, size: int) -> None:
    assert wave_size(wave, gateways) == size


def upgraded(**changes: object) -> GatewayUpgrade:
    values: dict[str, object] = {"offered_at": T0, "installed_at": T0} | changes
    return GatewayUpgrade("s1", "s1", T0, "2.0", "2.0", **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("gateway", "reported", "after", "expected"),
    [
        (upgraded(), T0 + DAY, MeasuredSpan(5, 5, 490e6), Health.GOOD),
        (upgraded(), T0 + DAY, MeasuredSpan(), Health.PENDING),
        (upgraded(), T0 + DAY, MeasuredSpan(4, 0), Health.BAD),
        (upgraded(), T0 + DAY, MeasuredSpan(5, 5, 100e6), Health.BAD),
        (upgraded(), T0 - 3 * HOUR, MeasuredSpan(5, 5, 490e6), Health.BAD),
        (upgraded(returned_at=T0, reason="it did not report"), T0 + DAY, MeasuredSpan(), Health.BAD),
        (upgraded(installed_at=None), T0 + DAY, MeasuredSpan(), Health.BAD),
    ],
)
def test_health(gateway: GatewayUpgrade, reported: datetime, after: MeasuredSpan, expected: Health) -> None:
    assert health(Condition(gateway, reported, PAST, after), T0 + DAY)[0] is expected


@dataclass
class County:
    """500 gateways on a real store; `kind` says what the release does to those that take it."""

    releases: Releases
    kind: str
    versions: dict[str, str] = field(default_factory=lambda: {f"s{number:03}": "1.0" for number in range(GATEWAYS)})
    returned: dict[str, str] = field(default_factory=dict)

    def night(self, now: datetime) -> None:
        """Each gateway asks once, and once more after what it did."""
        for school in self.versions:
            answer = self.ask(school, now)
            if answer.withdrawn:
                self.versions[school], self.returned[school] = "1.0", "2.0"
            elif answer.version and self.kind == "crashes":
                self.returned[school] = answer.version
            elif answer.version:
                self.versions[school] = answer.version
            else:
                continue
            self.ask(school, now + HOUR)

    def ask(self, school: str, now: datetime):  # type: ignore[no-untyped-def]
        question = UpgradeQuestion(self.versions[school], "amd64", self.returned.get(school, ""), "it did not report")
        return self.releases.answer(Principal(school, school), question, now)


class Judged(Releases):
    """MeasuredSpan and reports are what the simulated gateway would have sent."""

    kind = ""

    def _conditions(self, offered: list[GatewayUpgrade], now: datetime) -> list[Condition]:
        after = MeasuredSpan(5, 0) if self.kind == "blind" else MeasuredSpan(5, 5, 495e6)
        return [Condition(gateway, now, PAST, after if gateway.installed_at else MeasuredSpan()) for gateway in offered]


def deb(folder: Path, version: str) -> Path:
    tree = folder / version
    (tree / "DEBIAN").mkdir(parents=True)
    control = f"Package: campus-agent\nVersion: {version}\nArchitecture: amd64\nMaintainer: T <t@example.org>\nDescription: t\n"
    (tree / "DEBIAN/control").write_text(control)
    file = folder / f"{version}.deb"
    subprocess.run(["dpkg-deb", "--build", "-Znone", str(tree), str(file)], check=True, capture_output=True)
    return file


@pytest.fixture
def releases(tmp_path: Path) -> Iterator[Judged]:
    store = open_store(tmp_path / "campus.db")
    releases = Judged(store, tmp_path)
    releases.add(deb(tmp_path, "1.0"), T0 - DAY)
    releases.add(deb(tmp_path, "2.0"), T0)
    yield releases
    store.close()


def days(releases: Judged, kind: str, count: int) -> tuple[County, list[int]]:
    """How many gateways ran 2.0 after each night."""
    releases.kind = kind
    county, counts = County(releases, kind), []
    county_now = T0
    for _ in range(count):
        county.night(county_now)
        for hour in range(2, 24):
            releases.catch_up(county_now + hour * HOUR)
        counts.append(sum(version == "2.0" for version in county.versions.values()))
        county_now += DAY
    return county, counts


@pytest.mark.timeout(600)
def test_a_good_release_goes_out_in_waves(releases: Judged) -> None:
    _, counts = days(releases, "good", 5)
    assert counts[:4] == [1, 25, 150, 500]
    assert releases._store.releases.all()[0].state == "done"


@pytest.mark.parametrize("kind", ["crashes", "blind"])
def test_a_bad_release_stops_at_one_gateway(releases: Judged, kind: str) -> None:
    county, counts = days(releases, kind, 3)
    newest = releases._store.releases.all()[0]
    assert (newest.state, max(counts)) in (("stopped", 0), ("stopped", 1))
    assert newest.reason
    assert set(county.versions.values()) == {"1.0"}, "none stays on it"
    assert [event.what for event in releases._store.ledger.events()].count("release_stopped") == 1


def test_a_release_that_cannot_be_signed_is_not_kept(tmp_path: Path) -> None:
    """A disk that is full, a folder of another user: the same command once more adds it."""
    store = open_store(tmp_path / "campus.db")
    try:
        file = deb(tmp_path, "1.0")
        with pytest.raises(OSError):
            Releases(store, tmp_path / "1.0.deb").add(file, T0)
        assert (store.releases.all(), store.releases.packages()) == ([], [])
        Releases(store, tmp_path).add(file, T0)
        assert store.releases.index("InRelease") is not None
    finally:
        store.close()


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    """A pipe would be waited for without end, a device would fill the memory."""
    os.mkfifo(tmp_path / "pipe")
    for name in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(PackageRefused, match="no file"):
            read_package(name)


def test_a_file_s_name_is_no_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deb(tmp_path, "1.0").rename(tmp_path / "--version")
    monkeypatch.chdir(tmp_path)
    assert read_package(Path("--version"))[0].version == "1.0"
