"""`campus-agent`: the commands of the gateway, a module each, and their help in the reader's language (design section 6)."""

import argparse
from collections.abc import Sequence

from campus_base.command_line import CommandParser, run_command
from campus_base.language import Language, Text
from campus_wire.version import VERSION

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
EPILOG = Text(
    "Exit codes: 0 met or fine, 1 not met or something is wrong, 2 usage or configuration, 3 could not be measured.\n"
    "CAMPUS_LANG=zh|en chooses the language; CAMPUS_<TABLE>_<KEY> overrides a key of the configuration.",
    "退出码：0 达标或正常，1 未达标或有异常，2 用法或配置错误，3 未能完成测量。\n"
    "环境变量 CAMPUS_LANG=zh|en 选择语言；CAMPUS_<表>_<键> 可覆盖配置项。",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. The exit code."""
    return run_command(argv, build_parser, _execute)


def build_parser(language: Language) -> CommandParser:
    """All commands, with help in one language."""
    parser = CommandParser(
        language,
        prog="campus-agent",
        description=DESCRIPTION.in_(language),
        epilog=EPILOG.in_(language),
    )
    parser.add_argument("--version", action="version", version=f"campus-agent {VERSION}")
    parser.add_modules("campus_agent.cli", COMMANDS)
    return parser


def _execute(arguments: argparse.Namespace, language: Language) -> int:
    code: int = arguments.command(arguments, language)
    return code
