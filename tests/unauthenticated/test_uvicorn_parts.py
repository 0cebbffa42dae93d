"""The listener stands on parts of uvicorn that its documentation does not promise: a uvicorn without them is named here, before connections fail."""

import asyncio
import inspect

import h11
import pytest
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from campus_collector.http.listener import Connection, Server

METHODS = (
    "data_received",
    "on_response_complete",
    "pause_writing",
    "resume_writing",
    "connection_lost",
    "_should_upgrade",
)


def absent(part: str) -> str:
    return f"uvicorn {uvicorn.__version__} has no {part}: adapt campus_collector.http.listener, or bound uvicorn in pyproject.toml"


@pytest.mark.parametrize("name", METHODS)
def test_what_a_connection_overrides_is_there_with_the_same_parameters(name: str) -> None:
    above = getattr(H11Protocol, name, None)
    assert above is not None, absent(f"H11Protocol.{name}")
    ours = getattr(Connection, name)
    assert len(inspect.signature(ours).parameters) == len(inspect.signature(above).parameters), absent(f"such {name}()")


@pytest.mark.parametrize("name", ["config", "server_state", "app_state"])
def test_a_connection_is_made_from_these(name: str) -> None:
    assert name in inspect.signature(H11Protocol.__init__).parameters, absent(f"H11Protocol(…, {name})")


def test_what_a_connection_reads_is_there() -> None:
    async def application(scope: object, receive: object, send: object) -> None: ...

    async def make() -> Connection:
        config = uvicorn.Config(application, lifespan="off")  # type: ignore[arg-type]
        config.load()
        return Connection(config=config, server_state=ServerState(), app_state={})

    connection = asyncio.run(make())
    for name in ("conn", "cycle", "transport", "access_log"):
        assert hasattr(connection, name), absent(f"H11Protocol.{name}")
    assert connection.cycle is None, absent("H11Protocol.cycle, None before a request")
    assert connection.conn.their_state is h11.IDLE, absent("H11Protocol.conn of h11")


def test_a_request_s_cycle_says_when_its_answer_is_complete() -> None:
    from uvicorn.protocols.http.h11_impl import RequestResponseCycle

    source = inspect.getsource(RequestResponseCycle.__init__)
    assert "self.response_complete" in source, absent("RequestResponseCycle.response_complete")


@pytest.mark.parametrize("name", ["startup", "shutdown"])
def test_what_the_server_overrides_is_there(name: str) -> None:
    assert inspect.iscoroutinefunction(getattr(uvicorn.Server, name, None)), absent(f"Server.{name}()")
    assert "sockets" in inspect.signature(getattr(Server, name)).parameters


def test_what_the_server_uses_is_there() -> None:
    async def application(scope: object, receive: object, send: object) -> None: ...

    server = Server(uvicorn.Config(application, lifespan="off"))  # type: ignore[arg-type]
    for name in ("started", "server_state"):
        assert hasattr(server, name), absent(f"Server.{name}")
    assert hasattr(server.server_state, "connections"), absent("ServerState.connections")
