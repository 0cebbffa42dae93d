"""The problem ledger (台账): `rules` says when a problem opens, is believed mended, is struck off; `book` does it; `routes` lets people work it."""
