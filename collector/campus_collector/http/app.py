"""The collector as one ASGI application, and the server that runs it."""

import asyncio
import logging
import signal
import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from campus_base import sd_notify
from campus_collector.http.api.authority import routes as tls_routes
from campus_collector.http.api.config_routes import routes as config_routes
from campus_collector.http.api.enroll import routes as enroll_routes
from campus_collector.http.api.metrics import routes as export_routes
from campus_collector.http.api.problems import routes as ledger_routes
from campus_collector.http.api.reading import routes as api_routes
from campus_collector.http.api.results import routes as ingest_routes
from campus_collector.http.api.slots import routes as slot_routes
from campus_collector.http.auth.middleware import Access
from campus_collector.http.forwarding import Forwarding
from campus_collector.http.listener import KEEP_ALIVE_SECONDS, Connection, Server, raise_file_limit
from campus_collector.http.pages.fleet import routes as fleet_routes
from campus_collector.http.pages.monthly import routes as report_routes
from campus_collector.http.pages.people import routes as people_routes
from campus_collector.http.pages.quarantine import routes as quarantine_routes
from campus_collector.http.pages.render import Pages, in_words
from campus_collector.http.pages.schools import routes as web_routes
from campus_collector.http.pages.work import routes as work_routes
from campus_collector.http.responses import HttpProblem, on_problem, problem_response
from campus_collector.http.service import Service
from campus_collector.store.errors import StoreBusy, StoreUnavailable

log = logging.getLogger(__name__)

SHUTDOWN_SECONDS = 20
UPKEEP_SECONDS = 60.0
READER_SECONDS = 3.0
"""So long a page waits for what is being judged; what it shows after that says so."""


GROUPS = (
    enroll_routes, config_routes, ingest_routes, slot_routes, api_routes, ledger_routes, export_routes, report_routes,
    people_routes, tls_routes, fleet_routes, quarantine_routes, web_routes, work_routes,
)  # fmt: skip


def build(service: Service) -> ASGIApp:
    """The application with all its routes."""
    service.verdicts.patience_seconds = READER_SECONDS
    pages = Pages(service)
    application = Starlette(
        routes=[route for group in GROUPS for route in group(service)],
        exception_handlers={
            HttpProblem: in_words(on_problem, pages),
            HTTPException: in_words(_on_http_error, pages),
            Exception: _on_error,
        },
    )
    application.router.redirect_slashes = (
        False  # `Forwarding` takes the slash away: a redirect would name the Host that was sent
    )
    config = service.config
    access = Access(application, config, service.people)
    return Forwarding(access, config.trusted_proxies, config.root_path, tls=config.tls_cert is not None)


def make_server(service: Service) -> Server:
    """The server of a collector, for a listening socket of its own."""
    config = uvicorn.Config(
        build(service),
        http=Connection,
        ws="none",
        loop="asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # `Forwarding` knows whom to believe
        lifespan="off",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        h11_max_incomplete_event_size=32 * 1024,
    )
    return Server(config, service.certificate, service.config.trusted_proxies, raise_file_limit())


async def serve(service: Service, ready: Any = None) -> None:
    """Until SIGTERM or SIGINT: what is being answered is finished first. `ready(host, port)` when it listens. Raises OSError."""
    config = service.config
    listener = listen(config.host, config.port)
    server = make_server(service)

    def stop() -> None:
        sd_notify.send("STOPPING=1")
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    host, port = listener.getsockname()[:2]
    log.info("collector listens", extra={"host": host, "port": port, "tls": config.tls_cert is not None})
    sd_notify.send("READY=1")
    if ready is not None:
        ready(host, port)
    upkeep = asyncio.create_task(_upkeep(service))
    with listener:
        await server._serve([listener])  # serve() would take the signals for itself
    upkeep.cancel()
    service.store.close()
    log.info("collector stopped")


async def _upkeep(service: Service) -> None:
    """What nobody has to ask for: results are judged soon after they come, the ledger looks at each day once it is over, months are closed."""
    book = service.reports

    def ledger() -> None:
        days = service.ledger.catch_up()
        if days:
            log.info("ledger is up to date", extra={"days": days})

    steps: tuple[tuple[str, Callable[[], object]], ...] = (
        ("verdicts", service.verdicts.catch_up),
        ("ledger", ledger),
        ("metrics", service.page.refresh),
        ("monthly reports", book.catch_up),
    )
    while True:
        for name, work in steps:  # each on its own: what one of them meets must not keep the others from their work
            try:
                await asyncio.to_thread(work)
            except StoreBusy as error:
                log.info("another process is at work on this", extra={"what": str(error)})
            except StoreUnavailable as error:
                log.error("store unavailable", extra={"error": str(error)})
                break
            except Exception:
                log.exception("upkeep failed; it is tried again", extra={"step": name})
        await asyncio.sleep(UPKEEP_SECONDS)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises OSError."""
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(1024)
    except OSError:
        listener.close()
        raise
    return listener


async def _on_http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    headers = dict(error.headers) if error.headers else None
    return problem_response(error.status_code, str(error.detail), headers=headers)


async def _on_error(request: Request, error: Exception) -> Response:
    """An error of the program: Starlette raises it again, and `Forwarding` writes the log's line."""
    return problem_response(500, "Internal error", "see the collector's log")
