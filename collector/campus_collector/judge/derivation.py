"""The derivation of a month's verdict from its results, step by step, so that a reader can repeat it by hand. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from campus_base.figures import megabits, milliseconds, percent, percent_as_written, rounded
from campus_base.language import Language, Text
from campus_base.terminal import escape_cell
from campus_base.wire_words import FAILURE_WORDS, SKIP_WORDS, VALIDITY_WORDS, VERDICT_WORDS
from campus_collector.judge.causes import Cause
from campus_collector.judge.day import DayEvidence
from campus_collector.judge.evidence import Evidence
from campus_collector.judge.exemptions import exempt_days
from campus_collector.judge.explanations import EXPLANATIONS, UNIT_WORDS
from campus_collector.judge.month import Month
from campus_collector.judge.policy import TARGET_WORDS, Policy, Target
from campus_collector.judge.rules import Observation, has_trusted_time, observe
from campus_collector.judge.verdict import About, SubjectVerdict
from campus_wire.bandwidth import Verdict
from campus_wire.failures import FailureKind
from campus_wire.records import AnyResult, DirectionRecord, RoomResult, ServiceRecord, ServiceResult, ThroughputResult


@dataclass(frozen=True, slots=True)
class Line:
    """One result: when, which, what it says in figures, and what the rule makes of it (None: not judged, `why` says the reason)."""

    at: datetime
    id: str
    figures: Text
    passes: bool | None
    why: Text
    doubt: Text | None = None
    """Why it may be wrong all the same, where the record tells."""


@dataclass(frozen=True, slots=True)
class DayLine:
    """One day: its counts, and whether it is left out."""

    day: date
    evidence: DayEvidence
    exempt: bool


@dataclass(frozen=True, slots=True)
class Derivation:
    about: About
    month: Month
    rule: Target | None
    tolerance_ratio: float
    verdict: SubjectVerdict
    lines: tuple[Line, ...]
    days: tuple[DayLine, ...]


def derive(
    about: About,
    month: Month,
    policy: Policy,
    results: Sequence[AnyResult],
    days: Mapping[date, DayEvidence],
    verdict: SubjectVerdict,
) -> Derivation:
    rule = policy.in_force(about.target, month.first_day)
    seen = {result.id: result for result in results}
    observations = observe(results, rule, policy, month, about.required_bits_per_second) if rule else []
    judged = {observation.id for observation in observations}
    limits = Limits.of(rule, about.required_bits_per_second, policy.tolerance_ratio)
    lines = [_line(seen[observation.id], observation, limits) for observation in observations]
    outside = Text("outside school hours, or planned maintenance: does not count", "不在上课时间或属计划维护：不计入")
    lines += [
        Line(result.started_at, result.id, _figures(result, limits), None, outside)
        for result in seen.values()
        if result.id not in judged
    ]
    free, _ = exempt_days(policy, about.target, about.school, about.subject, month)
    return Derivation(
        about,
        month,
        rule,
        policy.tolerance_ratio,
        verdict,
        tuple(sorted(lines, key=lambda line: (line.at, line.id))),
        tuple(DayLine(day, evidence, day in free) for day, evidence in sorted(days.items())),
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """What the figures of a result are compared with, so that none is written as if it were on the other side."""

    rates: tuple[float, ...] = ()
    first_byte: tuple[float, ...] = ()
    rtt: tuple[float, ...] = ()
    working_rtt: tuple[float, ...] = ()

    @classmethod
    def of(cls, rule: Target | None, required_bits_per_second: float | None, tolerance_ratio: float) -> "Limits":
        if rule is None:
            return cls()
        required, delays = required_bits_per_second, rule.delays
        return cls(
            () if required is None else (required * tolerance_ratio, required),
            () if rule.max_first_byte_seconds is None else (rule.max_first_byte_seconds,),
            () if delays is None else (delays.max_rtt_seconds,),
            () if delays is None else (delays.max_working_rtt_seconds,),
        )


def _line(result: AnyResult, seen: Observation, limits: Limits) -> Line:
    doubt = doubt_about(result, seen.passes)
    return Line(result.started_at, result.id, _figures(result, limits), seen.passes, _why(result, seen.passes), doubt)


def doubt_about(result: AnyResult, passes: bool | None) -> Text | None:
    """Why a result that an agent of version 0.2 made may be wrong, where the record tells; None where nothing speaks against it.

    Such results are kept and judged as they came: a person decides whether to exempt their days, or to wait for new ones.
    """
    if (
        result.failure is not None
        and result.failure.kind is FailureKind.WORKER_DIED
        and result.failure.detail.startswith(SECCOMP_DEATH)
    ):
        return Text(
            "agents of version 0.2.0 ended every test of their own engine so under their service's filter: says nothing of the line",
            "0.2.0 版网关程序在其服务的系统调用限制下，自带引擎的测试均如此中断：与线路无关",
        )
    record = result.record if isinstance(result, ThroughputResult) else None
    if record is None or passes is not False:
        return None
    if record.cross_traffic_bits_per_second is None and not any(
        direction is not None and direction.cross_traffic_bits_per_second is not None
        for direction in (record.down, record.up)
    ):
        return Text(
            "other traffic could not be seen during this test: it may have taken part of the line",
            "测量时无法看到其他流量：线路可能被其他流量占用一部分",
        )
    if record.cpu_ratio is not None and record.cpu_ratio >= BUSY_CPU_RATIO_OF_DOUBT:
        busy = percent(record.cpu_ratio, decimals=0)
        return Text(
            f"the gateway's CPU was {busy} busy: version 0.2 did not see a test that waited for the CPU",
            f"网关处理器占用 {busy}：0.2 版不能识别测试在等待处理器",
        )
    return None


def _why(result: AnyResult, passes: bool | None) -> Text:
    if passes is True:
        return Text("passes", "合格")
    if result.skipped is not None:
        words = SKIP_WORDS[result.skipped]
        return Text(f"not made: {words.en}", f"未测：{words.zh}")
    if not has_trusted_time(result):
        return Text("not valid: the clock was not trusted, nobody knows when it was", "无效：时钟不可信，测量时间不明")
    if result.failure is not None:
        words = FAILURE_WORDS[result.failure.kind]
        judged = passes is False
        return Text(
            f"{'fails' if judged else 'failed, not judged'}: {words.en}",
            f"{'不合格' if judged else '未测成，不计入'}：{words.zh}",
        )
    if passes is False:
        return Text("fails", "不合格")
    words = VALIDITY_WORDS[result.validity]
    if str(result.validity) == "ok":
        return Text("not judged: it proves neither", "不计入：不足以判定")
    return Text(f"not valid: {words.en}", f"无效：{words.zh}")


def _figures(result: AnyResult, limits: Limits) -> Text:
    """The numbers the rule looks at, with how they were worked out."""
    if isinstance(result, ThroughputResult) and result.record is not None:
        path = result.record.encapsulation
        parts = []
        for name, direction in (("↓", result.record.down), ("↑", result.record.up)):
            if direction is not None:
                parts.append(f"{name} {_rate(direction, path.wire_bytes, path.mss_bytes, limits.rates)}")
        idle, working = result.record.idle, result.record.working
        if idle is not None and idle.rtt_median_seconds is not None:
            loaded = working.rtt_p95_seconds if working is not None else None
            more = f"/{milliseconds(loaded, *limits.working_rtt)}" if loaded is not None else ""
            parts.append(f"RTT {milliseconds(idle.rtt_median_seconds, *limits.rtt)}{more} ms")
        return Text("  ".join(parts), "  ".join(parts))
    if isinstance(result, ServiceResult) and result.record is not None:
        return _answer(result.record, limits.first_byte)
    if isinstance(result, RoomResult) and result.record is not None:
        down = ", ".join(result.record.down) or "—"
        return Text(
            f"up: {'yes' if result.record.up else 'no'}; down: {down}",
            f"可用：{'是' if result.record.up else '否'}；异常：{down}",
        )
    return Text("—", "—")


def _answer(record: ServiceRecord, first_byte_limits: tuple[float, ...]) -> Text:
    """What a platform said: the time, the status, where it leads to, and by which family of addresses."""
    seconds = record.first_byte_seconds
    shown = "—" if seconds is None else f"{rounded(seconds, 3, at_most=first_byte_limits)} s"
    parts = [Text(f"first byte {shown}", f"首字节 {shown}")]
    if record.http_status is not None:
        parts.append(Text(f"status {record.http_status}", f"状态码 {record.http_status}"))
    if record.leads_to is not None:
        parts.append(Text(f"leads to {record.leads_to}", f"跳转到 {record.leads_to}"))
    if record.address_family is not None:
        family = "IPv6" if record.address_family == "ipv6" else "IPv4"
        parts.append(Text(family, family))
    return Text(", ".join(part.en for part in parts), "，".join(part.zh for part in parts))


def _rate(direction: DirectionRecord, wire_bytes: int, mss_bytes: int, limits: tuple[float, ...]) -> str:
    bound = "≥" if direction.lower_bound else ""
    if direction.line_rate_bits_per_second is not None:
        return f"{bound}{megabits(direction.line_rate_bits_per_second, *limits, decimals=2)}"
    goodput = direction.goodput_bits_per_second
    line = megabits(goodput * wire_bytes / mss_bytes, *limits, decimals=2)
    return f"{bound}{goodput / 1e6:.2f}×{wire_bytes}/{mss_bytes}={line}"


SECCOMP_DEATH = "exit -31"
"""SIGSYS: what a worker dies of that makes a system call its service may not make."""
BUSY_CPU_RATIO_OF_DOUBT = 0.5
"""Well below the guard: the mean of a test hides moments in which it waited."""
DOUBTFUL = Text("doubtful: ", "存疑：")


def rule_words(rule: Target | None, required_bits_per_second: float | None, tolerance_ratio: float) -> Text:
    """The rule of a target in plain words."""
    if rule is None:
        return Text("no entry of the policy was in force: nothing can be met", "当月没有生效的政策条目：不能判定达标")
    if required_bits_per_second is not None and rule.required_bits_per_second is not None:
        least = required_bits_per_second * tolerance_ratio / 1e6
        asked = required_bits_per_second / 1e6
        passes = Text(
            f"a result passes when the line rate of both directions is at least {asked:g} × {tolerance_ratio:g} = {least:g} Mbit/s",
            f"双向线路速率均不低于 {asked:g}×{tolerance_ratio:g}＝{least:g} Mbit/s 为合格",
        )
    elif rule.max_first_byte_seconds is not None:
        seconds = rule.max_first_byte_seconds
        passes = Text(
            f"a request in school hours passes when it succeeds with the first byte within {seconds:g} s",
            f"上课时间内访问成功且首字节不超过 {seconds:g} 秒为合格",
        )
    elif rule.delays is not None:
        limits = rule.delays
        passes = Text(
            f"a test of the uplink, made outside lessons, passes when the idle RTT is at most {limits.max_rtt_seconds * 1000:g} ms, under load {limits.max_working_rtt_seconds * 1000:g} ms,"
            f" jitter {limits.max_jitter_seconds * 1000:g} ms, loss {percent_as_written(limits.max_loss_ratio)}",
            f"上联线路测试（在非上课时段进行）空闲时延不超过 {limits.max_rtt_seconds * 1000:g} 毫秒、负载时延不超过 {limits.max_working_rtt_seconds * 1000:g} 毫秒、"
            f"抖动不超过 {limits.max_jitter_seconds * 1000:g} 毫秒、丢包不超过 {percent_as_written(limits.max_loss_ratio)} 为合格",
        )
    else:
        passes = Text(
            "a poll in school hours passes when some room of the school has all its required devices up",
            "上课时间内轮询时至少一间录播室的必备设备全部正常为合格",
        )
    return Text(
        f"{passes.en}; the month is met when at least {percent_as_written(rule.passing_share)} of at least {rule.min_valid_results} valid results"
        f" on at least {rule.min_days} days pass",
        f"{passes.zh}；有效结果不少于 {rule.min_valid_results} 次、{rule.min_days} 天，且合格率不低于 {percent_as_written(rule.passing_share)} 的月份为达标",
    )


def deciding_words(passing: int, valid: int, rule: Target | None) -> Text:
    """The figure that decides a verdict, with its rule."""
    if rule is None:
        return Text(f"passed {passing} of {valid} tests", f"{valid} 次有效测量中合格 {passing} 次")
    needed = percent_as_written(rule.passing_share, space=" ")
    return Text(
        f"passed {passing} of {valid} tests; {needed} needed",
        f"{valid} 次有效测量中合格 {passing} 次，要求不低于 {needed.replace(' ', '')}",
    )


def conclusion(verdict: SubjectVerdict) -> list[Text]:
    """How the counts lead to the verdict, sentence by sentence."""
    evidence, rule = verdict.evidence, verdict.rule
    counted = Text(
        f"{evidence.passing_results} of {evidence.valid_results} valid results on {evidence.days} days pass"
        f" ({evidence.invalid_results} invalid, {evidence.failed_results} failed, {evidence.skipped_results} skipped)",
        f"有效结果 {evidence.valid_results} 次、{evidence.days} 天，合格 {evidence.passing_results} 次"
        f"（无效 {evidence.invalid_results}、失败 {evidence.failed_results}、未测 {evidence.skipped_results}）",
    )
    sentences = [counted]
    if verdict.exempt_days:
        sentences.append(
            Text(
                f"{verdict.exempt_days} exempt day(s) are left out: {verdict.exempt_reason}",
                f"免考核 {verdict.exempt_days} 天不计入：{verdict.exempt_reason}",
            )
        )
    if verdict.verdict is Verdict.EXEMPT:
        sentences.append(Text(f"exempt: {verdict.exempt_reason}", f"免考核：{verdict.exempt_reason}"))
    elif rule is not None and verdict.verdict is Verdict.INSUFFICIENT:
        sentences.append(_what_lacks(evidence, rule))
    elif rule is not None and evidence.passing_share is not None:
        sign = ("≥", "≥") if verdict.verdict is Verdict.MET else ("<", "<")
        share, needed = percent(evidence.passing_share, rule.passing_share), percent_as_written(rule.passing_share)
        sentences.append(Text(f"share {share} {sign[0]} {needed}", f"合格率 {share} {sign[1]} {needed}"))
    if evidence.interval is not None:
        low, high = evidence.interval
        sentences.append(
            Text(
                f"with so many results the true share lies between {percent(low)} and {percent(high)} (95 %, Wilson)",
                f"按此样本量，真实合格率在 {percent(low)} 至 {percent(high)} 之间（95% 置信，威尔逊区间）",
            )
        )
    words = VERDICT_WORDS[verdict.verdict]
    sentences.append(Text(f"verdict: {words.en}", f"结论：{words.zh}"))
    return sentences


def _what_lacks(evidence: Evidence, rule: Target) -> Text:
    return Text(
        f"needed: {rule.min_valid_results} valid results on {rule.min_days} days; too few: insufficient, which counts as not met",
        f"至少需要 {rule.min_valid_results} 次、{rule.min_days} 天有效结果；不足：数据不足，按未达标计",
    )


def cause_words(cause: Cause) -> Text:
    """One cause in a sentence with its evidence, who has to act and how."""
    explanation = EXPLANATIONS[cause.code]
    unit = UNIT_WORDS[explanation.unit]
    return Text(
        f"{explanation.what.en} ({cause.evidence.en}) -> {unit.en}: {explanation.advice.en}",
        f"{explanation.what.zh}（{cause.evidence.zh}）→ {unit.zh}：{explanation.advice.zh}",
    )


def as_text(derivation: Derivation, language: Language) -> str:
    """For a terminal."""
    verdict, results, days = derivation.verdict, derivation.lines, derivation.days
    lines = [*_heading(derivation, language), ""]
    lines += [each for line in results for each in _line_words(line, derivation.month.zone, language)]
    lines += [] if results else [Text("  no result", "  没有结果").in_(language)]
    lines += ["", *(_day_words(day, language) for day in days), ""]
    lines += [f"  {sentence.in_(language)}" for sentence in conclusion(verdict)]
    if verdict.causes:
        lines.append(Text("likely causes:", "可能原因：").in_(language))
        lines += [f"  {percent(each.weight, decimals=0)}  {cause_words(each).in_(language)}" for each in verdict.causes]
    return "\n".join(map(escape_cell, lines))


def _heading(derivation: Derivation, language: Language) -> list[str]:
    about, rule = derivation.about, derivation.rule
    source = Text(
        "rule ({source}, in force from {since}, policy {version}): ",
        "规则（{source}，{since} 起生效，政策版本 {version}）：",
    ).in_(
        language,
        source=rule.source if rule else "—",
        since=rule.effective_from if rule else "—",
        version=derivation.verdict.policy_version,
    )
    words = rule_words(rule, about.required_bits_per_second, derivation.tolerance_ratio).in_(language)
    target = TARGET_WORDS[about.target].in_(language)
    return [f"{target}  {about.school}/{about.subject}  {derivation.month}", source + words]


def _line_words(line: Line, zone: ZoneInfo, language: Language) -> Iterator[str]:
    at, mark = line.at.astimezone(zone).strftime("%m-%d %H:%M:%S"), {True: "✓", False: "✗", None: "·"}[line.passes]
    yield f"  {at}  {mark}  {line.figures.in_(language)}  {line.why.in_(language)}  [{line.id}]"
    if line.doubt is not None:
        yield f"      {DOUBTFUL.in_(language)}{line.doubt.in_(language)}"


def _day_words(day: DayLine, language: Language) -> str:
    left_out = Text("  exempt: left out", "  免考核：不计入").in_(language) if day.exempt else ""
    counted = Text("{passing} of {valid} valid pass", "有效 {valid} 次，合格 {passing} 次").in_(
        language, passing=day.evidence.passing, valid=day.evidence.valid
    )
    return f"  {day.day}  {counted}{left_out}"
