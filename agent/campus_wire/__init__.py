"""The contract both sides import: language, failures, ids, encapsulation, records, verdict rules, codec, settings.

Also what both daemons share with systemd and the operator: logs, notify, version.
"""

SCHEMA_VERSION = 1
"""Version of the envelope. Fields are added, never removed or re-used; a new number only for a new meaning."""
