"""Releases of the agent: their packages in parts, the signed index, and how far each gateway is."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Literal

from campus_collector.domain.problem import Event
from campus_collector.domain.releases import GatewayUpgrade, Release, ReleasePackage
from campus_collector.store.columns import bytes_of, micros, micros_or_none, moment, moment_or_none
from campus_collector.store.tables.ledger import append_event
from campus_collector.store.tables.table import TableGroup, fields, in_commit, insert
from campus_collector.store.transport import Queryable, Transaction

ReleaseEvent = Literal["release_added", "release_wave", "release_stopped", "release_done"]
_UPGRADE = (
    "school",
    "agent_id",
    "asked_at",
    "version",
    "target",
    "offered_at",
    "installed_at",
    "returned_at",
    "reason",
)


class ReleaseTable(TableGroup):
    """Every change of a release is an event of the audit trail, in the same commit."""

    def all(self) -> list[Release]:
        """Every release, newest first."""
        rows = self._database.read(
            "SELECT version, state, wave, wave_since, added_at, reason FROM release ORDER BY added_at DESC, version DESC"
        )
        return [Release(row[0], row[1], row[2], moment(row[3]), moment(row[4]), row[5]) for row in rows]

    def packages(self) -> list[ReleasePackage]:
        """Every package, by version and architecture."""
        rows = self._database.read(
            "SELECT version, architecture, sha256, size, control FROM release_package ORDER BY version, architecture"
        )
        return [ReleasePackage(*row) for row in rows]

    @in_commit
    def add(
        self, transaction: Transaction, release: Release, package: ReleasePackage, parts: Sequence[bytes], who: str
    ) -> None:
        """Add a package to its release, which is begun where there is none; an older one that is rolling is kept from then on."""
        if release.state == "rolling":
            transaction.execute(
                "UPDATE release SET state = 'kept' WHERE state IN ('rolling', 'done') AND version <> :version",
                {"version": release.version},
            )
        transaction.execute(
            insert("release", "version", "state", "wave", "wave_since", "added_at", "reason")
            + " ON CONFLICT (version) DO NOTHING",
            _columns(release),
        )
        transaction.execute(
            insert("release_package", "version", "architecture", "sha256", "size", "control"),
            fields(package, "version", "architecture", "sha256", "size", "control"),
        )
        rows = [{"sha256": package.sha256, "part": number, "body": body} for number, body in enumerate(parts)]
        transaction.execute_many(
            insert("release_part", "sha256", "part", "body") + " ON CONFLICT (sha256, part) DO NOTHING", rows
        )
        values = {"version": package.version, "architecture": package.architecture, "sha256": package.sha256}
        append_event(transaction, Event(at=release.added_at, who=who, what="release_added", values=values))

    @in_commit
    def put(self, transaction: Transaction, release: Release, what: ReleaseEvent, who: str, now: datetime) -> bool:
        """Replace a release that is rolling or offered to all; False where it is not any more: somebody was faster."""
        changed = transaction.execute(
            "UPDATE release SET state = :state, wave = :wave, wave_since = :wave_since, reason = :reason"
            " WHERE version = :version AND state IN ('rolling', 'done')",
            _columns(release),
        )
        if changed:
            values = {"version": release.version, "wave": str(release.wave + 1), "reason": release.reason}
            append_event(transaction, Event(at=now, who=who, what=what, values=values))
        return changed > 0

    def part(self, sha256: str, number: int) -> bytes | None:
        """A part of a package; None after the last."""
        row = self._database.first(
            "SELECT body FROM release_part WHERE sha256 = :sha256 AND part = :part", {"sha256": sha256, "part": number}
        )
        return bytes_of(row[0]) if row else None

    def parts(self, sha256: str) -> Iterator[bytes]:
        """A whole package, part by part."""
        number = 0
        while (body := self.part(sha256, number)) is not None:
            yield body
            number += 1

    def index(self, name: str) -> bytes | None:
        """A file of the repository's index; None where nothing was added yet."""
        row = self._database.first("SELECT body FROM release_index WHERE name = :name", {"name": name})
        return bytes_of(row[0]) if row else None

    def index_number(self) -> int:
        """The number of the index that was signed last; 0 of none."""
        row = self._database.first("SELECT max(number) FROM release_index", {})
        return int(row[0] or 0) if row else 0

    @in_commit
    def put_index(self, transaction: Transaction, number: int, files: Mapping[str, bytes]) -> None:
        """Replace the index, all of its files together."""
        transaction.execute_many(
            insert("release_index", "name", "number", "body")
            + " ON CONFLICT (name) DO UPDATE SET number = excluded.number, body = excluded.body",
            [{"name": name, "number": number, "body": body} for name, body in files.items()],
        )

    def upgrades(self) -> list[GatewayUpgrade]:
        """Every gateway that ever asked, by school."""
        return _upgrades(self._database)

    @in_commit
    def change_upgrade(
        self, transaction: Transaction, decide: Callable[[list[GatewayUpgrade]], GatewayUpgrade]
    ) -> GatewayUpgrade:
        """Keep what `decide` makes of all gateways for one of them; nothing is offered to another meanwhile."""
        upgrade = decide(_upgrades(transaction))
        moments = ("offered_at", "installed_at", "returned_at")
        row = fields(upgrade, *_UPGRADE) | {name: micros_or_none(getattr(upgrade, name)) for name in moments}
        changed = ", ".join(f"{name} = excluded.{name}" for name in _UPGRADE[2:])
        transaction.execute(
            insert("gateway_upgrade", *_UPGRADE) + f" ON CONFLICT (school, agent_id) DO UPDATE SET {changed}",
            row | {"asked_at": micros(upgrade.asked_at)},
        )
        return upgrade


def _upgrades(reader: Queryable) -> list[GatewayUpgrade]:
    rows = reader.read(f"SELECT {', '.join(_UPGRADE)} FROM gateway_upgrade ORDER BY school, agent_id")
    return [
        GatewayUpgrade(
            row[0],
            row[1],
            moment(row[2]),
            row[3],
            row[4],
            moment_or_none(row[5]),
            moment_or_none(row[6]),
            moment_or_none(row[7]),
            row[8],
        )
        for row in rows
    ]


def _columns(release: Release) -> dict[str, object]:
    return fields(release, "version", "state", "wave", "reason") | {
        "wave_since": micros(release.wave_since),
        "added_at": micros(release.added_at),
    }
