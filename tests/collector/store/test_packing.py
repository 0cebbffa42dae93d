"""Packed results come back octet for octet, released dictionaries never change, and a damaged row takes no memory."""

import re
import tracemalloc
from hashlib import sha256
from random import Random
from threading import Thread

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from campus_collector.store import packing
from campus_collector.store.columns import id_octets, id_text
from campus_collector.store.packing import (
    ANY,
    DICTIONARIES,
    MAX_UNPACKED_BYTES,
    DamagedResult,
    dictionary_file,
    pack,
    unpack,
)
from campus_wire.codec import encode_result
from campus_wire.records import KINDS
from tests.dictionaries.samples import invented
from tests.wire.samples import RESULTS

RELEASED = (
    (1, "device", "1f541795e58dfb3556e85a93f630c3b0a67820d1e190193a9ee97b81ef5163b1"),
    (2, "host", "72f29b30c9ef0b76ce8a762aa9dcc7ba39a8cf0db67e14a3844319c4be88537e"),
    (3, "inspection", "aef7d58d7553864cc4daade12b76c31d9099b047d03c89f4905892a22cdfb2f9"),
    (4, "latency", "a7c37c639cadf858cb99322f08fc8dd0de72feaf95f506e6b0b86e0932a0907a"),
    (5, "network", "ca2365ea5cd42d82635cccae92631e3d37a5dff395e22da3adc4f39b16a862bc"),
    (6, "port", "d0de2ec5448b56785304a5700506354d135b21c1ebe9a9c7df128086307f6d7f"),
    (7, "room", "478c264455625882016f3178c7bea3a1c9b4719cf0db02e8f9af9d55caac41f7"),
    (8, "service", "496d293a3065de53af507aa51edf5ac8b7608ce3c7ee9177437447fc70d2fc80"),
    (9, "throughput", "e997b9a0c3db1c27f489a028127c2be2929dac501b8625f4243cfd6556891e50"),
    (10, "any", "32184ace1a9bff1e6cba89f3b8d10a7b8b9581edc22b81ce3f676cdf30a9d15e"),
    (11, "lesson_stream", "6a36ec606171a3045949111d56e8233908bcabddc6ff25faffe36f88d9b04dd9"),
    (12, "interruption", "aa86746429fa6ec4a746252b712e989220d6f8176c0d7aaf15aaba43c69dae1b"),
)
"""Lines are added at the end. A line that must be changed here means stored results that cannot be read any more."""
INVENTED = list(invented(Random(7), 30))


def test_released_dictionaries_are_never_changed() -> None:
    assert DICTIONARIES[: len(RELEASED)] == RELEASED
    assert len(DICTIONARIES) == len(RELEASED), "a new dictionary is added to RELEASED too"
    for dictionary in DICTIONARIES:
        assert sha256(dictionary_file(dictionary).read_bytes()).hexdigest() == dictionary.sha256
    numbers = [dictionary.number for dictionary in DICTIONARIES]
    assert numbers == list(range(1, len(numbers) + 1)), "each number once"
    assert max(numbers) < packing.JSON_BEGINS
    assert {dictionary.kind for dictionary in DICTIONARIES} == {*KINDS, ANY}


@given(st.sampled_from([*KINDS, ANY, "", "a kind of tomorrow"]), st.binary(max_size=3000))
@settings(deadline=None)
def test_any_bytes_come_back(kind: str, raw: bytes) -> None:
    packed = pack(kind, raw)
    assert unpack(packed) == raw
    assert len(packed) <= len(raw) + 1


@given(st.sampled_from(INVENTED), st.sampled_from([*KINDS, "a kind of tomorrow"]))
@settings(deadline=None)
def test_results_come_back_whatever_kind_they_are_taken_for(sample: tuple[str, bytes], kind: str) -> None:
    assert unpack(pack(kind, sample[1])) == sample[1]


def test_results_of_every_kind_are_much_smaller() -> None:
    for kind, raw in INVENTED:
        assert len(pack(kind, raw)) < 0.55 * len(raw), kind
        assert len(pack("a kind of tomorrow", raw)) < 0.7 * len(raw), kind
    for result in RESULTS:
        raw = encode_result(result)
        assert unpack(pack("throughput", raw)) == raw


def test_sizes_at_the_bound() -> None:
    for size in (0, 1, MAX_UNPACKED_BYTES, MAX_UNPACKED_BYTES + 1):
        assert unpack(pack("host", b"x" * size)) == b"x" * size
    assert unpack(b'{"kind":"host"}') == b'{"kind":"host"}', "stored before there were dictionaries"


def frame(raw: bytes, **options: bool) -> bytes:
    return zstandard.ZstdCompressor(**options).compress(raw)[4:]


HOSTILE = {
    "empty": b"",
    "an unknown dictionary": b"\x7a" + frame(b"x"),
    "a frame that is no frame": b"\x01hello",
    "nothing behind the number": b"\x01",
    "more than any result": b"\x01" + frame(b"x" * (MAX_UNPACKED_BYTES + 1)),
    "no size": b"\x01" + frame(b"x" * 1000, write_content_size=False),
    # single segment, a size of eight octets: 2**62
    "a size that no machine has": b"\x01\xe0" + (2**62).to_bytes(8, "little") + b"\x01\x00\x00",
    "cut off": pack("throughput", INVENTED[0][1])[:-3],
    "something behind": pack("throughput", INVENTED[0][1]) + b"more",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_damaged_row_is_refused_and_takes_no_memory(name: str) -> None:
    unpack(pack("device", b"{}"))
    tracemalloc.start()
    with pytest.raises(DamagedResult):
        unpack(HOSTILE[name])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


@given(st.sampled_from(INVENTED), st.data())
@settings(deadline=None)
def test_flipped_octets_raise_nothing_else(sample: tuple[str, bytes], data: st.DataObject) -> None:
    packed = bytearray(pack(*sample))
    place = data.draw(st.integers(0, len(packed) - 1))
    packed[place] ^= data.draw(st.integers(1, 255))
    try:
        assert len(unpack(bytes(packed))) <= MAX_UNPACKED_BYTES
    except DamagedResult:
        pass


def test_a_dictionary_that_was_changed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = DICTIONARIES[-1]._replace(sha256="0" * 64)
    monkeypatch.setattr(packing, "DICTIONARIES", (*DICTIONARIES[:-1], changed))
    packing._content.cache_clear()
    with pytest.raises(DamagedResult, match="is not as it was released"):
        packing._content(changed.number)
    packing._content.cache_clear()


NEARLY_UUIDS = (
    *(character * 8 + ("-" + character * 4) * 3 + "-" + character * 12 for character in "1aAg -\u0661"),
    "01234567-89ab-cdef-0123- 456789abcd ",
    "01234567-89ab-cdef-0123-456789-abcde",
)


@given(
    st.one_of(
        st.uuids().map(str),
        st.text(max_size=40),
        st.sampled_from(["x" * 15, "x" * 16, "", "A" * 36, *NEARLY_UUIDS]),
        st.text("0aA- ", min_size=36, max_size=36),
    )
)
def test_ids_come_back_and_no_text_is_taken_for_a_uuid(result_id: str) -> None:
    assert id_text(id_octets(result_id)) == result_id
    is_uuid = re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", result_id) is not None
    assert (len(id_octets(result_id)) == 16) == is_uuid


def test_threads_do_not_disturb_each_other() -> None:
    wrong: list[bytes] = []

    def work() -> None:
        wrong.extend(raw for kind, raw in INVENTED * 20 if unpack(pack(kind, raw)) != raw)

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
