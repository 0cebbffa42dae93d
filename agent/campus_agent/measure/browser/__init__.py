"""Throughput to a browser that waits on the classroom's page: the page's own process carries the load, this side asks it by a socket in the state folder."""
