"""A real collector for tests: real SQLite file, real HTTP on loopback, and results made to measure."""

import asyncio
import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from campus_collector.config import load_config
from campus_collector.domain.agents import Principal
from campus_collector.domain.tokens import new_token, token_hash
from campus_collector.http.app import listen, make_server
from campus_collector.http.service import Service, open_service
from campus_wire.codec import compress, encode_envelope, encode_result
from campus_wire.encapsulation import Encapsulation, goodput_from_line_rate
from campus_wire.failures import Failure, FailureKind, Operation, Validity
from campus_wire.ids import new_result_id
from campus_wire.records import (
    AgentState,
    AnnouncedClassroom,
    AnnouncedService,
    Announcement,
    AnyResult,
    DirectionRecord,
    Envelope,
    LatencyRecord,
    ServiceRecord,
    ServiceResult,
    ThroughputRecord,
    ThroughputResult,
)
from tests.postgres_server import shared_server
from tests.stores import environment

AT = datetime(2026, 11, 9, 2, 0, tzinfo=UTC)  # a Monday, 10:00 in Shandong
_numbers = count(1)


def throughput(
    down: float | None = 100e6,
    up: float | None = 100e6,
    at: datetime = AT,
    subject: str = "c101",
    validity: Validity = Validity.OK,
    failure: FailureKind | None = None,
    server: str | None = None,
    **more: Any,
) -> ThroughputResult:
    """A throughput result of these line rates."""
    path = Encapsulation()

    def direction(rate: float | None) -> DirectionRecord | None:
        return None if rate is None else DirectionRecord(goodput_from_line_rate(rate, path), 1000, 3.0)

    record = ThroughputRecord(
        segment="uplink" if subject == "uplink" else "classroom",
        engine="iperf3",
        engine_version="iperf 3.12",
        required_bits_per_second=1e8,
        encapsulation=path,
        down=direction(down),
        up=direction(up),
        idle=LatencyRecord("icmp", 20, 20, 0.001, 0.001, 0.002, 0.003, 0.0001, 0.0),
        working=LatencyRecord("icmp", 20, 20, 0.004, 0.005, 0.009, 0.01, 0.001, 0.0),
        link_speed_bits_per_second=1e9,
        server=server,
    )
    broken = Failure(Operation.CONNECT, failure) if failure else None
    return ThroughputResult(
        subject=subject,
        validity=Validity.ENDPOINT_OFF if failure else validity,
        failure=broken,
        record=None if failure else record,
        **_common(at, more),
    )


def service(
    first_byte: float | None = 0.2, at: datetime = AT, subject: str = "smartedu-cn", **more: Any
) -> ServiceResult:
    """A platform request; None failed to connect."""
    well = first_byte is not None
    return ServiceResult(
        subject=subject,
        validity=Validity.OK,
        failure=None if well else Failure(Operation.CONNECT, FailureKind.TIMEOUT),
        record=ServiceRecord("https://x.example/", well, 0.01, 0.02 if well else None, None, first_byte),
        **_common(at, more),
    )


def _common(at: datetime, more: dict[str, Any]) -> dict[str, Any]:
    values = {
        "id": new_result_id(next(_numbers)),
        "started_at": at,
        "boot_id": "boot-1",
        "monotonic_seconds": 1.0,
        "duration_seconds": 1.0,
        "school": "s001",
    }
    return values | more


ANNOUNCEMENT = Announcement(
    town="t01",
    classrooms=[AnnouncedClassroom("c101", "一年级1班", 1e8), AnnouncedClassroom("c102", "一年级2班", 1e8)],
    services=[AnnouncedService("smartedu-cn", "国家智慧教育平台")],
    uplink=True,
    uplink_required_bits_per_second=1e9,
)


def envelope(*results: AnyResult | bytes, **more: Any) -> bytes:
    """A batch as an agent sends it."""
    raws = [result if isinstance(result, bytes) else encode_result(result) for result in results]
    values: dict[str, Any] = {
        "schema_version": 1,
        "agent_id": "s001",
        "boot_id": "boot-1",
        "sent_at": AT,
        "results": [msgspec.Raw(raw) for raw in raws],
        "agent": AgentState("0.1.0", "Debian GNU/Linux 12", 3, 0, 0.5, {"classroom": 1000}),
        "announcement": ANNOUNCEMENT,
    }
    return encode_envelope(Envelope(**(values | more)))


@dataclass(slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Its body."""
        return json.loads(self.body)


@dataclass(slots=True)
class World:
    """A running collector."""

    service: Service
    port: int
    token: str

    def request(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """One exchange on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        """Read."""
        return self.request("GET", path, None, **headers)

    def post(self, body: bytes, token: str | None = None, **headers: str) -> Answer:
        """Send a batch as an agent does."""
        values = {
            "Authorization": f"Bearer {token or self.token}",
            "Content_Type": "application/json",
            "Content_Encoding": "gzip",
        } | headers
        packed = compress(body) if values["Content_Encoding"] == "gzip" else body
        return self.request("POST", "/v1/results", packed, **{k: v for k, v in values.items() if v})

    def send(self, *results: AnyResult | bytes, **more: Any) -> Any:
        """Send a batch that must be accepted; the receipt."""
        answer = self.post(envelope(*results, **more))
        assert answer.status == 200, answer.body
        return answer.json

    def issue_token(self, school: str) -> str:
        """A token for another school."""
        token = new_token()
        self.service.store.tokens.issue(token_hash(token), Principal(school, school), "t02", datetime.now(UTC))
        return token


@contextmanager
def collector(state_dir: Path, environ: dict[str, str] | None = None, config: Path | None = None) -> Iterator[World]:
    """A collector on a free loopback port, in a thread."""
    service_ = open_service(load_config(config, state_dir, environment(state_dir) | (environ or {})))
    server = make_server(service_)
    listener = listen("127.0.0.1", 0)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            thread.join(0.01)
        port = listener.getsockname()[1]
        world = World(service_, port, "")
        world.token = world.issue_token("s001")
        yield world
    finally:
        server.should_exit = True
        thread.join(60)
        service_.store.close()


@contextmanager
def store_away(world: World) -> Iterator[None]:
    """Meanwhile nothing can be written: the database is not where it was."""
    config = world.service.config
    if config.postgres is not None:
        with shared_server().closed(config.postgres.reveal().rpartition("/")[2]):
            yield
        return
    away = config.database.with_name("away.db")
    config.database.rename(away)
    try:
        yield
    finally:
        away.rename(config.database)


def days(number: int, each: int = 1, start: datetime = AT) -> list[datetime]:
    """Moments on so many days, so many a day."""
    return [start + timedelta(days=day, minutes=10 * n) for day in range(number) for n in range(each)]
