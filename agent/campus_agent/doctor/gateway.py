"""The gateway itself: versions, permissions, capabilities, libraries, clock, DNS, disk, spool, the service."""

import ctypes.util
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from campus_agent.config.model import AgentConfig
from campus_agent.doctor.findings import CLOCK_REMEDY, CheckResult, check_secret
from campus_agent.doctor.school import endpoints
from campus_agent.measure.plan import costs, jobs_of
from campus_agent.schedule.calendar import calendar_of
from campus_agent.spool.errors import SpoolError
from campus_agent.spool.schema import VERSION as SPOOL_VERSION
from campus_agent.spool.spool import open_spool
from campus_base.files import make_folder
from campus_base.language import Text
from campus_wire.version import VERSION

MINIMUM_FREE_BYTES = 200_000_000
UNIT = "campus-agent.service"
SERVICE_USER = "campus-agent"


def check_gateway(config: AgentConfig) -> Iterator[CheckResult]:
    """What needs no network."""
    yield _version()
    yield _python()
    yield from _unit()
    yield _state_dir(config.state_dir)
    yield _disk(config.state_dir)
    yield _spool(config)
    yield _icmp()
    yield _raw()
    yield _libiperf(config)
    if config.test_key_file is not None or any(each.engine == "campus" for each in endpoints(config)):
        yield _key(config.test_key_file)
    yield from _device_secrets(config)
    yield _wall_clock()
    yield from _synchronised()
    yield _dns()
    yield from _page(config)
    yield _holidays(config)
    yield from _references(config)


def _version() -> CheckResult:
    what = Text(f"{VERSION}; spool format {SPOOL_VERSION}", f"{VERSION}；留存格式 {SPOOL_VERSION}")
    return CheckResult(Text("CampusMeter agent", "校园测网关端"), True, what)


def _unit() -> Iterator[CheckResult]:
    """Does the service run, as its own user? Nothing is answer where there is no systemd or no unit."""
    show = _output_of(["systemctl", "show", UNIT, "-p", "LoadState,ActiveState,User,UnitFileState"])
    values = dict(line.partition("=")[::2] for line in show.splitlines())
    if values.get("LoadState") != "loaded":
        return
    check = Text("service", "系统服务")
    state, start = values.get("ActiveState", ""), values.get("UnitFileState", "")
    what = Text(
        f"{UNIT}: {state}, {start}, user {values.get('User')}", f"{UNIT}：{state}，{start}，用户 {values.get('User')}"
    )
    remedy = Text(
        f"systemctl enable --now {UNIT}; journalctl -u {UNIT}",
        f"systemctl enable --now {UNIT}；日志：journalctl -u {UNIT}",
    )
    yield CheckResult(check, state in ("active", "activating") and start == "enabled", what, remedy)


def _spool(config: AgentConfig) -> CheckResult:
    """What waits, and whether anything was lost."""
    check = Text("spool", "本地留存")
    if not (config.state_dir / "spool.db").exists():
        return CheckResult(check, None, Text("nothing was measured yet", "尚未测量"))
    try:
        with open_spool(config.state_dir, config.spool, role="reader") as spool:
            status = spool.status()
    except SpoolError as error:
        remedy = Text("look at the folder's owner and the disk", "请检查目录属主和磁盘")
        return CheckResult(check, False, Text(error.in_("en"), error.in_("zh")), remedy)
    full = max(status.pending_results / config.spool.max_results, status.pending_bytes / config.spool.max_bytes)
    what = Text(
        f"{status.pending_results} results wait ({full:.0%} full), {status.lost_total} were dropped, {status.quarantined_results} refused",
        f"待上报 {status.pending_results} 条（已用 {full:.0%}），丢弃 {status.lost_total} 条，被拒 {status.quarantined_results} 条",
    )
    remedy = Text(
        "bring the line to the collector back soon: the oldest are dropped when it is full",
        "请尽快恢复与采集端的连接：满后将丢弃最早的结果",
    )
    return CheckResult(check, full < 0.8 and not status.damaged_files, what, remedy)


def _raw() -> CheckResult:
    """Raw Ethernet: for the look at the school's own links (`discover`)."""
    check = Text("raw Ethernet permission", "链路层权限")
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except PermissionError:
        return CheckResult(
            check,
            None,
            Text("missing: no look for DHCP servers, no discover", "缺失：不能查找 DHCP 服务器和使用 discover"),
            Text("give CAP_NET_RAW, as the unit does", "授予 CAP_NET_RAW（随附的 systemd 单元已包含）"),
        )
    except OSError as error:
        return CheckResult(check, None, Text(str(error), str(error)))
    return CheckResult(check, True, Text("granted", "已具备"))


