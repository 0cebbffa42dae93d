"""Keeps every result for ever, as it came. `store` is what callers use, `tables` the SQL, `database` the commits, `sqlite` and `postgres` the transports."""
