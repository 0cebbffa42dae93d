"""A commit whose outcome is not known is called that, not a refusal: who does it again without looking might do it twice."""

import asyncio

import pytest

from campus_collector.http.responses import HttpProblem, in_thread
from campus_collector.store.errors import CommitUncertain, StoreUnavailable


@pytest.mark.parametrize(
    ("error", "title"), [(CommitUncertain("the line broke"), "Not known"), (StoreUnavailable("away"), "Not now")]
)
def test_the_answer_says_which(error: StoreUnavailable, title: str) -> None:
    def work() -> None:
        raise error

    with pytest.raises(HttpProblem) as raised:
        asyncio.run(in_thread(work))
    assert (raised.value.status, raised.value.title) == (503, title)
    assert (raised.value.words is not None) == (title == "Not known")
