"""Months come in over HTTP: enrolment, each refusal with its reason, replays, corrections, what a prefecture hands on; pages, metrics and the report of it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from campus_base.language import Language
from campus_collector.area.bundle import (
    BadStatement,
    Envelope,
    MonthBundle,
    canonical_bytes,
    enrolment_words,
    sha256_of,
)
from campus_collector.area.key import fingerprint_of
from campus_collector.area.receive import REFUSALS
from campus_collector.cli.main import main
from campus_collector.domain.area import Level
from campus_collector.domain.enrolment_codes import code_hash, new_code, plain
from campus_collector.judge.month import parse_month
from campus_collector.report.forms.render import FORMS
from tests.collector.area.statements import (
    KEY,
    OTHER_KEY,
    body,
    bundle,
    change,
    handed_on,
    head,
    public_key,
    signed,
)
from tests.collector.world import Answer, World, collector

PREFECTURE = {"CAMPUS_AREA_LEVEL": "prefecture", "CAMPUS_AREA_NAME": "示例市"}


@pytest.fixture
def area(tmp_path: Path) -> Iterator[World]:
    """A prefecture's collector."""
    with collector(tmp_path, PREFECTURE) as world:
        yield world


def issue(world: World, county: str = "c01", level: Level = "county") -> str:
    """A code for a county."""
    code, now = new_code(), datetime.now(UTC)
    store = world.service.store
    store.area.issue_code(code_hash(plain(code) or ""), county, f"{county}县", level, now, now + timedelta(hours=1))
    return code


def enrol(world: World, code: str, key: Ed25519PrivateKey = KEY, signer: Ed25519PrivateKey | None = None) -> Answer:
    letters = plain(code) or ""
    asked = {
        "code": code,
        "public_key": public_key(key),
        "signature": (signer or key).sign(enrolment_words(letters)),
    }
    return world.request("POST", "/v1/months/enroll", msgspec.json.encode(asked), Content_Type="application/json")


def enrolled(world: World, county: str = "c01", key: Ed25519PrivateKey = KEY, level: Level = "county") -> str:
    """The token of a county."""
    answer = enrol(world, issue(world, county, level), key)
    assert answer.status == 201, answer.body
    assert answer.json["county"] == county
    return str(answer.json["token"])


def send(world: World, token: str, envelope: Envelope | bytes, **headers: str) -> Answer:
    content = envelope if isinstance(envelope, bytes) else body(envelope)
    given = {"Authorization": f"Bearer {token}", "Content_Type": "application/json"} | headers
    return world.request("POST", "/v1/months", content, **given)


def refused(answer: Answer, reason: str) -> None:
    """For this reason, and with words."""
    assert answer.status == REFUSALS[reason][0], answer.body
    assert answer.json["type"] == f"urn:campusmeter:month:{reason}"
    assert answer.json["detail"]


def test_a_code_enrols_once_and_with_a_key_that_its_sender_has(area: World) -> None:
    code = issue(area)
    assert enrol(area, code, KEY, signer=OTHER_KEY).status == 403, "another's key"
    assert enrol(area, code).status == 201
    assert enrol(area, code).status == 403, "used"
    assert enrol(area, "AAAA-BBBB-CCCC").status == 403
    events = [event.what for event in area.service.store.ledger.events()]
    assert events[:2] == ["member_enrolled", "member_code_issued"]


def test_who_is_not_enrolled_is_refused_before_a_body_is_read(area: World) -> None:
    assert send(area, "cm1_wrong", b"{" * 1000).status == 401
    token = enrolled(area)
    area.service.store.area.revoke("c01", datetime.now(UTC))
    assert send(area, token, signed(bundle())).status == 401
    assert send(area, area.token, signed(bundle())).status == 401, "a gateway's token is none of a county"


def test_a_month_is_kept_and_its_receipt_names_it(area: World) -> None:
    token, envelope = enrolled(area), signed(bundle())
    answer = send(area, token, envelope)
    assert answer.status == 200, answer.body
    receipt = {"county": "c01", "month": "2026-10", "number": 0, "sha256": sha256_of(envelope.statement)}
    assert answer.json == receipt | {"stored": True}
    assert send(area, token, envelope).json == receipt | {"stored": False}, "sent again it counts once"
    (month,) = area.service.store.area.months()
    assert month.summary.totals == bundle().totals


def tampered() -> Envelope:
    envelope = signed(bundle())
    return msgspec.structs.replace(envelope, statement=envelope.statement.replace(b'"met":1', b'"met":9', 1))


