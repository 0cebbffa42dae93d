"""Results on disk until the collector has them."""
