"""Which servers the uplinks were tested against in a month, as the results name them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from campus_collector.report.figures import ServerFigures
from campus_collector.store.store import Store

MOST_SERVERS = 20
"""So many are named, the most used: a gateway that means harm can name another one in each result."""
MOST_TESTS = 2_000
"""Of a school in a month, the newest; a gateway makes some hundred."""


class _Record(msgspec.Struct):
    server: str | None = None


class _Test(msgspec.Struct):
    """What is read of a result: everything else of it is skipped."""

    record: _Record | None = None


_decode = msgspec.json.Decoder(_Test).decode


def servers_of_month(
    store: Store, schools: Iterable[str], start: datetime, end: datetime, known: Sequence[tuple[str, ...]]
) -> list[ServerFigures]:
    """With names and places of those that are `known` (name, place, host). Raises StoreUnavailable."""
    return servers_from({school: _counted(store, school, start, end) for school in schools}, known)


def servers_from(tests: Mapping[str, Mapping[str, int]], known: Sequence[tuple[str, ...]]) -> list[ServerFigures]:
    """From the number of tests by school and host. Pure."""
    by_host = {server[2].casefold(): server for server in known if len(server) > 2}
    schools: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for of_school in tests.values():
        schools.update(of_school.keys())
        total.update(of_school)
    servers = []
    for host, number in sorted(total.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_SERVERS]:
        name, place, *_ = by_host.get(host, ("", ""))
        servers.append(ServerFigures(host, name, place, schools[host], number))
    return servers


def _counted(store: Store, school: str, start: datetime, end: datetime) -> Counter[str]:
    """Tests that have a record, by host; "" where none is named."""
    counted: Counter[str] = Counter()
    for raw in store.results.raw(school, "uplink", "throughput", start, end, MOST_TESTS):
        try:
            record = _decode(raw).record
        except (msgspec.MsgspecError, UnicodeError):
            continue
        if record is not None:
            counted[(record.server or "").casefold()] += 1
    return counted
