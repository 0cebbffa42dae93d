"""What goes up: the same month gives the same octets, only these octets are accepted, and only with the right signature."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campus_collector.area.bundle import (
    MAX_ENVELOPE_BYTES,
    MAX_STATEMENT_BYTES,
    BadStatement,
    MonthBundle,
    canonical_bytes,
    envelope_of,
    is_valid,
    month_of_envelope,
    packed,
    sha256_of,
    statement_of,
    unpacked,
)
from campus_collector.area.receive import MonthRefused, check_sums
from campus_collector.domain.area import DETAILS, SchoolDetail, VerdictTotals
from tests.collector.area.statements import (
    GOLDEN,
    KEY,
    OTHER_KEY,
    body,
    bundle,
    change,
    handed_on,
    public_key,
    signed,
)

SAMPLES = {
    "month": bundle(),
    "month-none": bundle(detail="none"),
    "month-verdicts": bundle(detail="verdicts", before=60),
    "correction": bundle(changes=[change()], previous="ef" * 32),
    "handed-on": handed_on(signed(bundle())),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_the_octets_of_version_1_stay(name: str) -> None:
    """Delete no golden file: what was signed must be written alike for ever."""
    content = canonical_bytes(SAMPLES[name])
    assert content == (GOLDEN / f"v1-{name}.json").read_bytes().rstrip(b"\n")
    assert statement_of(content) == SAMPLES[name]


def test_keys_are_sorted_and_nothing_is_between() -> None:
    content = canonical_bytes(bundle())
    assert (
        content == json.dumps(json.loads(content), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    )


@pytest.mark.parametrize(
    "change_of",
    [
        lambda text: text.replace(b'"number":0', b'"number": 0'),
        lambda text: text.replace(b'"number":0', b'"number":0,"number":0'),
        lambda text: b" " + text,
        lambda text: text + b"\n",
        lambda text: json.dumps(json.loads(text), ensure_ascii=True, sort_keys=True, separators=(",", ":")).encode(),
        lambda text: text[:-1],
        lambda text: text.replace(b'"kind":"month"', b'"kind":"year"'),
        lambda text: text.replace(b'"number":0', b'"number":-1'),
        lambda text: text.replace(b'"month":"2026-10"', b'"month":"2026-13"'),
        lambda text: text.replace(b'"schema_version":1', b'"schema_version":2'),
        lambda text: b"[" * 100_000,
        lambda text: b"\xff" + text,
        lambda text: b"",
    ],
)  # fmt: skip
def test_what_is_not_canonical_or_no_statement_is_refused(change_of: Any) -> None:
    content = canonical_bytes(bundle())
    changed = change_of(content)
    assert changed != content
    with pytest.raises(BadStatement):
        statement_of(changed)


def test_a_field_that_is_not_known_is_left() -> None:
    """A newer county: the octets stay as they were signed."""
    values = json.loads(canonical_bytes(bundle())) | {"later": {"b": 1}}
    content = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert statement_of(content) == bundle()


@pytest.mark.parametrize(("depth", "accepted"), [(31, True), (32, False), (900, False)])
def test_what_is_accepted_can_be_read_again(depth: int, accepted: bool) -> None:
    """The statement is itself an object: with 31 lists in a field that is not known it is 32 deep."""
    content = canonical_bytes(bundle())
    deep = content[:-1] + b',"zzz":' + b"[" * depth + b"]" * depth + b"}"
    if accepted:
        assert statement_of(deep) == bundle()
    else:
        with pytest.raises(BadStatement):
            statement_of(deep)


def test_the_largest_month_can_be_handed_on() -> None:
    def of_size(size: int) -> bytes:
        content = canonical_bytes(bundle())
        start = content[:-1] + b',"zzz":"'
        return start + b"x" * (size - len(start) - 2) + b'"}'

    largest = of_size(MAX_STATEMENT_BYTES)
    assert statement_of(largest) == bundle()
    with pytest.raises(BadStatement, match="are allowed"):
        statement_of(of_size(MAX_STATEMENT_BYTES + 1))
    envelope = signed(handed_on(msgspec.structs.replace(signed(bundle()), statement=largest)))
    assert month_of_envelope(envelope) == bundle()
    assert len(body(envelope)) < MAX_ENVELOPE_BYTES


Json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300) | Json.map(msgspec.json.encode))
def test_the_parser_knows_no_other_error(content: bytes) -> None:
    for parse in (statement_of, envelope_of):
        try:
            parse(content)
        except BadStatement:
            pass


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_changed_octet_is_noticed(data: st.DataObject) -> None:
    envelope = signed(bundle())
    place = data.draw(st.integers(0, len(envelope.statement) - 1))
    octet = data.draw(st.integers(1, 255))
    changed = bytearray(envelope.statement)
    changed[place] ^= octet
    assert not is_valid(bytes(changed), envelope.signature, envelope.public_key)
    assert is_valid(envelope.statement, envelope.signature, envelope.public_key)


def test_a_signature_is_of_one_key_and_of_months_only() -> None:
    envelope = signed(bundle())
    assert not is_valid(envelope.statement, envelope.signature, public_key(OTHER_KEY))
    assert not is_valid(envelope.statement, KEY.sign(envelope.statement), envelope.public_key)
    assert not is_valid(envelope.statement, b"", envelope.public_key)
    assert not is_valid(envelope.statement, envelope.signature, b"\0" * 31)


def test_an_envelope_is_stored_as_it_is() -> None:
    envelope = signed(handed_on(signed(bundle())), OTHER_KEY)
    assert unpacked(packed(envelope)) == envelope == envelope_of(body(envelope))
    assert month_of_envelope(envelope) == bundle()


@pytest.mark.parametrize("detail", DETAILS)
def test_what_a_school_shows_is_what_the_county_allows(detail: SchoolDetail) -> None:
    content = canonical_bytes(bundle(detail=detail, changes=[change()], before=60))
    assert (b"s001" in content) is (detail != "none")
    assert (b"c102" in content) is (detail == "verdicts")
    check_sums(statement_of(content))  # type: ignore[arg-type]


def test_a_correction_counts_what_the_later_report_says() -> None:
    before, after = bundle(), bundle(changes=[change()])
    assert (before.number, after.number) == (0, 1)
    assert before.totals["classroom_bandwidth"] == VerdictTotals(1, 1, 1, 0)
    assert after.totals["classroom_bandwidth"] == VerdictTotals(2, 0, 1, 0)
    assert after.reported_in == "2026-11"
    assert after.report_hash == before.report_hash


@pytest.mark.parametrize(
    ("changes", "about"),
    [
        ({"totals": {"classroom_bandwidth": VerdictTotals(3, 0, 0, 0)}}, "towns"),
        ({"schools": []}, "schools"),
        ({"schools_total": 3}, "schools_total"),
        ({"verdicts": []}, "verdicts"),
    ],
)
def test_figures_that_do_not_add_up_are_refused(changes: dict[str, Any], about: str) -> None:
    wrong: MonthBundle = msgspec.structs.replace(bundle(detail="verdicts"), **changes)
    with pytest.raises(MonthRefused) as refused:
        check_sums(wrong)
    assert (refused.value.reason, refused.value.about) == ("sums", about)


def test_the_hash_is_that_of_the_octets() -> None:
    assert sha256_of(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
