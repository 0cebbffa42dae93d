"""Measurements: `probes` lists every kind, `runner` makes their results, `worker` starts the processes that carry heavy libraries."""
