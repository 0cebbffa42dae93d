"""All that a result says, field by field: each with its name in the reader's language, and its value with a unit. Units follow from the names of fields."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo

import msgspec

from campus_base.figures import percent
from campus_base.messages import Message, message, pmessage, verbatim
from campus_base.readings import READINGS, in_words
from campus_base.wire_words import FAILURE_WORDS, OPERATION_WORDS, SKIP_WORDS, VALIDITY_WORDS
from campus_collector.http.pages.reader import Reader
from campus_collector.http.pages.words import duration_words, size_words
from campus_wire.failures import Failure
from campus_wire.records import AnyResult

FIELD_WORDS: dict[str, Message] = {
    "address": message("address"),
    "address_family": message("address family"),
    "agent_memory_bytes": message("memory of the agent"),
    "authenticated": message("authenticated"),
    "began_at": message("began"),
    "boot_id": message("run of the gateway"),
    "browser": message("browser"),
    "browser_down_bits_per_second": message("down, as the browser counted"),
    "browser_rtt_median_seconds": message("round trip, as the browser counted"),
    "browser_up_bits_per_second": message("up, as the browser counted"),
    "burst_line_rate_bits_per_second": message("line rate at the beginning"),
    "bytes": message("bytes on the line"),
    "certificate_expires_at": message("certificate ends"),
    "client": message("address of the browser"),
    "clock_offset_seconds": message("collector's clock ahead by"),
    "confidence_ratio": message("confidence"),
    "congestion_control": message("congestion control"),
    "connect_seconds": message("connecting took"),
    "cpu_count": message("processors"),
    "cpu_ratio": message("processor load of the gateway"),
    "cpu_waited_ratio": message("waited for a processor"),
    "cross_traffic_bits_per_second": message("other traffic meanwhile"),
    "detail": message("remark"),
    "device": message("device"),
    "devices": message("required devices"),
    "dhcp": message("DHCP servers"),
    "direction": message("direction"),
    "disk_free_bytes": message("disk free"),
    "disk_total_bytes": message("disk"),
    "down": pmessage("direction of a test", "Down"),
    "duplex": message("duplex"),
    "duration_seconds": message("took"),
    "encapsulation": message("Packets on the line"),
    "ended_at": message("ended"),
    "engine": message("measured by"),
    "engine_version": message("version of it"),
    "failed": message("readings that did not come"),
    "failure": message("failed"),
    "fcs_errors": message("frames with a wrong checksum"),
    "first_byte_seconds": message("first byte after"),
    "found_by": message("port known by"),
    "goodput_bits_per_second": message("payload rate"),
    "http_status": message("HTTP status"),
    "idle": message("Round trips with nothing running"),
    "interfaces": message("network interfaces"),
    "interruptions": message("interruptions"),
    "interval_seconds": message("counted over"),
    "intervals": message("slices of the test"),
    "intervals_seen_by": message("slices counted by"),
    "jitter_seconds": message("jitter"),
    "last_change_seconds": message("link unchanged for"),
    "late_collisions": message("late collisions"),
    "leads_to": message("leads to"),
    "limited_by": message("limited by"),
    "line_rate_bits_per_second": message("line rate, measured"),
    "link_duplex": message("gateway's port, duplex"),
    "link_speed_bits_per_second": message("gateway's port, speed"),
    "load_1min": message("load"),
    "loss_ratio": message("loss"),
    "lost": message("packets lost"),
    "lower_bound": message("at least (the machine could do no more)"),
    "measured": message("Measured by the gateway"),
    "memory_available_bytes": message("memory available"),
    "memory_total_bytes": message("memory"),
    "method": message("kind of probe"),
    "minutes": message("minutes"),
    "mode": message("kind of test"),
    "monotonic_seconds": message("gateway had been running for"),
    "mtu_bytes": message("largest packet (MTU)"),
    "own_machine": message("the classroom's own machine"),
    "packet_bytes": message("size of a packet"),
    "packets_per_second": message("packets per second"),
    "packets_received": message("probes answered"),
    "packets_sent": message("probes sent"),
    "port": message("port"),
    "pppoe": message("PPPoE"),
    "profile": message("profile"),
    "readings": message("Readings"),
    "receive_errors": message("received with errors"),
    "received_bytes": message("received"),
    "received_packets": message("packets received"),
    "remarks": message("beyond its limits"),
    "required": message("required device"),
    "required_bits_per_second": message("required line rate"),
    "resolve_seconds": message("resolving the name took"),
    "retransmits": message("retransmissions"),
    "room": message("recording room"),
    "rtt_max_seconds": message("longest round trip"),
    "rtt_median_seconds": message("round trip (median)"),
    "rtt_min_seconds": message("shortest round trip"),
    "rtt_p95_seconds": message("round trip (95 % are shorter)"),
    "segment": message("segment"),
    "send_errors": message("sent with errors"),
    "sent_bytes": message("sent"),
    "server": message("test server"),
    "skipped": message("not tested"),
    "command": message("asked for by (command)"),
    "speed_bits_per_second": message("speed"),
    "success": message("succeeded"),
    "switch": message("switch"),
    "tcp_timestamps": message("TCP timestamps"),
    "temperature_celsius": message("temperature"),
    "tls_seconds": message("TLS handshake took"),
    "total_seconds": message("whole request took"),
    "transport": message("transport"),
    "up": pmessage("direction of a test", "Up"),
    "uptime_seconds": message("running for"),
    "url": message("address asked"),
    "utilization_ratio": message("utilization"),
    "validity": message("validity"),
    "vlan_tags": message("VLAN tags"),
    "warmup_seconds": message("warm-up left out"),
    "where": message("where"),
    "words": message("Texts"),
    "working": message("Round trips under load"),
}
STATE = pmessage("of a device or link", "works")
"""`up` as a yes or no."""
VALUE_WORDS: dict[str, Message] = {
    "classroom": message("gateway to classroom"),
    "uplink": message("gateway to the bureau's test server"),
    "quick": message("quick test"),
    "reference": message("reference test"),
    "full": message("full duplex"),
    "half": message("half duplex"),
    "receiver": message("the receiver"),
    "sender": message("the sender"),
    "recorder": message("a recorder"),
    "lan": message("the school's own network"),
    "collector": message("the collector's side"),
    "gateway": message("the gateway"),
    "both": message("both directions"),
}
TITLED = ("engine", "mode", "segment", "link_duplex", "duplex", "intervals_seen_by", "direction", "where")
"""Fields whose values have words of their own."""
LEFT_OUT = frozenset({"id", "subject", "school", "started_at", "record"})
"""Said elsewhere on the page."""


@dataclass(frozen=True, slots=True)
class FactGroup:
    """Facts under one heading; "" for those of the result itself."""

    title: str
    facts: list[tuple[str, str]]


def facts_of(reader: Reader, result: AnyResult, zone: tzinfo) -> list[FactGroup]:
    """Everything that was measured; what was not is left out."""
    groups = [FactGroup("", list(_facts(reader, result, zone)))]
    record = getattr(result, "record", None)
    if isinstance(record, msgspec.Struct):
        groups += _groups(reader, "", record, zone)
    return [group for group in groups if group.facts]


def _groups(reader: Reader, title: str, record: msgspec.Struct, zone: tzinfo) -> Iterator[FactGroup]:
    yield FactGroup(title, list(_facts(reader, record, zone)))
    for field in msgspec.structs.fields(record):
        value = getattr(record, field.name)
        if isinstance(value, msgspec.Struct) and not isinstance(value, Failure):
            yield from _groups(reader, _name(reader, field.name, value), value, zone)


def _facts(reader: Reader, record: msgspec.Struct, zone: tzinfo) -> Iterator[tuple[str, str]]:
    for field in msgspec.structs.fields(record):
        value = getattr(record, field.name)
        if field.name in LEFT_OUT or value is None or value == "" or value == [] or value == {}:
            continue
        if isinstance(value, msgspec.Struct) and not isinstance(value, Failure):
            continue
        yield _name(reader, field.name, value), value_words(reader, field.name, value, zone)


def _name(reader: Reader, name: str, value: object) -> str:
    if name == "up" and isinstance(value, bool):
        return reader.text(STATE)
    if name == "down" and isinstance(value, list):
        return reader.words("devices_down")
    return reader.text(FIELD_WORDS.get(name, verbatim(name)))


def value_words(reader: Reader, name: str, value: object, zone: tzinfo) -> str:
    """A value with its unit."""
    if isinstance(value, bool):
        return reader.words("yes" if value else "no")
    if isinstance(value, Failure):
        return reader.words(
            "failed_at", step=reader.text(OPERATION_WORDS[value.operation]), why=reader.text(FAILURE_WORDS[value.kind])
        )
    if name == "validity":
        return reader.text(VALIDITY_WORDS[value])  # type: ignore[index]
    if name == "skipped":
        return reader.text(SKIP_WORDS[value])  # type: ignore[index]
    if isinstance(value, datetime):
        return value.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, int | float):
        return _number(reader, name, float(value))
    if isinstance(value, Mapping):
        return _mapping(reader, value)
    if isinstance(value, list):
        return _listed(reader, value)
    text = str(value)
    return reader.text(VALUE_WORDS[text]) if name in TITLED and text in VALUE_WORDS else text


def _number(reader: Reader, name: str, value: float) -> str:
    if name.endswith("_bits_per_second"):
        return reader.text(message("{rate} Mbit/s", rate=f"{value / 1e6:.2f}"))
    if name.endswith("_seconds"):
        return reader.text(duration_words(abs(value))) if value >= 0 else f"−{reader.text(duration_words(-value))}"
    if name.endswith("_ratio"):
        return percent(value, decimals=2)
    if name.endswith("bytes") and value >= 1_000_000:
        return f"{reader.text(size_words(value))} ({value:.0f} B)"
    if name.endswith("bytes"):
        return f"{value:.0f} B"
    if name.endswith("_celsius"):
        return f"{value:.0f} °C"
    return f"{value:g}"


def _mapping(reader: Reader, value: Mapping[str, object]) -> str:
    parts = []
    for name, item in value.items():
        if isinstance(item, Failure):
            label = reader.text(READINGS.get(name, verbatim(name)))
            parts.append(f"{label}{reader.words('colon')}{reader.text(FAILURE_WORDS[item.kind])}")
        elif isinstance(item, str | float | int):
            parts.append(in_words(name, item, reader.language))
    return reader.words("semicolon").join(parts)


def _listed(reader: Reader, value: list[object]) -> str:
    texts = [item for item in value if isinstance(item, str)]
    if len(texts) == len(value):
        return reader.words("list_comma").join(texts)
    return reader.words("in_the_octets", count=len(value))
