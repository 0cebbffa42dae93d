"""`campus-agent`: the commands of the gateway, their exit codes, their help in the reader's language (design section 6)."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from campus_agent.config.model import DEFAULT_PATH, AgentConfig, Device, Endpoint, Service, load_config
from campus_base.language import Language, Text, from_environment
from campus_base.logs import configure_logging
from campus_base.settings import ConfigurationError, SecretError
from campus_base.terminal import escaped_output, redraw_line
from campus_base.usage import day_argument, speak
from campus_base.wire_words import FAILURE_WORDS
from campus_wire.digits import ascii_integer
from campus_wire.verdicts import verdict_of_measurement
from campus_wire.version import VERSION

EXIT_OK, EXIT_NOT_MET, EXIT_USAGE, EXIT_NOT_MEASURED = 0, 1, 2, 3

DESCRIPTION = Text(
    "The agent of CampusMeter on a school's gateway: measures, keeps, sends.",
    "校园测网关端程序：测量、留存、上报。",
)
COMMANDS = {
    "enroll": Text("become a school's agent by the bureau's one-time code", "用教育局的一次性注册码注册本网关"),
    "run": Text("measure by the timetable and send the results, until stopped", "按课表测量并上报结果，直到被停止"),
    "measure": Text("one measurement now", "立即测量一次"),
    "respond": Text("be the classroom's end of throughput tests", "在教室端应答测速"),
    "page": Text("the classroom's test page: any browser, nothing to install", "教室测速网页：任何浏览器，免安装"),
    "discover": Text("what is on this school's own network", "发现本校局域网中的设备"),
    "profiles": Text("types of equipment that can be asked", "查看可监测的设备类型"),
    "schedule": Text("the plan for a day: lessons, breaks, tests", "查看某日测量计划：课程、课间与测速安排"),
    "check-config": Text("find all mistakes in the configuration at once", "一次列出配置中的所有错误"),
    "status": Text("what was done, what waits, what is wrong", "查看已完成、待上报和异常情况"),
    "doctor": Text(
        "permissions, tools, reachability, clock: what to do about each", "检查权限、工具、连通性和时钟，并给出处理办法"
    ),
}
MAX_TYPED = 200
EPILOG = Text(
    "Exit codes: 0 met or fine, 1 not met or something is wrong, 2 usage or configuration, 3 could not be measured.\n"
    "CAMPUS_LANG=zh|en chooses the language; CAMPUS_<TABLE>_<KEY> overrides a key of the configuration.",
    "退出码：0 达标或正常，1 未达标或有异常，2 用法或配置错误，3 未能完成测量。\n"
    "环境变量 CAMPUS_LANG=zh|en 选择语言；CAMPUS_<表>_<键> 可覆盖配置项。",
)
MEASURE_EPILOG = Text(
    "Examples: campus-agent measure classroom c101 --json\n"
    "          campus-agent measure uplink\n"
    "          campus-agent measure uplink --reference\n"
    "          campus-agent measure device rec-1\n"
    "          campus-agent measure service smartedu-cn\n"
    "Exit codes: 0 met, 1 not met, 2 usage or configuration, 3 could not be measured.",
    "示例：campus-agent measure classroom c101 --json\n"
    "      campus-agent measure uplink\n"
    "      campus-agent measure uplink --reference\n"
    "      campus-agent measure device rec-1\n"
    "      campus-agent measure service smartedu-cn\n"
    "退出码：0 达标，1 未达标，2 用法或配置错误，3 未能完成测量。",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. The exit code."""
    language = from_environment()
    speak(language)
    with escaped_output():
        return _run_command(argv, language)


def _run_command(argv: Sequence[str] | None, language: Language) -> int:
    arguments = build_parser(language).parse_args(argv)
    try:
        command: Callable[[argparse.Namespace, Language], int] = arguments.command
        return command(arguments, language)
    except ConfigurationError as error:
        print(error.in_(language), file=sys.stderr)
        return EXIT_USAGE
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK


