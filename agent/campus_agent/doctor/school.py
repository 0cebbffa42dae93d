"""What stands in the school: endpoints, switches and devices; and the platforms it uses."""

import asyncio
import contextlib
import socket

from campus_agent.config.model import AgentConfig, Endpoint, Service
from campus_agent.doctor.findings import CLOCK_REMEDY, CheckResult
from campus_agent.measure.browser.engine import absent_pages
from campus_agent.measure.browser.messages import socket_path
from campus_agent.measure.link.connect import reachable
from campus_agent.measure.link.icmp import Pinger
from campus_agent.measure.probe import ProbeFailed, Run
from campus_agent.measure.probes import service as request
from campus_agent.measure.probes.devices import poll
from campus_base.messages import Message, bilingual, message
from campus_base.system_errors import error_words
from campus_base.wire_words import FAILURE_WORDS, OPERATION_WORDS, VALIDITY_WORDS
from campus_wire.failures import Validity


async def endpoint(target: Endpoint, config: AgentConfig) -> list[CheckResult]:
    """Is the machine there, and does its port take a connection?"""
    name = target.name if target.name == target.id else f"{target.id} {target.name}"
    check = message("endpoint {name}", name=name)
    off = message("switch it on, check cable and address")
    if target.engine == "browser":
        return [await _waiting_page(check, target, config)]
    try:
        address = await reachable(target.host, target.port, 5.0, 3.0)
    except ProbeFailed as failed:
        kind = FAILURE_WORDS[failed.failure.kind]
        return [CheckResult(check, False, message("{host}: {kind}", host=target.host, kind=kind), off)]
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
    what = message("{text} does not answer", text=address.text)
    return [CheckResult(check, False, what, off)]


async def _waiting_page(check: Message, target: Endpoint, config: AgentConfig) -> CheckResult:
    away = (await absent_pages(str(socket_path(config.state_dir)), [target.id])).get(target.id)
    if away is None:
        return CheckResult(check, True, message("its page waits"))
    remedy = message("open its page there: campus-agent page shortcuts --help; is the agent running?")
    return CheckResult(check, False, message("no page waits: {detail}", detail=away.detail), remedy)


async def service(platform: Service) -> list[CheckResult]:
    """One request, as the agent makes it."""
    check = message("platform {id}", id=bilingual(platform.id, platform.name))
    settings = request.ServiceSettings(platform.url, expected=platform.expected)
    try:
        deadline = request.deadline_seconds(settings)
        async with asyncio.timeout(deadline):
            (finding,) = await request.measure(settings, Run(deadline))
    except TimeoutError:
        return [CheckResult(check, False, message("no answer in time"))]
    if finding.failure is None:
        return [CheckResult(check, True, message("answers"))]
    words = FAILURE_WORDS[finding.failure.kind]
    if finding.validity is Validity.CLOCK_UNTRUSTED:
        clock = VALIDITY_WORDS[finding.validity]
        what = message("{url}: {clock} ({detail})", url=platform.url, clock=clock, detail=finding.detail)
        return [CheckResult(check, False, what, CLOCK_REMEDY)]
    what = message("{url}: {words} ({detail})", url=platform.url, words=words, detail=finding.failure.detail)
    return [CheckResult(check, False, what, message("check the address, DNS and the way out"))]


def _port(check: Message, address: str, port: int) -> CheckResult:
    try:
        socket.create_connection((address, port), 3.0).close()
    except OSError as error:
        what = message("{address}:{port}: {error}", address=address, port=port, error=error_words(error))
        remedy = message("start `campus-agent respond` (or `iperf3 -s`) there; open its port in the firewall")
        return CheckResult(check, False, what, remedy)
    return CheckResult(check, True, message("{address}:{port} answers", address=address, port=port))


def endpoints(config: AgentConfig) -> list[Endpoint]:
    return [*config.classrooms, *([config.uplink] if config.uplink else [])]


async def devices(config: AgentConfig) -> list[CheckResult]:
    """Each switch and device is asked once, as the agent asks it: does it answer, and does it take the password?"""
    if not config.devices:
        return []
    results = []
    for device, polled in zip(
        config.devices, await poll(config.devices, config.profile_dir, config.timezone.key), strict=True
    ):
        name = device.name if device.name == device.id else f"{device.id} {device.name}"
        check = message("device {name}", name=name)
        remedy = message(
            "switch it on, check address and password; then: campus-agent measure device {id}", id=device.id
        )
        if polled.failure is not None:
            where, why = OPERATION_WORDS[polled.failure.operation], FAILURE_WORDS[polled.failure.kind]
            what = message(
                "{host}: {where}: {why} ({detail})",
                host=device.host,
                where=where,
                why=why,
                detail=polled.failure.detail,
            )
            results.append(CheckResult(check, False, what, remedy))
        elif polled.failed:
            missing = ", ".join(sorted(polled.failed))
            what = message("{host} answers, but not on: {missing}", host=device.host, missing=missing)
            results.append(CheckResult(check, None, what, remedy))
        else:
            what = message("{host} answers, {readings} readings", host=device.host, readings=len(polled.readings))
            results.append(CheckResult(check, polled.up, what, remedy))
    return results
