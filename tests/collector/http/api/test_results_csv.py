"""GET /v1/results.csv: the results as a table that no spreadsheet program calculates."""

import csv
import io
from datetime import UTC, datetime

import pytest

from campus_wire.failures import FailureKind
from tests.collector.export.test_devices import device
from tests.collector.world import AT, World, service, throughput

FROM = "&from=2026-11-01&to=2026-12-01"


def table(world: World, query: str) -> list[dict[str, str]]:
    answer = world.get(f"/v1/results.csv?school=s001{FROM}{query}")
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.body.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(answer.body.decode("utf-8-sig"))))


def test_figures_are_those_that_were_sent(world: World) -> None:
    sent = throughput(59.93e6, 88.01e6)
    world.send(sent, throughput(at=AT, subject="c102", failure=FailureKind.TIMEOUT))
    (row,) = table(world, "&subject=c101&kind=throughput&lang=en")
    assert sent.record is not None
    assert sent.record.down is not None
    assert float(row["payload rate down (bit/s)"]) == sent.record.down.goodput_bits_per_second
    assert float(row["line rate down (bit/s)"]) == pytest.approx(59.93e6)
    assert float(row["line rate up (bit/s)"]) == pytest.approx(88.01e6)
    assert float(row["factor from payload rate to line rate"]) == pytest.approx(1538 / 1448)
    assert row["round trip idle, median (s)"] == "0.001"
    assert (row["began (UTC)"], row["id"]) == ("2026-11-09T02:00:00Z", sent.id)
    (failed,) = table(world, "&subject=c102")
    assert failed["测量失败"] == "超时无应答"
    assert failed["下行线路速率（bit/s）"] == ""


def test_every_kind_has_its_figures(world: World) -> None:
    world.send(service(0.25), device(AT, load_ratio=0.5))
    rows = {row["kind"]: row for row in table(world, "&lang=en")}
    assert (rows["service"]["first byte after (s)"], rows["service"]["works (1 or 0)"]) == ("0.25", "1")
    assert rows["device"]["readings"] == "load_ratio=0.5; firmware=<b>7.1</b>"


@pytest.mark.parametrize("evil", ["=1+1", "+1", "-1", "@x", "\t=1", "a\r\n=1"])
def test_no_cell_is_calculated(world: World, evil: str) -> None:
    world.send(throughput(detail=evil))
    (row,) = table(world, "")
    assert row["备注"][:1] not in ("=", "+", "-", "@", "\t", "\r")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("?school=s001&limit=0", 400),
        ("?school=s001&form=csv", 400),
        ("?school=nope", 404),
        ("?school=s001&lang=fr", 400),
    ],
)
def test_what_is_asked_wrongly_is_refused(world: World, query: str, status: int) -> None:
    world.send(throughput(at=datetime.now(UTC)))
    assert world.get(f"/v1/results.csv{query}").status == status


def test_no_more_than_the_limit(world: World) -> None:
    world.send(*(throughput(at=AT.replace(minute=minute)) for minute in range(5)))
    rows = table(world, "&limit=2")
    assert [row["开始时间（UTC）"] for row in rows] == ["2026-11-09T02:04:00Z", "2026-11-09T02:03:00Z"]
