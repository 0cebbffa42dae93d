"""The small continuous stream to the uplink's test server: STAMP (RFC 8762)."""
