"""Send what waits in the spool, oldest first, until it is empty or the collector says otherwise.

Called from a thread of the daemon. Only what a receipt accounts for leaves the spool. The first request of a boot is an empty batch: it
asks the collector for the time, so that results of a clock that was never set are not sent with a wrong date.
"""

import logging
import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic

import msgspec

from campus_agent.clock.clock import (
    Clock,
    ClockEstimate,
    estimate_from_exchange,
    is_plausible,
    of_boot,
    offset_seconds,
    with_learnt,
    worth_storing,
)
from campus_agent.config.model import Collector
from campus_agent.ship import chain
from campus_agent.ship.backoff import http_date, retry_after_seconds, wait_seconds
from campus_agent.ship.connection import CollectorAnswer, CollectorConnection, ShipFailed
from campus_agent.ship.correct import ClockKnowledge, corrected
from campus_agent.ship.decide import PERMANENT, Accepted, Later, Reason, TooBig, decide
from campus_agent.spool.errors import SpoolError
from campus_agent.spool.spool import Entry, Spool
from campus_agent.spool.time_floor import boots_behind
from campus_wire import SCHEMA_VERSION
from campus_wire.codec import compress, encode_envelope
from campus_wire.failures import Failure, FailureKind
from campus_wire.records import AgentState, Announcement, ChainHead, Envelope

log = logging.getLogger(__name__)

MAX_BATCH_RESULTS = 500
MAX_BATCH_BYTES = 1024 * 1024
MAX_BATCHES_PER_DRAIN = 50
NEVER_TOO_LARGE_BYTES = 64 * 1024
"""A collector that refuses a single result of this size is not what refuses: something in between has too small a limit."""
ESTIMATES_KEY = "clock_estimates"
OUTCOME_KEY = "ship_outcome"
_CLOCK_SUSPECTS = frozenset(
    {FailureKind.CERTIFICATE_EXPIRED, FailureKind.CERTIFICATE_UNTRUSTED, FailureKind.CERTIFICATE_NOT_YET_VALID}
)


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


class _Tally(msgspec.Struct):
    stored: int = 0
    duplicate: int = 0
    quarantined: int = 0


class _Trouble(msgspec.Struct, frozen=True):
    """Why this drain ended early."""

    reason: Reason | None
    detail: str
    failure: Failure | None = None
    requested_seconds: float | None = None


