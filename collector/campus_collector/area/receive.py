"""A month that comes in from below: verified, compared with what is here of its county, and kept; or refused, with the reason.

What is not authenticated costs the hash of a token. The rest is bounded by the size of an envelope.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from campus_base.messages import Message, message
from campus_collector.area.bundle import (
    SCHEMA_VERSION,
    BadStatement,
    Envelope,
    HandedOn,
    MonthBundle,
    MonthReceipt,
    SchoolHead,
    envelope_of,
    is_valid,
    month_of_envelope,
    packed,
    sha256_of,
    statement_of,
    unpacked,
)
from campus_collector.domain.area import AreaMember, MonthSummary, ReceivedMonth, TargetTotals, summed
from campus_collector.judge.month import parse_month
from campus_collector.store.errors import Conflict
from campus_collector.store.store import Store
from campus_collector.store.tables.area import KnownMonths

log = logging.getLogger(__name__)
REFUSALS: Mapping[str, tuple[int, Message]] = {
    "malformed": (400, message("this is no month as this program writes it: {detail}")),
    "version": (422, message("this version of the format is not known here: upgrade the collector above")),
    "wrong_key": (403, message("signed with another key than the one that was enrolled: enrol again with a new code")),
    "bad_signature": (403, message("the signature is not that of this content: it was changed on the way")),
    "wrong_county": (403, message("this is the month of {detail}, which this token does not speak for")),
    "future_month": (409, message("{detail} has not ended yet")),
    "sums": (400, message("the figures do not add up: {detail}")),
    "replayed": (409, message("another content is here already under this month and number: nothing is overwritten")),
    "gap": (409, message("something is missing before this: it does not follow what is here of this county")),
    "heads": (409, message("the heads of the chains do not follow those of the month before: {detail}")),
}
"""HTTP status and words of each reason to refuse a month."""
REASON_PREFIX = "urn:campusmeter:month:"
"""Of the `type` of a problem document."""


class MonthRefused(Conflict):
    """A month is not kept; `reason` is a key of REFUSALS."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.about = reason, detail
        self.status, words = REFUSALS[reason]
        self.words = words.with_(detail=detail) if "{detail}" in words.template else words


@dataclass(frozen=True, slots=True)
class _Incoming:
    """A county's statement whose signatures are those of the keys that are known."""

    bundle: MonthBundle
    sha256: str
    public_key: bytes
    series: int
    name: str
    """What the county is called: by the prefecture that handed it on, else by itself."""


class MonthReceiver:
    """Takes months of enrolled members."""

    def __init__(self, store: Store, zone: ZoneInfo) -> None:
        """A month has ended when it has in this zone."""
        self._store, self._zone = store, zone

    def receive(self, member: AreaMember, body: bytes, now: datetime) -> MonthReceipt:
        """The receipt of a month that is kept, or was already. Raises MonthRefused, StoreUnavailable."""
        envelope = _envelope(body)
        incoming = _verified(member, envelope)
        bundle = incoming.bundle
        if parse_month(bundle.month, self._zone).end > now:
            raise MonthRefused("future_month", bundle.month)
        check_sums(bundle)
        received = ReceivedMonth(
            member.id, bundle.county, incoming.series, bundle.month, bundle.number, now, incoming.sha256,
            incoming.public_key, summary_of(bundle, incoming.name),
        )  # fmt: skip
        stored = self._store.area.receive(received, packed(envelope), lambda known: examine(known, received, bundle))
        return MonthReceipt(received.label, bundle.month, bundle.number, incoming.sha256, stored)


def _envelope(body: bytes) -> Envelope:
    try:
        envelope = envelope_of(body)
    except BadStatement as error:
        raise MonthRefused("malformed", str(error)) from None
    if envelope.schema_version != SCHEMA_VERSION:
        raise MonthRefused("version")
    return envelope


def _verified(member: AreaMember, envelope: Envelope) -> _Incoming:
    """The signature before the content: nothing of what a stranger wrote is read further."""
    if envelope.public_key != member.public_key:
        raise MonthRefused("wrong_key")
    if not is_valid(envelope.statement, envelope.signature, envelope.public_key):
        raise MonthRefused("bad_signature")
    try:
        statement = statement_of(envelope.statement)
        if isinstance(statement, HandedOn):
            return _handed_on(member, statement)
    except BadStatement as error:
        raise MonthRefused("malformed", str(error)) from None
    if statement.county != member.id or member.level != "county":
        raise MonthRefused("wrong_county", statement.county)
    return _Incoming(
        statement, sha256_of(envelope.statement), envelope.public_key, member.series, statement.county_name
    )


