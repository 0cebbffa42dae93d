"""Where a request really comes from: its client behind trusted proxies, its scheme, its path below `root_path`. Pure ASGI.

Only a proxy of `[server] trusted_proxies` is trusted. A request that carries any trace of forwarding did not begin on this machine, whoever
sent it: it is never treated as local. Neither is one whose Host is not this machine's own name: a web page elsewhere may let its name point to
127.0.0.1 (DNS rebinding), and a proxy that adds no header passes a name on.
"""

import ipaddress
import logging
from collections.abc import Collection
from dataclasses import dataclass
from traceback import extract_tb

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from campus_collector.http.responses import problem_response

log = logging.getLogger(__name__)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
FORWARDING_HEADERS = (
    "forwarded", "via", "client-ip", "x-client-ip", "x-cluster-client-ip", "x-original-forwarded-for",
    "x-original-host", "x-originating-ip", "x-real-ip", "x-remote-addr", "x-remote-ip", "x-scheme",
    "true-client-ip", "cf-connecting-ip", "cf-ray", "fastly-client-ip", "ali-cdn-real-ip", "cdn-loop",
    "x-envoy-external-address",
)  # fmt: skip
"""And whatever begins with `x-forwarded-`: what reverse proxies and delivery networks add."""
MAX_HOPS = 20
_STATE = "campus_origin"


@dataclass(frozen=True, slots=True)
class Origin:
    """Of one request: `address` of its client, `secure` when the client uses TLS, `local` when it began on this machine."""

    address: str
    secure: bool
    local: bool
    root_path: str = ""


def origin_of(request: HTTPConnection) -> Origin:
    """As `Forwarding` found it."""
    origin: Origin = request.scope[_STATE]
    return origin


def base_address(request: HTTPConnection, root_path: str) -> str:
    """The address before every path, as the reader of this request has it: https://collector.example:8443/campus."""
    return f"{'https' if origin_of(request).secure else 'http'}://{request.url.netloc}{root_path}"


def address_of(request: HTTPConnection) -> str:
    """The address of a request's client; "" for a socket without one."""
    return request.client.host if request.client else ""


def parse_address(text: str) -> Address | None:
    """An IP address, also with a port, in brackets or mapped into IPv6; None for anything else."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def address_group(text: str) -> str:
    """What limits by address count together: an IPv4 address, or an IPv6 network of 64 bits, which one customer has."""
    address = parse_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address) if address is not None else text


class Forwarding:
    """The outermost layer: gives the application the origin of each request, and puts `root_path` before what it answers."""

    def __init__(self, app: ASGIApp, trusted: Collection[Network] = (), root_path: str = "", tls: bool = False) -> None:
        """`tls`: the collector serves TLS itself."""
        self._app = app
        self._trusted = tuple(trusted)
        self._root = root_path
        self._tls = tls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request. An error of the program is one line in the log."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        origin = self._origin(HTTPConnection(scope))
        scope = dict(scope)
        scope[_STATE] = origin
        scope["client"] = (origin.address, 0)
        scope["scheme"] = "https" if origin.secure else "http"
        scope["path"] = self._path(scope["path"])
        started = False

        async def answer(message: Message) -> None:
            nonlocal started
            started = True
            if self._root and message["type"] == "http.response.start":
                headers = [(name, self._below_root(name, value)) for name, value in message.get("headers", [])]
                message = {**message, "headers": headers}
            await send(message)

        try:
            await self._app(scope, receive, answer)
        except Exception as error:
            _log_error(scope, error)
            if not started:
                await problem_response(500, "Internal error", "see the collector's log")(scope, receive, answer)

    def _origin(self, request: HTTPConnection) -> Origin:
        headers, peer = request.headers, request.client.host if request.client else ""
        forwarded = any(name in FORWARDING_HEADERS or name.startswith("x-forwarded-") for name in headers)
        address, secure = peer, self._tls
        if forwarded and self._is_trusted(parse_address(peer)):
            address = self._client(headers) or peer
            scheme = headers.get("x-forwarded-proto", "").rpartition(",")[2].strip().lower()
            secure = secure or (scheme or _element(headers.get("forwarded", ""), "proto")) == "https"
        at_peer = parse_address(peer)
        local = (
            at_peer is not None
            and at_peer.is_loopback
            and not forwarded
            and request.scope.get("http_version") != "1.0"  # the simplest proxies use it, and add no header
            and _is_own_name(headers.getlist("host"))
        )
        return Origin(str(parse_address(address) or address), secure, local, self._root)

    def _client(self, headers: Headers) -> str | None:
        """The last address of the chain that is no trusted proxy's; what stands before it may be invented."""
        hops = ",".join(headers.getlist("x-forwarded-for")).split(",")
        if hops == [""]:
            hops = [headers.get("x-real-ip") or ""]
        if hops == [""]:
            hops = [_element(element, "for") for element in ",".join(headers.getlist("forwarded")).split(",")]
        client: str | None = None
        for hop in reversed(hops[-MAX_HOPS:]):
            address = parse_address(hop)
            if address is None:
                return client
            client = str(address)
            if not self._is_trusted(address):
                return client
        return client

    def _is_trusted(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._trusted)

    def _path(self, path: str) -> str:
        """A path as in the routes: without the root, whether the proxy took it away or not, and without a last slash."""
        if self._root and (path == self._root or path.startswith(f"{self._root}/")):
            path = path[len(self._root) :] or "/"
        return path.rstrip("/") or "/"

    def _below_root(self, name: bytes, value: bytes) -> bytes:
        """Locations of this site get the root before them."""
        if name.lower() == b"location" and value.startswith(b"/") and not value.startswith(b"//"):
            return self._root.encode() + value
        return value


def _element(text: str, name: str) -> str:
    """One parameter of the last element of a Forwarded header (RFC 7239 section 4)."""
    for pair in text.rpartition(",")[2].split(";"):
        key, _, value = pair.partition("=")
        if key.strip().lower() == name:
            return value.strip().strip('"').lower()
    return ""


def _is_own_name(hosts: list[str]) -> bool:
    """Does Host name this machine as seen from itself: localhost, or a loopback address?"""
    if len(hosts) != 1:
        return False
    host = hosts[0].strip().lower()
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    address = parse_address(name)
    if address is not None:
        return address.is_loopback
    return name.rstrip(".") == "localhost" or name.rstrip(".").endswith(".localhost")


def _log_error(scope: Scope, error: Exception) -> None:
    """One line: what, where in the program, at which request."""
    frames = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in extract_tb(error.__traceback__)[-5:]]
    request = ascii(f"{scope['method']} {scope['path']}")[1:200]
    shown = f"{type(error).__name__}: {error}".splitlines()[0][:300]
    log.error("request failed", extra={"request": request, "error": shown, "where": " > ".join(frames)})