def build_parser(language: Language) -> argparse.ArgumentParser:
    """All commands and options, with help in one language."""
    parser = argparse.ArgumentParser(
        prog="campus-agent",
        description=DESCRIPTION.in_(language),
        epilog=EPILOG.in_(language),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"campus-agent {VERSION}")
    commands = parser.add_subparsers(required=True, metavar=Text("COMMAND", "命令").in_(language))

    def add(name: str, command: Callable[..., int], epilog: Text | None = None) -> argparse.ArgumentParser:
        command_parser = commands.add_parser(
            name,
            help=COMMANDS[name].in_(language),
            description=COMMANDS[name].in_(language),
            epilog=epilog.in_(language) if epilog else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command_parser.set_defaults(command=command)
        return command_parser

    def with_config(command_parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
        text = Text("configuration file (default: {path})", "配置文件（默认：{path}）")
        command_parser.add_argument(
            "--config", type=Path, default=DEFAULT_PATH, metavar="FILE", help=text.in_(language, path=DEFAULT_PATH)
        )
        return command_parser

    def with_json(command_parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
        text = Text("one JSON object on standard output, nothing else", "仅在标准输出打印一个 JSON 对象")
        command_parser.add_argument("--json", action="store_true", help=text.in_(language))
        return command_parser

    enrol = add("enroll", _enroll)
    enrol.add_argument("url", metavar="URL", help=Text("the collector's address", "采集端地址").in_(language))
    enrol.add_argument(
        "code",
        metavar="CODE",
        nargs="?",
        help=Text(
            "from: campus-collector enroll-code; left out, it is asked for and stays out of the process list and the shell's history",
            "教育局提供的注册码；可省略，届时再输入，不出现在进程列表和命令历史中",
        ).in_(language),
    )
    enrol.add_argument(
        "--dir",
        type=Path,
        default=DEFAULT_PATH.parent,
        metavar="DIR",
        help=Text("where token and agent.toml go (default: {path})", "令牌和 agent.toml 所在目录（默认 {path}）").in_(
            language, path=DEFAULT_PATH.parent
        ),
    )
    enrol.add_argument(
        "--ca-sha256",
        metavar="HEX",
        help=Text(
            "fingerprint of the collector's private authority, which is fetched and kept",
            "采集端私有 CA 的指纹，核对后自动取得并保存",
        ).in_(language),
    )
    enrol.add_argument(
        "--ca-file",
        type=Path,
        metavar="FILE",
        help=Text("authority of the collector's certificate, if private", "采集端证书的私有 CA 文件").in_(language),
    )
    with_config(add("run", _run))
    measure = add("measure", _measure, MEASURE_EPILOG)
    whats = measure.add_subparsers(required=True, metavar=Text("WHAT", "对象").in_(language), dest="what")
    for what, text in (
        ("classroom", Text("a classroom against 100 Mbit/s", "教室网络（百兆进班）")),
        ("uplink", Text("the school's line to the bureau", "学校出口（千兆进校）")),
        ("device", Text("a device of a recording room", "录播室设备")),
        ("port", Text("a classroom's switch port, as the switch tells it", "教室所在交换机端口（以交换机读数为准）")),
        ("service", Text("a cloud platform, step by step", "云平台访问（分步计时）")),
    ):
        kind = with_json(with_config(whats.add_parser(what, help=text.in_(language), description=text.in_(language))))
        if what in ("classroom", "uplink"):
            text = Text(
                "as an auditor would: iperf3, TCP, 10 s (many more octets)",
                "按审计方式复测：iperf3，TCP，10 秒（流量更大）",
            )
            kind.add_argument("--reference", action="store_true", help=text.in_(language))
        if what != "uplink":
            kind.add_argument(
                "id", metavar="ID", help=Text("its id in the configuration", "配置中的编号").in_(language)
            )

    respond = add("respond", _respond)
    respond.add_argument(
        "--port",
        type=_port,
        default=5301,
        help=Text("our engine's port, 0 = off", "本引擎端口，0 为关闭").in_(language),
    )
    respond.add_argument(
        "--iperf3-port",
        type=_port,
        default=5201,
        help=Text("stock iperf3 port, 0 = off", "iperf3 端口，0 为关闭").in_(language),
    )
    respond.add_argument(
        "--listen",
        default="",
        metavar="ADDRESS",
        help=Text(
            "address to listen on (default: all; our engine without a key: loopback)",
            "监听地址（默认全部；无密钥时自研引擎仅监听本机）",
        ).in_(language),
    )
    respond.add_argument(
        "--capacity",
        type=_capacity,
        metavar="BITS",
        help=Text(
            "a test server of uplinks: bit/s, as [slots] capacity_bits_per_second of the collector; it serves an hour's octets of it"
            " (default: 10 GB an hour)",
            "学校出口测速服务器的容量（bit/s），与采集端 [slots] capacity_bits_per_second 一致；每小时最多提供该速率一小时的流量（默认每小时 10 GB）",
        ).in_(language),
    )
    respond.add_argument(
        "--test-key-file",
        type=Path,
        metavar="F",
        help=Text("the school's shared test key", "学校共享测试密钥文件").in_(language),
    )

    page = with_config(add("page", _page))
    page.add_argument("--port", type=_port, help=Text("instead of [page] port", "代替 [page] port").in_(language))
    discover = with_json(add("discover", _discover))
    discover.add_argument(
        "--interface", metavar="IF", help=Text("this one only (default: all)", "仅此网口（默认全部）").in_(language)
    )
    discover.add_argument(
        "--csv",
        action="store_true",
        help=Text("lines for devices.csv of the inventory", "输出设备清单 CSV").in_(language),
    )
    discover.add_argument(
        "--school", default="", metavar="ID", help=Text("for these lines", "清单中的学校编号").in_(language)
    )
    profiles = with_json(add("profiles", _profiles))
    folder = Text("your own profiles; they outrank the shipped ones", "自定义设备类型目录，优先于内置类型")
    profiles.add_argument("--folder", type=Path, metavar="DIR", help=folder.in_(language))
    schedule = with_json(with_config(add("schedule", _schedule)))
    day = Text("the day, like 2026-11-24 (default: today)", "日期，形如 2026-11-24（默认今天）")
    schedule.add_argument("--date", type=day_argument(language), metavar="YYYY-MM-DD", help=day.in_(language))
    with_config(add("check-config", _check_config))
    with_json(with_config(add("status", _status)))
    with_json(with_config(add("doctor", _doctor)))
    return parser


def _port(text: str) -> int:
    port = ascii_integer(text, 65_535)
    if port is None:
        raise argparse.ArgumentTypeError("0 … 65535")
    return port


def _capacity(text: str) -> int:
    rate = ascii_integer(text, 10**12)
    if rate is None or rate < 10**6:
        raise argparse.ArgumentTypeError("1000000 … 1000000000000")
    return rate


def _enroll(arguments: argparse.Namespace, language: Language) -> int:
    import unicodedata  # here: the resident agent does without it

    from campus_agent.cli.enroll import EnrolFailed, enroll

    parts = urlsplit(arguments.url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        text = Text("URL: must be like https://collector.example:8443", "URL：必须形如 https://collector.example:8443")
        print(text.in_(language), file=sys.stderr)
        return EXIT_USAGE
    if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        text = Text(
            "URL: must be https:// unless the collector is on this machine: code and token would travel readable",
            "URL：必须使用 https://（采集端在本机时除外），否则注册码和令牌会以明文传输",
        )
        print(text.in_(language), file=sys.stderr)
        return EXIT_USAGE
    given = arguments.code if arguments.code is not None else _asked(Text("Code: ", "注册码："), language)
    code = unicodedata.normalize("NFKC", given).strip()  # a Chinese keyboard may give full-width letters
    if not code or not code.isascii():
        text = Text(
            "CODE: nothing was given that could be one: letters, digits and hyphens",
            "注册码：未输入，或含有字母、数字、连字符以外的字符",
        )
        print(text.in_(language), file=sys.stderr)
        return EXIT_USAGE
    try:
        done = enroll(arguments.url, code, arguments.dir, arguments.ca_file, arguments.ca_sha256)
    except EnrolFailed as failed:
        print(failed.words.in_(language), file=sys.stderr)
        return EXIT_NOT_MET
    text = Text(
        "This gateway now speaks for {school}.\n  {token}  (mode 600)\n  {config}  {made}",
        "本网关已注册为 {school}。\n  {token}（权限 600）\n  {config} {made}",
    )
    made = Text("made", "已生成") if done.config else Text("was there, and is unchanged", "原有文件，未改动")
    values = {"school": done.school, "token": done.token_file, "config": done.config_file, "made": made.in_(language)}
    print(text.in_(language, **values))
    if done.key_file is not None:
        key = Text(
            "  {key}  the classrooms' test key: the same file goes to `campus-agent respond --test-key-file`",
            "  {key}  教室端测试密钥：请将同一文件用于 `campus-agent respond --test-key-file`",
        )
        print(key.in_(language, key=done.key_file))
    _after_enrolment(done.config_file, language)
    return EXIT_OK


def _asked(question: Text, language: Language) -> str:
    """A line from whoever sits there, or from a pipe."""
    if sys.stdin is None:
        return ""
    if sys.stdin.isatty():
        print(question.in_(language), end="", file=sys.stderr, flush=True)
    try:
        return sys.stdin.readline(MAX_TYPED)
    except UnicodeDecodeError:
        return ""


def _after_enrolment(file: Path, language: Language) -> None:
    """Fetch the bureau's configuration, let the service begin, look at everything: the gateway is enrolled whatever comes of it."""
    from campus_agent.cli.enroll import start_service
    from campus_agent.config import central
    from campus_agent.doctor import examine, in_words
    from campus_agent.ship import configuration
    from campus_agent.ship.connection import ShipFailed
    from campus_base.files import make_folder

    try:
        config = load_config(file)
        body = configuration.fetch(config, file)
        if body is not None:
            make_folder(config.state_dir, 0o700)
            central.keep(body, config.state_dir)
            config = load_config(file)
        text = Text(
            "The bureau's configuration: {rooms} classroom(s), {services} platform(s).",
            "教育局下发的配置：班级 {rooms} 个，平台 {services} 个。",
        )
        print(text.in_(language, rooms=len(config.classrooms), services=len(config.services)))
    except ConfigurationError as error:
        print(error.in_(language), file=sys.stderr)
        return
    except (ShipFailed, central.CentralConfigRefused, OSError) as error:
        words = error.words.in_(language) if isinstance(error, central.CentralConfigRefused) else str(error)
        text = Text("the bureau's configuration is not in force: {reason}", "教育局下发的配置未生效：{reason}")
        print(text.in_(language, reason=words), file=sys.stderr)
    started = start_service()
    if started is not None:
        said = {
            True: Text("The service campus-agent runs.", "服务 campus-agent 已运行。"),
            False: Text(
                "The service campus-agent does not run: journalctl -u campus-agent",
                "服务 campus-agent 未能运行：journalctl -u campus-agent",
            ),
        }
        print(said[started].in_(language))
    print(in_words(asyncio.run(examine(config)), language))
    if started is None:
        text = Text("Next: campus-agent run --config {file}", "下一步：campus-agent run --config {file}")
        print(text.in_(language, file=file))


def _run(arguments: argparse.Namespace, language: Language) -> int:
    from campus_agent.resident import become_resident
    from campus_agent.schedule.terms import terms_of

    terms_of(load_config(arguments.config))  # their mistakes in this command's words, before anything is replaced
    try:
        become_resident(arguments.config)
    except OSError as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE


def _measure(arguments: argparse.Namespace, language: Language) -> int:
    from campus_agent.cli import answer
    from campus_agent.cli.progress import Picture
    from campus_agent.gate.now import measure_now

    config = load_config(arguments.config)
    subject = _subject(config, arguments, language)
    if subject is None:
        return EXIT_USAGE
    if arguments.what == "port" and isinstance(subject, Endpoint):
        return _measure_port(config, subject, arguments, language)
    if isinstance(subject, Device):
        return _measure_device(config, subject, arguments, language)
    required = subject.required_bits_per_second if isinstance(subject, Endpoint) else None
    picture = Picture(required, language)
    result = asyncio.run(measure_now(config, subject, picture, reference=getattr(arguments, "reference", False)))
    picture.done()
    if arguments.json:
        print(json.dumps(answer.as_json(result, subject), ensure_ascii=False))
    else:
        print(answer.in_words(result, language, required))
    return answer.EXIT_CODES[verdict_of_measurement(result)]


def _measure_device(config: AgentConfig, device: Device, arguments: argparse.Namespace, language: Language) -> int:
    from campus_agent.cli import answer
    from campus_agent.gate.now import poll_now

    said = answer.device_json(asyncio.run(poll_now(config, device)), device)
    print(json.dumps(said, ensure_ascii=False) if arguments.json else answer.device_words(said, language))
    if said["validity"] != "ok":
        return EXIT_NOT_MEASURED
    return EXIT_OK if said["up"] else EXIT_NOT_MET


def _measure_port(config: AgentConfig, endpoint: Endpoint, arguments: argparse.Namespace, language: Language) -> int:
    from campus_agent.cli import answer
    from campus_agent.gate.now import port_now
    from campus_agent.measure.ports.watch import switches_of

    result = asyncio.run(port_now(config, endpoint))
    if result is None:
        asked = [one.id for one in switches_of(config)]
        text = (
            Text(
                "{id}: none of the switches asked ({switches}) knows its port: the gateway has not seen its machine (is it switched on, and on the"
                " gateway's own network?), or only ports that lead to other switches know its address. `switch` and `switch_port` of the"
                " classroom name it.",
                "{id}：已查询的交换机（{switches}）均不知道其端口：网关尚未见到该班级的电脑（请确认已开机并与网关同网段），"
                "或仅在级联端口上见到其地址。可在该班级填写 switch 与 switch_port。",
            )
            if asked
            else Text(
                "{id}: no switch knows its port. A [[device]] of profile switch-generic with `snmp` is needed; it finds the port by LLDP or"
                " the forwarding table, or `switch` and `switch_port` of the classroom name it.",
                "{id}：没有交换机知道其端口。需配置 profile 为 switch-generic 且带 snmp 的 [[device]]，由 LLDP 或转发表查找；"
                "也可在该班级填写 switch 与 switch_port。",
            )
        )
        print(text.in_(language, id=endpoint.id, switches=", ".join(asked)), file=sys.stderr)
        return EXIT_NOT_MEASURED
    print(
        json.dumps(answer.port_json(result), ensure_ascii=False)
        if arguments.json
        else answer.port_words(result, language)
    )
    if result.record is None:
        return EXIT_NOT_MEASURED
    speed = result.record.speed_bits_per_second or 0
    return EXIT_OK if speed >= endpoint.required_bits_per_second and result.record.duplex != "half" else EXIT_NOT_MET


def _discover(arguments: argparse.Namespace, language: Language) -> int:
    from campus_agent.cli.discover import as_json, discover, in_words
    from campus_agent.measure.discover.found import Task
    from campus_agent.measure.discover.links import NoLink, links
    from campus_agent.measure.discover.proposal import as_csv, proposals
    from campus_agent.measure.probe import ProbeFailed

    def show(said: dict[str, Any]) -> None:
        if sys.stderr.isatty():
            redraw_line(f"{said['network']} {said['asked']}/{said['of']}: {said['found']}", sys.stderr)

    try:
        found = asyncio.run(discover(Task(links(arguments.interface)), show))
    except NoLink as error:
        print(f"campus-agent discover: {error}", file=sys.stderr)
        return EXIT_USAGE
    except ProbeFailed as failed:
        why = FAILURE_WORDS[failed.failure.kind].in_(language)
        print(f"campus-agent discover: {why}: {failed.failure.detail}", file=sys.stderr)
        return EXIT_NOT_MEASURED
    if sys.stderr.isatty():
        redraw_line("", sys.stderr)
    if arguments.csv:
        print(as_csv(arguments.school, proposals(found.hosts)), end="")
    else:
        print(json.dumps(as_json(found), ensure_ascii=False) if arguments.json else in_words(found, language))
    return EXIT_NOT_MET if as_json(found)["problems"] else EXIT_OK


def _profiles(arguments: argparse.Namespace, language: Language) -> int:
    from campus_agent.measure.equipment.profile import load_profile, profile_files
    from campus_base.readings import READINGS

    found = [load_profile(path) for path in profile_files(arguments.folder)]
    if arguments.json:
        rows = [
            {
                "name": one.name,
                "title": {"en": one.title.en, "zh": one.title.zh},
                "up_when_any": list(one.up_when_any),
                "readings": list(one.readings),
                "sources": list(one.sources),
            }
            for one in found
        ]
        print(json.dumps(rows, ensure_ascii=False))
        return EXIT_OK
    for one in found:
        print(f"{one.name:<24} {one.title.in_(language)}")
        print(f"{'':<24} {', '.join(READINGS[name].in_(language) for name in one.readings)}")
    return EXIT_OK


def _subject(
    config: AgentConfig, arguments: argparse.Namespace, language: Language
) -> Endpoint | Service | Device | None:
    known: dict[str, Any]
    if arguments.what == "uplink":
        if config.uplink is None:
            print(Text("no [uplink] in the configuration", "配置中没有 [uplink]").in_(language), file=sys.stderr)
        return config.uplink
    lists: dict[str, tuple[Any, ...]] = {
        "classroom": config.classrooms,
        "service": config.services,
        "device": config.devices,
        "port": (*config.classrooms, *((config.uplink,) if config.uplink else ())),
    }
    known = {one.id: one for one in lists[arguments.what]}
    if arguments.id not in known:
        text = Text("no {what} '{id}' in {file}; known: {known}", "{file} 中没有 {what} “{id}”；已有：{known}")
        listed = ", ".join(known) or "-"
        print(
            text.in_(language, what=arguments.what, id=arguments.id, file=arguments.config, known=listed),
            file=sys.stderr,
        )
        return None
    subject: Endpoint | Service | Device = known[arguments.id]
    return subject


def _page(arguments: argparse.Namespace, language: Language) -> int:
    from campus_agent.page.program import serve

    config = load_config(arguments.config)
    if arguments.port is not None:
        config = replace(config, page=replace(config.page, port=arguments.port))
    configure_logging()
    try:
        serve(config)
    except OSError as error:
        text = Text("cannot listen on {listen}:{port}: {reason}", "无法监听 {listen}:{port}：{reason}")
        values = {"listen": config.page.listen, "port": config.page.port, "reason": error.strerror or error}
        print(f"campus-agent page: {text.in_(language, **values)}", file=sys.stderr)
        return EXIT_USAGE
    return EXIT_OK


def _respond(arguments: argparse.Namespace, language: Language) -> int:
    from campus_agent.respond.responder import Settings, respond

    if not arguments.port and not arguments.iperf3_port:
        text = Text("both ports are off: there is nothing to answer", "两个端口均已关闭，没有可应答的服务")
        print(f"campus-agent respond: {text.in_(language)}", file=sys.stderr)
        return EXIT_USAGE
    configure_logging()
    listen = arguments.listen or "::"
    engine_listen = listen if arguments.listen or arguments.test_key_file else "127.0.0.1"
    if engine_listen != listen and arguments.port:
        text = Text(
            "no --test-key-file: our engine (port {port}) answers on this machine only; iperf3 answers everybody",
            "未指定 --test-key-file：自研引擎（端口 {port}）仅应答本机，iperf3 应答所有地址",
        )
        print(text.in_(language, port=arguments.port), file=sys.stderr)
    settings = Settings(
        arguments.port, engine_listen, arguments.iperf3_port, listen, arguments.test_key_file, arguments.capacity
    )
    try:
        asyncio.run(respond(settings))
    except ValueError as error:
        text = Text("the test key cannot be used: {error}", "测试密钥不可用：{error}")
        said = error.text.in_(language) if isinstance(error, SecretError) else str(error)
        print(f"campus-agent respond: {text.in_(language, error=said)}", file=sys.stderr)
        return EXIT_USAGE
    except OSError as error:
        where = Text("{file} cannot be read: {reason}", "无法读取 {file}：{reason}") if error.filename else None
        where = where or Text("cannot listen on {listen}: {reason}", "无法监听 {listen}：{reason}")
        said = where.in_(language, file=error.filename, listen=listen, reason=error.strerror or error)
        print(f"campus-agent respond: {said}", file=sys.stderr)
        return EXIT_USAGE
    return EXIT_OK


def _schedule(arguments: argparse.Namespace, language: Language) -> int:
    from campus_agent.cli.schedule import in_words, plan

    config = load_config(arguments.config)
    said = plan(config, arguments.date or datetime.now(config.timezone).date())
    print(json.dumps(said, ensure_ascii=False) if arguments.json else in_words(said, language))
    return EXIT_OK


def _check_config(arguments: argparse.Namespace, language: Language) -> int:
    from campus_agent.cli.named_files import errors_of_named_files

    config = load_config(arguments.config)
    errors = errors_of_named_files(config, arguments.config)
    for error in errors:
        print(error.in_(language), file=sys.stderr)
    if errors:
        return EXIT_USAGE
    text = Text(
        "{file}: fine. School {school}: {classrooms} classroom(s), {services} service(s), {devices} device(s), uplink: {uplink}.",
        "{file}：配置正确。学校 {school}：教室 {classrooms} 间，云平台 {services} 个，设备 {devices} 台，学校出口：{uplink}。",
    )
    yes_no = Text("yes", "有") if config.uplink else Text("no", "无")
    print(
        text.in_(
            language,
            file=arguments.config,
            school=config.school,
            classrooms=len(config.classrooms),
            services=len(config.services),
            devices=len(config.devices),
            uplink=yes_no.in_(language),
        )
    )
    return EXIT_OK


def _status(arguments: argparse.Namespace, language: Language) -> int:
    from campus_agent.status import in_words, read_status

    status = read_status(load_config(arguments.config))
    print(json.dumps(status, ensure_ascii=False) if arguments.json else in_words(status, language))
    return EXIT_OK if status["healthy"] else EXIT_NOT_MET


def _doctor(arguments: argparse.Namespace, language: Language) -> int:
    from campus_agent.doctor import examine, in_words

    findings = asyncio.run(examine(load_config(arguments.config)))
    if arguments.json:
        print(json.dumps([finding.as_json() for finding in findings], ensure_ascii=False))
    else:
        print(in_words(findings, language))
    return EXIT_OK if all(finding.ok is not False for finding in findings) else EXIT_NOT_MET
