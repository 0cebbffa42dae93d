"""One task a file, each run in its own process by `measure.worker`."""
