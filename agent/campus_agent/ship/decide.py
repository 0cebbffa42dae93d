"""What does the collector's answer mean for the results just sent? One place, pure.

Only a receipt that accounts for every result removes anything. A refusal of the whole batch keeps everything: evidence is never
dropped because two programs do not understand each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from campus_wire.codec import WireError, decode_receipt
from campus_wire.records import Receipt

Reason = Literal["token_refused", "not_understood", "overloaded", "server_error", "bad_receipt", "redirected"]


@dataclass(frozen=True, slots=True)
class Accepted:
    """Every result is accounted for: these are done, and these (place in the batch, reason) will never be stored."""

    receipt: Receipt
    done: tuple[int, ...]
    refused: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class TooBig:
    """The batch must be smaller."""


@dataclass(frozen=True, slots=True)
class Later:
    """Nothing is removed; try again. `detail` is what the collector said."""

    reason: Reason
    detail: str


def decide(status: int, body: bytes, ids: Sequence[str]) -> Accepted | TooBig | Later:
    """The meaning of one HTTP answer to a batch with these result ids."""
    if status == 200:
        return _read_receipt(body, ids)
    detail = f"HTTP {status}: {body[:200].decode(errors='replace')}"
    if status == 413:
        return TooBig()
    if status in (401, 403):
        return Later("token_refused", detail)
    if status in (429, 503):
        return Later("overloaded", detail)
    if 300 <= status < 400:
        return Later("redirected", detail)
    return Later("not_understood" if 400 <= status < 500 else "server_error", detail)


def _read_receipt(body: bytes, ids: Sequence[str]) -> Accepted | Later:
    try:
        receipt = decode_receipt(body)
    except WireError as error:
        return Later("bad_receipt", str(error))
    refused: dict[int, str] = {}
    for one in receipt.quarantined:
        place = one.index if 0 <= one.index < len(ids) else _place(ids, one.id)
        if place is None or (one.id is not None and ids[place] != one.id):
            return Later("bad_receipt", f"quarantined a result that was not sent: {one.id}")
        refused[place] = one.reason
    if receipt.stored < 0 or receipt.duplicate < 0 or receipt.stored + receipt.duplicate + len(refused) != len(ids):
        counted = f"{receipt.stored} stored, {receipt.duplicate} duplicate, {len(refused)} quarantined of {len(ids)}"
        return Later("bad_receipt", f"the receipt does not add up: {counted}")
    done = tuple(place for place in range(len(ids)) if place not in refused)
    return Accepted(receipt, done, tuple(refused.items()))


def _place(ids: Sequence[str], result_id: str | None) -> int | None:
    return ids.index(result_id) if result_id is not None and result_id in ids else None
