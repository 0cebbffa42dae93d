"""What `campus-agent measure` says of one result: the JSON object (a stable interface), the exit code, the words. Pure."""

from typing import Any

import msgspec

from campus_agent.config.model import Device, Endpoint, Service
from campus_base.figures import megabits
from campus_base.language import Language
from campus_base.messages import message, pmessage, verbatim
from campus_base.port_words import FOUND_BY_WORDS, link_words
from campus_base.readings import READINGS
from campus_base.readings import in_words as in_words_of_reading
from campus_base.wire_words import FAILURE_WORDS, OPERATION_WORDS, RESULT_WORDS, SKIP_WORDS, VALIDITY_WORDS
from campus_wire.access import DEFAULT_MAX_FIRST_BYTE_SECONDS
from campus_wire.bandwidth import DEFAULT_TOLERANCE_RATIO, Verdict, line_rate_of
from campus_wire.encapsulation import Encapsulation
from campus_wire.failures import Failure, Validity
from campus_wire.records import (
    DeviceResult,
    DirectionRecord,
    PortResult,
    ServiceResult,
    ThroughputRecord,
    ThroughputResult,
)
from campus_wire.verdicts import verdict_of_measurement

EXIT_CODES = {Verdict.MET: 0, Verdict.NOT_MET: 1, Verdict.INSUFFICIENT: 3, Verdict.EXEMPT: 0}
_DIRECTIONS = {"down": pmessage("direction", "down"), "up": pmessage("direction", "up")}


def as_json(result: ThroughputResult | ServiceResult, subject: Endpoint | Service) -> dict[str, Any]:
    """The one object that `--json` prints."""
    if isinstance(result, ThroughputResult) and isinstance(subject, Endpoint):
        return throughput_json(result, subject.engine, subject.required_bits_per_second)
    if isinstance(result, ServiceResult):
        return service_json(result)
    raise TypeError(f"{type(result).__name__} has no target")


def device_json(result: DeviceResult, device: Device) -> dict[str, Any]:
    """What `measure device --json` prints: readings named as the metrics, without their prefix."""
    record = result.record
    return {
        "kind": "device",
        "school": result.school,
        "room": device.room,
        "subject": result.subject,
        "profile": device.profile,
        "up": bool(record and record.up),
        "readings": {**record.readings, **record.words} if record else {},
        "failed": {name: msgspec.to_builtins(why) for name, why in record.failed.items()} if record else {},
        "remarks": record.remarks if record else [],
        "validity": str(result.validity),
        "failure": msgspec.to_builtins(result.failure) if result.failure else None,
        "id": result.id,
        "started_at": result.started_at.isoformat(),
    }


def device_words(state: dict[str, Any], language: Language) -> str:
    up = pmessage("device", "up") if state["up"] else pmessage("device", "down")
    lines = [f"{state['subject']} ({state['profile']}): {up.in_(language)}"]
    if state["failure"]:
        failure = msgspec.convert(state["failure"], Failure)
        where, why = OPERATION_WORDS[failure.operation], FAILURE_WORDS[failure.kind]
        lines[0] += f": {where.in_(language)}: {why.in_(language)} ({failure.detail})"
    lines += [f"  {in_words_of_reading(name, value, language)}" for name, value in state["readings"].items()]
    for name, why in state["failed"].items():
        failure = msgspec.convert(why, Failure)
        words = READINGS.get(name, verbatim(name)).in_(language)
        lines.append(f"  ! {words}: {FAILURE_WORDS[failure.kind].in_(language)} ({failure.detail})")
    beyond = message("beyond its limit").in_(language)
    for remark in state["remarks"]:
        name, _, value = remark.partition(" ")
        if name not in READINGS:  # an oddity of the device, in a technician's words
            lines.append(f"  ! {remark}")
            continue
        lines.append(f"  ! {beyond}: {in_words_of_reading(name, float(value), language)}")
    return "\n".join(lines)


