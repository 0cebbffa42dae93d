"""Send what waits in the spool, oldest first, until it is empty or the collector says otherwise.

Called from a thread of the daemon. Only what a receipt accounts for leaves the spool.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic

import msgspec

from campus_agent.clock import (
    Clock,
    Estimate,
    better,
    corrected_start,
    estimate_from_exchange,
    offset_seconds,
    validity_under,
)
from campus_agent.config import Collector
from campus_agent.ship.backoff import delay_seconds, retry_after_seconds
from campus_agent.ship.connection import Answer, Connection, ShipFailed
from campus_agent.ship.decide import Accepted, Later, TooBig, decide
from campus_agent.spool.spool import Entry, Spool
from campus_wire import SCHEMA_VERSION
from campus_wire.codec import WireError, compress, decode_result, encode_envelope, encode_result
from campus_wire.failures import Failure
from campus_wire.records import AgentState, Announcement, Envelope

MAX_BATCH_RESULTS = 500
MAX_BATCH_BYTES = 1024 * 1024
MAX_BATCHES_PER_DRAIN = 50
ESTIMATE_KEY = "clock_estimate"
OUTCOME_KEY = "ship_outcome"


class ShipOutcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of the last drain, for `status`: kept in the spool's memory."""

    at: datetime
    stored: int = 0
    duplicate: int = 0
    quarantined: int = 0
    failure: Failure | None = None
    reason: str | None = None
    detail: str = ""
    failures_in_a_row: int = 0
    retry_seconds: float = 0.0
    last_success_at: datetime | None = None


@dataclass(slots=True)
class _Tally:
    stored: int = 0
    duplicate: int = 0
    quarantined: int = 0


