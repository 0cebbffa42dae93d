"""The collector's answer decides, in one place: a table of answers."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campus_agent.ship.decide import Accepted, Later, TooBig, decide
from campus_wire.codec import encode_receipt
from campus_wire.records import Quarantined, Receipt

AT = datetime(2026, 11, 23, tzinfo=UTC)
IDS = ["id-aaaaaaaa", "id-bbbbbbbb", "id-cccccccc"]


def receipt(stored: int, duplicate: int, *quarantined: Quarantined) -> bytes:
    return encode_receipt(Receipt(stored, duplicate, list(quarantined), AT))


@pytest.mark.parametrize(
    ("body", "done", "refused"),
    [
        (receipt(3, 0), (0, 1, 2), ()),
        (receipt(0, 3), (0, 1, 2), ()),
        (receipt(1, 2), (0, 1, 2), ()),
        (receipt(2, 0, Quarantined(IDS[1], "bad")), (0, 2), ((1, "bad"),)),
        (receipt(1, 1, Quarantined(IDS[2], "bad", 2)), (0, 1), ((2, "bad"),)),
        (receipt(2, 0, Quarantined(None, "no id", 0)), (1, 2), ((0, "no id"),)),
    ],
)
def test_a_receipt_that_accounts_for_everything(
    body: bytes, done: tuple[int, ...], refused: tuple[tuple[int, str], ...]
) -> None:
    meaning = decide(200, body, IDS)
    assert isinstance(meaning, Accepted)
    assert (meaning.done, meaning.refused) == (done, refused)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (receipt(2, 0), "the receipt does not add up: 2 stored, 0 duplicate, 0 quarantined of 3"),
        (receipt(3, 1), "3 stored, 1 duplicate"),
        (receipt(4, -1), "4 stored, -1 duplicate"),
        (receipt(2, 0, Quarantined("somebody-else", "bad")), "quarantined a result that was not sent: somebody-else"),
        (receipt(2, 0, Quarantined(IDS[0], "bad", 1)), "quarantined a result that was not sent: id-aaaaaaaa"),
        (receipt(2, 0, Quarantined(None, "bad", 3)), "quarantined a result that was not sent: None"),
        (receipt(1, 0, Quarantined(IDS[0], "bad"), Quarantined(IDS[0], "bad")), "1 quarantined of 3"),
        (b"<html>Please log in to the school network</html>", "HTTP 200 without a receipt"),
        (b"", "HTTP 200 without a receipt"),
        (b"[]", "HTTP 200 without a receipt"),
        (b"[" * 100_000, "HTTP 200 without a receipt"),
    ],
)
def test_a_receipt_that_does_not_add_up_acknowledges_nothing(body: bytes, detail: str) -> None:
    meaning = decide(200, body, IDS)
    assert isinstance(meaning, Later)
    assert meaning.reason == "bad_receipt"
    assert detail in meaning.detail


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (204, "bad_receipt"),
        (301, "redirected"),
        (307, "redirected"),
        (400, "not_understood"),
        (401, "token_refused"),
        (403, "token_refused"),
        (404, "not_understood"),
        (408, "server_error"),
        (415, "not_understood"),
        (422, "not_understood"),
        (429, "overloaded"),
        (500, "server_error"),
        (502, "server_error"),
        (503, "overloaded"),
        (599, "server_error"),
    ],
)
def test_every_other_status_keeps_everything(status: int, reason: str) -> None:
    meaning = decide(status, b"{}", IDS)
    assert isinstance(meaning, Later)
    assert meaning.reason == reason


def test_413_asks_for_less_unless_nothing_was_sent() -> None:
    assert isinstance(decide(413, b"", IDS), TooBig)
    meaning = decide(413, b"", [])
    assert isinstance(meaning, Later)
    assert meaning.reason == "not_understood"


def test_what_the_other_side_says_is_one_short_line() -> None:
    problem = b'{"title":"Unknown schema version","status":422,"detail":"schema_version 1 is not\\u0007 supported"}'
    assert decide(422, problem, IDS) == Later(
        "not_understood", "HTTP 422: Unknown schema version: schema_version 1 is not supported"
    )
    html = decide(502, b"<html>\r\n<h1>Bad\x1b[31m gateway</h1>" + b"\xff" * 1000, IDS)
    assert isinstance(html, Later)
    assert html.detail.startswith("HTTP 502: <html> <h1>Bad [31m gateway</h1>")
    assert len(html.detail) < 250
    assert html.detail.isprintable()


@given(st.integers(100, 599), st.binary(max_size=200))
def test_noise_never_acknowledges(status: int, body: bytes) -> None:
    assert not isinstance(decide(status, body, IDS), Accepted)


@given(
    st.integers(-5, 5),
    st.integers(-5, 5),
    st.lists(st.tuples(st.sampled_from([*IDS, None]), st.integers(-2, 4)), max_size=4),
)
def test_acknowledged_and_refused_are_always_the_whole_batch(
    stored: int, duplicate: int, quarantined: list[tuple[str | None, int]]
) -> None:
    body = receipt(stored, duplicate, *(Quarantined(each, "bad", place) for each, place in quarantined))
    meaning = decide(200, body, IDS)
    if isinstance(meaning, Accepted):
        places = [*meaning.done, *(place for place, _ in meaning.refused)]
        assert sorted(places) == [0, 1, 2]
        assert len(meaning.done) == stored + duplicate
