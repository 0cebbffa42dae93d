"""Who may read? On loopback everybody; elsewhere whoever has the read token, a person's token, or is logged in. Pure ASGI.

Routes of agents and for changes bring their own token and are not touched here. Health answers always: probes have no token.
"""

import hmac
from base64 import b64decode
from binascii import Error as Base64Error

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from campus_collector.http import problem_response
from campus_collector.ingest.tokens import bearer, token_hash
from campus_collector.people import COOKIE, People
from campus_wire.settings import Secret

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/login", "/ca.pem"})
DOORS = (
    ("GET", "/v1/config"),
    ("POST", "/v1/enroll"),
    ("POST", "/v1/results"),
    ("POST", "/v1/slots"),
    ("PATCH", "/v1/problems"),
)
"""What brings a token, or a code, of its own and asks for it itself."""
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'"
)
SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
)


class Access:
    """Wraps the application: refuses readers without a token where one is needed, adds security headers everywhere."""

    def __init__(self, app: ASGIApp, loopback: bool, read_token: Secret | None, people: People) -> None:
        """`read_token` None on a public address: nobody may read."""
        self._app = app
        self._open = loopback and read_token is None
        self._token = read_token
        self._people = people

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *SECURITY_HEADERS]
            await send(message)

        if self._allowed(scope):
            await self._app(scope, receive, send_with_headers)
            return
        challenge = {"WWW-Authenticate": 'Basic realm="CampusMeter", charset="UTF-8"'}
        detail = "reading from another machine needs the read token: Bearer, or Basic with it as the password"
        await problem_response(401, "No token", detail, challenge)(scope, receive, send_with_headers)

    def _allowed(self, scope: Scope) -> bool:
        if self._open or scope["path"] in OPEN_PATHS or _is_door(scope["method"], scope["path"]):
            return True
        request = HTTPConnection(scope)
        if self._people.session(request.cookies.get(COOKIE)) is not None:
            return True
        header = request.headers.get("authorization", "")
        given = bearer(header) or _password(header) or ""
        if self._token is not None and hmac.compare_digest(given.encode(), self._token.reveal().encode()):
            return True
        return bool(given) and self._people.knows(token_hash(given))


def _is_door(method: str, path: str) -> bool:
    return any(method == verb and (path == door or path.startswith(f"{door}/")) for verb, door in DOORS)


def _password(header: str) -> str | None:
    """The password of `Authorization: Basic ...` (RFC 7617): how a browser brings the token."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return b64decode(encoded, validate=True).decode().partition(":")[2]
    except (Base64Error, UnicodeDecodeError):
        return None
