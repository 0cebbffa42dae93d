"""Who may read, and how much of it. Pure ASGI.

Who asks from this machine itself (`forwarding`) reads as long as no person is known and the collector listens nowhere else. Else whoever is logged in or has a person's token (a person of one town reads that town), or the read
token; /metrics also with its own token or from its own addresses. Routes of agents and for changes check a token of their own. Health answers always.
"""

import asyncio
import hmac
import ipaddress
from base64 import b64decode
from urllib.parse import quote

from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as AsgiScope

from campus_base.messages import message
from campus_base.settings import Secret, read_secret
from campus_base.text import printable_line
from campus_collector.config import CollectorConfig
from campus_collector.domain.people import is_screen
from campus_collector.domain.tokens import bearer
from campus_collector.http.auth.authenticator import Authenticator
from campus_collector.http.auth.scope import ReadScope, set_scope
from campus_collector.http.forwarding import origin_of
from campus_collector.http.responses import problem_response

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/login", "/login/oidc", "/login/oidc/return", "/ca.pem", "/help"})
OPEN_FOLDERS = ("/help/", "/static/", "/apt/")
"""The manual, stylesheet and scripts: files of the program, the same everywhere. Packages of the agent: public, proved by their signature."""
WALL = "/wall"
WALL_COOKIE = "campus_wall"
"""The token of a wall's link: it opens that one page."""
SELF_AUTHENTICATED = (
    ("GET", "/v1/config"),
    ("GET", "/v1/commands"),
    ("POST", "/v1/commands"),
    ("POST", "/v1/enroll"),
    ("POST", "/v1/token"),
    ("POST", "/v1/results"),
    ("POST", "/v1/slots"),
    ("POST", "/v1/upgrade"),
    ("POST", "/v1/months"),
    ("PATCH", "/v1/problems"),
)
"""Routes that check a token, or a code, of their own; their requests read nothing else."""
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'"
)
SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
TLS_HEADERS = ((b"strict-transport-security", b"max-age=31536000"),)


MOST_SHOWN_LETTERS = 100
LOG_IN_NEEDED = "reading needs a log-in at /login, or a token: Bearer, or Basic with it as the password"
NOT_LOCAL = message(
    "Nobody may read from another machine yet: tell IT staff. For IT staff: until a person is let in"
    " (campus-collector person add NAME), only this machine itself reads:"
    " under the Host localhost or a loopback address such as 127.0.0.1, and not through a proxy."
    " This request came with Host {host}, or was forwarded. Behind a proxy: let people in, and name"
    " the proxy in [server] trusted_proxies."
)


class AuthMiddleware:
    """Refuses readers who must prove who they are, sets the scope of the others, adds security headers to every answer."""

    def __init__(self, app: ASGIApp, config: CollectorConfig, authenticator: Authenticator) -> None:
        """Raises OSError, ValueError for a token's file that cannot be read."""
        self._app = app
        self._authenticator = authenticator
        self._loopback = config.loopback
        self._token = read_secret(config.read_token_file) if config.read_token_file else None
        self._metrics_token = read_secret(config.metrics_token_file) if config.metrics_token_file else None
        self._metrics_allow = config.metrics_allow

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        request = HTTPConnection(scope)
        headers = SECURITY_HEADERS + (TLS_HEADERS if origin_of(request).secure else ())

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = message.get("headers", [])
                chosen = {name.lower() for name, _ in given}  # the manual may be kept, and has a policy of its own
                message["headers"] = [*given, *(header for header in headers if header[0] not in chosen)]
            await send(message)

        if is_open(scope["path"]) or _authenticates_itself(scope["method"], scope["path"]):
            read_scope: ReadScope | None = ReadScope.nothing()
        else:
            read_scope = await asyncio.to_thread(self._read_scope, scope["path"], request)
        if read_scope is not None:
            set_scope(scope, read_scope)
            await self._app(scope, receive, send_with_headers)
            return
        has_people = await asyncio.to_thread(self._authenticator.has_people)
        if "text/html" in request.headers.get("accept", "") and has_people:
            await RedirectResponse(_log_in_page(request), 303)(scope, receive, send_with_headers)
            return
        challenge = {"WWW-Authenticate": 'Basic realm="CampusMeter", charset="UTF-8"'}
        detail = LOG_IN_NEEDED
        if self._loopback and self._token is None and not has_people:
            detail = _why_not_local(request)
        await problem_response(401, "No token", detail, challenge)(scope, receive, send_with_headers)

    def _read_scope(self, path: str, request: HTTPConnection) -> ReadScope | None:
        """What may this request read? None: it is refused. Asks the store: beside the event loop."""
        if self._loopback and origin_of(request).local and self._token is None and not self._authenticator.has_people():
            return ReadScope.of_county()
        if path == "/metrics" and self._is_scraper(request):
            return ReadScope.of_county()
        screen = self._authenticator.person_of_token(_wall_token(request)) if path == WALL else None
        if screen is not None:  # also beside a session: the screen shows what its link is for
            return ReadScope.of_person(screen)
        session = self._authenticator.session(request)
        if session is not None:
            return ReadScope.of_person(session.person)
        given = _token_of(request)
        if given:
            if _same(self._token, given):
                return ReadScope.of_county()
            person = self._authenticator.person_of_token(given)
            if person is not None and (path == WALL or not is_screen(person)):
                return ReadScope.of_person(person)
        return None

    def _is_scraper(self, request: HTTPConnection) -> bool:
        if _same(self._metrics_token, _token_of(request)):
            return True
        if not self._metrics_allow or request.client is None:
            return False
        try:
            address = ipaddress.ip_address(request.client.host)
        except ValueError:
            return False
        return any(address in network for network in self._metrics_allow)


def is_open(path: str) -> bool:
    """Does everybody get this? Health, the log-in page, the authority's certificate, and the manual: nothing of this collector's own."""
    return path in OPEN_PATHS or path.startswith(OPEN_FOLDERS)


def _log_in_page(request: HTTPConnection) -> str:
    """The path of the log-in page, with where to go on and the language that was asked for."""
    if request.scope["method"] != "GET":
        return "/login"
    language = request.query_params.get("lang")
    chosen = f"&lang={language}" if language in ("zh", "en") else ""
    return f"/login?next={quote(request.scope['path'])}{chosen}"


def _why_not_local(request: HTTPConnection) -> str:
    """Why a reader on loopback is not taken for this machine, where no person has been added yet; in both languages."""
    host = printable_line(request.headers.get("host", ""), MOST_SHOWN_LETTERS) or "—"
    return NOT_LOCAL.en.format(host=host) + " " + NOT_LOCAL.zh.format(host=host)


def _authenticates_itself(method: str, path: str) -> bool:
    return any(method == verb and (path == root or path.startswith(f"{root}/")) for verb, root in SELF_AUTHENTICATED)


def _same(expected: Secret | None, given: str) -> bool:
    return expected is not None and bool(given) and hmac.compare_digest(given.encode(), expected.reveal().encode())


def _token_of(request: HTTPConnection) -> str:
    """The token of a request: Bearer, or the password of Basic (RFC 7617), which is how a browser brings one."""
    header = request.headers.get("authorization", "")
    return bearer(header) or _password(header) or ""


def _wall_token(request: HTTPConnection) -> str:
    """Of the link, or of the cookie that it left."""
    return request.query_params.get("token", "") or request.cookies.get(WALL_COOKIE, "")


def _password(header: str) -> str | None:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return b64decode(encoded, validate=True).decode().partition(":")[2]
    except ValueError:  # not base 64, not even ASCII, not UTF-8
        return None
