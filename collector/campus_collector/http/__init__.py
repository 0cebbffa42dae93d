"""The collector's HTTP server: the only folder that imports starlette."""
