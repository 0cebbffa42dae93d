"""The page of one result: all that was sent, in words with units, and the bytes with their place in the chain."""

from datetime import UTC, datetime
from hashlib import sha256
from html import unescape
from typing import get_args

import msgspec
import pytest

from campus_collector.http.pages.paths import result_path
from campus_collector.http.pages.record_words import FIELD_WORDS, LEFT_OUT
from campus_wire import records
from campus_wire.codec import encode_result
from campus_wire.failures import FailureKind, Validity
from tests.collector.export.test_devices import device, room
from tests.collector.http.pages.test_inspection import inspection
from tests.collector.http.pages.test_school_page import page_of, words_of
from tests.collector.world import AT, World, service, throughput


def test_figures_and_bytes_are_those_that_were_sent(world: World) -> None:
    sent = throughput(59.93e6, 88.01e6, detail="<b>x</b>")
    world.send(throughput(at=AT, subject="c102"), sent)
    page = page_of(world, result_path("s001", sent))
    text = words_of(page)
    raw = encode_result(sent)
    assert raw.decode() in page
    assert sha256(raw).hexdigest() in text
    assert "在本校防篡改校验链中的位置 第 2 条" in text
    checkpoint = world.service.store.chain.last_checkpoint("s001")
    assert checkpoint is not None
    assert checkpoint.head.hex() in text
    assert "下行 56.4 Mbps 1538/1448=1.0622 59.9 Mbps" in text
    assert "✗ 不合格" in text
    assert "往返时延（中位） 1.0 毫秒" in text
    assert "丢包率 0.00%" in text
    assert "用时 1.00 秒" in text
    assert 'href="/explain/classroom_bandwidth/s001/c101?month=2026-11"' in page


def test_the_page_says_why_a_result_does_not_count(world: World) -> None:
    failed = throughput(failure=FailureKind.HOST_UNREACHABLE)
    invalid = throughput(validity=Validity.CROSS_TRAFFIC)
    world.send(failed, invalid)
    assert "不计入" in words_of(page_of(world, result_path("s001", failed)))
    english = words_of(page_of(world, result_path("s001", invalid), "en"))
    assert "not valid: other traffic was too high during the test" in english


@pytest.mark.parametrize(
    "make",
    [
        service,
        lambda: device(datetime.now(UTC), load_ratio=0.5),
        lambda: room(datetime.now(UTC), False),
        lambda: inspection(50e6, 49e6),
    ],
)
def test_every_kind_has_a_page_in_both_languages(world: World, make: object) -> None:
    result = make()  # type: ignore[operator]
    world.send(result)
    for language in ("zh", "en"):
        page = page_of(world, result_path("s001", result), language)
        assert result.id in page
        assert "<b>7.1</b>" not in world.get(result_path("s001", result)).body.decode(), "as text only"
    assert unescape(page)


def test_every_field_of_every_record_has_a_name() -> None:
    """What a result says is never shown by a name of the program."""
    structs = {msgspec.structs.fields(kind)[-1].type for kind in get_args(records.AnyResult)}
    names, seen = set(), set()
    waiting = [
        each
        for kind in structs
        for each in get_args(kind)
        if isinstance(each, type) and issubclass(each, msgspec.Struct)
    ]
    while waiting:
        struct = waiting.pop()
        seen.add(struct)
        for field in msgspec.structs.fields(struct):
            names.add(field.name)
            inner = [
                each
                for each in (field.type, *get_args(field.type))
                if isinstance(each, type) and issubclass(each, msgspec.Struct)
            ]
            waiting += [each for each in inner if each not in seen and each.__name__ != "Failure"]
    names |= {field.name for field in msgspec.structs.fields(records.Result)}
    assert {"goodput_bits_per_second", "first_byte_seconds", "mtu_bytes"} <= names
    assert sorted(names - FIELD_WORDS.keys() - LEFT_OUT) == []


def test_a_result_of_another_subject_is_not_found_here(world: World) -> None:
    sent = throughput()
    world.send(sent)
    assert world.get(result_path("s001", sent).replace("c101", "c102")).status == 404
