"""The page of the metrics (docs/pages/en/reference-metrics.md) from the export table. `make docs` writes it."""

from pathlib import Path

from campus_collector.export.table import METRICS, scope_of

FILE = Path(__file__).parents[3] / "docs/pages/en/reference-metrics.md"
HEAD = """# Metrics

For operators of Prometheus who look something up: every metric of the collector.

`GET /metrics`, in the Prometheus text format or OpenMetrics 1.0 as the scraper asks, gzip when it takes it. Generated from
`collector/campus_collector/export/table.py`; a test keeps it true.

`?scope=NAME` gives a part of the metrics (the table's last column), `?town=ID` the lines of a town, `?town=` those of the county and the
collector itself; both may be repeated. Together they are the whole page, so large scrapes can be shared out among several jobs.

Base units everywhere, with one deliberate exception: rates are bits per second, because the targets are written in bits per
second. `promtool check metrics` therefore says `use base unit "bytes"` of the `*_bits_per_second` metrics, and nothing else.
Absent means not measured, never zero. A classroom's gauges show its latest valid result; they disappear when its agent has been
silent for the policy's `[present] stale_after_seconds`, a day. A verdict that has just changed may take a minute. Late results change the store and the month, not today's gauges.

"""

FOOT = "\nNext: dashboards and alerts that use them are in [Prometheus and Grafana](grafana.md).\n"

SOURCES = {
    "names": "inventory, or what the agent announces",
    "compliance": "verdicts of the current month",
    "classrooms": "throughput, latency and port results",
    "uplinks": "throughput, latency, network and lesson stream results",
    "services": "service results",
    "rooms": "device and room results",
    "agents": "agent's report, host results",
    "ledger": "problem ledger",
    "area": "months from the counties",
    "collector": "collector itself",
}
"""Where the values of a scope come from: kinds of results (docs/pages/en/protocol.md), or what the collector makes of them."""


def text() -> str:
    """The whole document."""
    lines = ["| metric | meaning | unit | labels | type | source | example | scope |", "| --- " * 8 + "|"]
    for metric in METRICS:
        labels = ", ".join(metric.labels) or "—"
        scope = scope_of(metric)
        example = metric.example.replace("|", "\\|")
        lines.append(
            f"| `{metric.name}` | {metric.help} | {metric.unit} | {labels} | {metric.kind} | {SOURCES[scope]} | `{example}` | {scope} |"
        )
    return HEAD + "\n".join(lines) + "\n" + FOOT
