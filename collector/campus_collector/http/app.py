"""The collector as one ASGI application, and the server that runs it."""

import asyncio
import gc
import logging
import signal
import socket
from collections.abc import Callable
from time import monotonic
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp

from campus_base import sd_notify
from campus_collector.area.key import NoSigningKey
from campus_collector.http.api.archive import ArchiveRoutes
from campus_collector.http.api.authority import AuthorityRoutes
from campus_collector.http.api.commands import CommandRoutes
from campus_collector.http.api.configuration import ConfigurationRoutes
from campus_collector.http.api.enroll import EnrolmentRoutes
from campus_collector.http.api.metrics import MetricsRoutes
from campus_collector.http.api.monthly import MonthlyRoutes
from campus_collector.http.api.months import MonthRoutes
from campus_collector.http.api.problems import ProblemRoutes
from campus_collector.http.api.reading import HealthRoutes, QueryRoutes
from campus_collector.http.api.releases import ReleaseRoutes
from campus_collector.http.api.results import ResultRoutes
from campus_collector.http.api.slots import SlotRoutes
from campus_collector.http.auth.middleware import AuthMiddleware
from campus_collector.http.compaction import BackgroundCompaction
from campus_collector.http.forwarding import Forwarding
from campus_collector.http.listener import KEEP_ALIVE_SECONDS, Connection, Server, raise_file_limit
from campus_collector.http.openapi import OpenApiRoutes
from campus_collector.http.pages.area import AreaPages
from campus_collector.http.pages.carriers import CarrierPage
from campus_collector.http.pages.classroom_list import ClassroomListPage
from campus_collector.http.pages.commands import CommandPages
from campus_collector.http.pages.fleet import FleetPage
from campus_collector.http.pages.help import HelpPages
from campus_collector.http.pages.inventory import InventoryPages
from campus_collector.http.pages.ledger import LedgerPages
from campus_collector.http.pages.login import LoginPages
from campus_collector.http.pages.monthly import MonthlyPages
from campus_collector.http.pages.people import PeoplePages
from campus_collector.http.pages.quarantine import QuarantinePage
from campus_collector.http.pages.releases import ReleasePage
from campus_collector.http.pages.render import refusal_pages
from campus_collector.http.pages.schools import SchoolPages
from campus_collector.http.pages.search import SearchPage
from campus_collector.http.pages.static import StaticFiles
from campus_collector.http.pages.subjects import SubjectPages
from campus_collector.http.pages.unmeasured import UnmeasuredPage
from campus_collector.http.pages.upward import UpwardPage
from campus_collector.http.pages.wall import WallPage
from campus_collector.http.responses import HttpProblem, on_problem, problem_response
from campus_collector.http.routes import Operation, Routes
from campus_collector.http.service import Service
from campus_collector.store.errors import StoreBusy, StoreUnavailable

log = logging.getLogger(__name__)

SHUTDOWN_SECONDS = 20
UPKEEP_SECONDS = 60.0
COUNTED_MONTHS = 13
"""This month, and what it is compared with."""
COUNT_SECONDS = 20.0
"""So long upkeep counts earlier months each time."""
GARBAGE_THRESHOLDS = (20_000, 2, 2)
"""So many objects are made before Python looks for cycles among the newest: a batch of results, which holds none, is mostly gone by then.
All objects are looked at about as often as by default (700, 10, 10), so that what is in a cycle stays no longer."""
READER_SECONDS = 3.0
"""A page waits so long for results that are being judged; after that it says that its figures will change."""


GROUPS: tuple[type[Routes], ...] = (
    EnrolmentRoutes, ConfigurationRoutes, ResultRoutes, SlotRoutes, CommandRoutes, QueryRoutes, HealthRoutes, ProblemRoutes,
    MetricsRoutes, AuthorityRoutes, ReleaseRoutes, ArchiveRoutes, OpenApiRoutes,
    SchoolPages, LedgerPages, InventoryPages, FleetPage, ClassroomListPage, QuarantinePage, MonthlyPages, MonthlyRoutes, LoginPages, PeoplePages,
    CommandPages, SearchPage, StaticFiles, SubjectPages, CarrierPage, UnmeasuredPage, WallPage,
    HelpPages, MonthRoutes, AreaPages, UpwardPage, ReleasePage,
)  # fmt: skip


def operations() -> tuple[Operation, ...]:
    """Everything that a collector answers."""
    return tuple(operation for group in GROUPS for operation in group.operations().values())


def build(service: Service) -> ASGIApp:
    """The application with all its routes."""
    service.verdicts.reader_timeout_seconds = READER_SECONDS
    application = Starlette(
        routes=[route for group in GROUPS for route in group(service).routes()],
        exception_handlers={
            HttpProblem: refusal_pages(on_problem, service),
            HTTPException: refusal_pages(_on_http_error, service),
            Exception: _on_error,
        },
    )
    # `Forwarding` takes the slash away: a redirect would name the Host that was sent
    application.router.redirect_slashes = False
    config = service.config
    authenticated = AuthMiddleware(application, config, service.authenticator)
    return Forwarding(authenticated, config.trusted_proxies, config.root_path, tls=config.tls_cert is not None)


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
        proxy_headers=False,  # `Forwarding` has the trusted proxies
        lifespan="off",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        h11_max_incomplete_event_size=32 * 1024,
    )
    return Server(config, service.certificate, service.config.trusted_proxies, raise_file_limit())


