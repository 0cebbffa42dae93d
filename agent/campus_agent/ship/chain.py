"""Compares what the collector's receipts say of the school's chain of results. Pure.

A receipt names how far the chain reaches and its head. The gateway keeps the last one and shows it with the next batch: a collector that
lost results it had a receipt given for, or has others in their place, has another chain.
"""

from datetime import datetime

import msgspec

from campus_wire.records import ChainHead, Receipt

CHAIN_KEY = "collector_chain"
MISMATCH_KEY = "collector_chain_mismatch"
SHOWN_DAYS = 30
"""A mismatch is a thing of the collector: a person must look there; so long `status` reminds of it."""


class LastReceipt(msgspec.Struct, frozen=True):
    """The last receipt's chain, of one collector and agent."""

    url: str
    agent_id: str
    chain: ChainHead


class Mismatch(msgspec.Struct, frozen=True):
    """A receipt that does not fit the one before: when it came, what the earlier one said, what this one says."""

    at: datetime
    url: str
    known: ChainHead
    received: ChainHead


def contradicts(last: ChainHead | None, receipt: Receipt) -> bool:
    """Does a receipt show another chain than the one before it? An older collector says nothing of its chain: no."""
    if last is None or receipt.chain is None:
        return False
    if receipt.chain_fits is False or receipt.chain.sequence < last.sequence:
        return True
    return receipt.chain.sequence == last.sequence and receipt.chain.head != last.head
