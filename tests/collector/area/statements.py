"""A county's closed month made to measure, and keys to sign it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from campus_collector.area.bundle import (
    Envelope,
    HandedOn,
    MonthBundle,
    SchoolHead,
    Statement,
    canonical_bytes,
    sha256_of,
    signed_words,
)
from campus_collector.area.make import BundleSender, ClosedState, MonthChange, month_bundle
from campus_collector.domain.area import SchoolDetail
from campus_collector.report.figures import Correction, Head
from campus_wire.bandwidth import Verdict
from tests.collector.report.county import figures, school

GOLDEN = Path(__file__).parent / "golden"
AT = datetime(2026, 11, 6, 1, 0, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
MET, NOT_MET, INSUFFICIENT = Verdict.MET, Verdict.NOT_MET, Verdict.INSUFFICIENT
PUBLISHED: Mapping[tuple[str, str, str], Verdict] = {
    ("classroom_bandwidth", "s001", "c101"): MET,
    ("classroom_bandwidth", "s001", "c102"): NOT_MET,
    ("classroom_bandwidth", "s002", "c201"): INSUFFICIENT,
    ("uplink_bandwidth", "s001", "uplink"): MET,
    ("uplink_bandwidth", "s009", "uplink"): MET,  # a school that has left the inventory
}


def public_key(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def head(school: str, results: int) -> SchoolHead:
    """The end of an invented chain."""
    return SchoolHead(school, results, sha256_of(f"{school} {results}".encode()))


def closed(month: str = "2026-10", results: int = 100, before: int | None = None, **changes: Any) -> ClosedState:
    """A month of two schools whose chains have so many results; `before` is how many they had the month before."""
    heads = [head(name, results) for name in ("s001", "s002")]
    state = figures(
        month=month,
        schools_total=2,
        schools=[school(1, "t01", "甲校", 1, 1), school(2, "t02", "乙校", 0, 1)],
        heads=[Head(each.school, each.results, each.head) for each in heads],
        **changes,
    )
    return ClosedState(
        state,
        PUBLISHED,
        "ab" * 32,
        AT,
        "0.2.1",
        [("html", "zh", "cd" * 32)],
        [] if before is None else [head(name, before) for name in ("s001", "s002")],
    )


def bundle(
    month: str = "2026-10",
    previous: str = "",
    *,
    results: int = 100,
    before: int | None = None,
    county: str = "c01",
    detail: SchoolDetail = "summary",
    changes: list[MonthChange] | None = None,
) -> MonthBundle:
    """A county's month; with `changes` its correction."""
    sender = BundleSender(county, "甲县", detail)
    return month_bundle(sender, closed(month, results, before), changes or [], previous, AT)


def change(reported_in: str = "2026-11") -> MonthChange:
    """Classroom c102 is met after all."""
    correction = Correction("2026-10", "classroom_bandwidth", "s001", "甲校", "c102", "一年级2班", NOT_MET, MET)
    return MonthChange(reported_in, [correction])


def signed(statement: Statement, key: Ed25519PrivateKey = KEY) -> Envelope:
    """With the signature of this key."""
    content = canonical_bytes(statement)
    return Envelope(1, content, key.sign(signed_words(content)), public_key(key))


def body(envelope: Envelope) -> bytes:
    """As it is sent."""
    return msgspec.json.encode(envelope)


def handed_on(inner: Envelope, prefecture: str = "p01", county: str = "c01", series: int = 1) -> HandedOn:
    """A prefecture's statement around a county's."""
    return HandedOn(
        1,
        prefecture,
        county,
        "甲县",
        series,
        "2026-11-06T02:00:00+00:00",
        inner.statement,
        inner.signature,
        inner.public_key,
    )