@pytest.mark.parametrize(
    ("reason", "envelope"),
    [
        ("wrong_key", lambda: signed(bundle(), OTHER_KEY)),
        ("bad_signature", tampered),
        ("wrong_county", lambda: signed(bundle(county="c02"))),
        ("wrong_county", lambda: signed(handed_on(signed(bundle())))),
        ("future_month", lambda: signed(bundle("2099-01"))),
        ("sums", lambda: signed(msgspec.structs.replace(bundle(), schools_total=5))),
        ("malformed", lambda: b"{}"),
        ("malformed", lambda: b"[" * 100_000),
        ("version", lambda: msgspec.structs.replace(signed(bundle()), schema_version=2)),
    ],
)
def test_each_bad_case_is_refused_with_its_reason(area: World, reason: str, envelope: Any) -> None:
    token = enrolled(area)
    refused(send(area, token, envelope()), reason)
    assert area.service.store.area.months() == []


@pytest.mark.parametrize(
    ("language", "words"), [("zh", "签名密钥与注册时的密钥不同"), ("en", "signed with another key")]
)
def test_the_reason_is_in_the_readers_language(area: World, language: Language, words: str) -> None:
    answer = send(area, enrolled(area), signed(bundle(), OTHER_KEY), Accept_Language=language)
    assert words in answer.json["detail"]


