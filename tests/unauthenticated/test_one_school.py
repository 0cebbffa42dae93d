"""One school's token, stolen or broken: what it sends harms nobody else."""

import contextlib
import json
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from campus_collector.cli.main import main
from campus_collector.domain.agents import Principal
from campus_collector.domain.results import AcceptedResult, Batch, Quotas
from campus_collector.http.api.batch_limits import MAX_OF_ONE_SCHOOL
from campus_collector.store.open import open_store
from campus_collector.store.tables.quarantine import MAX_QUARANTINE_OF_SCHOOL
from campus_wire.codec import compress, decode_result, encode_result
from campus_wire.failures import Validity
from campus_wire.ids import new_result_id
from campus_wire.records import DeviceRecord, DeviceResult
from tests.collector.world import World, envelope, service, throughput


def device(name: str, number: int = 0, school: str = "s001") -> DeviceResult:
    common = {"boot_id": "b", "monotonic_seconds": 1.0, "duration_seconds": 1.0, "validity": Validity.OK}
    result_id = new_result_id(number)
    return DeviceResult(
        id=result_id,
        subject=name,
        school=school,
        started_at=datetime.now(UTC),
        record=DeviceRecord("r1", "p", True),
        **common,
    )  # type: ignore[arg-type]


def naive(result: object) -> bytes:
    """A platform result whose certificate ends at a time without a zone."""
    said = json.loads(encode_result(result))  # type: ignore[arg-type]
    said["record"]["certificate_expires_at"] = "2027-01-01T00:00:00"
    return json.dumps(said).encode()


@pytest.mark.parametrize("field", ["started_at", "certificate_expires_at", "sent_at"])
def test_a_time_without_a_zone_is_refused_at_the_door(world: World, field: str) -> None:
    answer = json.loads(encode_result(service()))
    if field == "sent_at":
        body = json.loads(envelope(service()))
        body["sent_at"] = "2026-11-09T02:00:00"
        assert world.post(json.dumps(body).encode()).status == 400
        return
    place = answer if field == "started_at" else answer["record"]
    place[field] = "2026-11-09T02:00:00"
    (refused,) = world.send(json.dumps(answer).encode())["quarantined"]
    assert field in refused["reason"]


def test_every_time_of_the_wire_has_a_zone() -> None:
    """No record may hold a `datetime` that lets one without a zone pass."""
    from campus_wire import records

    for struct in vars(records).values():
        if isinstance(struct, type) and issubclass(struct, msgspec.Struct):
            for field in msgspec.structs.fields(struct):
                info = msgspec.inspect.type_info(field.type)
                kinds = info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)
                assert not [kind for kind in kinds if isinstance(kind, msgspec.inspect.DateTimeType) and not kind.tz], (
                    struct,
                    field,
                )


def test_what_an_earlier_version_stored_stops_nobody(world: World) -> None:
    world.send(throughput())
    raw = naive(service())
    fine = service()
    batch = Batch(
        Principal("s001", "s001"), datetime.now(UTC), "b", (AcceptedResult(fine, raw.replace(b"x", b"x")),), ()
    )
    world.service.store.submit(batch).result(10)
    text = world.get("/metrics").body.decode()
    assert 'campus_service_certificate_expiry_timestamp_seconds{school="s001"' in text
    assert "campus_classroom_line_rate_bits_per_second{" in text
    for path in ("/", "/schools/s001", "/v1/schools/s001", "/fleet", "/v1/compliance"):
        assert world.get(path).status == 200, path


