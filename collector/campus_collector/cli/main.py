"""`campus-collector`: the commands of the collector, a module each, and their help in the reader's language (design section 6)."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from campus_base.command_line import EXIT_FAILED, CommandParser, run_command
from campus_base.language import Language, Text
from campus_collector.config import load_config
from campus_collector.store.errors import StoreError
from campus_wire.version import VERSION

DEFAULT_FILE = Path("/etc/campus-collector/collector.toml")
DESCRIPTION = Text(
    "The collector of CampusMeter at the education bureau: takes results in, judges them, shows them.",
    "校园测采集端程序：接收测量结果，按政策判定，展示与导出。",
)
COMMANDS = {
    "serve": Text("serve agents, pages and Prometheus until stopped", "为网关、网页和 Prometheus 提供服务，直到被停止"),
    "agent-token": Text("print a new token for a school's agent", "为某学校的网关生成新令牌"),
    "judge": Text("the verdicts of a month", "按月判定达标情况"),
    "enroll-code": Text("a one-time code by which a school's gateway enrols", "生成学校网关注册用的一次性注册码"),
    "tls": Text("a private authority, for bureaus without one", "为没有证书的单位生成私有 CA 和证书"),
    "inventory": Text("which schools, classrooms, devices and platforms there are", "基础信息：学校、班级、设备、平台"),
    "backup": Text("copy the database while the collector runs", "在采集端运行时备份数据库"),
    "restore": Text("put a backup where no database is", "将备份恢复到尚无数据库的目录"),
    "migrations": Text(
        "the steps this database has taken, and the ones it would take", "数据库已执行和待执行的格式升级"
    ),
    "explain": Text("how a verdict follows from the results", "说明某一结论如何由测量结果得出"),
    "ledger": Text("the problem ledger: list it, export it", "问题台账：列出、导出"),
    "report": Text("the monthly report: make it, close a month, verify what was issued", "月度通报：生成、结账、核验"),
    "person": Text("people who may read and change things", "可查看与办理的人员"),
    "verify": Text(
        "recompute the chain of results, the audit trail and the evidence; name the first difference",
        "重新计算结果链、操作记录和判定依据，指出第一处不符",
    ),
    "quarantine": Text("results that were not accepted, with the reason", "列出被隔离的结果及原因"),
    "grafana": Text("the dashboards for Grafana", "Grafana 仪表板"),
    "simulate": Text(
        "fill a collector with an invented fleet and known faults", "用虚构的学校和已知故障填充采集端，供演示和检验"
    ),
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
    return run_command(argv, build_parser, _execute)


def build_parser(language: Language) -> CommandParser:
    """All commands, with help in one language."""
    parser = CommandParser(
        language,
        prog="campus-collector",
        description=DESCRIPTION.in_(language),
        epilog=EPILOG.in_(language, file=DEFAULT_FILE),
    )
    parser.add_argument("--version", action="version", version=f"campus-collector {VERSION}")
    parser.add_modules("campus_collector.cli", COMMANDS)
    return parser


def _execute(arguments: argparse.Namespace, language: Language) -> int:
    file, state_dir = arguments.config, arguments.state_dir
    if file is None and state_dir is None and DEFAULT_FILE.exists():
        file = DEFAULT_FILE
    try:
        code: int = arguments.command(arguments, load_config(file, state_dir), language)
        return code
    except StoreError as error:
        text = Text("the database cannot be used: {error}", "数据库无法使用：{error}")
        print(f"campus-collector: {text.in_(language, error=error.in_(language))}", file=sys.stderr)
        return EXIT_FAILED
