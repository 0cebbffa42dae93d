"""Measure: probes (one file each, listed in `probes`), the runner that times them, workers that carry heavy libraries."""
