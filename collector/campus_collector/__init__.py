"""The bureau's side, in the data's order: config, ingest, store, judge, ledger, export, report; web shows it."""
