"""`campus-collector`: the commands of the bureau, their exit codes, their help in the reader's language (design section 6)."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from campus_base.language import Language, Text, from_environment
from campus_base.logs import configure_logging
from campus_base.settings import ConfigurationError
from campus_base.terminal import escaped_output
from campus_base.usage import speak
from campus_collector.cli import (
    backup,
    enroll,
    explain,
    grafana,
    inventory,
    ledger,
    migrations,
    person,
    quarantine,
    report,
    simulate,
    tls,
    verify,
)
from campus_collector.cli.common import (
    EXIT_FAILED,
    EXIT_OK,
    EXIT_USAGE,
    Command,
    Commands,
    ids_are_well,
    month_from,
    whole_number,
)
from campus_collector.config import CollectorConfig, load_config
from campus_collector.domain.records import Principal
from campus_collector.store.errors import StoreError
from campus_wire.version import VERSION

DEFAULT_FILE = Path("/etc/campus-collector/collector.toml")

DESCRIPTION = Text(
    "The collector of CampusMeter at the education bureau: takes results in, judges them, shows them.",
    "校园测采集端程序：接收测量结果，按政策判定，展示与导出。",
)
MAX_TOKEN_DAYS = 3650
COMMANDS = {
    "serve": Text("serve agents, pages and Prometheus until stopped", "为网关、网页和 Prometheus 提供服务，直到被停止"),
    "agent-token": Text("print a new token for a school's agent", "为某学校的网关生成新令牌"),
    "judge": Text("the verdicts of a month", "按月判定达标情况"),
    "check-config": Text("find all mistakes in configuration and policy at once", "一次列出配置和政策文件中的所有错误"),
}
EPILOG = Text(
    "Every command takes --config FILE or --state-dir DIR (default: {file} if it exists).\n"
    "Exit codes: 0 done, 1 failed, 2 usage or configuration. CAMPUS_LANG=zh|en chooses the language.",
    "每个命令都可用 --config 文件 或 --state-dir 目录（默认：{file}，若存在）。\n"
    "退出码：0 完成，1 失败，2 用法或配置错误。CAMPUS_LANG=zh|en 选择语言。",
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
        config = _config(arguments, language)
        command: Command = arguments.command
        return command(arguments, config, language)
    except ConfigurationError as error:
        print(error.in_(language), file=sys.stderr)
        return EXIT_USAGE
    except StoreError as error:
        text = Text("the database cannot be used: {error}", "数据库无法使用：{error}")
        print(f"campus-collector: {text.in_(language, error=error.in_(language))}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK


def build_parser(language: Language) -> argparse.ArgumentParser:
    """All commands and options, with help in one language."""
    parser = argparse.ArgumentParser(
        prog="campus-collector",
        description=DESCRIPTION.in_(language),
        epilog=EPILOG.in_(language, file=DEFAULT_FILE),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"campus-collector {VERSION}")
    commands = Commands(parser, language)

    def add(name: str, command: Command) -> argparse.ArgumentParser:
        return commands.add(name, COMMANDS[name], command)

    add("serve", _serve)
    token = add("agent-token", _agent_token)
    token.add_argument("school", metavar="SCHOOL", help=Text("id of the school", "学校编号").in_(language))
    token.add_argument("--town", help=Text("id of its town", "所属镇街编号").in_(language))
    token.add_argument(
        "--valid-days",
        type=whole_number(language, 1, MAX_TOKEN_DAYS),
        metavar="N",
        help=Text("refuse it after N days (default: never)", "N 天后失效（默认：不失效）").in_(language),
    )
    token.add_argument(
        "--revoke",
        action="store_true",
        help=Text("refuse the school's earlier tokens; print no new one", "吊销该校已有令牌，不再生成新令牌").in_(
            language
        ),
    )
    judge = add("judge", _judge)
    judge.add_argument("--month", required=True, metavar="YYYY-MM", help=Text("the month", "月份").in_(language))
    judge.add_argument("--json", action="store_true", help=Text("one JSON object", "输出一个 JSON 对象").in_(language))
    for part in (
        enroll,
        tls,
        inventory,
        backup,
        migrations,
        explain,
        ledger,
        report,
        person,
        verify,
        quarantine,
        grafana,
        simulate,
    ):
        part.register(commands)
    add("check-config", _check_config)
    return parser


def _config(arguments: argparse.Namespace, language: Language) -> CollectorConfig:
    file, state_dir = arguments.config, arguments.state_dir
    if file is None and state_dir is None and DEFAULT_FILE.exists():
        file = DEFAULT_FILE
    return load_config(file, state_dir)


def _serve(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    from campus_collector.http.app import serve
    from campus_collector.http.service import open_service

    configure_logging()
    service = open_service(config)

    def ready(host: str, port: int) -> None:
        scheme = "https" if config.tls_cert else "http"
        shown = f"[{host}]" if ":" in host else host
        text = Text("Overview: {url}  Metrics: {url}metrics", "总览网页：{url}  指标：{url}metrics")
        print(text.in_(language, url=f"{scheme}://{shown}:{port}/"), file=sys.stderr, flush=True)

    try:
        asyncio.run(serve(service, ready))
    except OSError as error:
        text = Text("cannot listen on {host}:{port}: {reason}", "无法监听 {host}:{port}:{reason}")
        reason = error.strerror or error
        print(text.in_(language, host=config.host, port=config.port, reason=reason), file=sys.stderr)
        service.store.close()
        return EXIT_FAILED
    return EXIT_OK


def _agent_token(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    from campus_collector.domain.tokens import new_token, token_hash
    from campus_collector.store.sqlite import SqliteStore

    if not ids_are_well(language, school=arguments.school, town=arguments.town):
        return EXIT_USAGE
    now = datetime.now(UTC)
    expires = now + timedelta(days=arguments.valid_days) if arguments.valid_days else None
    store = SqliteStore(config.database, must_exist=arguments.revoke)
    try:
        if arguments.revoke:
            count = store.revoke_tokens(arguments.school, now)
            text = Text("{count} token(s) of {school} revoked", "已吊销 {school} 的 {count} 个令牌")
            print(text.in_(language, count=count, school=arguments.school), file=sys.stderr)
            return EXIT_OK if count else EXIT_FAILED
        token = new_token()
        principal = Principal(arguments.school, arguments.school)
        store.issue_token(token_hash(token), principal, arguments.town, now, expires)
    finally:
        store.close()
    print(token)
    text = Text(
        "Put this into the agent's token file (mode 600). It is shown only now.",
        "请将令牌写入网关的 token 文件（权限 600）。令牌仅显示这一次。",
    )
    print(text.in_(language), file=sys.stderr)
    return EXIT_OK


def _judge(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    from campus_collector.http.api.views import compliance_json
    from campus_collector.http.service import open_service
    from campus_collector.judge.table import as_table
    from campus_collector.ledger.named_causes import with_one_cause_in

    month = month_from(arguments.month, config)
    service = open_service(config, must_exist=True)
    try:
        said = compliance_json(service, month)
        if arguments.json:
            print(json.dumps(said, ensure_ascii=False))
        else:
            verdicts = service.verdicts
            judged = with_one_cause_in(service.store, service.verdicts, month, verdicts.subjects(month))
            print(as_table(str(month), verdicts.areas(month), judged, language))
            if said["subjects"]:
                text = Text("Data as of {time}", "数据截至 {time}")
                print(text.in_(language, time=datetime.now(config.timezone).strftime("%Y-%m-%d %H:%M")))
    finally:
        service.store.close()
    return EXIT_OK


def _check_config(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    from campus_collector.judge.policy import load_policy

    policy = load_policy(config.policy_file)
    text = Text(
        "Fine. Listens on {host}:{port}; database {database}; policy {policy} (version {version}).",
        "配置正确。监听 {host}:{port}；数据库 {database}；政策文件 {policy}（版本 {version}）。",
    )
    values = {"host": config.host, "port": config.port, "database": config.database}
    print(text.in_(language, **values, policy=config.policy_file, version=policy.version))
    if config.tls_cert is not None:
        _say_certificate(config.tls_cert, config.ca_file, config.timezone, language)
    return EXIT_OK


def _say_certificate(cert: Path, ca: Path | None, zone: tzinfo, language: Language) -> None:
    """Until when the certificate is good; on standard error too when that is soon."""
    from campus_collector.tls.served import certificate_end, ends_soon

    try:
        ends = certificate_end(cert, ca)
    except (OSError, ValueError) as error:
        text = Text("{cert}: its end cannot be read: {error}", "{cert}：无法读取有效期：{error}")
        print(text.in_(language, cert=cert, error=error), file=sys.stderr)
        return
    soon = ends_soon(ends)
    text = (
        Text("WARNING: certificate {cert} ends on {day}: renew it now", "警告：证书 {cert} 将于 {day} 到期，请立即更新")
        if soon
        else Text("Certificate {cert} is good until {day}.", "证书 {cert} 有效期至 {day}。")
    )
    print(text.in_(language, cert=cert, day=ends.astimezone(zone).date()), file=sys.stderr if soon else sys.stdout)
