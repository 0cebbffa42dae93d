"""Every kind of measurement, and nothing else: a new probe is one file and one line here."""

from campus_agent.measure.probe import AnyProbe
from campus_agent.measure.probes import host, latency, service, throughput

PROBES: dict[str, AnyProbe] = {
    "throughput": throughput.PROBE,
    "latency": latency.PROBE,
    "host": host.PROBE,
    "service": service.PROBE,
}
