"""The problem ledger (台账): `transitions` says when a problem opens, is believed mended and is struck off; `service` does it day by day; `actions` is what people do."""
