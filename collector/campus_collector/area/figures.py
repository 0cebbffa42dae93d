"""All figures of an area's monthly report, each with the hash of the county that it is from. Pure."""

from collections.abc import Sequence
from datetime import datetime, tzinfo
from hashlib import sha256

import msgspec

from campus_collector.area.key import fingerprint_of
from campus_collector.domain.area import ReceivedMonth, TargetTotals, months_from
from campus_collector.domain.area_standing import CountyStanding, area_totals
from campus_collector.domain.official import Official

TREND_MONTHS = 12


class CountyFigures(msgspec.Struct, frozen=True):
    """A county's month as it counts here; `totals_before` are of the month before. Hashes and the key's fingerprint are hex."""

    label: str
    name: str
    schools: int
    totals: TargetTotals
    totals_before: TargetTotals
    number: int
    report_hash: str
    statement_hash: str
    fingerprint: str
    received_on: str
    policy_version: str
    program_version: str
    problems_open: int
    problems_overdue: int
    simulated: bool


class MissingCounty(msgspec.Struct, frozen=True):
    """A county whose month is not here; `since` is the day from which on it is missing, "" while it is not due yet."""

    label: str
    name: str
    since: str


class AreaTrendPoint(msgspec.Struct, frozen=True):
    """A month of the past: how many counties are in it, and their totals."""

    month: str
    counties: int
    totals: TargetTotals


class AreaCorrection(msgspec.Struct, frozen=True):
    """A correction that came with this month's bundles: of which month, its number, how many verdicts changed, and its hash."""

    label: str
    name: str
    month: str
    number: int
    changed: int
    received_on: str
    statement_hash: str


class AreaFigures(msgspec.Struct, frozen=True):
    """Everything; `issued_on` (YYYY-MM-DD) is the day on which the last of the counties' months came."""

    month: str
    area: str
    issued_on: str
    targets: list[str]
    counties: list[CountyFigures]
    missing: list[MissingCounty]
    trend: list[AreaTrendPoint]
    corrections: list[AreaCorrection]
    official: Official
    program_version: str

    @property
    def totals(self) -> TargetTotals:
        """Of the whole area."""
        return self.trend[-1].totals if self.trend else {}

    @property
    def totals_before(self) -> TargetTotals:
        """Of the month before; nothing where there is none."""
        return self.trend[-2].totals if len(self.trend) > 1 else {}


_encoder = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder(AreaFigures)


def encoded_area_figures(figures: AreaFigures) -> bytes:
    """The same figures are the same bytes."""
    return _encoder.encode(figures)


def area_figures_of(content: bytes) -> AreaFigures:
    """From what was encoded. Raises msgspec.ValidationError."""
    return _decoder.decode(content)


def area_hash(figures: AreaFigures) -> str:
    """SHA-256 of the figures: printed in the report."""
    return sha256(encoded_area_figures(figures)).hexdigest()


def figures_of_area(
    counties: Sequence[CountyStanding],
    month: str,
    area: str,
    targets: Sequence[str],
    official: Official,
    zone: tzinfo,
    program_version: str,
) -> AreaFigures | None:
    """The figures of a month by what is here; None where nothing is. The same bundles give the same figures."""
    here = [county for county in counties if month in county.in_force]
    if not here:
        return None
    months = _trend_months(counties, month)
    before = months[-2] if len(months) > 1 else ""
    issued_on = max(_day(county.in_force[month].received_at, zone) for county in here)
    judged = [name for name in targets if any(name in county.totals(month) for county in here)]
    return AreaFigures(
        month,
        area,
        issued_on,
        judged,
        [_county(county, county.in_force[month], county.totals(before), zone) for county in here],
        [
            MissingCounty(
                county.label,
                county.name,
                county.missing_since.isoformat() if county.missing_since and county.is_missing(month) else "",
            )
            for county in counties
            if month not in county.in_force and (county.is_missing(month) or _is_awaited(county, month))
        ],
        [
            AreaTrendPoint(name, sum(name in county.in_force for county in counties), area_totals(counties, name))
            for name in months
        ],
        _corrections(counties, month, zone),
        official.of_month(int(month[:4]), int(month[5:]), issued_on),
        program_version,
    )


def _trend_months(counties: Sequence[CountyStanding], month: str) -> list[str]:
    first = min(name for county in counties for name in county.in_force)
    return months_from(min(first, month), month)[-TREND_MONTHS:]


def _is_awaited(county: CountyStanding, month: str) -> bool:
    """Is it enrolled, and did it send an earlier month?"""
    enrolled = county.member is not None and county.member.revoked_at is None
    return enrolled and any(name < month for name in county.in_force)


def _county(county: CountyStanding, held: ReceivedMonth, before: TargetTotals, zone: tzinfo) -> CountyFigures:
    summary = held.summary
    return CountyFigures(
        county.label,
        county.name,
        summary.schools,
        summary.totals,
        before,
        held.number,
        summary.report_hash,
        held.sha256,
        fingerprint_of(held.public_key),
        _day(held.received_at, zone),
        summary.policy_version,
        summary.program_version,
        summary.problems_open,
        summary.problems_overdue,
        summary.simulated,
    )


def _corrections(counties: Sequence[CountyStanding], month: str, zone: tzinfo) -> list[AreaCorrection]:
    return [
        AreaCorrection(
            county.label,
            county.name,
            received.month,
            received.number,
            received.summary.changed,
            _day(received.received_at, zone),
            received.sha256,
        )
        for county in counties
        for received in county.received
        if received.number > 0 and received.summary.reported_in == month
    ]


def _day(moment: datetime, zone: tzinfo) -> str:
    return moment.astimezone(zone).date().isoformat()
