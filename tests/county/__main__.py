"""`make demo`: an invented county with thirteen months behind it, served until Ctrl-C. Two processes fill it: its gateways, and its office."""

import argparse
import os
import secrets
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

from campus_base.language import Language, from_environment
from campus_base.messages import bilingual
from campus_collector.config import load_config
from campus_collector.http.service import open_service
from campus_collector.judge.month import parse_month
from tests.county.year import ROLES, Office
from tests.lab.programs import free_port, fresh_folder, has_ended, python, running, wait_until_ready

FOLDER = Path(".run/demo")
PORT = 8100
CONFIG = """[server]
listen = "127.0.0.1:{port}"
public_url = "http://127.0.0.1:{port}"
[county]
name = "示例县"
[report]
heading = "示例县教育局文件"
issuer = "示例县教育局"
number = "示教电〔{{year}}〕{{month}}号"
signer = "张三"
addressees = ["各镇街中心校", "县直各学校"]
copies_to = ["县政府办公室"]
printed_by = "示例县教育局办公室"
"""

T = {
    "begin": bilingual(
        "Inventing a county of {schools} schools and measuring it for thirteen months: about a minute.",
        "正在虚构一个有 {schools} 所学校的县，并生成十三个月的测量数据，约需一分钟。",
    ),
    "month": bilingual(
        "{month}: {results} results so far, judged, ledger kept ({done}/13, {seconds:.0f} s)",
        "{month}：累计 {results} 条结果，已判定，台账已更新（{done}/13，{seconds:.0f} 秒）",
    ),
    "ready": bilingual(
        "\nReady after {seconds:.0f} s: {url}\nEverything in it is invented. Log in as one of:",
        "\n{seconds:.0f} 秒后就绪：{url}\n其中全部内容均为虚构。可用下列帐号登录：",
    ),
    "look": bilingual(
        "\nWhat to look at:\n"
        "  {url}                    whom to call today; five targets with twelve months; towns\n"
        "  {url}problems            the ledger: hand over, extend, claim repaired, export\n"
        "  {url}schools/s001        one school: its classrooms, uplink, recording room\n"
        "  {url}carriers            lines by carrier and contract\n"
        "  {url}unmeasured          classrooms with too few tests, and why\n"
        "  {url}monthly             reports of closed months (their files are written in the background, some minutes)\n"
        "  {url}help                the manual\n"
        "  the screen of the office: {wall}\n"
        "Ctrl-C stops it; the next start invents it anew.",
        "\n建议查看：\n"
        "  {url}                    今日需联系；五项指标及十二个月走势；各镇街\n"
        "  {url}problems            问题台账：交办、调整整改期限、申请销号、导出\n"
        "  {url}schools/s001        单所学校：班级、学校出口、录播室\n"
        "  {url}carriers            按运营商和合同查看线路\n"
        "  {url}unmeasured          数据不足的班级及原因\n"
        "  {url}monthly             已定稿月份的报告（文件在后台生成，需几分钟）\n"
        "  {url}help                使用手册\n"
        "  办公室大屏：{wall}\n"
        "按 Ctrl-C 停止；下次启动将重新生成。",
    ),
    "stopped": bilingual("Stopped; nothing is left running.", "已全部停止。"),
}
ROLE_WORDS = {
    "admin": bilingual("also the inventory and accounts", "还可维护基础信息和帐号"),
    "clerk": bilingual("works on the ledger of the county", "处理全县台账"),
    "town": bilingual("works on the ledger of one town", "只看、只处理一个镇街"),
    "leader": bilingual("reads", "只读"),
}


def main() -> int:
    """Fill, serve, wait. The exit code."""
    parser = argparse.ArgumentParser(description="An invented county with thirteen months behind it.")
    parser.add_argument("--schools", type=int, default=100)
    parser.add_argument("--classrooms", type=float, default=5, help="a school, on average")
    arguments = parser.parse_args()
    language = from_environment()
    for number in (signal.SIGINT, signal.SIGTERM):  # a background job of a shell inherits SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    try:
        with fresh_folder(FOLDER, language), ExitStack() as stack:
            return _demonstrate(stack, arguments.schools, arguments.classrooms, language)
    except KeyboardInterrupt:
        print("\n" + T["stopped"].in_(language))
        return 0


def _demonstrate(stack: ExitStack, schools: int, classrooms: float, language: Language) -> int:
    began = time.monotonic()
    port = free_port(PORT, language)
    url = f"http://127.0.0.1:{port}/"
    config = FOLDER / "collector.toml"
    config.write_text(CONFIG.format(port=port) + f'[store]\nurl = "sqlite://{(FOLDER / "campus.db").resolve()}"\n')
    print(T["begin"].in_(language, schools=schools), flush=True)
    passwords = {name: secrets.token_hex(5) for name, _, _ in ROLES}
    token, gateways = _fill(stack, config, (schools, classrooms), passwords, began, language)
    collector = stack.enter_context(
        running(FOLDER, "collector", python("campus_collector", "serve", "--config", str(config)))
    )
    wait_until_ready(url, collector, FOLDER, language)
    print(T["ready"].in_(language, seconds=time.monotonic() - began, url=url))
    for name, password in passwords.items():
        print(f"  {name:<8} {password}   {ROLE_WORDS[name].in_(language)}")
    print(T["look"].in_(language, url=url, wall=f"{url}wall?token={token}"), flush=True)
    while not (ended := has_ended({"collector": collector, "gateways": gateways}, FOLDER, language)):
        time.sleep(1)
    print(ended, file=sys.stderr)
    return 1


def _fill(
    stack: ExitStack,
    config: Path,
    size: tuple[int, float],
    passwords: dict[str, str],
    began: float,
    language: Language,
) -> tuple[str, "subprocess.Popen[bytes]"]:
    """All months; the token of the screen, and the gateways, which go on. Raises SystemExit when they end."""
    now = datetime.now(UTC)
    service = open_service(load_config(config, None))
    with closing(service.store):
        office = Office(service, now)
        token = office.let_people_in(passwords)
        sizes = [str(number) for number in size]
        command = python("tests.county.gateways", str(config), *sizes, now.isoformat())
        gateways = stack.enter_context(running(FOLDER, "gateways", command, piped=True))
        assert gateways.stdout is not None
        for done in range(1, 14):
            line = gateways.stdout.readline().decode().split()
            if not line:
                gateways.wait()
                raise SystemExit(has_ended({"gateways": gateways}, FOLDER, language))
            office.keep(parse_month(line[0], service.config.timezone))
            values = {"month": line[0], "results": line[1], "done": done, "seconds": time.monotonic() - began}
            print(T["month"].in_(language, **values), flush=True)
    return token, gateways


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main())
