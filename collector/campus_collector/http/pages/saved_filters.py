"""Selections of the ledger that a reader has given a name: kept in a cookie of the browser, as the language is. Pure.

Nobody else sees them, and a name shown on a page is text like any other.
"""

import base64
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

import msgspec
from starlette.requests import Request

from campus_base.text import printable_line

COOKIE = "campus_filters"
COOKIE_SECONDS = 365 * 86_400
MOST_FILTERS, MOST_NAME_LETTERS, MOST_QUERY_LETTERS = 8, 20, 300
KEYS = frozenset({"town", "school", "target", "state", "older_than", "unit", "cause", "q", "sort"})
"""What a selection of the ledger is made of."""


def saved_filters(request: Request) -> dict[str, str]:
    """Queries by name, in the order in which they were saved; what is not readable is none."""
    try:
        decoded = msgspec.json.decode(base64.urlsafe_b64decode(request.cookies.get(COOKIE, "")), type=dict[str, str])
    except (ValueError, msgspec.MsgspecError):
        return {}
    return dict(list(_cleaned(decoded).items())[:MOST_FILTERS])


def with_filter(filters: Mapping[str, str], name: str, query: str) -> dict[str, str]:
    """One more, or one changed; the oldest goes when there are too many."""
    changed = _cleaned({**{key: value for key, value in filters.items() if key != name}, name: query})
    return dict(list(changed.items())[-MOST_FILTERS:])


def cookie_value(filters: Mapping[str, str]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(dict(filters))).decode()


def _cleaned(filters: Mapping[str, str]) -> dict[str, str]:
    """Names on one line and bounded, queries of the ledger's keys only."""
    cleaned = {}
    for name, query in filters.items():
        shown = printable_line(name).strip()[:MOST_NAME_LETTERS]
        pairs = [(key, value) for key, value in parse_qsl(query[:MOST_QUERY_LETTERS]) if key in KEYS]
        if shown and pairs:
            cleaned[shown] = urlencode(pairs)
    return cleaned
