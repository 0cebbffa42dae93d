"""`make lab`: the school in the foreground, with how to enter each of its hosts; Ctrl-C removes it."""

import os
import signal
import sys

from campus_base.language import from_environment
from campus_base.messages import bilingual
from tests.lab.namespaces import permitted
from tests.lab.school import BUREAU, LabSchool


def main() -> int:
    """Build, tell, wait. The exit code."""
    language = from_environment()
    obstacle = permitted()
    if obstacle is not None:
        print(bilingual("no lab here: {why}", "无法搭建实验环境：{why}").in_(language, why=obstacle), file=sys.stderr)
        return 1
    for number in (signal.SIGINT, signal.SIGTERM):  # a background job of a shell inherits SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    try:
        with LabSchool() as school:
            print(
                bilingual(
                    "The school is up. Enter a host with: ip netns exec NAME bash",
                    "实验学校已就绪。进入主机：ip netns exec 名称 bash",
                ).in_(language)
            )
            for role, namespace in (("gateway", school.gateway), ("switch", school.switch), ("bureau", school.bureau)):
                print(f"  {role:<8} {namespace.name:<24} {BUREAU if role == 'bureau' else ''}")
            for room in school.rooms:
                rate = (
                    f"{room.line_rate_bits_per_second / 1e6:g} Mbit/s"
                    if room.on
                    else bilingual("off", "未开机").in_(language)
                )
                print(f"  {room.id:<8} {school.inside(room.id).name:<24} {room.host:<14} {rate}")
            print(bilingual("Ctrl-C removes it.", "按 Ctrl-C 拆除。").in_(language), flush=True)
            signal.pause()
    except KeyboardInterrupt:
        print(bilingual("removed", "已拆除").in_(language))
    return 0


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main())
