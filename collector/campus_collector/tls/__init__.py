"""A private authority for bureaus without one: `authority` makes it and the collector's certificate, `routes` gives its public part to gateways."""
