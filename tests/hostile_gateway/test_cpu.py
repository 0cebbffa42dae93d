"""A gateway whose cores are wanted by others too: a right line is not blamed, a wrong one not praised, and most are still told apart."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.agent.measure.burst.shaped_link import FAR_ADDRESS, KEY, PORT, ShapedLink
from tests.bench.shared_cores import NOT_MEASURED, busy_loops
from tests.lab.namespaces import permitted

_REASON = permitted()
pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(_REASON is not None, reason=f"no network namespaces here: {_REASON}"),
]
RUNS = 3
UNPRIVILEGED = ("setpriv", "--bounding-set", "-sys_nice")
"""As under a service manager that lets nobody go before others."""


@pytest.fixture(scope="module")
def link() -> Iterator[ShapedLink]:
    with ShapedLink() as built:
        built.start_responder()
        yield built


def verdicts(link: ShapedLink, prefix: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    request = {
        "host": FAR_ADDRESS,
        "port": PORT,
        "key": KEY,
        "segment": "classroom",
        "required_bits_per_second": 100e6,
    }
    argv = (*prefix, sys.executable, "-m", "tests.agent.measure.burst.run_client", str(RUNS))
    done = link.near.run(*argv, input=json.dumps(request), timeout=90)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(("rate", "truth"), [(97, "not_met"), (101, "met")])
@pytest.mark.parametrize("prefix", [(), UNPRIVILEGED], ids=["urgent", "like others"])
def test_no_verdict_is_wrong_beside_busy_loops(
    link: ShapedLink, rate: int, truth: str, prefix: tuple[str, ...]
) -> None:
    link.shape(rate)
    with busy_loops(2):
        answers = verdicts(link, prefix)
    for answer in answers:
        assert answer["failure"] is None
        assert answer["verdict"] in (truth, "insufficient"), answer
        assert answer["verdict"] == truth or answer["validity"] in (*NOT_MEASURED, "cross_traffic"), answer
    assert answers[0]["record"]["down"]["cpu_waited_ratio"] > 0