def port_json(result: PortResult) -> dict[str, Any]:
    """What `measure port --json` prints: the switch's own words; evidence of grade `negotiated`, never of a rate."""
    record = result.record
    return {
        "kind": "port",
        "school": result.school,
        "subject": result.subject,
        "grade": "negotiated" if record is not None and record.speed_bits_per_second else None,
        "port": msgspec.to_builtins(record) if record else None,
        "validity": str(result.validity),
        "failure": msgspec.to_builtins(result.failure) if result.failure else None,
        "id": result.id,
        "started_at": result.started_at.isoformat(),
    }


def port_words(result: PortResult, language: Language) -> str:
    record = result.record
    if record is None:
        failure = result.failure
        why = FAILURE_WORDS[failure.kind].in_(language) if failure else ""
        return f"{result.subject}: {why} ({failure.detail if failure else ''})"
    lines = [
        f"{result.subject}: {record.switch} {record.port} ({FOUND_BY_WORDS[record.found_by].in_(language)})",
        f"  {link_words(record).in_(language)}",
    ]
    if record.interval_seconds is not None:
        errors = max(record.receive_errors or 0, record.fcs_errors or 0)
        text = message("{errors} frames with errors of {packets} in {seconds:.0f} s")
        values = {"errors": errors, "packets": record.received_packets or 0, "seconds": record.interval_seconds}
        lines.append(f"  {text.in_(language, **values)}")
    return "\n".join(lines)


def throughput_json(result: ThroughputResult, engine: str, required_bits_per_second: float) -> dict[str, Any]:
    """The object that `--json` prints; absent figures are null."""
    record = result.record
    idle = record.idle if record else None
    working = record.working if record else None
    return {
        "kind": "throughput",
        "school": result.school,
        "subject": result.subject,
        "target": "uplink_bandwidth" if result.subject == "uplink" else "classroom_bandwidth",
        "engine": record.engine if record else engine,
        "mode": record.mode if record else "quick",
        "verdict": str(verdict_of_measurement(result)),
        "validity": str(result.validity),
        "required_bits_per_second": round(required_bits_per_second),
        "tolerance_ratio": DEFAULT_TOLERANCE_RATIO,
        "down": _direction(record.down, record.encapsulation) if record else None,
        "up": _direction(record.up, record.encapsulation) if record else None,
        "rtt_seconds": idle.rtt_median_seconds if idle else None,
        "working_rtt_seconds": (working.rtt_p95_seconds or working.rtt_max_seconds) if working else None,
        "jitter_seconds": idle.jitter_seconds if idle else None,
        "loss_ratio": idle.loss_ratio if idle else None,
        "cross_traffic_bits_per_second": _rounded(record.cross_traffic_bits_per_second) if record else None,
        "cpu_ratio": record.cpu_ratio if record else None,
        "encapsulation": msgspec.to_builtins(record.encapsulation) if record else None,
        "failure": msgspec.to_builtins(result.failure) if result.failure else None,
        "detail": result.detail,
        "id": result.id,
        "started_at": result.started_at.isoformat(),
    }


def service_json(result: ServiceResult) -> dict[str, Any]:
    """One platform request; a phase that was not reached is null."""
    record = result.record
    fields = msgspec.to_builtins(record) if record else {}
    phases = {name: fields.get(f"{name}_seconds") for name in ("resolve", "connect", "tls", "first_byte", "total")}
    return {
        "kind": "service",
        "school": result.school,
        "subject": result.subject,
        "target": "platform_access",
        "verdict": str(verdict_of_measurement(result)),
        "validity": str(result.validity),
        "max_first_byte_seconds": DEFAULT_MAX_FIRST_BYTE_SECONDS,
        "success": bool(record and record.success),
        "phase_duration_seconds": phases,
        "http_status": fields.get("http_status"),
        "address": fields.get("address"),
        "address_family": fields.get("address_family"),
        "leads_to": fields.get("leads_to"),
        "certificate_expires_at": fields.get("certificate_expires_at"),
        "failure": msgspec.to_builtins(result.failure) if result.failure else None,
        "id": result.id,
        "started_at": result.started_at.isoformat(),
    }


