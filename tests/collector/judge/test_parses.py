"""A result is parsed twice: when it arrives, and when it is judged. Whoever shows it reads evidence, or what was parsed."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from campus_collector.ledger.explain import explain
from campus_wire import codec
from campus_wire.records import AnyResult
from tests.collector.export.test_devices import room
from tests.collector.world import World, service, throughput


class CountingDecoder:
    """The decoder of results, and how often it was given each id."""

    def __init__(self, decoder: msgspec.json.Decoder[AnyResult]) -> None:
        self.decoder, self.parses = decoder, Counter[str]()

    def decode(self, raw: bytes | msgspec.Raw) -> AnyResult:
        result = self.decoder.decode(raw)
        self.parses[result.id] += 1
        return result


def test_a_result_is_parsed_twice_from_its_arrival_to_the_report(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    counting = CountingDecoder(codec._result_decoder)
    monkeypatch.setattr(codec, "_result_decoder", counting)
    now = datetime.now(UTC)
    results = [
        *(throughput(50e6, 50e6, at=now - timedelta(minutes=number)) for number in range(1, 4)),
        *(throughput(950e6, 950e6, subject="uplink", at=now - timedelta(minutes=number)) for number in range(1, 4)),
        service(at=now),
        room(now, False),
    ]
    world.send(*results[:5])
    world.service.verdicts.catch_up()
    world.send(*results[5:])
    world.service.verdicts.catch_up()
    month = world.service.verdicts.this_month()
    assert world.service.verdicts.subjects(month)
    for path in ("/metrics", "/", "/schools/s001", f"/v1/schools/s001?month={month}", f"/v1/monthly/{month}.html"):
        assert world.get(path).status == 200, path
    world.service.ledger.catch_up()
    assert explain(world.service.store, world.service.verdicts, "uplink_bandwidth", "s001", "uplink", month) is not None
    assert {result.id for result in results} == counting.parses.keys()
    assert max(counting.parses.values()) == 2, counting.parses
