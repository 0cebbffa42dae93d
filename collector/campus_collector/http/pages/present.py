"""What was found last of a classroom, an uplink or a platform, in words: its newest test, its port, a person's test from a browser."""

from dataclasses import dataclass
from datetime import timedelta

from campus_base.figures import percent, rounded
from campus_base.port_words import ERROR_RATIO, FOUND_BY_WORDS, GRADE_WORDS, error_ratio, link_words
from campus_base.wire_words import FAILURE_WORDS, RESULT_WORDS, SKIP_WORDS, VALIDITY_WORDS
from campus_collector.domain.results import Latest
from campus_collector.http.pages.charts import rate_chart
from campus_collector.http.pages.reader import Badge, Reader
from campus_collector.http.pages.words import browser_words, duration_words, rate_words
from campus_collector.http.school_view import SubjectView, verdict_of_result
from campus_collector.judge.derivation import deciding_words
from campus_collector.judge.verdict import SubjectVerdict
from campus_wire.bandwidth import Verdict, line_rate_of, verdict_of_record
from campus_wire.failures import Validity
from campus_wire.records import (
    AnyResult,
    InspectionResult,
    LatencyResult,
    PortResult,
    ThroughputRecord,
    ThroughputResult,
)

PORT_KNOWN_FOR = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class RateRow:
    """One direction of a test, in words: payload rate, line rate, and the factor between them."""

    name: str
    payload: str
    line: str
    factor: str
    measured: bool
    """The line rate was measured itself, and does not come from the payload rate."""


@dataclass(frozen=True, slots=True)
class Present:
    """What was found last of a classroom or an uplink."""

    chart: str
    rates: list[RateRow]
    required: str
    latency: str
    latest: Badge
    latest_when: str
    port: str
    grade: str
    inspection: str
    """A person's test from a browser in the classroom; it never counts for a verdict."""


