"""What stands in the school: endpoints, switches and devices; and the platforms it uses."""

import asyncio
import contextlib
import socket

from campus_agent.config.model import AgentConfig, Endpoint, Service
from campus_agent.doctor.findings import CLOCK_REMEDY, CheckResult
from campus_agent.measure.link.connect import reachable
from campus_agent.measure.link.icmp import Pinger
from campus_agent.measure.probe import ProbeFailed, Run
from campus_agent.measure.probes import service as request
from campus_agent.measure.probes.devices import poll
from campus_base.language import Text
from campus_base.wire_words import FAILURE_WORDS, OPERATION_WORDS, VALIDITY_WORDS
from campus_wire.failures import Validity


async def endpoint(target: Endpoint) -> list[CheckResult]:
    """Is the machine there, and does its port take a connection?"""
    name = target.name if target.name == target.id else f"{target.id} {target.name}"
    check = Text(f"endpoint {name}", f"测试端 {name}")
    off = Text("switch it on, check cable and address", "请开机并检查网线和地址")
    try:
        address = await reachable(target.host, target.port, 5.0, 3.0)
    except ProbeFailed as failed:
        kind = FAILURE_WORDS[failed.failure.kind]
        return [CheckResult(check, False, Text(f"{target.host}: {kind.en}", f"{target.host}:{kind.zh}"), off)]
    if target.engine == "campus":
        return [await asyncio.to_thread(_port, check, address.text, target.port)]
    answered = False
    with contextlib.suppress(ProbeFailed), Pinger(address.text, address.family) as pinger:
        await pinger.send_every(0.1, 3)
        await pinger.settle(1.0)
        answered = bool(pinger.echoes.rtt_seconds)
    port = await asyncio.to_thread(_port, check, address.text, target.port)
    if port.ok or answered:
        return [port]
    what = Text(f"{address.text} does not answer", f"{address.text} 无应答")
    return [CheckResult(check, False, what, off)]


async def service(platform: Service) -> list[CheckResult]:
    """One request, as the agent makes it."""
    check = Text(f"platform {platform.id}", f"云平台 {platform.name}")
    settings = request.ServiceSettings(platform.url, expected=platform.expected)
    try:
        deadline = request.deadline_seconds(settings)
        async with asyncio.timeout(deadline):
            (finding,) = await request.measure(settings, Run(deadline))
    except TimeoutError:
        return [CheckResult(check, False, Text("no answer in time", "超时无应答"))]
    if finding.failure is None:
        return [CheckResult(check, True, Text("answers", "可访问"))]
    words = FAILURE_WORDS[finding.failure.kind]
    if finding.validity is Validity.CLOCK_UNTRUSTED:
        clock = VALIDITY_WORDS[finding.validity]
        what = Text(f"{platform.url}: {clock.en} ({finding.detail})", f"{platform.url}：{clock.zh}（{finding.detail}）")
        return [CheckResult(check, False, what, CLOCK_REMEDY)]
    what = Text(
        f"{platform.url}: {words.en} ({finding.failure.detail})",
        f"{platform.url}：{words.zh}（{finding.failure.detail}）",
    )
    return [
        CheckResult(check, False, what, Text("check the address, DNS and the way out", "请检查网址、DNS 和出口网络"))
    ]


def _port(check: Text, address: str, port: int) -> CheckResult:
    try:
        socket.create_connection((address, port), 3.0).close()
    except OSError as error:
        what = Text(f"{address}:{port}: {error}", f"{address}:{port}:{error}")
        remedy = Text(
            "start `campus-agent respond` (or `iperf3 -s`) there; open its port in the firewall",
            "请在该机器上运行 `campus-agent respond`（或 `iperf3 -s`）并放行防火墙端口",
        )
        return CheckResult(check, False, what, remedy)
    return CheckResult(check, True, Text(f"{address}:{port} answers", f"{address}:{port} 有应答"))


def endpoints(config: AgentConfig) -> list[Endpoint]:
    return [*config.classrooms, *([config.uplink] if config.uplink else [])]


async def devices(config: AgentConfig) -> list[CheckResult]:
    """Each switch and device is asked once, as the agent asks it: does it answer, and does it take the password?"""
    if not config.devices:
        return []
    results = []
    for device, seen in zip(
        config.devices, await poll(config.devices, config.profile_dir, config.timezone.key), strict=True
    ):
        name = device.name if device.name == device.id else f"{device.id} {device.name}"
        check = Text(f"device {name}", f"设备 {name}")
        remedy = Text(
            f"switch it on, check address and password; then: campus-agent measure device {device.id}",
            f"请检查电源、地址和密码；然后执行：campus-agent measure device {device.id}",
        )
        if seen.failure is not None:
            where, why = OPERATION_WORDS[seen.failure.operation], FAILURE_WORDS[seen.failure.kind]
            what = Text(
                f"{device.host}: {where.en}: {why.en} ({seen.failure.detail})",
                f"{device.host}：{where.zh}：{why.zh}（{seen.failure.detail}）",
            )
            results.append(CheckResult(check, False, what, remedy))
        elif seen.failed:
            missing = ", ".join(sorted(seen.failed))
            what = Text(
                f"{device.host} answers, but not on: {missing}", f"{device.host} 有应答，但以下读数失败：{missing}"
            )
            results.append(CheckResult(check, None, what, remedy))
        else:
            what = Text(
                f"{device.host} answers, {len(seen.readings)} readings",
                f"{device.host} 有应答，读数 {len(seen.readings)} 项",
            )
            results.append(CheckResult(check, seen.up, what, remedy))
    return results
