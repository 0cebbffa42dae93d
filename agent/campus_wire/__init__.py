"""What travels between agent and collector: records, codec, failures, ids, encapsulation, and the rules that say whether one result meets its target. Needs msgspec alone."""

SCHEMA_VERSION = 1
"""Version of the envelope. Fields are added, never removed or re-used; a new number only for a new meaning."""
