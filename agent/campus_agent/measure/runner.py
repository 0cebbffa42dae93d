"""Runs probes, and makes every result of the agent: nothing else builds a result record."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from random import Random
from time import monotonic
from typing import Any, TypeVar, get_args

import msgspec

from campus_agent.config.model import AgentConfig
from campus_agent.measure.clock_check import TOLERATED_SECONDS
from campus_agent.measure.errors import failure_of, validity_of
from campus_agent.measure.probe import AnyFinding, AnyProbe, Finding, ProbeFailed, Progress, Run, ignore
from campus_agent.measure.stamp import Stamp
from campus_wire.codec import decode_result, encode_result
from campus_wire.failures import Failure, FailureKind, Operation, Validity
from campus_wire.records import AnyResult, bytes_of_record

log = logging.getLogger(__name__)
ResultT = TypeVar("ResultT", bound=AnyResult)

_CERTIFICATE_DATES = frozenset({FailureKind.CERTIFICATE_EXPIRED, FailureKind.CERTIFICATE_NOT_YET_VALID})

_RESULT_OF_KIND: dict[str, Callable[..., AnyResult]] = {
    str(result.__struct_config__.tag): result for result in get_args(AnyResult)
}


class Runner(msgspec.Struct, frozen=True):
    """Makes the results of one agent.

    `stamp` labels a start so many seconds ago; `memory` keeps what each probe remembers between its runs.
    """

    config: AgentConfig
    stamp: Callable[[float], Stamp]
    random: Random = msgspec.field(default_factory=Random)
    memory: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)

    async def run(
        self,
        probe: AnyProbe,
        subject: str,
        *,
        max_bytes: int | None = None,
        watch: Callable[[Progress], None] = ignore,
        charge: Callable[[int], None] = ignore,
    ) -> list[AnyResult]:
        """The results of one run, whatever happens in it: success, failure, deadline or our own mistake. Raises only CancelledError.

        `charge` is given what the run put on the wire, also when it is cancelled.
        """
        began = monotonic()
        findings: list[AnyFinding] = []
        run: Run | None = None
        try:
            settings = probe.settings(self.config, subject, max_bytes)
            memory = self.memory.setdefault(probe.name, {})
            run = Run(probe.deadline_seconds(settings), self.random, watch, memory)
            async with asyncio.timeout(run.deadline_seconds):
                findings += await probe.measure(settings, run)
        except Exception as error:
            failure = _failure_of_run(error, run)
            if not isinstance(error, ProbeFailed | OSError):
                log.exception("measurement failed", extra={"job": f"{probe.name}/{subject}"})
            findings = self._unmeasured(probe, subject, Finding(failure=failure))
        finally:
            recorded = sum(bytes_of_record(finding.record) for finding in findings)
            # a probe that does not count while it runs has its bytes in its records
            charge(max(run.total_spent_bytes() if run else 0, recorded))
        return self.results(probe, subject, findings, monotonic() - began)

    def not_measured(self, probe: AnyProbe, subject: str, reason: AnyFinding) -> list[AnyResult]:
        """The results that say that a run did not take place, and why; `reason` is copied to each."""
        return self.results(probe, subject, self._unmeasured(probe, subject, reason), 0.0)

    def results(self, probe: AnyProbe, subject: str, findings: Iterable[AnyFinding], seconds: float) -> list[AnyResult]:
        """One result for each finding of a run that began `seconds` ago."""
        return [self._result(probe, subject, finding, seconds) for finding in findings]

    def _unmeasured(self, probe: AnyProbe, subject: str, reason: AnyFinding) -> list[AnyFinding]:
        return [
            msgspec.structs.replace(reason, subject=empty.subject, kind=empty.kind)
            for empty in probe.unmeasured(self.config, subject)
        ]

    def _result(self, probe: AnyProbe, subject: str, finding: AnyFinding, run_seconds: float) -> AnyResult:
        seconds = run_seconds if finding.seconds is None else finding.seconds
        stamp = self.stamp(seconds)
        make = _RESULT_OF_KIND[finding.kind or probe.kind]
        result = make(
            **stamp._asdict(),
            subject=finding.subject or subject,
            school=self.config.school,
            duration_seconds=seconds,
            validity=_validity(finding, stamp.clock_offset_seconds),
            detail=finding.detail[:300],
            failure=finding.failure,
            skipped=finding.skipped,
            record=finding.record,
        )
        try:
            decode_result(encode_result(result))
        except ValueError as error:  # WireError, or text that is no Unicode
            # the collector would refuse it: whoever looks would see no result at all
            log.error(
                "a result breaks the bounds of the wire", extra={"job": f"{probe.name}/{subject}", "error": str(error)}
            )
            failure = Failure(
                Operation.UNKNOWN, FailureKind.UNKNOWN, f"internal error: this result cannot be sent: {error}"[:300]
            )
            result = msgspec.structs.replace(
                result, record=None, failure=failure, validity=Validity.NOT_MEASURED, detail=""
            )
        return result


def single(results: Sequence[AnyResult], expected: type[ResultT]) -> ResultT:
    """The one result of a run that has one. Raises TypeError for another kind."""
    (result,) = results
    if not isinstance(result, expected):
        raise TypeError(f"expected {expected.__name__}, got {type(result).__name__}")
    return result


def _failure_of_run(error: Exception, run: Run | None) -> Failure:
    """`run` is None where the failure was in preparing it."""
    operation = Operation.UNKNOWN if run else Operation.PREPARE
    if isinstance(error, ProbeFailed):
        return error.failure
    if isinstance(error, TimeoutError) and run is not None:
        return Failure(operation, FailureKind.TIMEOUT, f"not finished within {run.deadline_seconds:.0f} s")
    if isinstance(error, OSError):
        return failure_of(operation, error)
    return Failure(operation, FailureKind.UNKNOWN, f"internal error: {type(error).__name__}: {error}"[:300])


def _validity(finding: AnyFinding, clock_offset_seconds: float | None) -> Validity:
    """A failure without a record is not a sound measurement of a rate: the validity names the reason.

    A certificate refused for its dates by a clock that the collector has shown to be wrong is the clock's failure.
    """
    clock_is_wrong = abs(clock_offset_seconds or 0.0) > TOLERATED_SECONDS
    if clock_is_wrong and finding.failure is not None and finding.failure.kind in _CERTIFICATE_DATES:
        return Validity.CLOCK_UNTRUSTED
    if finding.failure is None or finding.record is not None or finding.validity is not Validity.OK:
        return finding.validity
    return validity_of(finding.failure)
