"""The lines of /metrics, kept as they were written until their owner changes: a scrape joins them and formats nothing again. Pure.

A line belongs to an owner (a classroom, an agent, a town's verdicts) in a town. Lines are the same bytes in the Prometheus text format
0.0.4 and in OpenMetrics 1.0; only the heads of the metrics differ.
"""

from collections.abc import Collection, Iterable
from functools import cache

from prometheus_client.utils import floatToGoString

from campus_base.text import printable
from campus_collector.export.table import BY_NAME, Metric

Sample = tuple[str, tuple[str, ...], float]
"""Name of the metric, label values in the order of the table, value."""
Owner = tuple[str, ...]


class StoredExposition:
    """Lines by metric, town and owner."""

    def __init__(self) -> None:
        self._lines: dict[str, dict[str, dict[Owner, bytes]]] = {name: {} for name in BY_NAME}
        self._places: dict[Owner, tuple[str, tuple[str, ...]]] = {}

    def put(self, owner: Owner, town: str, samples: Iterable[Sample]) -> None:
        """These are all the lines of an owner; what it had before is gone."""
        written: dict[str, str] = {}
        for name, labels, value in samples:
            written[name] = written.get(name, "") + line(name, labels, value)
        former_town, former = self._places.get(owner, (town, ()))
        for name in former:
            if name not in written or former_town != town:
                del self._lines[name][former_town][owner]
        for name, text in written.items():
            self._lines[name].setdefault(town, {})[owner] = text.encode()
        if written:
            self._places[owner] = (town, _shared(tuple(written)))
        else:
            self._places.pop(owner, None)

    def parts_of(self, metric: Metric, towns: Collection[str] | None, openmetrics: bool) -> list[bytes]:
        """A metric with all its lines, or with those of some towns: as they are kept, none of them copied."""
        parts = [head(metric, openmetrics)]
        for town, lines in self._lines[metric.name].items():
            if towns is None or town in towns:
                parts.extend(lines.values())
        return parts


def line(name: str, labels: tuple[str, ...], value: float) -> str:
    """One sample; labels in alphabetical order, as Prometheus' own clients write them."""
    template, order = _template(name)
    if len(labels) != len(order):
        raise ValueError(f"{name} takes the labels {BY_NAME[name].labels}")
    return template % (*[_escaped(labels[index]) for index in order], floatToGoString(value))  # type: ignore[no-untyped-call]


def head(metric: Metric, openmetrics: bool) -> bytes:
    """HELP and TYPE. OpenMetrics names a counter without `_total`."""
    name = metric.name.removesuffix("_total") if openmetrics and metric.kind == "counter" else metric.name
    text = metric.help.replace("\\", r"\\").replace("\n", r"\n")
    if openmetrics:
        text = text.replace('"', r"\"")
    return f"# HELP {name} {text}\n# TYPE {name} {metric.kind}\n".encode()


@cache
def _template(name: str) -> tuple[str, tuple[int, ...]]:
    labels = BY_NAME[name].labels
    order = tuple(sorted(range(len(labels)), key=lambda index: labels[index]))
    pairs = ",".join(f'{labels[index]}="%s"' for index in order)
    return (f"{name}{{{pairs}}} %s\n" if pairs else f"{name} %s\n"), order


@cache
def _shared(names: tuple[str, ...]) -> tuple[str, ...]:
    """One tuple for the many owners that have the same metrics."""
    return names


def _escaped(text: str) -> str:
    return printable(text).replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
