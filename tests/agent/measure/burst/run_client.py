"""Run the engine's client some times and print one JSON line each: `python -m tests.agent.measure.burst.run_client REPEAT < request.json`."""

import json
import sys
import time
from math import inf
from typing import Any

import msgspec

from campus_agent.measure.burst.client import measure
from campus_agent.measure.probe import Finding
from campus_agent.measure.request import ThroughputRequest
from campus_wire.bandwidth import verdict_of
from campus_wire.records import ThroughputRecord, ThroughputResult


def verdict(outcome: Finding[ThroughputRecord], tolerance_ratio: float) -> str:
    """What the collector would say to this one."""
    result = msgspec.convert(
        {
            "kind": "throughput",
            "id": "00000000",
            "subject": "c101",
            "started_at": "2026-01-01T00:00:00Z",
            "boot_id": "b",
            "monotonic_seconds": 0,
            "duration_seconds": 0,
            "validity": outcome.validity,
            "failure": None if outcome.failure is None else msgspec.to_builtins(outcome.failure),
            "record": None if outcome.record is None else msgspec.to_builtins(outcome.record),
        },
        ThroughputResult,
    )
    return verdict_of(result, None, tolerance_ratio).value


def main() -> None:
    """Requests come as keyword arguments of `ThroughputRequest`, and a key as text."""
    arguments: dict[str, Any] = json.load(sys.stdin)
    key = arguments.pop("key").encode() or None
    request = ThroughputRequest(**arguments, engine="campus", max_cross_traffic_ratio=inf)
    for _ in range(int(sys.argv[1])):
        began = time.monotonic()
        outcome = measure(request, key)
        line = {
            "seconds": time.monotonic() - began,
            "verdict": verdict(outcome, request.tolerance_ratio),
            "validity": outcome.validity.value,
            "failure": None if outcome.failure is None else msgspec.to_builtins(outcome.failure),
            "detail": outcome.detail,
            "record": None if outcome.record is None else msgspec.to_builtins(outcome.record),
        }
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