class Shipper:
    """Sends one agent's spool to its collector. One drain at a time; `stop` may be called from any thread."""

    def __init__(
        self,
        collector: Collector,
        agent_id: str,
        spool: Spool,
        clock: Clock,
        announcement: Announcement,
        state: Callable[[], AgentState],
        rng: random.Random | None = None,
        connect: Callable[[Collector], CollectorConnection] = CollectorConnection,
    ) -> None:
        """`state` gives the agent's health at the moment of each sending."""
        self._agent_id, self._url = agent_id, collector.url
        self._spool = spool
        self._clock = clock
        self._announcement = announcement
        self._state = state
        self._rng = rng or random.Random()
        self._connection = connect(collector)
        self._stopping = threading.Event()
        self._batch_results = MAX_BATCH_RESULTS
        self._ceiling = MAX_BATCH_RESULTS
        self._estimates = self._stored = spool.recall(ESTIMATES_KEY, tuple[ClockEstimate, ...]) or ()

    @property
    def estimate(self) -> ClockEstimate | None:
        """What is known of the collector's clock in this boot."""
        return of_boot(self._estimates, self._clock.boot_id)

    def last_outcome(self) -> ShipOutcome | None:
        """What came of the last drain, also of an earlier process."""
        return self._spool.recall(OUTCOME_KEY, ShipOutcome)

    def stop(self) -> None:
        """End a running drain soon; what was not acknowledged stays in the spool."""
        self._stopping.set()
        self._connection.hang_up()

    def drain(self) -> ShipOutcome:
        """Send all that waits; at least one batch, which may be empty, so that the collector sees that the agent runs. Never raises for the
        network's, the collector's or the disk's faults."""
        try:
            before = self.last_outcome()
        except SpoolError:
            before = None
        tally = _Tally()
        self._ceiling = MAX_BATCH_RESULTS
        connection = self._connection
        try:
            trouble = self._send_all(connection, tally)
        except ShipFailed as failed:
            trouble = self._network_trouble(failed)
        except SpoolError as error:
            trouble = _Trouble("spool_failed", str(error))
        finally:
            connection.close()
        outcome = self._outcome(before, tally, trouble, connection.scrubbed)
        if trouble is None or not self._stopping.is_set():
            try:
                self._spool.remember(OUTCOME_KEY, outcome)
            except SpoolError as error:
                log.warning("the outcome of shipping could not be kept", extra={"error": str(error)})
        return outcome

    def _outcome(
        self, before: ShipOutcome | None, tally: _Tally, trouble: _Trouble | None, scrubbed: Callable[[str], str]
    ) -> ShipOutcome:
        now = self._now()
        well = ShipOutcome(now, tally.stored, tally.duplicate, tally.quarantined, last_success_at=now)
        if trouble is None:
            return well
        delivered = tally.stored or tally.duplicate or tally.quarantined
        failures = 1 if delivered or before is None else before.failures_in_a_row + 1
        failure = trouble.failure
        return msgspec.structs.replace(
            well,
            failure=msgspec.structs.replace(failure, detail=scrubbed(failure.detail)) if failure else None,
            reason=trouble.reason,
            detail=scrubbed(trouble.detail),
            failures_in_a_row=failures,
            retry_seconds=wait_seconds(failures, trouble.requested_seconds, trouble.reason in PERMANENT, self._rng),
            last_success_at=now if delivered else before.last_success_at if before else None,
        )

    def _send_all(self, connection: CollectorConnection, tally: _Tally) -> _Trouble | None:
        """None when all went well. Raises ShipFailed, SpoolError."""
        if self.estimate is None:
            trouble = self._send(connection, [], tally)
            if trouble is not None:
                return trouble
        for round_ in range(MAX_BATCHES_PER_DRAIN):
            entries = self._spool.peek(self._batch_results, MAX_BATCH_BYTES)
            if (not entries and round_) or self._stopping.is_set():
                return None
            trouble = self._send(connection, entries, tally)
            if trouble is not None or not entries:
                return trouble
        return None

    def _send(self, connection: CollectorConnection, entries: list[Entry], tally: _Tally) -> _Trouble | None:
        """One batch, and what its answer means for it."""
        answer = connection.post("/v1/results", compress(self._envelope(entries)))
        meaning = decide(answer.status, answer.body, [entry.id for entry in entries])
        if isinstance(meaning, Later):
            return _Trouble(meaning.reason, meaning.detail, requested_seconds=self._requested_seconds(answer))
        if isinstance(meaning, TooBig):
            return self._shrink(entries, meaning, tally)
        self._learn(answer, meaning)
        self._compare(meaning)
        self._settle(entries, meaning, tally)
        self._batch_results = min(self._ceiling, self._batch_results * 2)
        return None

    def _envelope(self, entries: list[Entry]) -> bytes:
        known = ClockKnowledge(self._estimates, self.estimate, self._server_now(), boots_behind(self._spool))
        raws = [msgspec.Raw(corrected(entry, known, self._spool.last_monotonic_seconds)) for entry in entries]
        return encode_envelope(
            Envelope(
                schema_version=SCHEMA_VERSION,
                agent_id=self._agent_id,
                boot_id=self._clock.boot_id,
                sent_at=self._now(),
                results=raws,
                agent=self._state(),
                announcement=self._announcement,
                chain=self._known_chain(),
            )
        )

    def _learn(self, answer: CollectorAnswer, meaning: Accepted) -> None:
        """Take the collector's time from its receipt, unless its own clock was never set."""
        server_time = meaning.receipt.server_time
        if server_time.tzinfo is None or not is_plausible(server_time):
            log.warning("the collector's time is not believed", extra={"server_time": server_time.isoformat()})
            return
        shift = self._clock.monotonic() - monotonic()  # the exchange was timed by the process clock
        new = estimate_from_exchange(
            self._clock, answer.sent_at + shift, answer.received_at + shift, server_time.timestamp()
        )
        self._estimates = with_learnt(self._estimates, new)
        if worth_storing(of_boot(self._stored, new.boot_id), self.estimate or new):
            self._spool.remember(ESTIMATES_KEY, self._estimates)
            self._stored = self._estimates

    def _known_chain(self) -> ChainHead | None:
        """What the last receipt of this collector said of the chain."""
        known = self._spool.recall(chain.CHAIN_KEY, chain.LastReceipt)
        return known.chain if known is not None and (known.url, known.agent_id) == (self._url, self._agent_id) else None

    def _compare(self, meaning: Accepted) -> None:
        """Keep what this receipt says of the chain; one that does not fit the one before is kept beside it and logged."""
        receipt, known = meaning.receipt, self._known_chain()
        if receipt.chain is None or receipt.chain == known:
            return
        if known is not None and chain.contradicts(known, receipt):
            values = {"known": known.sequence, "received": receipt.chain.sequence, "collector": self._url}
            log.error("the collector's chain of results does not fit its last receipt", extra=values)
            self._spool.remember(chain.MISMATCH_KEY, chain.Mismatch(self._now(), self._url, known, receipt.chain))
        self._spool.remember(chain.CHAIN_KEY, chain.LastReceipt(self._url, self._agent_id, receipt.chain))

    def _settle(self, entries: list[Entry], meaning: Accepted, tally: _Tally) -> None:
        if meaning.refused:
            self._spool.quarantine({entries[position].key: reason for position, reason in meaning.refused})
        if meaning.done:
            self._spool.acknowledge(entries[position].key for position in meaning.done)
        tally.stored += meaning.receipt.stored
        tally.duplicate += meaning.receipt.duplicate
        tally.quarantined += len(meaning.refused)

    def _shrink(self, entries: list[Entry], refusal: TooBig, tally: _Tally) -> _Trouble | None:
        """413: half as many for the rest of this drain; a single result that is too large will never pass."""
        if len(entries) > 1:
            self._batch_results = self._ceiling = len(entries) // 2
            return None
        size = len(entries[0].body)
        if size < NEVER_TOO_LARGE_BYTES:
            return _Trouble("not_understood", f"a single result of {size} bytes was refused: {refusal.detail}")
        reason = f"too large for the collector: {size} bytes ({refusal.detail})"
        tally.quarantined += self._spool.quarantine({entries[0].key: reason})
        self._batch_results = self._ceiling = MAX_BATCH_RESULTS
        return None

    def _network_trouble(self, failed: ShipFailed) -> _Trouble:
        failure = failed.failure
        if failure.kind is FailureKind.TIMEOUT:  # a weak line may still carry a smaller batch
            self._batch_results = max(1, self._batch_results // 2)
        if failure.kind in _CLOCK_SUSPECTS and not is_plausible(self._now()):
            detail = f"by this gateway's clock it is {self._now():%Y-%m-%d}: {failure.detail}"
            return _Trouble("clock_wrong", detail, failure)
        if failed.clock is not None:
            return _Trouble("clock_wrong", f"{failed.clock}: {failure.detail}", failure)
        return _Trouble(None, failure.detail, failure)

    def _requested_seconds(self, answer: CollectorAnswer) -> float | None:
        now = http_date(answer.date) or self._server_now() or self._now()
        return retry_after_seconds(answer.retry_after, now)

    def _server_now(self) -> datetime | None:
        offset = offset_seconds(self._clock, self.estimate)
        return None if offset is None else datetime.fromtimestamp(self._clock.wall() + offset, UTC)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.wall(), UTC)
