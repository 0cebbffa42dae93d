"""Which profile fits a device, from what is known of it. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from campus_agent.measure.equipment.identify.evidence import Evidence, Fit
from campus_agent.measure.equipment.profile import FROM_STREAM, Profile, SnmpReading
from campus_agent.measure.equipment.readings import Columns, Readings, Value, read_snmp

MAKERS = "1.3.6.1.4.1."
"""Below it each maker has objects of its own (RFC 1155 section 3.1.4)."""


def rank(profiles: Iterable[Profile], evidence: Evidence, now: datetime) -> list[Fit]:
    """The profiles by which the device would be up, the best first: most readings, fewest that fail, most of the maker's own objects."""
    ranked = []
    for profile in profiles:
        if not any(evidence.speaks(protocol) for protocol in profile.up_when_any):
            continue
        fit = fit_of(profile, evidence, now)
        own_objects = sum(each.oid.startswith(MAKERS) for each in profile.snmp if _present(each, evidence.objects))
        order = (-len(fit.readings) - len(fit.unconfirmed) / 2 + len(fit.missing), -own_objects, profile.name)
        ranked.append((order, fit))
    return [fit for _, fit in sorted(ranked, key=lambda pair: pair[0])]


def fit_of(profile: Profile, evidence: Evidence, now: datetime) -> Fit:
    """What this profile reads of the device."""
    readings = snmp_readings(profile.snmp, evidence.objects, now)
    by_others = set(profile.onvif) if evidence.speaks("onvif") else set()
    if evidence.speaks("rtsp") and ("rtsp" in profile.up_when_any or "stream_up" in profile.onvif):
        by_others |= FROM_STREAM
    given = readings.values
    given |= {name: value for name, value in evidence.readings.items() if name in by_others and name not in given}
    missing = sorted(set(readings.failed) - set(given)) if evidence.speaks("snmp") else []
    unconfirmed = sorted(by_others - set(given) - set(missing))
    return Fit(profile.name, given, tuple(missing), tuple(unconfirmed))


def snmp_readings(definitions: tuple[SnmpReading, ...], objects: Mapping[str, Value], now: datetime) -> Readings:
    """The readings that these definitions give from a device's objects."""
    readings = Readings()
    if objects:
        read_snmp(definitions, objects, _columns(definitions, objects), now, readings)
    return readings


def _columns(definitions: tuple[SnmpReading, ...], objects: Mapping[str, Value]) -> Columns:
    wanted = {f"{column}.": column for each in definitions for column in each.columns}
    columns: dict[str, dict[str, Value]] = {column: {} for column in wanted.values()}
    for oid, value in objects.items():
        for prefix, column in wanted.items():
            if oid.startswith(prefix):
                columns[column][oid[len(prefix) :]] = value
    return columns


def _present(definition: SnmpReading, objects: Mapping[str, Value]) -> bool:
    return definition.oid in objects
