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
from campus_base.messages import joined, message, verbatim
from campus_base.system_errors import error_words
from campus_wire.version import VERSION

MINIMUM_FREE_BYTES = 200_000_000
UNIT = "campus-agent.service"
SERVICE_USER = "campus-agent"


def check_gateway(config: AgentConfig) -> Iterator[CheckResult]:
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
    what = message("{version}; spool format {spool_version}", version=VERSION, spool_version=SPOOL_VERSION)
    return CheckResult(message("CampusMeter agent"), True, what)


def _unit() -> Iterator[CheckResult]:
    """Does the service run, as its own user? Nothing is answer where there is no systemd or no unit."""
    show = _output_of(["systemctl", "show", UNIT, "-p", "LoadState,ActiveState,User,UnitFileState"])
    values = dict(line.partition("=")[::2] for line in show.splitlines())
    if values.get("LoadState") != "loaded":
        return
    check = message("service")
    state, start = values.get("ActiveState", ""), values.get("UnitFileState", "")
    what = message(
        "{unit}: {state}, {start}, user {user}", unit=UNIT, state=state, start=start, user=values.get("User")
    )
    remedy = message("systemctl enable --now {unit}; journalctl -u {unit}", unit=UNIT)
    yield CheckResult(check, state in ("active", "activating") and start == "enabled", what, remedy)


def _spool(config: AgentConfig) -> CheckResult:
    """What waits, and whether anything was lost."""
    check = message("spool")
    if not (config.state_dir / "spool.db").exists():
        return CheckResult(check, None, message("nothing was measured yet"))
    try:
        with open_spool(config.state_dir, config.spool, role="reader") as spool:
            status = spool.status()
    except SpoolError as error:
        remedy = message("look at the folder's owner and the disk")
        return CheckResult(check, False, error.text, remedy)
    full = max(status.pending_results / config.spool.max_results, status.pending_bytes / config.spool.max_bytes)
    what = message(
        "{pending_results} results wait ({full:.0%} full), {lost_total} were dropped, {quarantined_results} refused",
        pending_results=status.pending_results,
        full=full,
        lost_total=status.lost_total,
        quarantined_results=status.quarantined_results,
    )
    remedy = message("bring the line to the collector back soon: the oldest are dropped when it is full")
    return CheckResult(check, full < 0.8 and not status.damaged_files, what, remedy)


def _raw() -> CheckResult:
    """Raw Ethernet: for the look at the school's own links (`discover`)."""
    check = message("raw Ethernet permission")
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except PermissionError:
        return CheckResult(
            check,
            None,
            message("missing: no look for DHCP servers, no discover"),
            message("give CAP_NET_RAW, as the unit does"),
        )
    except OSError as error:
        return CheckResult(check, None, verbatim(str(error)))
    return CheckResult(check, True, message("granted"))


def _synchronised() -> Iterator[CheckResult]:
    """Is the clock set by a time service? No result where systemd does not say."""
    answer = _output_of(["timedatectl", "show", "-p", "NTPSynchronized", "--value"]).strip()
    if answer in ("yes", "no"):
        check = message("clock is set by the network")
        remedy = message("timedatectl set-ntp true (package systemd-timesyncd)")
        yield CheckResult(
            check,
            True if answer == "yes" else None,
            message("yes") if answer == "yes" else message("no"),
            remedy,
        )


def _page(config: AgentConfig) -> Iterator[CheckResult]:
    """Does the classrooms' page answer, where there is one?"""
    if not config.page.port:
        return
    check = message("classroom page")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.page.listen, config.page.listen)  # noqa: S104
    try:
        socket.create_connection((host, config.page.port), 2.0).close()
    except OSError as error:
        what = message("port {port}: {reason}", port=config.page.port, reason=error_words(error))
        remedy = message("start the service; is another program on that port?")
        yield CheckResult(check, False, what, remedy)
        return
    yield CheckResult(check, True, message("http://GATEWAY:{port}/", port=config.page.port))


def _dns() -> CheckResult:
    check = message("name servers")
    try:
        lines = Path("/etc/resolv.conf").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    servers = [parts[1] for line in lines if (parts := line.split())[:1] == ["nameserver"] and len(parts) > 1]
    remedy = message("write `nameserver ADDRESS` into /etc/resolv.conf")
    if not servers:
        return CheckResult(check, None, message("none in /etc/resolv.conf"), remedy)
    return CheckResult(check, True, joined(map(verbatim, servers), message("{left}, {right}")))


