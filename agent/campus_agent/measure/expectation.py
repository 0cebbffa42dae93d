"""Is this answer the service's? What a captive portal, or another machine on the way, puts in its place is no success. Pure.

An answer by TLS with a verified certificate is the service's, wherever it redirects to. Without TLS anybody on the way may have
written it: then a redirect must stay on the same site, unless the inventory names the host that it leads to.
"""

from ipaddress import ip_address
from urllib.parse import urljoin, urlsplit

import msgspec

from campus_agent.config.model import Expectation
from campus_agent.measure.html_redirects import page_leads_to
from campus_wire.failures import Failure, FailureKind, Operation

REDIRECTS = frozenset({301, 302, 303, 307, 308})
NETWORK_AUTHENTICATION_REQUIRED = 511  # RFC 6585 section 6: sent by the network, never by the service
_SECOND_LEVELS = frozenset(
    [
        "ac",
        "co",
        "com",
        "edu",
        "gov",
        "mil",
        "net",
        "org",
        "ah",
        "bj",
        "cq",
        "fj",
        "gd",
        "gs",
        "gx",
        "gz",
        "ha",
        "hb",
        "he",
        "hi",
        "hk",
        "hl",
        "hn",
        "jl",
        "js",
        "jx",
        "ln",
        "mo",
        "nm",
        "nx",
        "qh",
        "sc",
        "sd",
        "sh",
        "sn",
        "sx",
        "tj",
        "tw",
        "xj",
        "xz",
        "yn",
        "zj",
    ]
)
"""Below a country's domain these are shared by many: com.cn, edu.cn, and the provinces of .cn."""


class ServiceAnswer(msgspec.Struct, frozen=True):
    """One HTTP answer. `verified`: by TLS, with a certificate that was checked. `text` is the beginning of its body."""

    url: str
    status: int
    verified: bool
    location: str | None = None
    text: str = ""
    refresh: str | None = None
    """The header of that name."""


def leads_to(answer: ServiceAnswer) -> str | None:
    """The address that a browser would go on to; None when it stays."""
    target = answer.location if answer.status in REDIRECTS else None
    if target is None:
        target = page_leads_to(answer.text, answer.refresh)
    if not target:
        return None
    try:
        joined = urljoin(answer.url, target.strip())
        parts = urlsplit(joined)
        sound = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        return joined if sound else None
    except ValueError:
        return None


def failure_of_answer(answer: ServiceAnswer, expected: Expectation) -> Failure | None:
    """Why this is not what the service should have answered; None when it is."""
    target = leads_to(answer)
    if holds_text(answer, expected) and answer.status not in REDIRECTS:
        target = None  # the page that was meant, whatever its scripts do
    if target is not None and not _may_lead(answer, target, expected):
        where = urlsplit(target).hostname
        return _intercepted(f"status {answer.status}: led to {where}, which is another site than {_host(answer.url)}")
    if target is None and answer.status in REDIRECTS and answer.status not in expected.status:
        shown = (answer.location or "")[:60]
        return Failure(
            Operation.READ, FailureKind.PROTOCOL_ERROR, f"status {answer.status} leads to no web address: {shown!r}"
        )
    if answer.status == NETWORK_AUTHENTICATION_REQUIRED and answer.status not in expected.status:
        return _intercepted(f"status {answer.status}: the network asks for a log-in")
    good = answer.status in expected.status if expected.status else answer.status < 400
    if not good:
        statuses = ", ".join(map(str, expected.status)) or "below 400"
        return Failure(Operation.READ, FailureKind.HTTP_STATUS, f"status {answer.status}; expected: {statuses}")
    if expected.text and not holds_text(answer, expected):
        return _intercepted(f"status {answer.status}: the expected text {expected.text[:60]!r} is not in the answer")
    return None


def holds_text(answer: ServiceAnswer, expected: Expectation) -> bool:
    """Is an expected text in the answer? False where none is expected."""
    return bool(expected.text) and expected.text in answer.text


def _may_lead(answer: ServiceAnswer, target: str, expected: Expectation) -> bool:
    asked, led_to = _host(answer.url), _host(target)
    if asked == led_to:
        return True
    if expected.host:
        return led_to == _host(f"//{expected.host}")
    return answer.verified or same_site(asked, led_to)


def same_site(host: str, other: str) -> bool:
    """Do two hosts belong to the same registered domain? Addresses only when they are equal."""
    if host == other:
        return True
    return not _is_address(host) and not _is_address(other) and _registered(host) == _registered(other)


def _registered(host: str) -> str:
    labels = host.split(".")
    shared = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVELS
    return ".".join(labels[-3 if shared else -2 :])


def _host(url: str) -> str:
    """In one spelling: small letters, ASCII, no final dot; "" when there is none."""
    try:
        host = (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""
    try:
        return host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return host.lower()


def _is_address(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _intercepted(detail: str) -> Failure:
    return Failure(Operation.READ, FailureKind.INTERCEPTED, detail[:300])