@pytest.mark.parametrize("where", ["of_subject", "of_agent", "of_verdicts"])
def test_a_sampler_that_raises_loses_its_own_lines(world: World, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    from campus_collector.export import samplers

    other = world.issue_token("s002")
    world.send(throughput())
    assert world.post(envelope(throughput(school="s002"), agent_id="s002"), other).status == 200
    real = getattr(samplers, where)

    def broken(first: object, *more: object) -> object:
        if "s001" in repr(first):
            raise TypeError("one value of one school")
        return real(first, *more)

    monkeypatch.setattr(samplers, where, broken)
    text = world.get("/metrics").body.decode()
    assert 'campus_agent_up{school="s002"} 1.0' in text
    assert 'campus_classroom_line_rate_bits_per_second{classroom="c101",direction="down",school="s002"' in text
    left_out = float(text.rpartition("\ncampus_scrape_left_out_owners ")[2].split("\n")[0])
    assert left_out >= (0 if where == "of_verdicts" else 1)


def test_half_sent_batches_shut_out_nobody(world: World) -> None:
    other, head = (
        world.issue_token("s002"),
        b"POST /v1/results HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\nAuthorization: Bearer ",
    )
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            held = stack.enter_context(socket.create_connection(("127.0.0.1", world.port), timeout=60))
            held.sendall(head + world.token.encode() + b"\r\n\r\n{")
        for _ in range(30):
            assert world.post(envelope(throughput(school="s002"), agent_id="s002"), other).status == 200
        assert world.post(envelope(throughput())).status in (200, 503)
    assert world.service.config.max_batches_at_once > MAX_OF_ONE_SCHOOL


@pytest.mark.parametrize(
    "results", [b"0," * 1_900_000 + b"0", b"{}," * 1_000_000 + b"{}", b"[]," * 1_200_000 + b"[]", b'"",' * 1001 + b'""']
)
def test_results_are_counted_before_they_are_decoded(world: World, results: bytes) -> None:
    body = (
        b'{"schema_version":1,"agent_id":"a","boot_id":"b","sent_at":"2026-11-09T02:00:00Z","results":['
        + results
        + b"]}"
    )
    headers = {"Authorization": f"Bearer {world.token}", "Content_Type": "application/json", "Content_Encoding": "gzip"}
    assert world.request("POST", "/v1/results", compress(body), **headers).status == 413


def test_an_announcement_of_a_million_rooms_is_refused(world: World) -> None:
    body = (
        envelope(throughput())[:-1] + b',"announcement":{"classrooms":[' + b'{"id":"a"},' * 300_000 + b'{"id":"a"}]}}'
    )
    assert world.post(body).status == 413


def test_devices_without_end_go_to_quarantine(tmp_path: Path) -> None:
    store = open_store(
        tmp_path / "campus.db", Quotas(subjects_of_one_kind=20, results_per_day=100, bytes_per_day=100_000)
    )
    try:
        rows = [device(f"d{number}", number) for number in range(50)]
        batch = Batch(
            Principal("s001", "s001"),
            datetime.now(UTC),
            "b",
            tuple(AcceptedResult(result, encode_result(result)) for result in rows),
            (),
        )
        outcome = store.submit(batch).result(10)
        assert (outcome.stored, outcome.quarantined) == (20, 30)
        assert {each.reason for each in outcome.beyond_quota} == {
            "quota: more than 20 subjects of kind device in one school"
        }
        again = store.submit(batch).result(10)
        assert (again.stored, again.duplicate) == (0, 20)
        more = [replace_id(rows[0]) for _ in range(100)]
        outcome = store.submit(
            replace(batch, accepted=tuple(AcceptedResult(result, encode_result(result)) for result in more))
        ).result(10)
        assert outcome.stored == 80
        assert outcome.beyond_quota[0].reason == "quota: more than 100 results of one school in a day"
        others = device("d1", school="s002")
        batch = Batch(
            Principal("s002", "s002"), datetime.now(UTC), "b", (AcceptedResult(others, encode_result(others)),), ()
        )
        assert store.submit(batch).result(10).stored == 1, "another school's quota is its own"
    finally:
        store.close()


def test_subjects_of_long_ago_take_no_room_and_dating_back_makes_none(tmp_path: Path) -> None:
    store = open_store(tmp_path / "campus.db", Quotas(subjects_of_one_kind=20))
    now = datetime.now(UTC)

    def stored(first: int, received_at: datetime, started_at: datetime) -> int:
        rows = [
            msgspec.structs.replace(device(f"d{number}", number), started_at=started_at)
            for number in range(first, first + 15)
        ]
        batch = Batch(
            Principal("s001", "s001"),
            received_at,
            "b",
            tuple(AcceptedResult(row, encode_result(row)) for row in rows),
            (),
        )
        return store.submit(batch).result(10).stored

    try:
        year_ago = now - timedelta(days=365)
        assert stored(0, year_ago, year_ago) == 15
        assert stored(100, year_ago + timedelta(days=60), year_ago + timedelta(days=60)) == 5, "still counted"
        assert stored(200, now, now) == 15
        assert stored(300, now, now) == 5
        assert stored(400, now, now - timedelta(days=200)) == 0
        assert stored(500, now, now - timedelta(days=1000)) == 0
    finally:
        store.close()


def replace_id(record: DeviceResult) -> DeviceResult:
    return msgspec.structs.replace(record, id=new_result_id(7))


def test_forty_thousand_devices_leave_the_page_small(world: World) -> None:
    quarantined = 0
    for start in range(0, 2000, 500):
        answer = world.send(*[device(f"d{number}", number) for number in range(start, start + 500)])
        quarantined += len(answer["quarantined"])
    assert quarantined == 1500
    assert world.get("/metrics").body.count(b"campus_device_up{") == 500
    assert world.get("/quarantine").body.count("device 类对象超过".encode()) == 200


def test_a_broken_school_does_not_evict_others(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    other = world.issue_token("s002")
    assert world.post(envelope(b'{"kind":"nothing","id":"keep-me"}', agent_id="s002"), other).status == 200
    for _ in range(3):
        world.send(*[b'{"kind":"\\u001b[31mred"}'] * 400)
    counts = world.service.store.quarantine.counts()
    assert counts == {"s001": MAX_QUARANTINE_OF_SCHOOL, "s002": 1}
    page = world.get("/quarantine?school=s002").body.decode()
    assert "keep-me" in page
    where = ["--state-dir", str(world.service.config.database.parent)]
    assert main(["quarantine", "--school", "s002", *where]) == 0
    assert "keep-me" in capsys.readouterr().out
    assert main(["quarantine", "--json", "--last", "500", *where]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["counts"] == counts
    assert {"school", "received_at", "id", "reason", "reason_zh", "begins"} == set(answer["results"][0])
    assert main(["quarantine", *where]) == 0
    assert "\x1b" not in capsys.readouterr().out
    assert main(["quarantine", "--school", "s404", *where]) == 1


@pytest.mark.parametrize("tail", ["\n", "\r", "\u2028", " "])
@pytest.mark.parametrize("field", ["id", "subject", "school"])
def test_an_id_ends_where_it_ends(world: World, field: str, tail: str) -> None:
    answer = json.loads(encode_result(throughput()))
    answer[field] += tail
    assert len(world.send(json.dumps(answer).encode())["quarantined"]) == 1


def test_a_stored_result_is_still_immutable_in_form() -> None:
    assert decode_result(encode_result(throughput())).subject == "c101"