def _output_of(command: list[str]) -> str:
    """What a program of the system says; "" where it is not there or fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=5).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def _python() -> CheckResult:
    version = ".".join(map(str, sys.version_info[:3]))
    return CheckResult(verbatim("Python"), True, verbatim(version))


def _state_dir(folder: Path) -> CheckResult:
    check = message("state folder")
    try:
        make_folder(folder, 0o700)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
    except OSError as error:
        what = message("{folder} cannot be written: {reason}", folder=folder, reason=error_words(error))
        user = os.geteuid()
        remedy = message("give user {user} the folder: chown {user} {folder}", user=user, folder=folder)
        return CheckResult(check, False, what, remedy)
    owner = _other_owner(folder)
    if owner is not None:
        what = message(
            "{folder} belongs to {owner}, the service runs as {service_user}",
            folder=folder,
            owner=owner,
            service_user=SERVICE_USER,
        )
        remedy = verbatim(f"chown -R {SERVICE_USER}: {folder}")
        return CheckResult(check, False, what, remedy)
    return CheckResult(check, True, message("{folder} can be written", folder=folder))


def _disk(folder: Path) -> CheckResult:
    check = message("disk")
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    what = message("{free:.1f} GB free", free=free / 1e9)
    remedy = message("free some space: results may be dropped")
    return CheckResult(check, free >= MINIMUM_FREE_BYTES, what, remedy)


def _icmp() -> CheckResult:
    check = message("ICMP permission")
    try:
        for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
            try:
                socket.socket(socket.AF_INET, kind, socket.IPPROTO_ICMP).close()
                return CheckResult(check, True, message("granted"))
            except PermissionError:
                continue
    except OSError as error:
        return CheckResult(check, False, verbatim(str(error)))
    remedy = message("give the agent CAP_NET_RAW (the systemd unit does), or set net.ipv4.ping_group_range")
    return CheckResult(check, False, message("missing: latency cannot be measured"), remedy)


def _libiperf(config: AgentConfig) -> CheckResult:
    check = message("iperf3 library")
    needed = any(each.engine == "iperf3" for each in endpoints(config))
    name = ctypes.util.find_library("iperf")
    if name:
        return CheckResult(check, True, verbatim(name))
    remedy = message("apt-get install libiperf0")
    return CheckResult(check, False if needed else None, message("not found"), remedy)


HOLIDAYS_AHEAD_DAYS = 30
"""The State Council's notice for a year comes in November of the year before; a month before it begins somebody should look."""


def _holidays(config: AgentConfig) -> CheckResult:
    """Lessons on a public holiday would cost a day of measuring; a moved workday would be disturbed."""
    check = message("holidays")
    calendar = calendar_of(config)
    today = datetime.now(config.timezone).date()
    year = (today + timedelta(HOLIDAYS_AHEAD_DAYS)).year if calendar.covers(today.year) else today.year
    if not calendar.has_lessons:
        return CheckResult(check, None, message("no lessons are configured: any time is free"))
    if calendar.covers(year):
        return CheckResult(check, True, message("known for {year}", year=year))
    remedy = message("update the package chinesecalendar, or write the holidays into holidays_file")
    what = message("unknown for {year}: provisional, only weekends count", year=year)
    return CheckResult(check, False if year == today.year else None, what, remedy)


def _references(config: AgentConfig) -> Iterator[CheckResult]:
    """A reference that needs more bytes than a day has is never made, silently otherwise."""
    check = message("references")
    needs = {job.subject: costs(config).needed_bytes(job) for job in jobs_of(config) if job.kind == "reference"}
    daily = config.limits.daily_test_bytes
    for subject, needed_bytes in needs.items():
        if needed_bytes > daily:
            what = message(
                "{subject}: needs {needed:.1f} GB, a day has {daily:.1f} GB: never made",
                subject=subject,
                needed=needed_bytes / 1e9,
                daily=daily / 1e9,
            )
            remedy = message("raise [limits] daily_test_bytes, or set [cycle] reference_days = 0")
            yield CheckResult(check, None, what, remedy)


def _key(file: Path | None) -> CheckResult:
    check = message("test key")
    remedy = message("set [agent] test_key_file; the same key goes to `campus-agent respond --test-key-file`")
    if file is None:
        return CheckResult(check, False, message("none configured; the campus engine needs it"), remedy)
    return check_secret(check, file, remedy)


def _device_secrets(config: AgentConfig) -> Iterator[CheckResult]:
    """One line for each file that devices need, however many share it."""
    needed: dict[Path, list[str]] = {}
    for device in config.devices:
        for file in device.secret_files:
            needed.setdefault(file, []).append(device.id)
    for file, devices in needed.items():
        named = ", ".join(dict.fromkeys(devices))
        check = message("secret of {named}", named=named)
        remedy = message("write the secret into {file}, mode 600", file=file)
        yield check_secret(check, file, remedy)


def _wall_clock() -> CheckResult:
    check = message("clock")
    now = datetime.now(UTC)
    text = now.strftime("%Y-%m-%d %H:%M:%S UTC")
    if now.year < 2025:
        return CheckResult(check, False, message("{text} cannot be right", text=text), CLOCK_REMEDY)
    return CheckResult(check, True, verbatim(text))


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
