"""The contract both sides import: words (language), failures, ids, encapsulation, records, codec, settings."""

SCHEMA_VERSION = 1
"""Version of the envelope. Fields are added, never removed or re-used; a new number only for a new meaning."""