def _synchronised() -> Iterator[CheckResult]:
    """Does anything set the clock? Nothing is answer where systemd cannot tell."""
    answer = _output_of(["timedatectl", "show", "-p", "NTPSynchronized", "--value"]).strip()
    if answer in ("yes", "no"):
        check = Text("clock is set by the network", "网络校时")
        remedy = Text(
            "timedatectl set-ntp true (package systemd-timesyncd)",
            "timedatectl set-ntp true（软件包 systemd-timesyncd）",
        )
        yield CheckResult(
            check, True if answer == "yes" else None, Text(answer, "是" if answer == "yes" else "否"), remedy
        )


def _page(config: AgentConfig) -> Iterator[CheckResult]:
    """Does the classrooms' page answer, where there is one?"""
    if not config.page.port:
        return
    check = Text("classroom page", "教室测速网页")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.page.listen, config.page.listen)  # noqa: S104
    try:
        socket.create_connection((host, config.page.port), 2.0).close()
    except OSError as error:
        what = Text(f"port {config.page.port}: {error.strerror}", f"端口 {config.page.port}：{error.strerror}")
        remedy = Text(
            "start the service; is another program on that port?", "请启动服务，并检查该端口是否被其他程序占用"
        )
        yield CheckResult(check, False, what, remedy)
        return
    yield CheckResult(check, True, Text(f"http://GATEWAY:{config.page.port}/", f"http://网关地址:{config.page.port}/"))


def _dns() -> CheckResult:
    """Who is asked for names?"""
    check = Text("name servers", "DNS 服务器")
    try:
        lines = Path("/etc/resolv.conf").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    servers = [parts[1] for line in lines if (parts := line.split())[:1] == ["nameserver"] and len(parts) > 1]
    remedy = Text("write `nameserver ADDRESS` into /etc/resolv.conf", "请在 /etc/resolv.conf 中写入 nameserver 地址")
    if not servers:
        return CheckResult(check, None, Text("none in /etc/resolv.conf", "/etc/resolv.conf 中没有"), remedy)
    return CheckResult(check, True, Text(", ".join(servers), "、".join(servers)))


def _output_of(command: list[str]) -> str:
    """What a program of the system says; "" where it is not there or fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=5).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def _python() -> CheckResult:
    version = ".".join(map(str, sys.version_info[:3]))
    return CheckResult(Text("Python", "Python"), True, Text(version, version))


def _state_dir(folder: Path) -> CheckResult:
    check = Text("state folder", "状态目录")
    try:
        make_folder(folder, 0o700)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
    except OSError as error:
        what = Text(f"{folder} cannot be written: {error.strerror}", f"{folder} 无法写入：{error.strerror}")
        user = os.geteuid()
        remedy = Text(
            f"give user {user} the folder: chown {user} {folder}", f"将目录授权给当前用户：chown {user} {folder}"
        )
        return CheckResult(check, False, what, remedy)
    owner = _other_owner(folder)
    if owner is not None:
        what = Text(
            f"{folder} belongs to {owner}, the service runs as {SERVICE_USER}",
            f"{folder} 属于 {owner}，而服务以 {SERVICE_USER} 运行",
        )
        remedy = Text(f"chown -R {SERVICE_USER}: {folder}", f"chown -R {SERVICE_USER}: {folder}")
        return CheckResult(check, False, what, remedy)
    return CheckResult(check, True, Text(f"{folder} can be written", f"{folder} 可写"))


def _disk(folder: Path) -> CheckResult:
    check = Text("disk", "磁盘空间")
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    what = Text(f"{free / 1e9:.1f} GB free", f"剩余 {free / 1e9:.1f} GB")
    remedy = Text("free some space: results may be dropped", "请清理磁盘，否则结果可能丢失")
    return CheckResult(check, free >= MINIMUM_FREE_BYTES, what, remedy)


def _icmp() -> CheckResult:
    check = Text("ICMP permission", "ICMP 权限")
    try:
        for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
            try:
                socket.socket(socket.AF_INET, kind, socket.IPPROTO_ICMP).close()
                return CheckResult(check, True, Text("granted", "已具备"))
            except PermissionError:
                continue
    except OSError as error:
        return CheckResult(check, False, Text(str(error), str(error)))
    remedy = Text(
        "give the agent CAP_NET_RAW (the systemd unit does), or set net.ipv4.ping_group_range",
        "授予程序 CAP_NET_RAW 权限（随附的 systemd 单元已包含），或设置 net.ipv4.ping_group_range",
    )
    return CheckResult(check, False, Text("missing: latency cannot be measured", "缺失：无法测量时延"), remedy)


def _libiperf(config: AgentConfig) -> CheckResult:
    check = Text("iperf3 library", "iperf3 库")
    needed = any(each.engine == "iperf3" for each in endpoints(config))
    name = ctypes.util.find_library("iperf")
    if name:
        return CheckResult(check, True, Text(name, name))
    remedy = Text("apt-get install libiperf0", "请安装：apt-get install libiperf0")
    return CheckResult(check, False if needed else None, Text("not found", "未找到"), remedy)


HOLIDAYS_AHEAD_DAYS = 30
"""The State Council's notice for a year comes in November of the year before; a month before it begins somebody should look."""


