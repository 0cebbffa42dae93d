"""Throughput engines, one a file: the same two functions each, `measure` and `interpret`."""
