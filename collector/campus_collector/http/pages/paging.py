"""Long lists in pages: `?page=2`. Its links keep the rest of the query, so that no selection is lost."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import urlencode

from starlette.requests import Request

from campus_base.messages import message
from campus_collector.http.responses import bad_value
from campus_wire.digits import ascii_integer

ROWS_ON_A_PAGE = 100
MAX_PAGE = 99_999
MAX_KEPT_LETTERS = 90
"""No selection is longer; what is, was not understood and is not repeated."""
PAGE_RULE = message("must be the number of a page, from 1 on")
Row = TypeVar("Row")
OtherRow = TypeVar("OtherRow")


@dataclass(frozen=True, slots=True)
class Listing(Generic[Row]):
    """One page of a list. `before` and `after` are the queries of its neighbours; "" where there is none."""

    rows: Sequence[Row]
    total: int
    number: int
    pages: int
    before: str
    after: str

    @property
    def first(self) -> int:
        """The place of the first row in the whole list, from 1 on; 0 of an empty list."""
        return (self.number - 1) * ROWS_ON_A_PAGE + 1 if self.rows else 0

    def with_rows(self, rows: Sequence[OtherRow]) -> "Listing[OtherRow]":
        """The same page, its rows as they are shown."""
        return Listing(rows, self.total, self.number, self.pages, self.before, self.after)

    @property
    def last(self) -> int:
        return (self.number - 1) * ROWS_ON_A_PAGE + len(self.rows)


def requested_page(request: Request) -> int:
    """`?page=`, from 1 on; 1 when there is none. Raises HttpProblem 400."""
    text = request.query_params.get("page")
    if not text:
        return 1
    number = ascii_integer(text, MAX_PAGE)
    if not number:
        raise bad_value("page", text, PAGE_RULE)
    return number


def page_of(items: Sequence[Row], request: Request) -> Listing[Row]:
    """The page that was asked for; the last one when the list has become shorter. Raises HttpProblem 400."""
    pages = max(1, -(-len(items) // ROWS_ON_A_PAGE))
    number = min(requested_page(request), pages)
    start = (number - 1) * ROWS_ON_A_PAGE
    return Listing(
        items[start : start + ROWS_ON_A_PAGE],
        len(items),
        number,
        pages,
        query_with(request, page=str(number - 1)) if number > 1 else "",
        query_with(request, page=str(number + 1)) if number < pages else "",
    )


def query_with(request: Request, *, drop: Collection[str] = (), **values: str) -> str:
    """The request's query with some keys set otherwise, in front, and some left out; without the question mark."""
    return urlencode([*values.items(), *kept_query(request, {*values, *drop})])


def kept_query(request: Request, without: Collection[str]) -> list[tuple[str, str]]:
    """The keys and values of a request that its links and forms send along."""
    return [
        (key, value)
        for key, value in request.query_params.multi_items()
        if key not in without and len(key) + len(value) <= MAX_KEPT_LETTERS
    ]
