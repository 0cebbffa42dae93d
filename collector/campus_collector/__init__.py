"""The collector: it runs at the education bureau, stores results, judges them, keeps the problem ledger, exports to Prometheus and writes the monthly report."""
