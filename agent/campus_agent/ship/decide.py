"""What does the collector's answer mean for the results just sent? One place, pure.

Only a receipt that accounts for every result removes anything. A refusal of the whole batch keeps everything: evidence is never
dropped because two programs do not understand each other.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from campus_wire.codec import WireError, decode_receipt
from campus_wire.records import Problem, Receipt

Reason = Literal[
    "token_refused",
    "not_understood",
    "overloaded",
    "server_error",
    "bad_receipt",
    "redirected",
    "clock_wrong",
    "spool_failed",
]
"""Why nothing was delivered. The last two are found by the shipper: they are no answer of the collector."""
PERMANENT: frozenset[Reason] = frozenset({"not_understood"})
_MAX_TEXT = 200


class Accepted(msgspec.Struct, frozen=True):
    """Every result is accounted for: these are done, and these (index in the batch, reason) will never be stored."""

    receipt: Receipt
    done: tuple[int, ...]
    refused: tuple[tuple[int, str], ...]


class TooBig(msgspec.Struct, frozen=True):
    """The batch must be smaller."""

    detail: str


class Later(msgspec.Struct, frozen=True):
    """Nothing is removed; try again. `detail` is what the collector said."""

    reason: Reason
    detail: str


def decide(status: int, body: bytes, ids: Sequence[str]) -> Accepted | TooBig | Later:
    """What an HTTP answer to a batch with these result ids means."""
    if 200 <= status < 300:
        return _read_receipt(status, body, ids)
    detail = f"HTTP {status}: {_problem_text(body)}"
    if status == 413 and ids:
        return TooBig(detail)
    return Later(_reason(status), detail)


def _reason(status: int) -> Reason:
    if status in (401, 403):
        return "token_refused"
    if status in (429, 503):
        return "overloaded"
    if 300 <= status < 400:
        return "redirected"
    if 400 <= status < 500 and status != 408:  # 408: the line was slower than the collector waits
        return "not_understood"
    return "server_error"


def _read_receipt(status: int, body: bytes, ids: Sequence[str]) -> Accepted | Later:
    try:
        receipt = decode_receipt(body)
    except WireError as error:
        return Later("bad_receipt", f"HTTP {status} without a receipt ({error}): {_problem_text(body)}")
    refused: dict[int, str] = {}
    for refusal in receipt.quarantined:
        index = refusal.index if 0 <= refusal.index < len(ids) else _index_of(ids, refusal.id)
        if index is None or (refusal.id is not None and ids[index] != refusal.id):
            return Later("bad_receipt", f"quarantined a result that was not sent: {refusal.id}")
        refused[index] = refusal.reason
    if receipt.stored < 0 or receipt.duplicate < 0 or receipt.stored + receipt.duplicate + len(refused) != len(ids):
        counted = f"{receipt.stored} stored, {receipt.duplicate} duplicate, {len(refused)} quarantined of {len(ids)}"
        return Later("bad_receipt", f"the receipt does not add up: {counted}")
    done = tuple(index for index in range(len(ids)) if index not in refused)
    return Accepted(receipt, done, tuple(refused.items()))


def _index_of(ids: Sequence[str], result_id: str | None) -> int | None:
    return ids.index(result_id) if result_id is not None and result_id in ids else None


def _problem_text(body: bytes) -> str:
    """What the other side said, for a person: its problem body (RFC 9457), else the beginning of whatever came."""
    try:
        problem = msgspec.json.decode(body, type=Problem)
        text = f"{problem.title}: {problem.detail}" if problem.detail else problem.title
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        text = body[:_MAX_TEXT].decode(errors="replace")
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:_MAX_TEXT]