def test_a_body_beyond_the_bound_is_refused(area: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("campus_collector.http.api.months.MAX_ENVELOPE_BYTES", 1000)
    assert send(area, enrolled(area), b" " * 1001).status == 413


def test_another_content_under_the_same_month_is_refused(area: World) -> None:
    token = enrolled(area)
    assert send(area, token, signed(bundle())).status == 200
    refused(send(area, token, signed(bundle(results=200))), "replayed")
    (month,) = area.service.store.area.months()
    assert month.sha256 == sha256_of(canonical_bytes(bundle()))


def test_months_follow_each_other(area: World) -> None:
    token, first = enrolled(area), bundle("2026-08", results=50)
    assert send(area, token, signed(first)).status == 200
    last = sha256_of(canonical_bytes(first))
    refused(send(area, token, signed(bundle("2026-10", "ab" * 32, before=50))), "gap")
    refused(send(area, token, signed(bundle("2026-09", last, before=49))), "heads")
    refused(send(area, token, signed(bundle("2026-09", last, before=50, results=40))), "heads")
    second = bundle("2026-09", last, before=50, results=90)
    assert send(area, token, signed(second)).status == 200
    refused(send(area, token, signed(bundle("2026-10", last, before=90))), "gap")


def test_a_correction_counts_and_the_month_before_it_stays(area: World) -> None:
    token, first = enrolled(area), bundle()
    refused(send(area, enrolled(area, "c02", OTHER_KEY), signed(first, OTHER_KEY)), "wrong_county")
    assert send(area, token, signed(first)).status == 200
    correction = bundle(changes=[change()], previous=sha256_of(canonical_bytes(first)))
    refused(send(area, token, signed(msgspec.structs.replace(correction, number=2))), "gap")
    refused(send(area, token, signed(msgspec.structs.replace(correction, heads=[head("s001", 7)]))), "heads")
    assert send(area, token, signed(correction)).status == 200
    county = next(county for county in area.service.area.counties() if county.label == "c01")
    assert [(month.month, month.number) for month in county.received] == [("2026-10", 0), ("2026-10", 1)]
    assert county.totals("2026-10")["classroom_bandwidth"].met == 2
    with pytest.raises(Exception, match="not changed"):
        area.service.store.area._database.write(lambda it: it.execute("UPDATE area_month SET number = 5"))


def test_a_new_enrolment_begins_a_new_series_and_the_old_key_is_refused(area: World) -> None:
    old = enrolled(area)
    assert send(area, old, signed(bundle())).status == 200
    new = enrolled(area, key=OTHER_KEY)
    assert send(area, old, signed(bundle())).status == 401
    refused(send(area, new, signed(bundle())), "wrong_key")
    assert send(area, new, signed(bundle(results=200), OTHER_KEY)).status == 200
    (county,) = area.service.area.counties()
    assert [month.series for month in county.received] == [1, 2]
    assert county.in_force["2026-10"].public_key == public_key(OTHER_KEY)


def test_after_a_new_enrolment_a_correction_of_a_month_before_it_is_taken(area: World) -> None:
    """What was acknowledged before is not sent again: the county's series of statements goes on."""
    token, august = enrolled(area), bundle("2026-08", results=50)
    assert send(area, token, signed(august)).status == 200
    token = enrolled(area, key=OTHER_KEY)
    september = bundle("2026-09", sha256_of(canonical_bytes(august)), before=50, results=90)
    assert send(area, token, signed(september, OTHER_KEY)).status == 200
    corrected = bundle("2026-08", sha256_of(canonical_bytes(september)), results=50, changes=[change("2026-09")])
    answer = send(area, token, signed(corrected, OTHER_KEY))
    assert answer.status == 200, answer.body
    again = bundle("2026-08", sha256_of(canonical_bytes(corrected)), results=50, changes=[change("2026-10")] * 3)
    assert again.number == 3
    refused(send(area, token, signed(again, OTHER_KEY)), "gap")


def test_a_month_that_cannot_be_read_any_more_is_a_reason_to_refuse(
    area: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a failure of the database; a new enrolment begins a new series, in which it is not read."""
    token, august = enrolled(area), bundle("2026-08", results=50)
    assert send(area, token, signed(august)).status == 200
    september = bundle("2026-09", sha256_of(canonical_bytes(august)), before=50, results=90)

    def broken(_: Envelope) -> MonthBundle:
        raise BadStatement("of another version")

    with monkeypatch.context() as patched:
        patched.setattr("campus_collector.area.receive.month_of_envelope", broken)
        refused(send(area, token, signed(september)), "heads")
        token = enrolled(area, key=OTHER_KEY)
        assert send(area, token, signed(september, OTHER_KEY)).status == 200


def test_after_a_new_enrolment_a_prefecture_hands_on_a_correction(area: World) -> None:
    """The county was enrolled again at its prefecture; here the upper collector is the province's."""
    token, september = enrolled(area, "p01", OTHER_KEY, "prefecture"), signed(bundle("2026-09", "ab" * 32))
    assert send(area, token, signed(handed_on(september, series=2), OTHER_KEY)).status == 200
    corrected = signed(bundle("2026-08", sha256_of(september.statement), changes=[change("2026-09")]))
    answer = send(area, token, signed(handed_on(corrected, series=2), OTHER_KEY))
    assert answer.status == 200, answer.body


def test_a_prefecture_hands_on_what_its_counties_signed(area: World) -> None:
    """Here the upper collector is the province's."""
    token, inner = enrolled(area, "p01", OTHER_KEY, "prefecture"), signed(bundle())
    refused(send(area, token, signed(bundle(county="p01"), OTHER_KEY)), "wrong_county")
    refused(send(area, token, signed(handed_on(inner, "p02"), OTHER_KEY)), "wrong_county")
    refused(send(area, token, signed(handed_on(inner, county="c02"), OTHER_KEY)), "wrong_county")
    forged = msgspec.structs.replace(inner, signature=OTHER_KEY.sign(b"x"))
    refused(send(area, token, signed(handed_on(forged), OTHER_KEY)), "bad_signature")
    answer = send(area, token, signed(handed_on(inner), OTHER_KEY))
    assert answer.json["county"] == "p01.c01"
    assert answer.json["sha256"] == sha256_of(inner.statement)
    follows = bundle("2026-09", sha256_of(inner.statement))
    refused(send(area, token, signed(handed_on(signed(follows, OTHER_KEY)), OTHER_KEY)), "wrong_key")


def test_a_collector_of_a_county_takes_none(tmp_path: Path) -> None:
    with collector(tmp_path) as world:
        assert send(world, "cm1_x", b"{}").status == 404
        assert enrol(world, "AAAA-BBBB-CCCC").status == 404
        assert world.get("/counties").status == 404
        assert world.get("/upward").status == 404


def test_pages_metrics_and_report_show_it(area: World) -> None:
    assert area.get("/").status == 200, "before anything has come"
    token = enrolled(area)
    enrolled(area, "c02", OTHER_KEY)
    first = bundle("2026-08", results=50)
    second = bundle("2026-09", sha256_of(canonical_bytes(first)), before=50, results=90)
    for envelope in (signed(first), signed(second)):
        assert send(area, token, envelope).status == 200
    overview = area.get("/?lang=en").body.decode()
    assert "c01县" in overview, "as this level called it"
    assert "/counties/c01" in overview
    assert "missing: 2026-10" in overview or "nothing has come" in overview
    assert "/fleet" not in overview, "pages of schools are no pages of an area"
    page = area.get("/counties/c01?lang=en").body.decode()
    assert sha256_of(canonical_bytes(second)) in page
    assert fingerprint_of(public_key(KEY))[:8] in page
    assert area.get("/counties/c09").status == 404
    assert "33.3%" in area.get("/counties").body.decode()
    assert area.get("/counties?target=nothing").status == 400
    assert "/v1/monthly/2026-09.pdf" in area.get("/monthly").body.decode()
    metrics = area.get("/metrics?scope=area").body.decode()
    assert 'campus_area_compliance_ratio{county="c01",target="classroom_bandwidth"} 0.3333' in metrics
    assert 'campus_area_info{county="c02",name="c02县"} 1.0' in metrics
    for form in FORMS:
        answer = area.get(f"/v1/monthly/2026-09.{form}?lang=en")
        assert answer.status == 200, answer.body
    report = area.get("/v1/monthly/2026-09.html?lang=en").body.decode()
    assert second.report_hash in report
    assert fingerprint_of(public_key(KEY)) in report
    assert area.get("/v1/monthly/2026-07.html").status == 404
    assert area.get("/v1/monthly/2026-09.html?town=t01").status == 404


def test_the_name_that_was_given_with_the_code_is_shown(area: World) -> None:
    """And months that are missing are listed up to a bound."""
    token = enrolled(area)
    assert send(area, token, signed(bundle("2000-01", county="c01"))).status == 200
    for path in ("/", "/counties/c01"):
        page = area.get(f"{path}?lang=en").body.decode()
        assert "c01县" in page
        assert "2001-01" in page or "January 2001" in page, path
        assert "2001-02" not in page, path
        assert "more; since" in page, path
    assert 'campus_area_info{county="c01",name="c01县"} 1.0' in area.get("/metrics?scope=area").body.decode()


def test_a_month_without_verdicts_has_a_report_in_every_form(area: World) -> None:
    nothing = msgspec.structs.replace(bundle("2026-09", detail="none"), totals={}, towns=[])
    nothing = msgspec.structs.replace(nothing, schools_total=0)
    assert send(area, enrolled(area), signed(nothing)).status == 200
    for form in FORMS:
        answer = area.get(f"/v1/monthly/2026-09.{form}?lang=en")
        assert answer.status == 200, answer.body


def test_the_same_report_is_made_once(area: World, monkeypatch: pytest.MonkeyPatch) -> None:
    token, first = enrolled(area), bundle("2026-09")
    assert send(area, token, signed(first)).status == 200
    contents = []

    def render(content: bytes, *_: object) -> bytes:
        contents.append(content)
        return str(len(contents)).encode()

    monkeypatch.setattr("campus_collector.area.report.render_content", render)
    month, reports = parse_month("2026-09", area.service.config.timezone), area.service.area
    assert [reports.document(month, "html", "zh") for _ in range(3)] == [b"1", b"1", b"1"]
    assert reports.document(month, "html", "en") == b"2"
    corrected = bundle("2026-09", sha256_of(canonical_bytes(first)), changes=[change()])
    assert send(area, token, signed(corrected)).status == 200
    assert reports.document(month, "html", "zh") == b"3", "other figures"
    assert reports.document(month, "html", "en") == b"4"


def test_only_a_province_takes_prefectures(
    area: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [
        "area",
        "enroll-code",
        "p02",
        "--level",
        "prefecture",
        "--state-dir",
        str(area.service.config.database.parent),
    ]
    monkeypatch.setenv("CAMPUS_AREA_LEVEL", "prefecture")
    assert main(command) == 2
    assert "[area] level" in capsys.readouterr().err
    monkeypatch.setenv("CAMPUS_AREA_LEVEL", "province")
    assert main(command) == 0


def test_what_a_prefecture_handed_on_is_not_handed_on_again(area: World) -> None:
    token = enrolled(area, "p02", OTHER_KEY, "prefecture")
    assert send(area, token, signed(handed_on(signed(bundle()), "p02"), OTHER_KEY)).status == 200
    assert area.service.store.area.not_handed_on(5) == []
    assert send(area, enrolled(area), signed(bundle())).status == 200
    assert [month.sender for month in area.service.store.area.not_handed_on(5)] == ["c01"]


def test_the_same_months_give_the_same_report(area: World) -> None:
    token = enrolled(area)
    assert send(area, token, signed(bundle("2026-09"))).status == 200
    zone = area.service.config.timezone
    month, now = parse_month("2026-09", zone), datetime.now(UTC)
    reports = area.service.area
    assert reports.figures(month, now) == reports.figures(month, now + timedelta(days=300))
    assert reports.document(month, "xlsx", "zh") == reports.document(month, "xlsx", "zh")


def test_the_document_of_the_interface_has_the_routes(area: World) -> None:
    paths = json.loads(area.get("/openapi.json").body)["paths"]
    assert {"/v1/months", "/v1/months/enroll", "/counties", "/counties/{county}", "/upward"} <= set(paths)
