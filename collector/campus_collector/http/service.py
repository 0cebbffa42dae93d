"""What the routes share: configuration, store, verdicts, the collector's own figures."""

import logging
from dataclasses import dataclass
from datetime import date, datetime

from msgspec.structs import replace
from prometheus_client import CollectorRegistry, Histogram

from campus_collector.archive.removal import months_due
from campus_collector.archive.separate import SeparateArchives
from campus_collector.archive.service import Archives
from campus_collector.archive.worker import ArchiveWanted
from campus_collector.area.key import NoSigningKey, SigningKey
from campus_collector.area.report import AreaReports
from campus_collector.area.upward import UpwardReporting
from campus_collector.config import CollectorConfig
from campus_collector.domain.official import Official
from campus_collector.export.metrics_cache import MetricsCache, UpwardLines
from campus_collector.export.table import BY_NAME
from campus_collector.http.auth.authenticator import Authenticator
from campus_collector.http.auth.oidc import Provider
from campus_collector.http.command_watch import CommandWatch
from campus_collector.http.inventory_in_force import InventoryInForce
from campus_collector.http.newest import NewestVerdicts
from campus_collector.judge.policy import load_policy
from campus_collector.judge.service import Verdicts
from campus_collector.ledger.service import Ledger
from campus_collector.release.service import Releases
from campus_collector.report.separate import SeparateReports
from campus_collector.report.service import MonthlyReports
from campus_collector.report.worker import CollectorPlace
from campus_collector.slots.scheduler import SlotScheduler
from campus_collector.store.errors import StoreUnavailable
from campus_collector.store.open import open_store
from campus_collector.store.store import Store
from campus_collector.tls.served import ServedCertificate

log = logging.getLogger(__name__)


def _ingest_histogram() -> Histogram:
    metric = BY_NAME["campus_ingest_request_duration_seconds"]
    return Histogram(
        metric.name,
        metric.help,
        registry=CollectorRegistry(),
        buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    )


@dataclass(frozen=True, slots=True)
class Service:
    """One collector."""

    config: CollectorConfig
    store: Store
    verdicts: Verdicts
    newest: NewestVerdicts
    inventory: InventoryInForce
    slots: SlotScheduler
    ledger: Ledger
    reports: MonthlyReports
    separate_reports: SeparateReports
    archives: Archives
    separate_archives: SeparateArchives
    authenticator: Authenticator
    provider: Provider | None
    metrics: MetricsCache
    ingest_duration_seconds: Histogram
    certificate: ServedCertificate | None
    signing_key: SigningKey
    upward: UpwardReporting
    area: AreaReports
    command_watch: CommandWatch
    releases: Releases

    def today(self) -> date:
        """The day it is in the county."""
        return datetime.now(self.config.timezone).date()


def open_service(config: CollectorConfig, *, must_exist: bool = False, make_key: bool = False) -> Service:
    """Load the policy, open the store; a new one is begun unless it `must_exist`. `make_key`: it is to serve, and needs a key to sign with.

    Raises ConfigurationError, StoreUnusable, StoreUnavailable.
    """
    policy = load_policy(config.policy_file)
    store = open_store(config.store, config.quotas, archive_dir=config.archive_dir, must_exist=must_exist)
    slots = SlotScheduler(store, config.slot_bits_per_second)
    verdicts = Verdicts(store, policy, config.timezone)
    ingest = _ingest_histogram()
    certificate = _served_certificate(config)
    key = SigningKey(store, config.key_folder)
    if make_key:
        _make_key(key)
    official = replace(config.official, fingerprint=key.fingerprint())
    upward_lines = UpwardLines(config.upstream is not None, config.takes_months)
    metrics = MetricsCache(store, verdicts, ingest, certificate, upward_lines)
    provider = Provider(config.oidc) if config.oidc is not None else None
    ledger, authenticator = Ledger(store, verdicts), Authenticator(store, config.key_folder)
    reports = _reports(config, store, verdicts, ledger, official)
    shared = config.postgres is not None
    archives = Archives(store, policy, config.timezone, config.county, config.archive_dir, shared=shared)
    return Service(
        config,
        store,
        verdicts,
        NewestVerdicts(store, policy),
        InventoryInForce(store),
        slots,
        ledger,
        reports,
        SeparateReports(lambda: _place(config, official, verdicts), reports),
        archives,
        SeparateArchives(
            lambda month, leaves: _archive_wanted(config, month, leaves),
            archives,
            lambda: months_due(store, config.timezone, config.keep_months),
        ),
        authenticator,
        provider,
        metrics,
        ingest,
        certificate,
        key,
        _upward(config, store, key),
        AreaReports(store, config.name, official, config.timezone, policy.report.close_day, config.report_font_files),
        CommandWatch(store),
        Releases(store, config.key_folder),
    )


def _reports(
    config: CollectorConfig, store: Store, verdicts: Verdicts, ledger: Ledger, official: Official
) -> MonthlyReports:
    return MonthlyReports(
        store,
        verdicts,
        ledger,
        config.county,
        config.report_dir,
        config.report_hour,
        official,
        config.report_font_files,
    )


def _served_certificate(config: CollectorConfig) -> ServedCertificate | None:
    """None of a collector without TLS."""
    if config.tls_cert is None or config.tls_key is None:
        return None
    return ServedCertificate(config.tls_cert, config.tls_key, config.ca_file)


def _make_key(key: SigningKey) -> None:
    """A collector without a key serves all the same; what it sends up then waits."""
    try:
        key.make()
    except (NoSigningKey, StoreUnavailable) as error:
        log.error("no key to sign months with", extra={"error": str(error)})


def _upward(config: CollectorConfig, store: Store, key: SigningKey) -> UpwardReporting:
    return UpwardReporting(
        store, key, config.area_level, config.name, config.upstream, _store_address(config), config.key_folder
    )


def _store_address(config: CollectorConfig) -> str:
    return config.postgres.reveal() if config.postgres is not None else str(config.database)


def _archive_wanted(config: CollectorConfig, month: str, leaves: bool) -> ArchiveWanted:
    """What a process needs that archives a month of this collector, or lets it leave the database."""
    policy, directory = str(config.policy_file), str(config.archive_dir)
    return ArchiveWanted(_store_address(config), policy, config.timezone.key, config.county, directory, month, leaves)


def _place(config: CollectorConfig, official: Official, verdicts: Verdicts) -> CollectorPlace:
    """What a process needs that makes reports of this collector."""
    return CollectorPlace(
        _store_address(config),
        str(config.policy_file),
        config.timezone.key,
        config.county,
        str(config.report_dir),
        str(config.archive_dir),
        config.report_hour,
        official,
        tuple(str(file) for file in config.report_font_files),
        verdicts.reader_timeout_seconds,
    )
