"""What gateways are offered, and what becomes of a release by what they report."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from campus_base.messages import message
from campus_collector.domain.agents import Principal
from campus_collector.domain.problem import CONSOLE, MEASUREMENTS
from campus_collector.domain.releases import (
    ASKS_WITHIN,
    Condition,
    GatewayUpgrade,
    MeasuredSpan,
    Release,
    is_offered,
    progress,
)
from campus_collector.release.repository import PackageRefused, index, is_newer, make_key, read_package
from campus_collector.store.store import Store
from campus_collector.store.tables.releases import ReleaseEvent
from campus_wire.bandwidth import line_rate_of
from campus_wire.failures import Validity
from campus_wire.records import AnyResult, ThroughputResult, UpgradeAnswer, UpgradeQuestion

log = logging.getLogger(__name__)
PAST = timedelta(days=14)
MOST_TESTS = 60
"""So many of a gateway's newest tests, before and after its upgrade, are compared."""


class Releases:
    """The releases of one collector."""

    def __init__(self, store: Store, key_folder: Path | None) -> None:
        """`key_folder` holds the key's file; None: the store holds it."""
        self._store, self._key_folder = store, key_folder

    def public_key(self) -> str:
        """Armored; "" where no release was ever added. Raises StoreUnavailable."""
        body = self._store.releases.index("release-key.asc")
        return "" if body is None else body.decode()

    def fingerprint(self) -> str:
        """SHA-256 of the public key's file, as `campus-agent upgrade pin` takes it; "" of none. Raises StoreUnavailable."""
        key = self.public_key()
        return hashlib.sha256(key.encode()).hexdigest() if key else ""

    def add(self, file: Path, now: datetime | None = None) -> Release:
        """Add a package. Newer than all others it goes out in waves; else it is kept as a way back. Raises PackageRefused, OSError, StoreUnavailable."""
        now = now or datetime.now(UTC)
        package, parts = read_package(file)
        make_key(self._store, self._key_folder)  # before anything is kept: what cannot be signed is not added
        if any(
            (each.version, each.architecture) == (package.version, package.architecture)
            for each in self._store.releases.packages()
        ):
            raise PackageRefused(message("{version} is there already", version=package.version))
        releases = self._store.releases.all()
        same = [each for each in releases if each.version == package.version]
        newest = all(is_newer(package.version, each.version) for each in releases)
        state = same[0].state if same else "rolling" if newest else "kept"
        release = same[0] if same else Release(package.version, state, 0, now, now)
        self._store.releases.add(replace(release, added_at=now), package, parts, CONSOLE)
        self._sign(now)
        return release

    def _sign(self, now: datetime) -> None:
        """Sign the index anew, of all packages whose release was not stopped."""
        tsk = make_key(self._store, self._key_folder)
        stopped = {each.version for each in self._store.releases.all() if each.state == "stopped"}
        packages = [each for each in self._store.releases.packages() if each.version not in stopped]
        number = self._store.releases.index_number() + 1
        self._store.releases.put_index(number, index(packages, number, tsk, now))

    def stop(self, version: str, reason: str, who: str = CONSOLE, now: datetime | None = None) -> bool:
        """Stop a release: it is offered to nobody, and gateways that have it go back. False where none of this version goes out."""
        now = now or datetime.now(UTC)
        release = next((each for each in self._store.releases.all() if each.version == version), None)
        if release is None:
            return False
        stopped = replace(release, state="stopped", reason=reason[:500])
        if not self._store.releases.put(stopped, "release_stopped", who, now):
            return False
        log.error("release stopped", extra={"version": version, "reason": reason})
        self._sign(now)
        return True

    def answer(self, principal: Principal, question: UpgradeQuestion, now: datetime) -> UpgradeAnswer:
        """What a gateway that asks shall run. Raises StoreUnavailable."""
        releases, packages = self._store.releases.all(), self._store.releases.packages()
        there = {(each.version, each.architecture) for each in packages}
        stopped = {each.version for each in releases if each.state == "stopped"}
        usable = [
            each
            for each in releases
            if each.version != question.version and (each.version, question.architecture) in there
        ]
        current = question.version
        has_way_back = (current, question.architecture) in there and current not in stopped

        def decide(gateways: list[GatewayUpgrade]) -> GatewayUpgrade:
            mine = _noted(principal, question, gateways, now)
            for release in usable if has_way_back else ():
                if is_offered(release, mine, gateways, now) and is_newer(release.version, current):
                    first = mine.target != release.version
                    return replace(mine, target=release.version, offered_at=now) if first else mine
            return mine

        mine = self._store.releases.change_upgrade(decide)
        offered = mine.target not in ("", current, *stopped) and mine.returned_at is None and has_way_back
        return UpgradeAnswer(mine.target if offered else "", current in stopped)

    def catch_up(self, now: datetime | None = None) -> None:
        """Let rolling releases go on, or stop them. Raises StoreUnavailable."""
        now = now or datetime.now(UTC)
        for release in self._store.releases.all():
            if release.state in ("rolling", "done"):
                self._move(release, now)

    def _move(self, release: Release, now: datetime) -> None:
        gateways = self._store.releases.upgrades()
        asking = sum(now - each.asked_at <= ASKS_WITHIN for each in gateways)
        offered = [each for each in gateways if each.target == release.version]
        new = progress(release, self._conditions(offered, now), asking, now)
        if new.state == "stopped":
            self.stop(release.version, new.reason, MEASUREMENTS, now)
        elif (new.state, new.wave) != (release.state, release.wave) and release.state != "done":
            moved = replace(release, state=new.state, wave=new.wave, wave_since=now)
            what: ReleaseEvent = "release_done" if new.state == "done" else "release_wave"
            self._store.releases.put(moved, what, MEASUREMENTS, now)

    def _conditions(self, offered: list[GatewayUpgrade], now: datetime) -> list[Condition]:
        reported = {(each.school, each.agent_id): each.last_report_at for each in self._store.agents.all()}
        return [
            Condition(gateway, reported.get((gateway.school, gateway.agent_id)), *self._tests(gateway, now))
            for gateway in offered
        ]

    def _tests(self, gateway: GatewayUpgrade, now: datetime) -> tuple[MeasuredSpan, MeasuredSpan]:
        """Before and since the upgrade."""
        since = gateway.installed_at
        if since is None:
            return MeasuredSpan(), MeasuredSpan()

        def tests(start: datetime, end: datetime) -> MeasuredSpan:
            return summary(self._store.results.newest(gateway.school, None, "throughput", start, end, MOST_TESTS))

        return tests(since - PAST, since), tests(since, now)


def summary(results: Sequence[AnyResult]) -> MeasuredSpan:
    """How many tests, how many valid, and the median of the line rates downwards."""
    tests = [each for each in results if isinstance(each, ThroughputResult)]
    valid = [each for each in tests if each.validity is Validity.OK and each.record is not None]
    rates = [
        line_rate_of(each.record.down, each.record.encapsulation) for each in valid if each.record and each.record.down
    ]
    return MeasuredSpan(len(tests), len(valid), median(rates) if rates else None)


def _noted(
    principal: Principal, question: UpgradeQuestion, gateways: list[GatewayUpgrade], now: datetime
) -> GatewayUpgrade:
    """The gateway's row with what it says now."""
    key = (principal.school, principal.agent_id)
    before = next((each for each in gateways if (each.school, each.agent_id) == key), None)
    mine = replace(before or GatewayUpgrade(*key, now, ""), asked_at=now, version=question.version)
    if mine.target and question.returned_from == mine.target and question.version != mine.target:
        return mine if mine.returned_at else replace(mine, returned_at=now, reason=question.reason)
    if mine.target == question.version and mine.installed_at is None:
        return replace(mine, installed_at=now)
    return mine