def in_words(
    result: ThroughputResult | ServiceResult, language: Language, required_bits_per_second: float | None = None
) -> str:
    """The same for a person at a terminal, a few lines."""
    lines = [f"{result.subject}: {RESULT_WORDS[verdict_of_measurement(result)].in_(language)}"]
    if isinstance(result, ThroughputResult):
        lines += _throughput_lines(result.record, required_bits_per_second, language)
    elif isinstance(result, ServiceResult):
        lines += _service_lines(result, language)
    if result.failure is not None:
        operation, kind = OPERATION_WORDS[result.failure.operation], FAILURE_WORDS[result.failure.kind]
        lines.append(f"  {operation.in_(language)}: {kind.in_(language)}")
        lines.append(f"  ({result.failure.detail})")
    if result.skipped is not None:
        return "\n".join([*lines, f"  {SKIP_WORDS[result.skipped].in_(language)}"])
    clock = result.validity is Validity.CLOCK_UNTRUSTED
    if clock or (result.failure is None and result.validity is not Validity.OK):
        lines.append(f"  {VALIDITY_WORDS[result.validity].in_(language)}: {result.detail}")
    return "\n".join(lines)


def _throughput_lines(record: ThroughputRecord | None, required: float | None, language: Language) -> list[str]:
    if record is None:
        return []
    target = message("line rate; required").in_(language)
    required_mbps = (required or record.required_bits_per_second) / 1e6
    limits = (required_mbps * 1e6 * DEFAULT_TOLERANCE_RATIO, required_mbps * 1e6)
    lines = []
    for name, direction in (("down", record.down), ("up", record.up)):
        if direction is not None:
            rate = megabits(line_rate_of(direction, record.encapsulation), *limits, decimals=2)
            at_least = "≥ " if direction.lower_bound else ""
            label = _DIRECTIONS[name].in_(language)
            lines.append(
                f"  {label}  {at_least}{rate:>8} Mbit/s  ({target} {required_mbps:g}; {direction.bytes / 1e6:.2f} MB)"
            )
    if record.idle and record.idle.rtt_median_seconds is not None:
        text = message("RTT {idle:.2f} ms idle").in_(language, idle=record.idle.rtt_median_seconds * 1000)
        if record.working and record.working.rtt_p95_seconds is not None:
            text += message(", {working:.2f} ms under load (95 %)").in_(
                language, working=record.working.rtt_p95_seconds * 1000
            )
        lines.append(f"  {text}")
    return lines


def _service_lines(result: ServiceResult, language: Language) -> list[str]:
    fields = service_json(result)["phase_duration_seconds"]
    words = {
        "resolve": message("resolve"),
        "connect": message("connect"),
        "tls": message("TLS"),
        "first_byte": message("first byte"),
    }
    unit = message("ms").in_(language)
    parts = [
        f"{words[n].in_(language)} {s * 1000:.1f} {unit}" for n, s in fields.items() if n in words and s is not None
    ]
    if result.record is not None and result.record.http_status is not None:
        parts.append(message("status {code}").in_(language, code=result.record.http_status))
    if result.record is not None and result.record.address is not None:
        parts.append(result.record.address)
    return [f"  {', '.join(parts)}"] if parts else []


def _direction(direction: DirectionRecord | None, path: Encapsulation) -> dict[str, Any] | None:
    if direction is None:
        return None
    figures: dict[str, Any] = {
        "line_rate_bits_per_second": round(line_rate_of(direction, path)),
        "goodput_bits_per_second": round(direction.goodput_bits_per_second),
        "bytes": direction.bytes,
        "duration_seconds": round(direction.duration_seconds, 6),
    }
    if direction.lower_bound:
        figures["lower_bound"] = True
    return figures


def _rounded(value: float | None) -> int | None:
    return None if value is None else round(value)
