"""Sends what waits to the level above, in the order in which it was made, until each is acknowledged.

A month that is refused keeps its county's later months waiting, because they follow it; those of other counties go on. What was tried in vain is tried
again later and later, at most an hour apart: for a refusal too, since its reason may be mended above.
"""

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from campus_base.messages import Message, message, verbatim
from campus_base.settings import read_token
from campus_base.system_errors import error_words
from campus_collector.area.bundle import MonthProblem, MonthReceipt, unpacked
from campus_collector.area.connection import NoAnswer, UpperAnswer, decoded, post
from campus_collector.area.key import SigningKey
from campus_collector.area.outbox import signed_by
from campus_collector.area.receive import REASON_PREFIX, REFUSALS
from campus_collector.domain.area import OutgoingMonth
from campus_collector.store.store import Store

log = logging.getLogger(__name__)
PATH = "/v1/months"
FIRST_SECONDS, LONGEST_SECONDS = 60.0, 3600.0
LEASE = "months above"
"""The name of the lease of the collector that sends."""
_BY_STATUS = {
    401: message("the level above refuses the token: enrol again with a new code"),
    404: message("the level above takes no months at this address: check [upstream] url"),
    429: message("the level above asks to wait"),
    503: message("the level above cannot store anything now"),
}


@dataclass(frozen=True, slots=True)
class SentMonths:
    """What one round did: how many were acknowledged, how many were tried in vain, how many wait."""

    acknowledged: int
    failed: int
    waiting: int


class MonthSender:
    """Sends for one collector."""

    def __init__(self, store: Store, key: SigningKey, url: str, token_file: Path, ca_file: Path | None) -> None:
        """Nothing is read or opened yet; the token is read from its file for each round."""
        self._store, self._key = store, key
        self._url, self._token_file, self._ca_file = url, token_file, ca_file

    def send(self, now: Callable[[], datetime], advance: Callable[[], object], *, at_once: bool = False) -> SentMonths:
        """One round; `at_once`: also what is to wait longer. `advance` is called before each month. Raises NoSigningKey, StoreUnavailable."""
        waiting = self._store.outgoing.waiting()
        acknowledged, failed, held = 0, 0, set[tuple[str, int]]()
        for month in waiting:
            chain = (month.county, month.series)
            if chain in held:
                continue
            if not at_once and now() < next_attempt_at(month):
                held.add(chain)
                continue
            advance()
            refusal, goes_on = self._send(month)
            if refusal is None:
                self._store.outgoing.acknowledged(month, now())
                log.info("month acknowledged above", extra={"month": month.month, "number": month.number})
                acknowledged += 1
                continue
            self._store.outgoing.attempted(month, now(), refusal)
            log.warning("month not acknowledged above", extra={"month": month.month, "why": refusal.en[:300]})
            failed += 1
            held.add(chain)
            if not goes_on:
                break
        return SentMonths(acknowledged, failed, len(waiting) - acknowledged)

    def _send(self, month: OutgoingMonth) -> tuple[Message | None, bool]:
        """Why it was not acknowledged, None when it was; and whether others may be tried now."""
        envelope = unpacked(self._store.outgoing.envelope(month))
        # where that key was lost, the statement stays, and so does its hash
        if envelope.public_key != self._key.public_key():
            envelope = signed_by(self._key, envelope.statement)
        body = msgspec.json.encode(envelope)
        try:
            token = read_token(self._token_file).reveal()
        except (OSError, ValueError) as error:
            return message("{file}: {reason}", file=self._token_file, reason=error_words(error)), False
        try:
            answer = post(self._url, PATH, body, self._ca_file, token)
        except NoAnswer as error:
            return error.words, False
        if answer.status == 200:
            return (None, True) if _is_receipt(answer.body, month) else (_WRONG_RECEIPT, False)
        words, is_refusal = refusal_words(answer)
        return words, is_refusal


_WRONG_RECEIPT = message("the answer is no receipt for this month")


def next_attempt_at(month: OutgoingMonth) -> datetime:
    """When it is tried again: at once the first time, then after a minute, two, four ... at most an hour."""
    if month.attempted_at is None:
        return month.made_at
    seconds = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(month.attempts - 1, 10))
    spread = random.Random(f"{month.sha256}/{month.attempts}").uniform(0.5, 1.0)
    """The same after a restart, another of each county: an upper collector that comes back is not asked by all in one second."""
    return month.attempted_at + timedelta(seconds=seconds * spread)


def refusal_words(answer: UpperAnswer) -> tuple[Message, bool]:
    """What a refusal says, and whether it is of this month only."""
    problem = decoded(answer.body, MonthProblem)
    reason = problem.type.removeprefix(REASON_PREFIX) if problem is not None else ""
    if problem is not None and reason in REFUSALS:
        words = REFUSALS[reason][1]
        return (words.with_(detail=problem.about[:200]) if "{detail}" in words.template else words), True
    known = _BY_STATUS.get(answer.status)
    if known is not None:
        return known, False
    text = f"HTTP {answer.status}" + (f": {problem.title}" if problem is not None else "")
    return verbatim(text[:300]), False


def _is_receipt(body: bytes, month: OutgoingMonth) -> bool:
    """Does the answer name what was sent?"""
    receipt = decoded(body, MonthReceipt)
    return receipt is not None and (receipt.month, receipt.number, receipt.sha256) == (
        month.month, month.number, month.sha256,
    )  # fmt: skip
