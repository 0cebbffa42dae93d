"""Measure: probes (one file each), the runner that times them, workers that carry heavy libraries."""
