"""Is everything in place? Each line says ok, or what is wrong and what to do about it, in the reader's language."""

import asyncio
import contextlib
import ctypes.util
import gzip
import os
import shutil
import socket
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from campus_agent.config import AgentConfig, Endpoint, Service
from campus_agent.measure.icmp import Pinger
from campus_agent.measure.probe import ProbeFailed, Run
from campus_agent.measure.probes import service
from campus_agent.measure.resolve import resolve
from campus_agent.schedule.calendar import calendar_of
from campus_agent.schedule.jobs import jobs_of
from campus_agent.ship.connection import Connection, ShipFailed
from campus_agent.subjects import costs
from campus_wire.failures import FAILURE_WORDS
from campus_wire.language import Language, Text
from campus_wire.settings import read_secret

MINIMUM_FREE_BYTES = 200_000_000
TOLERATED_OFFSET_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: `ok` None means a remark. `what` is found, `remedy` is what to do."""

    check: Text
    ok: bool | None
    what: Text
    remedy: Text | None = None

    def as_json(self) -> dict[str, Any]:
        """For programs: English, with the Chinese beside it."""
        return {
            "check": self.check.en,
            "ok": self.ok,
            "what": self.what.en,
            "remedy": self.remedy.en if self.remedy else None,
            "zh": {"check": self.check.zh, "what": self.what.zh, "remedy": self.remedy.zh if self.remedy else None},
        }


async def examine(config: AgentConfig) -> list[Finding]:
    """All checks; the slow ones at the same time."""
    local = list(_local(config))
    remote = await asyncio.gather(
        asyncio.to_thread(_collector, config),
        *(_endpoint(one) for one in _endpoints(config)),
        *(_service(one) for one in config.services),
    )
    return local + [finding for group in remote for finding in group]


def in_words(findings: list[Finding], language: Language) -> str:
    """One line each, the remedy below."""
    lines = []
    for one in findings:
        mark = {True: "✓", False: "✗", None: "·"}[one.ok]
        lines.append(f"{mark} {one.check.in_(language)}: {one.what.in_(language)}")
        if one.remedy is not None and one.ok is not True:
            lines.append(f"    → {one.remedy.in_(language)}")
    wrong = sum(one.ok is False for one in findings)
    text = Text("{wrong} of {all} checks need attention.", "共 {all} 项检查，{wrong} 项需要处理。")
    lines.append(text.in_(language, wrong=wrong, all=len(findings)))
    return "\n".join(lines)


def _local(config: AgentConfig) -> Iterator[Finding]:
    yield _python()
    yield _state_dir(config.state_dir)
    yield _disk(config.state_dir)
    yield _icmp()
    yield _libiperf(config)
    if config.test_key_file is not None or any(one.engine == "campus" for one in _endpoints(config)):
        yield _key(config.test_key_file)
    yield from _device_secrets(config)
    yield _wall_clock()
    yield _holidays(config)
    yield from _references(config)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding(Text("Python", "Python"), True, Text(version, version))


def _state_dir(folder: Path) -> Finding:
    check = Text("state folder", "状态目录")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
    except OSError as error:
        what = Text(f"{folder} cannot be written: {error.strerror}", f"{folder} 无法写入：{error.strerror}")
        user = os.geteuid()
        remedy = Text(
            f"give user {user} the folder: chown {user} {folder}", f"将目录授权给当前用户：chown {user} {folder}"
        )
        return Finding(check, False, what, remedy)
    return Finding(check, True, Text(f"{folder} can be written", f"{folder} 可写"))


def _disk(folder: Path) -> Finding:
    check = Text("disk", "磁盘空间")
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    what = Text(f"{free / 1e9:.1f} GB free", f"剩余 {free / 1e9:.1f} GB")
    remedy = Text("free some space: results may be dropped", "请清理磁盘，否则结果可能丢失")
    return Finding(check, free >= MINIMUM_FREE_BYTES, what, remedy)


def _icmp() -> Finding:
    check = Text("ICMP permission", "ICMP 权限")
    try:
        for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
            try:
                socket.socket(socket.AF_INET, kind, socket.IPPROTO_ICMP).close()
                return Finding(check, True, Text("granted", "已具备"))
            except PermissionError:
                continue
    except OSError as error:
        return Finding(check, False, Text(str(error), str(error)))
    remedy = Text(
        "give the agent CAP_NET_RAW (the systemd unit does), or set net.ipv4.ping_group_range",
        "授予程序 CAP_NET_RAW 权限（随附的 systemd 单元已包含），或设置 net.ipv4.ping_group_range",
    )
    return Finding(check, False, Text("missing: latency cannot be measured", "缺失：无法测量时延"), remedy)


def _libiperf(config: AgentConfig) -> Finding:
    check = Text("iperf3 library", "iperf3 库")
    needed = any(one.engine == "iperf3" for one in _endpoints(config))
    name = ctypes.util.find_library("iperf")
    if name:
        return Finding(check, True, Text(name, name))
    remedy = Text("apt-get install libiperf0", "请安装：apt-get install libiperf0")
    return Finding(check, False if needed else None, Text("not found", "未找到"), remedy)


def _holidays(config: AgentConfig) -> Finding:
    """Lessons on a public holiday would cost a day of measuring; a moved workday would be disturbed."""
    check = Text("holidays", "节假日")
    calendar = calendar_of(config)
    year = datetime.now(config.timezone).year
    if not calendar.has_lessons:
        return Finding(check, None, Text("no lessons are configured: any time is free", "未配置课表：任何时间均可测速"))
    if calendar.covers(year):
        return Finding(check, True, Text(f"known for {year}", f"已有 {year} 年数据"))
    remedy = Text(
        "update the package chinesecalendar, or write the holidays into holidays_file",
        "请更新 chinesecalendar 软件包，或在 holidays_file 中写明节假日",
    )
    what = Text(f"unknown for {year}: only weekends count", f"缺少 {year} 年数据：仅按周末判断")
    return Finding(check, False, what, remedy)


def _references(config: AgentConfig) -> Iterator[Finding]:
    """A reference that needs more octets than a day has is never made, silently otherwise."""
    check = Text("references", "对照测速")
    needs = {job.subject: costs(config).octets(job) for job in jobs_of(config) if job.kind == "reference"}
    daily = config.limits.daily_test_bytes
    for subject, octets in needs.items():
        if octets > daily:
            what = Text(
                f"{subject}: needs {octets / 1e9:.1f} GB, a day has {daily / 1e9:.1f} GB: never made",
                f"{subject}：需要 {octets / 1e9:.1f} GB，每日额度 {daily / 1e9:.1f} GB：不会执行",
            )
            remedy = Text(
                "raise [limits] daily_test_bytes, or set [cycle] reference_days = 0",
                "请提高 [limits] daily_test_bytes，或设置 [cycle] reference_days = 0",
            )
            yield Finding(check, None, what, remedy)


def _key(file: Path | None) -> Finding:
    check = Text("test key", "测试密钥")
    remedy = Text(
        "set [agent] test_key_file; the same key goes to `campus-agent respond --test-key-file`",
        "请设置 [agent] test_key_file，并在教室端 `campus-agent respond --test-key-file` 使用同一密钥",
    )
    if file is None:
        return Finding(
            check, False, Text("none configured; the campus engine needs it", "未配置；campus 引擎需要它"), remedy
        )
    return _secret(check, file, remedy)


def _device_secrets(config: AgentConfig) -> Iterator[Finding]:
    """One line for each file that devices need, however many share it."""
    needed: dict[Path, list[str]] = {}
    for device in config.devices:
        for file in device.secret_files:
            needed.setdefault(file, []).append(device.id)
    for file, devices in needed.items():
        named = ", ".join(dict.fromkeys(devices))
        check = Text(f"secret of {named}", f"{named} 的密钥文件")
        remedy = Text(f"write the secret into {file}, mode 600", f"请将密码或密钥写入 {file}，权限 600")
        yield _secret(check, file, remedy)


def _secret(check: Text, file: Path, remedy: Text) -> Finding:
    try:
        read_secret(file)
        mode = stat.S_IMODE(file.stat().st_mode)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return Finding(check, False, Text(f"{file}: {reason}", f"{file}:{reason}"), remedy)
    if mode & 0o077:
        what = Text(f"{file} can be read by others (mode {mode:o})", f"{file} 可被其他用户读取（权限 {mode:o}）")
        return Finding(check, False, what, Text(f"chmod 600 {file}", f"chmod 600 {file}"))
    return Finding(check, True, Text(f"{file}", f"{file}"))


def _wall_clock() -> Finding:
    check = Text("clock", "系统时钟")
    now = datetime.now(UTC)
    text = now.strftime("%Y-%m-%d %H:%M:%S UTC")
    if now.year < 2025:
        return Finding(check, False, Text(f"{text} cannot be right", f"{text} 明显不正确"), _CLOCK_REMEDY)
    return Finding(check, True, Text(text, text))


_CLOCK_REMEDY = Text(
    "set the clock: timedatectl set-ntp true, or date -s '2026-01-31 08:00'",
    "请校准时钟：timedatectl set-ntp true，或 date -s '2026-01-31 08:00'",
)


def _collector(config: AgentConfig) -> list[Finding]:
    """Reach it, shake hands, compare clocks; the token is only looked at, not spent."""
    check = Text("collector", "采集服务器")
    if config.collector is None:
        what = Text("no [collector] configured: results stay on this gateway", "未配置 [collector]:结果仅保存在网关")
        return [Finding(check, None, what)]
    token_remedy = Text(
        "enroll again, or copy the token from `campus-collector agent-token`",
        "请重新注册，或写入 `campus-collector agent-token` 给出的令牌",
    )
    findings = [_secret(Text("token", "令牌"), config.collector.token_file, token_remedy)]
    connection = Connection(config.collector)
    accepted: int | None = None
    try:
        answer = connection.get("/healthz")
        if findings[0].ok:  # a slot that nobody holds: whoever speaks for a school is told 404, anybody else 401
            accepted = connection.post("/v1/slots/doctor/release", gzip.compress(b"{}")).status
    except ShipFailed as failed:
        kind = FAILURE_WORDS[failed.failure.kind]
        what = Text(
            f"{config.collector.url}: {kind.en} ({failed.failure.detail})",
            f"{config.collector.url}:{kind.zh}（{failed.failure.detail}）",
        )
        remedy = Text(
            "check address, network and certificate (ca_file), and the clock",
            "请检查地址、网络、证书(ca_file)以及本机时钟",
        )
        return [*findings, Finding(check, False, what, remedy)]
    finally:
        connection.close()
    fine = answer.status == 200
    what = Text(f"{config.collector.url} answers {answer.status}", f"{config.collector.url} 应答 {answer.status}")
    findings.append(Finding(check, fine, what, Text("is this really the collector?", "请确认该地址是采集服务器")))
    if accepted is not None:
        refused = accepted in (401, 403)
        what = Text("refused: unknown or revoked", "被拒绝：未知或已吊销") if refused else Text("accepted", "有效")
        check = Text("token at the collector", "采集服务器对令牌的认可")
        findings.append(Finding(check, False if refused else True if accepted == 404 else None, what, token_remedy))
    if answer.date is not None:
        findings.append(_offset(answer.date))
    return findings


def _offset(header: str) -> Finding:
    check = Text("clock against the collector", "与采集服务器的时差")
    try:
        offset = parsedate_to_datetime(header).timestamp() - time.time()
    except (TypeError, ValueError):
        return Finding(check, None, Text("not told", "未提供"))
    what = Text(f"{offset:+.0f} s", f"{offset:+.0f} 秒")
    return Finding(check, abs(offset) <= TOLERATED_OFFSET_SECONDS, what, _CLOCK_REMEDY)


async def _endpoint(endpoint: Endpoint) -> list[Finding]:
    """Is the machine there, and does its port take a connection?"""
    name = endpoint.name if endpoint.name == endpoint.id else f"{endpoint.id} {endpoint.name}"
    check = Text(f"endpoint {name}", f"测试端 {name}")
    off = Text("switch it on, check cable and address", "请开机并检查网线和地址")
    try:
        address = await resolve(endpoint.host, 5.0)
    except ProbeFailed as failed:
        kind = FAILURE_WORDS[failed.failure.kind]
        return [Finding(check, False, Text(f"{endpoint.host}: {kind.en}", f"{endpoint.host}:{kind.zh}"), off)]
    if endpoint.engine == "campus":
        return [await asyncio.to_thread(_port, check, address.text, endpoint.port)]
    answered = False
    with contextlib.suppress(ProbeFailed), Pinger(address.text, address.family) as pinger:
        await pinger.send_every(0.1, 3)
        await pinger.settle(1.0)
        answered = bool(pinger.echoes.rtt_seconds)
    port = await asyncio.to_thread(_port, check, address.text, endpoint.port)
    if port.ok or answered:
        return [port]
    what = Text(f"{address.text} does not answer", f"{address.text} 无应答")
    return [Finding(check, False, what, off)]


async def _service(one: Service) -> list[Finding]:
    """One request, as the agent makes it."""
    check = Text(f"platform {one.id}", f"云平台 {one.name}")
    settings = service.Settings(one.url)
    try:
        async with asyncio.timeout(service.deadline_seconds(settings)):
            finding = service.interpret(await service.measure(settings, Run(service.deadline_seconds(settings))))
    except TimeoutError:
        return [Finding(check, False, Text("no answer in time", "超时无应答"))]
    if finding.failure is None:
        return [Finding(check, True, Text("answers", "可访问"))]
    words = FAILURE_WORDS[finding.failure.kind]
    what = Text(f"{one.url}: {words.en}", f"{one.url}：{words.zh}")
    return [Finding(check, False, what, Text("check the address, DNS and the way out", "请检查网址、DNS 和出口网络"))]


def _port(check: Text, address: str, port: int) -> Finding:
    try:
        socket.create_connection((address, port), 3.0).close()
    except OSError as error:
        what = Text(f"{address}:{port}: {error}", f"{address}:{port}:{error}")
        remedy = Text(
            "start `campus-agent respond` (or `iperf3 -s`) there; open its port in the firewall",
            "请在该机器上运行 `campus-agent respond`（或 `iperf3 -s`）并放行防火墙端口",
        )
        return Finding(check, False, what, remedy)
    return Finding(check, True, Text(f"{address}:{port} answers", f"{address}:{port} 有应答"))


def _endpoints(config: AgentConfig) -> list[Endpoint]:
    return [*config.classrooms, *([config.uplink] if config.uplink else [])]
