"""Keeps results on disk until the collector has stored them."""
