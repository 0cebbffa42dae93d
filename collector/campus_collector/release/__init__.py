"""Releases of the agent: the signed repository, and the waves in which gateways take them."""