async def serve(service: Service, ready: Any = None) -> None:
    """Until SIGTERM or SIGINT: what is being answered is finished first. `ready(host, port)` when it listens. Raises OSError."""
    config = service.config
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    listener = listen(config.host, config.port)
    server = make_server(service)

    def stop() -> None:
        sd_notify.send("STOPPING=1")
        service.command_watch.stop()
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    host, port = listener.getsockname()[:2]
    log.info("collector listens", extra={"host": host, "port": port, "tls": config.tls_cert is not None})
    sd_notify.send("READY=1")
    if ready is not None:
        ready(host, port)
    upkeep = asyncio.create_task(_upkeep(service))
    compaction = BackgroundCompaction(service)
    moving = asyncio.create_task(compaction.run())
    upward = asyncio.create_task(_report_upward(service))
    archiving = asyncio.create_task(_archive(service))
    with listener:
        await server._serve([listener])  # serve() would take the signals for itself
    upkeep.cancel()
    upward.cancel()
    archiving.cancel()
    service.separate_reports.stop()
    service.separate_archives.stop()
    service.upward.stop()
    compaction.stop()
    await moving
    service.store.close()
    log.info("collector stopped")


async def _upkeep(service: Service) -> None:
    """Work without a request: results are judged soon after they come, the ledger evaluates each day once it is over, months are closed."""

    def ledger() -> None:
        days = service.ledger.catch_up()
        if days:
            log.info("ledger is up to date", extra={"days": days})

    steps: tuple[tuple[str, Callable[[], object]], ...] = (
        ("verdicts", service.verdicts.catch_up),
        ("ledger", ledger),
        ("what pages show", lambda: keep_at_hand(service)),
        ("earlier months", lambda: count_earlier_months(service)),
        ("releases", service.releases.catch_up),
        ("metrics", service.metrics.refresh),
        ("monthly reports", service.separate_reports.catch_up),
        ("size of the database", lambda: service.store.sizes.note(service.today())),
    )
    frozen = False
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
        if not frozen:
            frozen = True
            await asyncio.to_thread(freeze_kept)
        await asyncio.sleep(UPKEEP_SECONDS)


async def _report_upward(service: Service) -> None:
    """Closed months are prepared and sent, beside everything else: the level above may not answer for long."""
    while service.upward.is_configured:
        try:
            await asyncio.to_thread(service.upward.run)
        except StoreBusy as error:
            log.info("another process is at work on this", extra={"what": str(error)})
        except (StoreUnavailable, NoSigningKey) as error:
            log.error("months are not sent up", extra={"error": str(error)})
        except Exception:
            log.exception("months are not sent up; it is tried again")
        await asyncio.sleep(UPKEEP_SECONDS)


async def _archive(service: Service) -> None:
    """Closed months are archived beside everything else: the first time there may be years of them."""
    while True:
        try:
            await asyncio.to_thread(service.separate_archives.catch_up)
        except StoreUnavailable as error:
            log.error("months are not archived; it is tried again", extra={"error": str(error)})
        except Exception:
            log.exception("months are not archived; it is tried again")
        await asyncio.sleep(UPKEEP_SECONDS)


def freeze_kept() -> None:
    """What has been read to be kept is not looked through for garbage any more: of a prefecture that holds every thread for 0.1 s each time."""
    gc.collect()
    gc.freeze()


def keep_at_hand(service: Service) -> None:
    """Read what pages keep in memory before somebody waits for it: a prefecture's month takes some seconds the first time."""
    month = service.verdicts.this_month()
    service.verdicts.by_school(month)
    service.newest.keep(month.first_day)


def count_earlier_months(service: Service) -> None:
    """A part of what an older database lacks, or a new version of the program counts anew: the tallies of a year and a month, newest first."""
    verdicts, until = service.verdicts, monotonic() + COUNT_SECONDS
    month = verdicts.this_month()
    for _ in range(COUNTED_MONTHS):
        schools = verdicts.keep_tallies(month, max(0.0, until - monotonic()))
        if schools:
            log.info("the verdicts of a month are being counted", extra={"month": str(month), "schools": schools})
            return
        month = month.before()


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
    if error.status_code == 405:
        headers = {"Allow": ", ".join(_allowed_methods(request))}
    return problem_response(error.status_code, str(error.detail), headers=headers)


def _allowed_methods(request: Request) -> list[str]:
    """All that some route of this path takes; Starlette names those of the first route only."""
    routes = (route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE)
    return sorted({method for route in routes for method in route.methods or ()})


async def _on_error(request: Request, error: Exception) -> Response:
    """An error of the program: Starlette raises it again, and `Forwarding` writes the log's line."""
    return problem_response(500, "Internal error", "see the collector's log")
