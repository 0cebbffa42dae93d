"""docs/metrics.md from the export table. Rewrite it with `CAMPUS_REWRITE_GOLDEN=1 pytest tests/collector/export`."""

from pathlib import Path

from campus_collector.export.table import METRICS

FILE = Path(__file__).parents[3] / "docs" / "metrics.md"
HEAD = """# Metrics of the collector

`GET /metrics`, Prometheus text format. Generated from `collector/campus_collector/export/table.py`; a test keeps it true.

Base units everywhere, with one deliberate exception: rates are bits per second, because the targets are written in bits per
second. `promtool check metrics` therefore says `use base unit "bytes"` of the `*_bits_per_second` metrics, and nothing else.
Absent means not measured, never zero. A classroom's gauges show its latest valid result; they disappear when its agent has been
silent for a day. Late results change the store and the month, not today's gauges.

"""


def text() -> str:
    """The whole document."""
    lines = ["| metric | type | labels | meaning | example |", "| --- | --- | --- | --- | --- |"]
    for metric in METRICS:
        labels = ", ".join(metric.labels) or "—"
        example = metric.example.replace("|", "\\|")
        lines.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} | `{example}` |")
    return HEAD + "\n".join(lines) + "\n"
