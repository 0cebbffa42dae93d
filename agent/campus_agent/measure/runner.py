"""Run a probe: what every measurement has in common is added here, and nowhere else."""

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Any

from campus_agent.measure.clock_check import TOLERATED_SECONDS
from campus_agent.measure.errors import kind_of_error
from campus_agent.measure.probe import AnyProbe, Finding, ProbeFailed, Progress, Run, _nobody
from campus_wire.failures import Failure, FailureKind, Operation, Validity
from campus_wire.records import AnyResult, bytes_of_record

log = logging.getLogger(__name__)

ENDPOINT_AWAY = frozenset(
    {
        FailureKind.CONNECTION_REFUSED,
        FailureKind.HOST_UNREACHABLE,
        FailureKind.NETWORK_UNREACHABLE,
        FailureKind.TIMEOUT,
    }
)
"""While connecting; one that was connected and then fell silent is on, and its name is another matter altogether."""


_BY_THE_CLOCK = frozenset({FailureKind.CERTIFICATE_EXPIRED, FailureKind.CERTIFICATE_NOT_YET_VALID})


def _nobody_pays(_: int) -> None:
    """Nobody keeps account."""


async def run_probe(
    probe: AnyProbe,
    settings: Any,
    stamp: Callable[[float], dict[str, Any]],
    subject: str,
    school: str,
    watch: Callable[[Progress], None] = _nobody,
    rng: random.Random | None = None,
    charge: Callable[[int], None] = _nobody_pays,
) -> AnyResult:
    """One result of one probe, whatever happens: success, failure, deadline or our own mistake.

    `charge` is told what the run put on the wire, also when it is cancelled. `stamp(seconds_ago)` gives id, started_at, boot_id, monotonic_seconds and clock offset of a start that many seconds ago.
    """
    run = Run(probe.deadline_seconds(settings), rng or random.Random(), watch)
    finding = Finding()
    try:
        async with asyncio.timeout(run.deadline_seconds):
            raw = await probe.measure(settings, run)
        finding = probe.interpret(raw)
    except ProbeFailed as failed:
        finding = Finding(failure=failed.failure)
    except TimeoutError:
        detail = f"not finished within {run.deadline_seconds:.0f} s"
        finding = Finding(failure=Failure(Operation.UNKNOWN, FailureKind.TIMEOUT, detail))
    except OSError as error:
        finding = Finding(failure=Failure(Operation.UNKNOWN, kind_of_error(error), str(error)[:300]))
    except (
        Exception
    ) as error:  # our own mistake: kept as a result too, so that it is seen, with the traceback in the log
        log.exception("probe %s failed on %s", probe.name, subject)
        detail = f"internal error: {type(error).__name__}: {error}"
        finding = Finding(failure=Failure(Operation.UNKNOWN, FailureKind.UNKNOWN, detail[:300]))
    finally:
        charge(max(sum(run.spent_bytes.values()), bytes_of_record(finding.record)))
    duration = run.deadline_seconds - run.left_seconds()
    make: Callable[..., AnyResult] = probe.result
    label = stamp(duration)
    return make(
        **label,
        subject=subject,
        school=school,
        duration_seconds=duration,
        validity=_validity(finding, label.get("clock_offset_seconds")),
        detail=finding.detail[:300],
        failure=finding.failure,
        record=finding.record,
    )


def _validity(finding: Finding, clock_offset_seconds: float | None) -> Validity:
    """A failure without a record is not a sound measurement of a rate; say which way it was not.

    A certificate refused for its dates by a clock that the collector has told to be wrong is the clock's failure.
    """
    clock_is_wrong = abs(clock_offset_seconds or 0.0) > TOLERATED_SECONDS
    if clock_is_wrong and finding.failure is not None and finding.failure.kind in _BY_THE_CLOCK:
        return Validity.CLOCK_UNTRUSTED
    if finding.failure is None or finding.record is not None or finding.validity is not Validity.OK:
        return finding.validity
    if finding.failure.kind is FailureKind.BUSY:
        return Validity.ENDPOINT_BUSY
    away = finding.failure.kind in ENDPOINT_AWAY and finding.failure.operation is Operation.CONNECT
    return Validity.ENDPOINT_OFF if away else Validity.NOT_MEASURED