class Shipper:
    """Sends one agent's spool to its collector."""

    def __init__(
        self,
        collector: Collector,
        agent_id: str,
        spool: Spool,
        clock: Clock,
        announcement: Announcement,
        state: Callable[[], AgentState],
        rng: random.Random | None = None,
    ) -> None:
        """`state` gives the agent's health at the moment of each sending."""
        self._collector = collector
        self._agent_id = agent_id
        self._spool = spool
        self._clock = clock
        self._announcement = announcement
        self._state = state
        self._rng = rng or random.Random()
        self._batch_results = MAX_BATCH_RESULTS

    @property
    def estimate(self) -> Estimate | None:
        """What is known of the collector's clock, from this boot or the last one that learnt it."""
        return self._spool.recall(ESTIMATE_KEY, Estimate)

    def last_outcome(self) -> ShipOutcome | None:
        """What came of the last drain, also of an earlier process."""
        return self._spool.recall(OUTCOME_KEY, ShipOutcome)

    def drain(self) -> ShipOutcome:
        """Send all that waits; at least one batch, empty if need be, so that the collector hears from us. Never raises for the
        network's or the collector's faults."""
        before = self.last_outcome()
        failures = (before.failures_in_a_row if before else 0) + 1
        tally = _Tally()
        now = datetime.fromtimestamp(self._clock.wall(), UTC)
        connection = Connection(self._collector)
        try:
            retry, failure, reason, detail = self._send_all(connection, tally)
        finally:
            connection.close()
        well = failure is None and reason is None
        if not well and retry is None:
            retry = delay_seconds(failures, self._rng)
        outcome = ShipOutcome(
            at=now,
            stored=tally.stored,
            duplicate=tally.duplicate,
            quarantined=tally.quarantined,
            failure=failure,
            reason=reason,
            detail=detail,
            failures_in_a_row=0 if well else failures,
            retry_seconds=retry or 0.0,
            last_success_at=now if well else before.last_success_at if before else None,
        )
        self._spool.remember(OUTCOME_KEY, outcome)
        return outcome

    def _send_all(self, connection: Connection, tally: _Tally) -> tuple[float | None, Failure | None, str | None, str]:
        """(seconds to wait if told, failure, reason, detail); the last three empty when all went well."""
        if not self._knows_time():
            try:  # results of a clock that was never confirmed wait until it is: an empty batch asks the time
                answer = self._post(connection, [])
            except ShipFailed as failed:
                return None, failed.failure, None, failed.failure.detail
            meaning = decide(answer.status, answer.body, [])
            if isinstance(meaning, Later):
                return self._told(answer), None, meaning.reason, meaning.detail
            if isinstance(meaning, Accepted):
                self._learn(answer, meaning)
        for round_ in range(MAX_BATCHES_PER_DRAIN):
            entries = self._spool.peek(self._batch_results, MAX_BATCH_BYTES)
            if not entries and round_:
                break
            try:
                answer = self._post(connection, entries)
            except ShipFailed as failed:
                return None, failed.failure, None, failed.failure.detail
            meaning = decide(answer.status, answer.body, [entry.id for entry in entries])
            if isinstance(meaning, Later):
                return self._told(answer), None, meaning.reason, meaning.detail
            if isinstance(meaning, TooBig):
                self._shrink(entries)
                continue
            self._learn(answer, meaning)
            self._settle(entries, meaning, tally)
            self._batch_results = min(MAX_BATCH_RESULTS, self._batch_results * 2)
            if not entries:
                break
        return None, None, None, ""

    def _post(self, connection: Connection, entries: list[Entry]) -> Answer:
        estimate = self.estimate
        now = self._server_now(estimate)
        envelope = Envelope(
            schema_version=SCHEMA_VERSION,
            agent_id=self._agent_id,
            boot_id=self._clock.boot_id,
            sent_at=datetime.fromtimestamp(self._clock.wall(), UTC),
            results=[msgspec.Raw(corrected_raw(entry, estimate, now)) for entry in entries],
            agent=self._state(),
            announcement=self._announcement,
        )
        return connection.post("/v1/results", compress(encode_envelope(envelope)))

    def _learn(self, answer: Answer, meaning: Accepted) -> None:
        """Take the collector's time from its receipt."""
        shift = self._clock.monotonic() - monotonic()  # the exchange was timed by the process clock
        new = estimate_from_exchange(
            self._clock, answer.sent_at + shift, answer.received_at + shift, meaning.receipt.server_time.timestamp()
        )
        old = self.estimate
        kept = better(old, new)
        if kept != old:
            self._spool.remember(ESTIMATE_KEY, kept)

    def _settle(self, entries: list[Entry], meaning: Accepted, tally: _Tally) -> None:
        if meaning.refused:
            self._spool.quarantine({entries[place].key: reason for place, reason in meaning.refused})
        if meaning.done:
            self._spool.acknowledge(entries[place].key for place in meaning.done)
        tally.stored += meaning.receipt.stored
        tally.duplicate += meaning.receipt.duplicate
        tally.quarantined += len(meaning.refused)

    def _shrink(self, entries: list[Entry]) -> None:
        """413: half as many next time; a single result that is too large will never pass."""
        if len(entries) == 1:
            self._spool.quarantine({entries[0].key: "too large for the collector"})
        self._batch_results = max(1, len(entries) // 2)

    def _knows_time(self) -> bool:
        return offset_seconds(self._clock, self.estimate) is not None

    def _server_now(self, estimate: Estimate | None) -> datetime | None:
        offset = offset_seconds(self._clock, estimate)
        return None if offset is None else datetime.fromtimestamp(self._clock.wall() + offset, UTC)

    def _told(self, answer: Answer) -> float | None:
        return retry_after_seconds(answer.retry_after, datetime.fromtimestamp(self._clock.wall(), UTC))


def corrected_raw(entry: Entry, estimate: Estimate | None, now: datetime | None) -> bytes:
    """The octets to send: as spooled, or with the true start where the clock was wrong when it was measured."""
    try:
        result = decode_result(entry.body)
    except WireError:  # written by another version: the collector judges it
        return entry.body
    truth = corrected_start(result.started_at, entry.boot_id, entry.monotonic_seconds, estimate, now)
    validity = validity_under(truth, result.validity)
    if truth.started_at == result.started_at and validity is result.validity:
        return entry.body
    return encode_result(
        msgspec.structs.replace(
            result, started_at=truth.started_at, clock_offset_seconds=truth.clock_offset_seconds, validity=validity
        )
    )
