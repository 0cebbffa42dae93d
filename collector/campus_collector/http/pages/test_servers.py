"""Which server an uplink was tested against, and where it stands: as results name it, and as the collector's configuration describes it."""

from collections.abc import Iterable, Sequence

from campus_collector.config import TestServer
from campus_collector.http.pages.reader import Reader

MOST_SERVERS = 5
"""So many are named: a gateway that means harm can name another one in each result."""


def server_words(reader: Reader, hosts: Iterable[str], known: Sequence[TestServer]) -> str:
    """Each by its name and place; that nothing was recorded where no result names one, as those of older gateways."""
    by_host = {server.host.casefold(): server for server in known}
    named = {host.casefold(): host for host in hosts}
    words = [_server_text(reader, host, by_host.get(key)) for key, host in list(named.items())[:MOST_SERVERS]]
    if len(named) > MOST_SERVERS:
        words.append(reader.words("more_servers", count=len(named) - MOST_SERVERS))
    return reader.words("semicolon").join(words) if words else reader.words("test_server_unrecorded")


def _server_text(reader: Reader, host: str, server: TestServer | None) -> str:
    if server is None:
        return reader.words("server_unnamed", host=host)
    key = "server_placed" if server.place else "server_named"
    return reader.words(key, host=host, name=server.name, place=server.place)