class PresentModel:
    """In the words of one reader."""

    def __init__(self, reader: Reader, tolerance_ratio: float) -> None:
        self._reader = reader
        self._tolerance_ratio = tolerance_ratio

    def present(self, view: SubjectView, name: str) -> Present:
        required = view.required_bits_per_second or 0.0
        throughput, latency, port = (view.latest.get(kind) for kind in ("throughput", "latency", "port"))
        record = _record(throughput.ok if throughput else None)
        newest = throughput.any if throughput else None
        written = self.rate_rows(record, required)
        wanted = self._reader.words("required", rate=self._reader.text(rate_words(required)))
        chart = ""
        if record is not None and required:
            spoken = self._reader.words("semicolon").join(f"{row.name} {row.line}" for row in written)
            labelled = [(self._reader.words(way), rate_of(record, way)) for way in ("down", "up")]
            title = f"{name}{self._reader.words('colon')}{spoken}{self._reader.words('semicolon')}{wanted}"
            chart = rate_chart(labelled, required, self._tolerance_ratio, title)
        return Present(
            chart=chart,
            rates=written,
            required=wanted,
            latency=self._latency(record, latency.ok if latency else None),
            latest=self.latest_badge(newest, required),
            latest_when=self._reader.when(newest),
            port=self._port(port),
            grade=self._reader.words("grade", grade=self._reader.text(GRADE_WORDS[_grade(record, port)])),
            inspection=self._inspection(view.latest.get("inspection"), required),
        )

    def rate_rows(self, record: ThroughputRecord | None, required: float) -> list[RateRow]:
        """Both directions of a test; none without a record."""
        if record is None:
            return []
        limits = (required * self._tolerance_ratio, required)
        return [
            RateRow(
                self._reader.words(way),
                _payload(record, way, self._reader),
                _bound(record, way) + self._reader.text(rate_words(rate_of(record, way), *limits)),
                factor_of(record),
                _is_measured(record, way),
            )
            for way in ("down", "up")
        ]

    def _inspection(self, latest: Latest | None, required: float) -> str:
        result = latest.ok if latest else None
        if not isinstance(result, InspectionResult) or result.record is None:
            return ""
        record = result.record.measured
        verdict = verdict_of_record(record, required or None, self._tolerance_ratio)
        return self._reader.words(
            "inspection",
            when=self._reader.when(result),
            down=self._inspected(record, "down", required),
            up=self._inspected(record, "up", required),
            verdict=self._reader.text(RESULT_WORDS[verdict]),
            machine=self._reader.words("own_machine" if result.record.own_machine else "other_machine"),
            browser=browser_words(result.record.browser),
        )

    def _inspected(self, record: ThroughputRecord, name: str, required: float) -> str:
        direction = getattr(record, name)
        text = self._reader.text(rate_words(rate_of(record, name), required * self._tolerance_ratio, required))
        return ("≥ " if direction and direction.lower_bound else "") + text

    def _port(self, latest: Latest | None) -> str:
        """What the switch says of the port; nothing when it has not for a day."""
        result = latest.any if latest else None
        if not isinstance(result, PortResult) or self._reader.now - result.started_at > PORT_KNOWN_FOR:
            return ""
        record = result.record
        if record is None:
            return (
                self._reader.words("port_unknown", why=self._reader.text(FAILURE_WORDS[result.failure.kind]))
                if result.failure
                else ""
            )
        errors = error_ratio(record)
        words = self._reader.words(
            "port",
            switch=record.switch,
            port=record.port,
            link=self._reader.text(link_words(record)),
            found_by=self._reader.text(FOUND_BY_WORDS[record.found_by]),
        )
        return (
            words
            if not errors or errors < ERROR_RATIO
            else words + self._reader.words("port_errors", ratio=percent(errors, decimals=2))
        )

    def latest_badge(self, result: AnyResult | None, required: float | None) -> Badge:
        """The verdict of the newest result alone; its note says why it is so if it is not plain."""
        if result is None:
            return self._reader.badge(Verdict.INSUFFICIENT, word=self._reader.words("never"))
        verdict = verdict_of_result(result, required, self._tolerance_ratio)
        note = ""
        if result.skipped is not None:
            note = self._reader.words("skipped", reason=self._reader.text(SKIP_WORDS[result.skipped]))
        elif result.failure is not None:
            note = self._reader.text(FAILURE_WORDS[result.failure.kind])
        elif result.validity is not Validity.OK:
            note = self._reader.text(VALIDITY_WORDS[result.validity])
        elif verdict is Verdict.NOT_MET and isinstance(result, ThroughputResult) and required is not None:
            rates = [
                rate for rate in (rate_of(result.record, "down"), rate_of(result.record, "up")) if rate is not None
            ]
            least = self._reader.text(rate_words(required * self._tolerance_ratio))
            note = self._reader.words(
                "below",
                rate=self._reader.text(rate_words(min(rates), required * self._tolerance_ratio)),
                least=least,
            )
        return self._reader.badge(verdict, note, word=self._reader.text(RESULT_WORDS[verdict]))

    def _latency(self, record: ThroughputRecord | None, latest: AnyResult | None) -> str:
        idle = record.idle if record else None
        if isinstance(latest, LatencyResult) and latest.record is not None:
            idle = latest.record.idle
        if idle is None or idle.rtt_median_seconds is None:
            return ""
        text = self._reader.text(duration_words(idle.rtt_median_seconds))
        working = record.working.rtt_p95_seconds if record and record.working else None
        if working is None:
            return self._reader.words("rtt_idle", idle=text)
        return self._reader.words("rtt", idle=text, working=self._reader.text(duration_words(working)))

    def progress(self, verdict: SubjectVerdict) -> str:
        rule, evidence = verdict.rule, verdict.evidence
        if rule is None:
            return self._reader.words("not_judged")
        return self._reader.words(
            "progress" if rule.minutes is None else "progress_minutes",
            decided=self._reader.text(deciding_words(evidence.passing_results, evidence.valid_results, rule)),
            valid=evidence.valid_results,
            need=rule.min_valid_results,
            days=evidence.days,
            need_days=rule.min_days,
        )


def factor_of(record: ThroughputRecord) -> str:
    """From payload rate to line rate: bytes of a frame on the line by those of payload in it."""
    path = record.encapsulation
    return f"{path.wire_bytes}/{path.mss_bytes}={rounded(path.wire_bytes / path.mss_bytes, 4)}"


def _payload(record: ThroughputRecord, way: str, reader: Reader) -> str:
    direction = getattr(record, way)
    rate = direction.goodput_bits_per_second if direction is not None else None
    return _bound(record, way) + reader.text(rate_words(rate))


def _bound(record: ThroughputRecord, way: str) -> str:
    direction = getattr(record, way)
    return "≥ " if direction is not None and direction.lower_bound else ""


def _is_measured(record: ThroughputRecord, way: str) -> bool:
    direction = getattr(record, way)
    return direction is not None and direction.line_rate_bits_per_second is not None


def _record(result: AnyResult | None) -> ThroughputRecord | None:
    return result.record if isinstance(result, ThroughputResult) else None


def rate_of(record: ThroughputRecord | None, name: str) -> float | None:
    direction = getattr(record, name) if record else None
    return line_rate_of(direction, record.encapsulation) if record and direction else None


def _grade(record: ThroughputRecord | None, port: Latest | None) -> str:
    """The best evidence there is: only what was measured can make a target met."""
    if record is not None:
        return "measured"
    negotiated = port.ok if port else None
    if isinstance(negotiated, PortResult) and negotiated.record and negotiated.record.speed_bits_per_second:
        return "negotiated"
    return "declared"
