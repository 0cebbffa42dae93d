"""The page's two views: the test itself, and the codes to stick on classroom walls. Words in both languages; no file from anywhere else."""

import json
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from string import Template

from campus_agent.config.model import Endpoint
from campus_base.language import Language, Text

WORDS: dict[str, Text] = {
    "title": Text("Classroom network test", "班级网络测速"),
    "product": Text("CampusMeter", "校园测"),
    "choose": Text("Which classroom is this?", "请选择班级"),
    "start": Text("Begin", "开始测速"),
    "again": Text("Test again", "再测一次"),
    "target": Text("Required: {rate} Mbit/s", "要求：{rate} 兆"),
    "latency": Text("Latency", "时延"),
    "down": Text("Download", "下行"),
    "up": Text("Upload", "上行"),
    "waiting": Text("Waiting for the line …", "正在等待线路空闲……"),
    "testing": Text("Testing, about 12 seconds …", "正在测速，约 12 秒……"),
    "met": Text("Met: both directions reach the target.", "达标：上下行均达到要求。"),
    "not_met": Text("Not met.", "未达标。"),
    "insufficient": Text("Insufficient data.", "数据不足。"),
    "retry": Text("Please test again.", "请再测一次。"),
    "held_up": Text(
        "The gateway was busy during the test, so it says nothing of the line: please try again later.",
        "测速期间网关繁忙，本次结果不能反映线路情况，请稍后再测。",
    ),
    "sent": Text("The result goes to the education bureau as an inspection, beside the automatic tests.", "结果作为现场检测上报教育局，与自动测速分开统计。"),
    "wifi": Text(
        "This was not the classroom's own machine: on Wi-Fi the radio may be slower than the classroom's line.",
        "本次测速设备不是班级登记的电脑；若使用无线网络，结果可能低于班级有线线路。",
    ),
    "slow": Text(
        "This machine or its browser could not keep up: the line carries at least this. Please try another machine.",
        "本次测速受电脑或浏览器性能限制，线路实际速率不低于上述数值；请换一台设备再测。",
    ),
    "old": Text("This browser is too old for the test.", "浏览器版本过旧，无法测速。"),
    "broken": Text("The test broke off: please try again.", "测速中断，请重试。"),
    "codes": Text("Codes for the classroom walls", "各班测速二维码"),
    "scan": Text("Scan to test this classroom's network", "扫码测试本班网络"),
    "provisional": Text(
        "This year's public holidays are not known to this version: provisional, only weekends count.",
        "本版本尚无今年的法定节假日数据：暂按周末判断（暂定）。",
    ),
    "other": Text("中文", "English"),
    "none": Text("This gateway knows no classroom yet.", "本网关尚未登记班级。"),
}  # fmt: skip


def classroom_page(rooms: Sequence[Endpoint], chosen: str, language: Language, nonce: str) -> str:
    """The test, for a classroom that was chosen, or with a choice."""
    known = [{"id": room.id, "name": room.name, "required": room.required_bits_per_second} for room in rooms]
    data = {
        "rooms": known,
        "room": chosen if any(room.id == chosen for room in rooms) else "",
        "words": {
            key: text.in_(language) if key != "target" else text.in_(language, rate="{rate}")
            for key, text in WORDS.items()
        },
        "lang": language,
    }
    # "</" would end the script wherever a name puts it
    script = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    return _template("classroom.html").substitute(
        lang="zh-CN" if language == "zh" else "en",
        title=escape(WORDS["title"].in_(language)),
        product=escape(WORDS["product"].in_(language)),
        other=escape(WORDS["other"].in_(language)),
        other_lang="en" if language == "zh" else "zh",
        nonce=nonce,
        data=script,
    )


def codes_page(rooms: Sequence[Endpoint], url: str, language: Language, holidays_known: bool = True) -> str:
    """A card with a QR code for each classroom, to be printed and cut; above them, not printed, what whoever looks after it should know."""
    import segno

    cards = []
    for room in rooms:
        address = f"{url}/?room={room.id}"
        code = segno.make(address, error="m", micro=False).svg_inline(scale=5, border=2)
        cards.append(
            f"<section><h2>{escape(room.name)}</h2>{code}<p>{escape(WORDS['scan'].in_(language))}</p><p><code>{escape(address)}</code></p></section>"
        )
    return _template("codes.html").substitute(
        lang="zh-CN" if language == "zh" else "en",
        title=escape(WORDS["codes"].in_(language)),
        notice="" if holidays_known else f"<p class=notice>{escape(WORDS['provisional'].in_(language))}</p>",
        cards="\n".join(cards) or escape(WORDS["none"].in_(language)),
    )


def _template(name: str) -> Template:
    return Template((files("campus_agent.page") / "html" / name).read_text(encoding="utf-8"))