def _holidays(config: AgentConfig) -> CheckResult:
    """Lessons on a public holiday would cost a day of measuring; a moved workday would be disturbed."""
    check = Text("holidays", "节假日")
    calendar = calendar_of(config)
    today = datetime.now(config.timezone).date()
    year = (today + timedelta(HOLIDAYS_AHEAD_DAYS)).year if calendar.covers(today.year) else today.year
    if not calendar.has_lessons:
        return CheckResult(
            check, None, Text("no lessons are configured: any time is free", "未配置课表：任何时间均可测速")
        )
    if calendar.covers(year):
        return CheckResult(check, True, Text(f"known for {year}", f"已有 {year} 年数据"))
    remedy = Text(
        "update the package chinesecalendar, or write the holidays into holidays_file",
        "请更新 chinesecalendar 软件包，或在 holidays_file 中写明节假日",
    )
    what = Text(
        f"unknown for {year}: provisional, only weekends count", f"缺少 {year} 年数据：暂按周末判断，结果为暂定"
    )
    return CheckResult(check, False if year == today.year else None, what, remedy)


def _references(config: AgentConfig) -> Iterator[CheckResult]:
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
            yield CheckResult(check, None, what, remedy)


def _key(file: Path | None) -> CheckResult:
    check = Text("test key", "测试密钥")
    remedy = Text(
        "set [agent] test_key_file; the same key goes to `campus-agent respond --test-key-file`",
        "请设置 [agent] test_key_file，并在教室端 `campus-agent respond --test-key-file` 使用同一密钥",
    )
    if file is None:
        return CheckResult(
            check, False, Text("none configured; the campus engine needs it", "未配置；campus 引擎需要它"), remedy
        )
    return check_secret(check, file, remedy)


def _device_secrets(config: AgentConfig) -> Iterator[CheckResult]:
    """One line for each file that devices need, however many share it."""
    needed: dict[Path, list[str]] = {}
    for device in config.devices:
        for file in device.secret_files:
            needed.setdefault(file, []).append(device.id)
    for file, devices in needed.items():
        named = ", ".join(dict.fromkeys(devices))
        check = Text(f"secret of {named}", f"{named} 的密钥文件")
        remedy = Text(f"write the secret into {file}, mode 600", f"请将密码或密钥写入 {file}，权限 600")
        yield check_secret(check, file, remedy)


def _wall_clock() -> CheckResult:
    check = Text("clock", "系统时钟")
    now = datetime.now(UTC)
    text = now.strftime("%Y-%m-%d %H:%M:%S UTC")
    if now.year < 2025:
        return CheckResult(check, False, Text(f"{text} cannot be right", f"{text} 明显不正确"), CLOCK_REMEDY)
    return CheckResult(check, True, Text(text, text))


def _other_owner(folder: Path) -> str | None:
    """Whose is the first thing in a folder that the service's own user could not write? None without such a user, or when all is well."""
    try:
        service_user = pwd.getpwnam(SERVICE_USER).pw_uid
    except KeyError:
        return None
    for path in (folder, *sorted(folder.iterdir())):
        owner = path.stat().st_uid
        if owner != service_user:
            try:
                return pwd.getpwuid(owner).pw_name
            except KeyError:
                return str(owner)
    return None
