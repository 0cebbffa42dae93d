"""Sends spooled results to the collector, and fetches from it: configuration, time, slots, tokens."""