def _handed_on(member: AreaMember, statement: HandedOn) -> _Incoming:
    """A county's own statement inside a prefecture's: the prefecture answers for the county's key, the county for its figures."""
    if statement.prefecture != member.id or member.level != "prefecture":
        raise MonthRefused("wrong_county", statement.prefecture)
    if not is_valid(statement.statement, statement.signature, statement.public_key):
        raise MonthRefused("bad_signature")
    bundle = statement_of(statement.statement)
    if not isinstance(bundle, MonthBundle):
        raise MonthRefused("malformed", "what was handed on is no county's month")
    if bundle.county != statement.county:
        raise MonthRefused("wrong_county", bundle.county)
    return _Incoming(
        bundle, sha256_of(statement.statement), statement.public_key, statement.series, statement.county_name
    )


def summary_of(bundle: MonthBundle, name: str) -> MonthSummary:
    """What is shown of a bundle, under this name."""
    return MonthSummary(
        name,
        bundle.schools_total,
        dict(bundle.totals),
        bundle.report_hash,
        bundle.policy_version,
        bundle.program_version,
        bundle.problems_open,
        bundle.problems_overdue,
        bundle.simulated,
        bundle.reported_in,
        len(bundle.changed),
    )


def check_sums(bundle: MonthBundle) -> None:
    """Do towns, schools and verdicts add up to the county? Raises MonthRefused."""
    totals: TargetTotals = dict(bundle.totals)
    parts = {"towns": [dict(town.totals) for town in bundle.towns]}
    if bundle.detail != "none":
        parts["schools"] = [dict(school.totals) for school in bundle.schools]
    for name, of_parts in parts.items():
        if summed(of_parts) != totals:
            raise MonthRefused("sums", name)
    if sum(town.schools for town in bundle.towns) != bundle.schools_total:
        raise MonthRefused("sums", "schools_total")
    if bundle.detail == "verdicts":
        counted: dict[str, dict[str, int]] = {}
        for subject in bundle.verdicts:
            of_target = counted.setdefault(subject.target, {})
            of_target[subject.verdict] = of_target.get(subject.verdict, 0) + 1
        for target, count in totals.items():
            if any(counted.get(target, {}).get(name, 0) != getattr(count, name) for name in _VERDICTS):
                raise MonthRefused("sums", "verdicts")
        if set(counted) - set(totals):
            raise MonthRefused("sums", "verdicts")
    if (bundle.number == 0) != (bundle.reported_in == ""):
        raise MonthRefused("malformed", "a correction names the report that it follows from")


_VERDICTS = ("met", "not_met", "insufficient", "exempt")


def examine(known: KnownMonths, month: ReceivedMonth, bundle: MonthBundle) -> None:
    """Does it follow what is here of its county? What is here already in the same words does. Raises MonthRefused."""
    if known.same is not None:
        if known.same != month.sha256:
            raise MonthRefused("replayed")
        return
    if known.last_key is not None and known.last_key != month.public_key:  # one key for each enrolment
        raise MonthRefused("wrong_key")
    if known.last is None:  # a new enrolment may begin with any month
        return
    # What came before the enrolment is not sent again: then a correction is the first that is here of its month.
    follows = known.number + 1 if known.number is not None else bundle.number
    if bundle.previous != known.last or bundle.number != follows:
        raise MonthRefused("gap")
    if bundle.number > 0:
        as_closed = _bundle(known.as_closed)
        if as_closed is not None and as_closed.heads and bundle.heads and bundle.heads != as_closed.heads:
            raise MonthRefused("heads", "a correction has other heads than its month")
    else:
        before = _bundle(known.month_before)
        if before is not None and before.heads and bundle.heads_before:
            check_heads(before.heads, bundle)


def check_heads(before: list[SchoolHead], bundle: MonthBundle) -> None:
    """The heads that this month began with are those the month before ended with, and no chain has become shorter. Raises MonthRefused."""
    ended = {head.school: head for head in before}
    began = {head.school: head for head in bundle.heads_before}
    if ended != began:
        differing = sorted(school for school in {*ended, *began} if ended.get(school) != began.get(school))
        raise MonthRefused("heads", ", ".join(differing[:5]))
    for head in bundle.heads:
        start = began.get(head.school)
        if start is None:
            continue
        if head.results < start.results or (head.results == start.results and head.head != start.head):
            raise MonthRefused("heads", head.school)


def _bundle(envelope: bytes | None) -> MonthBundle | None:
    """What is here already. Raises MonthRefused where this version cannot read it."""
    try:
        return month_of_envelope(unpacked(envelope)) if envelope is not None else None
    except BadStatement as error:
        raise MonthRefused("heads", f"what is here of this county cannot be read ({error})") from None
