"""Keep results on disk until the collector has them."""
