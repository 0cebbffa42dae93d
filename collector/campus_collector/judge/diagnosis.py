"""Why did a subject not meet its target? The most likely cause from the results we hold, first rule that fits. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from campus_collector.judge.policy import Target
from campus_collector.judge.rules import Observation
from campus_wire.bandwidth import Verdict, line_rate_of
from campus_wire.failures import FailureKind, Operation, Validity
from campus_wire.language import Text
from campus_wire.records import AnyResult, ServiceResult, ThroughputResult

ENDPOINT_AWAY = frozenset(
    {
        FailureKind.HOST_UNREACHABLE,
        FailureKind.TIMEOUT,
        FailureKind.NETWORK_UNREACHABLE,
    }
)
FLAT_SPREAD = 0.03
"""Line rates that differ less than this look like a shaper or a port speed, not like weather."""

WORDS: dict[str, Text] = {
    "": Text("", ""),
    "no_report": Text("no result has arrived", "尚未收到测量结果"),
    "endpoint_off": Text(
        "the classroom machine was never reachable: switched off or unplugged", "教室测试端始终不可达：未开机或网线未接"
    ),
    "endpoint_name": Text("the endpoint's name is not resolved: check `host`", "测试端名称无法解析：请检查 host 配置"),
    "endpoint_silent": Text(
        "the endpoint accepts connections, then says nothing: its test service hangs",
        "测试端能连接但无应答：测试服务可能已卡死",
    ),
    "endpoint_not_running": Text(
        "the machine is on, but its test service is not running", "教室电脑在线，但测试服务未运行"
    ),
    "gateway_busy": Text("the gateway was too busy to measure", "网关过忙，无法可靠测量"),
    "cross_traffic": Text("other traffic was too high to measure", "其他流量过高，无法可靠测量"),
    "port_speed_10": Text(
        "flat at about 10 Mbit/s: a port negotiated 10 Mbit/s", "速率稳定在 10 兆左右：端口可能协商为 10 兆"
    ),
    "port_speed_100": Text(
        "flat at about 100 Mbit/s: a port negotiated 100 Mbit/s", "速率稳定在 100 兆左右：端口可能协商为百兆"
    ),
    "flat_rate": Text("flat below the target: looks like a rate limit", "速率稳定低于要求：疑似被限速"),
    "unstable_rate": Text(
        "the rate changes from test to test: cable, Wi-Fi or shared line",
        "各次测量速率波动大：请检查网线、无线或共享线路",
    ),
    "name_resolution": Text("the platform's name is not resolved", "平台域名无法解析"),
    "unreachable": Text("the platform is not reached", "平台无法连接"),
    "certificate": Text("the platform's certificate is refused", "平台证书校验未通过"),
    "slow_answer": Text("the platform's first byte comes too late", "平台首字节响应过慢"),
    "server_error": Text("the platform answers with an error", "平台返回错误"),
    "room_down": Text("a required device of each room was down too often", "每间录播室都有必备设备多次异常"),
    "delay_under_load": Text("round trips grow too long when the line is full", "线路繁忙时时延过大"),
    "delay_idle": Text("round trips, jitter or loss are too high even when idle", "空闲时时延、抖动或丢包已超限"),
    "too_few": Text("too few valid results so far", "有效测量次数不足"),
    "too_few_days": Text("valid results on too few days so far", "有效测量的天数不足"),
    "unknown": Text("cause unknown", "原因不明"),
}


@dataclass(frozen=True, slots=True)
class Case:
    """What a diagnosis looks at."""

    verdict: Verdict
    target: Target | None
    observations: Sequence[Observation]
    results: Sequence[AnyResult]


def diagnose(case: Case) -> str:
    """A code of WORDS; "" when the target is met or exempt."""
    if case.verdict in (Verdict.MET, Verdict.EXEMPT):
        return ""
    if not case.results:
        return "no_report"
    if case.verdict is Verdict.INSUFFICIENT:
        return _why_insufficient(case)
    if case.target is not None and case.target.name == "platform_access":
        return _why_no_access(case)
    if case.target is not None and case.target.name == "recording_room":
        return "room_down"
    if case.target is not None and case.target.name == "live_class":
        return _why_late(case)
    return _why_slow(case)


def _why_late(case: Case) -> str:
    """Under load, or already idle? By what most failing tests show."""
    limits = case.target.delays if case.target else None
    failing = {one.id for one in case.observations if one.passes is False}
    idle = 0
    for result in case.results:
        record = result.record if isinstance(result, ThroughputResult) and result.id in failing else None
        if record is None or record.idle is None or limits is None:
            continue
        found = record.idle
        idle += (
            (found.rtt_median_seconds or 0) > limits.max_rtt_seconds
            or (found.jitter_seconds or 0) > limits.max_jitter_seconds
            or (found.loss_ratio or 0) > limits.max_loss_ratio
        )
    return "delay_idle" if 2 * idle > len(failing) else "delay_under_load"


def _why_insufficient(case: Case) -> str:
    """Only what was never judged can explain that there is too little."""
    valid = sum(one.passes is not None for one in case.observations)
    if valid:
        enough = case.target is not None and valid >= case.target.min_valid_results
        return "too_few_days" if enough else "too_few"
    failures = Counter((result.failure.operation, result.failure.kind) for result in case.results if result.failure)
    validities = Counter(result.validity for result in case.results if result.failure is None)
    if failures:
        cause = _why_unreached(*failures.most_common(1)[0][0])
        if cause:
            return cause
    if validities[Validity.GATEWAY_CPU] or validities[Validity.GATEWAY_LIMIT]:
        return "gateway_busy"
    return "cross_traffic" if validities[Validity.CROSS_TRAFFIC] else "too_few"


def _why_unreached(operation: Operation, kind: FailureKind) -> str:
    """What kept the tests from beginning; "" when that does not tell."""
    if kind is FailureKind.CONNECTION_REFUSED:
        return "endpoint_not_running"
    if kind in (FailureKind.NAME_NOT_FOUND, FailureKind.NAME_SERVER_FAILED):
        return "endpoint_name"
    if kind in ENDPOINT_AWAY:
        return "endpoint_off" if operation in (Operation.CONNECT, Operation.UNKNOWN) else "endpoint_silent"
    return ""


def _why_slow(case: Case) -> str:
    rates = [
        min(
            line_rate_of(d, result.record.encapsulation)
            for d in (result.record.down, result.record.up)
            if d is not None
        )
        for result in case.results
        if isinstance(result, ThroughputResult)
        and result.record is not None
        and result.validity is Validity.OK
        and (result.record.down or result.record.up)
    ]
    if not rates:
        return "unknown"
    low, high = min(rates), max(rates)
    if high - low > FLAT_SPREAD * high:
        return "unstable_rate"
    required = case.target.required_bits_per_second if case.target else None
    for speed, code in ((10e6, "port_speed_10"), (100e6, "port_speed_100")):
        if abs(high - speed) <= 0.02 * speed and required is not None and required > 1.5 * speed:
            return code
    return "flat_rate"


def _why_no_access(case: Case) -> str:
    failures = Counter(
        result.failure.kind
        for result in case.results
        if isinstance(result, ServiceResult) and result.failure is not None
    )
    if not failures:
        return "slow_answer"
    kind = failures.most_common(1)[0][0]
    if kind in (FailureKind.NAME_NOT_FOUND, FailureKind.NAME_SERVER_FAILED):
        return "name_resolution"
    if kind.startswith("certificate") or kind is FailureKind.TLS_FAILED:
        return "certificate"
    return "server_error" if kind in (FailureKind.HTTP_STATUS, FailureKind.PROTOCOL_ERROR) else "unreachable"
