"""The list of design section 9, as far as ingest goes: each answer named, nothing lost, nothing believed."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import zstandard

from campus_collector.cli.main import main
from campus_collector.domain.agents import Principal
from campus_collector.domain.results import AcceptedResult, Batch
from campus_collector.http.api.batch_limits import BatchLimiter, TooMany
from campus_collector.ingest.reasons import REASONS, reason_words, rejection
from campus_wire.codec import MAX_BODY_BYTES, decode_result, encode_result
from campus_wire.failures import Validity
from campus_wire.records import AnyResult
from tests.collector.world import AT, World, envelope, service, store_away, throughput


def problem(answer: Any, status: int, title: str, detail: str) -> None:
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.json
    assert (answer.status, said["status"], said["title"]) == (status, status, title)
    assert detail in said["detail"]


def changed(**fields: Any) -> bytes:
    return json.dumps(json.loads(envelope(throughput())) | fields).encode()


@pytest.mark.parametrize(
    ("body", "status", "title", "detail"),
    [
        (b"", 400, "Bad batch", "Input data was truncated"),
        (b"[1, 2", 400, "Bad batch", "Expected `object`, got `array`"),
        (b'{"schema_version": 1}', 400, "Bad batch", "missing required field `agent_id`"),
        (b"\xff\xfe", 400, "Bad batch", "JSON is malformed: invalid character (byte 0)"),
        (b'{"x": ' + b"[" * 200_000, 400, "Bad batch", "nested too deeply"),
        (
            changed(schema_version=2),
            422,
            "Unknown schema version",
            "schema_version 2 is not supported; this side speaks 1",
        ),
        (b'{"schema_version": 99, "results": []}', 422, "Unknown schema version", "schema_version 99 is not supported"),
        (changed(schema_version="1"), 400, "Bad batch", "Expected `int`, got `str` - at `$.schema_version`"),
        (changed(results={}), 400, "Bad batch", "Expected `array`, got `object` - at `$.results`"),
        (changed(results=[{}] * 1001), 413, "Batch too large", "more than 1000 results in one batch"),
        (b" " * (MAX_BODY_BYTES + 1), 413, "Batch too large", "grows beyond 4194304 bytes when decompressed"),
    ],
)
def test_a_bad_batch_is_refused_whole(world: World, body: bytes, status: int, title: str, detail: str) -> None:
    problem(world.post(body), status, title, detail)
    assert world.service.store.results.ingest_totals() == {}


@pytest.mark.parametrize(
    ("headers", "status", "title", "detail"),
    [
        ({"Authorization": ""}, 401, "No token", "send Authorization: Bearer TOKEN"),
        ({"Authorization": "Basic eDp5"}, 401, "No token", "send Authorization: Bearer TOKEN"),
        ({"Authorization": "Bearer " + "x" * 201}, 401, "No token", "Bearer TOKEN"),
        ({"Authorization": "Bearer cm1_guess"}, 401, "Token refused", "unknown or revoked"),
        ({"Content_Type": "text/plain"}, 415, "Wrong content type", "application/json"),
        ({"Content_Encoding": "br"}, 415, "Wrong content encoding", "send gzip, zstd, or nothing"),
    ],
)
def test_bad_headers_are_refused(world: World, headers: dict[str, str], status: int, title: str, detail: str) -> None:
    problem(world.post(envelope(throughput()), **headers), status, title, detail)


def test_what_is_not_gzip_is_named(world: World) -> None:
    answer = world.request(
        "POST",
        "/v1/results",
        b"plain",
        Authorization=f"Bearer {world.token}",
        Content_Type="application/json",
        Content_Encoding="gzip",
    )
    problem(answer, 400, "Bad compression", "body is not valid gzip")


def test_an_oversized_plain_body_is_cut_off(world: World) -> None:
    problem(world.post(b" " * (MAX_BODY_BYTES + 1), Content_Encoding=""), 413, "Batch too large", "larger than 4194304")


def test_a_plain_body_is_taken(world: World) -> None:
    assert world.post(envelope(throughput()), Content_Encoding="").json["stored"] == 1


def test_a_wrong_method_is_405(world: World) -> None:
    """`Allow` names every method of the path, whichever of its routes takes it."""
    for path, allowed in (("/v1/results", "GET, HEAD, POST"), ("/people", "GET, HEAD, POST"), ("/fleet", "GET, HEAD")):
        answer = world.request("PUT", path, b"", Authorization=f"Bearer {world.token}")
        assert (answer.status, answer.headers.get("allow")) == (405, allowed), path


def test_a_revoked_token_is_refused(world: World) -> None:
    assert world.service.store.tokens.revoke("s001", datetime.now(UTC)) == 1
    problem(world.post(envelope(throughput())), 401, "Token refused", "revoked")


def without(field: str, result: AnyResult) -> bytes:
    return json.dumps(
        {name: value for name, value in json.loads(encode_result(result)).items() if name != field}
    ).encode()


COMMON = {
    name: value for name, value in json.loads(encode_result(throughput())).items() if name not in {"record", "kind"}
}


def bad_results() -> list[tuple[bytes, str]]:
    now = datetime.now(UTC)
    good = json.loads(encode_result(throughput()))
    return [
        (b"7", "Expected `object`, got `int`"),
        (json.dumps(good | {"kind": "weather"}).encode(), "Invalid value 'weather' - at `$.kind`"),
        (json.dumps(good | {"subject": "../c1"}).encode(), "lower-case letters"),
        (encode_result(throughput(school="s002")), "subject of another school: s002, the token is for s001"),
        (encode_result(throughput(at=now + timedelta(hours=1))), "is in the future"),
        (encode_result(throughput(at=datetime(1970, 1, 2, tzinfo=UTC))), "is before 2020-01-01"),
        (json.dumps(good | {"x": "y" * 300_000}).encode(), "is larger than 262144 bytes"),
        (json.dumps(good | {"duration_seconds": -1}).encode(), "Expected `float` >= 0.0 - at `$.duration_seconds`"),
        (without("record", throughput()), "neither a record nor a failure"),
        (without("record", service()), "neither a record nor a failure"),
        (json.dumps(json.loads(without("record", throughput())) | {"record": None}).encode(), "neither a record"),
        (json.dumps(COMMON | {"kind": "room", "subject": "r1"}).encode(), "neither a record nor a failure"),
        (json.dumps(COMMON | {"kind": "inspection", "subject": "c101"}).encode(), "neither a record nor a failure"),
    ]


def test_bad_results_are_kept_apart_and_never_block_their_neighbours(world: World) -> None:
    bad = bad_results()
    first, last = throughput(), throughput()
    receipt = world.send(first, *(raw for raw, _ in bad), last)
    assert (receipt["stored"], receipt["duplicate"]) == (2, 0)
    assert [each["index"] for each in receipt["quarantined"]] == list(range(1, len(bad) + 1))
    for entry, (_, reason) in zip(receipt["quarantined"], bad, strict=True):
        assert reason in entry["reason"]
    kept = world.service.store.quarantine.newest(["s001"], 100)
    assert len(kept) == len(bad)
    assert {each.reason for each in kept} == {each["reason"] for each in receipt["quarantined"]}


def test_a_result_of_an_untrusted_clock_is_stored_whatever_its_time(world: World) -> None:
    receipt = world.send(throughput(at=datetime(1970, 1, 1, tzinfo=UTC), validity=Validity.CLOCK_UNTRUSTED))
    assert receipt["stored"] == 1


def test_duplicates_within_and_across_batches_are_stored_once(world: World) -> None:
    entry = throughput(id="result-0001")
    again = throughput(id="result-0001", at=AT + timedelta(hours=1))
    assert world.send(entry, entry)["duplicate"] == 1
    receipt = world.send(again)
    assert (receipt["stored"], receipt["duplicate"]) == (0, 1)
    listed = world.get("/v1/results?school=s001&from=2026-11-01T00:00:00Z&to=2026-12-01T00:00:00Z").json["results"]
    assert [result["id"] for result in listed] == ["result-0001"]


def test_the_same_id_of_another_school_is_another_result(world: World) -> None:
    world.send(throughput(id="result-0001"))
    token = world.issue_token("s002")
    answer = world.post(envelope(throughput(id="result-0001", school="s002")), token=token)
    assert answer.json["stored"] == 1


def test_unknown_fields_come_back_as_they_came(world: World) -> None:
    raw = json.dumps(json.loads(encode_result(throughput())) | {"new_field": {"a": [1]}}).encode()
    world.send(raw)
    body = world.get("/v1/results?school=s001&from=2026-11-01T00:00:00Z&to=2026-12-01T00:00:00Z").body
    assert raw in body


def test_a_store_that_went_away_is_503_and_nothing_is_acknowledged(world: World) -> None:
    with store_away(world):
        answer = world.post(envelope(throughput(id="result-0001")))
        problem(answer, 503, "Not now", "the store cannot be")
        assert answer.headers["retry-after"] == "20"
        assert world.get("/readyz").status == 503
    assert world.get("/readyz").status == 200
    assert world.send(throughput(id="result-0001"))["stored"] == 1


def _full(_: object) -> object:
    raise TooMany("too many batches at once")


def test_too_many_at_once_are_sent_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BatchLimiter, "working", _full)
    answer = world.post(envelope(throughput()))
    problem(answer, 503, "Not now", "too many batches at once")
    assert "retry-after" in answer.headers


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1969-12-31T23:59:59Z"])
def test_a_time_no_clock_shows_is_kept_apart_and_its_neighbours_are_stored(world: World, moment: str) -> None:
    odd = json.loads(encode_result(throughput(validity=Validity.CLOCK_UNTRUSTED))) | {"started_at": moment}
    receipt = world.send(json.dumps(odd).encode(), throughput())
    assert (receipt["stored"], len(receipt["quarantined"])) == (1, 1)
    assert "no time any clock shows" in receipt["quarantined"][0]["reason"]


def test_a_result_that_says_nothing_takes_nothing_away(world: World) -> None:
    now = datetime.now(UTC)
    world.send(throughput(at=now - timedelta(minutes=1)))
    empty = without("record", throughput(at=now))
    assert len(world.send(empty)["quarantined"]) == 1
    stored_by_an_earlier_version = AcceptedResult(decode_result(empty), empty)
    batch = Batch(Principal("s001", "s001"), now, "boot-1", (stored_by_an_earlier_version,), ())
    assert world.service.store.submit(batch).result().stored == 1
    page = world.get("/metrics").body.decode()
    assert "campus_classroom_line_rate_bits_per_second{" in page
    assert 'campus_measurements_total{kind="throughput",outcome="invalid"} 1.0' in page


@pytest.mark.parametrize(
    "said",
    [
        {"validity": "not_measured", "skipped": "lesson"},
        {"validity": "ok", "skipped": "lesson"},
        {"validity": "endpoint_off"},
        {"validity": "a_word_of_a_newer_version"},
        {"validity": "ok", "failure": {"operation": "connect", "kind": "timeout"}},
    ],
)
def test_a_result_without_a_record_that_says_why_is_kept(world: World, said: dict[str, Any]) -> None:
    bare = json.loads(without("record", throughput())) | said
    assert world.send(json.dumps(bare).encode())["stored"] == 1


def test_reasons_are_words_in_both_languages(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = [*(raw for raw, _ in bad_results()), b'{"kind": "throughput", "id": 7}', b'{"kind": "throughput", "id": "a b"}', b'{"kind": "throughput", "id": "a"}',
           json.dumps(json.loads(encode_result(throughput())) | {"started_at": "2026-11-09T02:00:00"}).encode()]  # fmt: skip
    world.send(*bad)
    state = ["--state-dir", str(world.service.config.database.parent)]
    page = world.get("/quarantine?lang=zh").body.decode()
    for language in ("zh", "en"):
        monkeypatch.setenv("CAMPUS_LANG", language)
        assert main(["quarantine", *state]) == 0
        listed = capsys.readouterr().out
        assert not any(sign in listed for sign in ("regex", "\\Z", "`", "$."))
        assert len(listed.splitlines()) >= len(bad)
        words = {
            "zh": ("对象编号（subject）：应为 1 至 64 个小写字母", "缺少字段", "既无测量记录也无失败原因", "时间缺少时区", "属于学校 s002"),
            "en": ("subject: must be 1 to 64 lower-case letters", "is missing", "neither a record", "a time without its zone", "belongs to school s002"),
        }[language]  # fmt: skip
        assert all(word in listed for word in words), listed
    assert "属于学校 s002" in page
    assert "regex" not in page
    assert main(["quarantine", "--json", *state]) == 0
    results = json.loads(capsys.readouterr().out)["results"]
    assert all(result["reason"] and result["reason_zh"] and "regex" not in result["reason"] for result in results)


def test_a_reason_stored_by_an_earlier_version_is_shown_in_words() -> None:
    stored = "Expected `str` matching regex '^[a-z0-9][a-z0-9_-]{0,63}\\\\Z' - at `$.subject`"
    assert reason_words(stored).en.startswith("subject: must be 1 to 64 lower-case letters")
    assert reason_words("of a newer version {x}").zh == "of a newer version {x}"


def test_an_untrusted_time_never_hides_what_comes_later(world: World) -> None:
    world.send(throughput(at=datetime(2150, 1, 1, tzinfo=UTC), validity=Validity.CLOCK_UNTRUSTED))
    world.send(throughput(at=datetime.now(UTC)))
    (subject,) = [subject for subject in world.get("/v1/schools/s001").json["subjects"] if subject["subject"] == "c101"]
    assert subject["latest"]["validity"] == "ok"


@pytest.mark.parametrize("megabytes", [5, 20, 60])
def test_a_body_far_too_large_still_gets_its_answer(world: World, megabytes: int) -> None:
    problem(
        world.post(b" " * (megabytes * 1_000_000), Content_Encoding="identity"), 413, "Batch too large", "larger than"
    )


def test_zstd_is_taken_and_its_bombs_are_not(world: World) -> None:
    def send(body: bytes) -> Any:
        packed = zstandard.ZstdCompressor().compress(body)
        values = {"Authorization": f"Bearer {world.token}", "Content_Type": "application/json"}
        return world.request("POST", "/v1/results", packed, **values, Content_Encoding="zstd")

    assert send(envelope(throughput())).json["stored"] == 1
    problem(send(b" " * 100_000_000), 413, "Batch too large", "grows beyond")
    answer = world.request(
        "POST", "/v1/results", b"no zstd", Authorization=f"Bearer {world.token}", Content_Type="application/json", Content_Encoding="zstd"
    )  # fmt: skip
    problem(answer, 400, "Bad compression", "not valid zstd")


@pytest.mark.parametrize("code", sorted(REASONS))
def test_a_stored_sentence_of_ours_is_read_by_its_form(code: str) -> None:
    values, read = {"a": "100", "b": "b"}, reason_words(str(rejection(code, "100", "b")))
    words = REASONS[code].words
    assert (read.en, read.zh) == (words.in_("en", **values), words.in_("zh", **values))
