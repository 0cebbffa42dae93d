"""Every kind of measurement, in the order of the first round: a new probe is one file with a `PROBE`, and its name here."""

from importlib import import_module

from campus_agent.measure.probe import Probes

_MODULES = (
    "host",
    "service",
    "devices",
    "ports",
    "network",
    "throughput",
    "latency",
    "reference",
    "browser",
    "lesson_stream",
)
PROBES: Probes = {probe.name: probe for probe in (import_module(f"{__name__}.{name}").PROBE for name in _MODULES)}
