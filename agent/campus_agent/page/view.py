"""The page's two views: the test itself, and the codes to stick on classroom walls. Words in both languages; no file from anywhere else."""

import json
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from string import Template

from campus_agent.config.model import Endpoint
from campus_base.language import Language
from campus_base.messages import Message, message

WORDS: dict[str, Message] = {
    "title": message("Classroom network test"),
    "product": message("CampusMeter"),
    "choose": message("Which classroom is this?"),
    "start": message("Begin"),
    "again": message("Test again"),
    "target": message("Required: {rate} Mbit/s"),
    "latency": message("Latency"),
    "down": message("Download"),
    "up": message("Upload"),
    "waiting": message("Waiting for the line …"),
    "testing": message("Testing, about 12 seconds …"),
    "met": message("Met: both directions reach the target."),
    "not_met": message("Not met."),
    "insufficient": message("Insufficient data."),
    "retry": message("Please test again."),
    "held_up": message("The gateway was busy during the test, so it says nothing of the line: please try again later."),
    "sent": message("The result goes to the education bureau as an inspection, beside the automatic tests."),
    "wifi": message("This was not the classroom's own machine: on Wi-Fi the radio may be slower than the classroom's" " line."),
    "slow": message("This machine or its browser could not keep up: the line carries at least this. Please try" " another machine."),
    "old": message("This browser is too old for the test."),
    "broken": message("The test broke off: please try again."),
    "codes": message("Codes for the classroom walls"),
    "scan": message("Scan to test this classroom's network"),
    "provisional": message("This year's public holidays are not known to this version: provisional, only weekends count."),
    "other": message("中文"),
    "none": message("This gateway knows no classroom yet."),
    "unit": message("Mbit/s"),
}  # fmt: skip


def classroom_page(rooms: Sequence[Endpoint], chosen: str, language: Language, nonce: str) -> str:
    """The test, for a classroom that was chosen, or with a choice."""
    classrooms = [{"id": room.id, "name": room.name, "required": room.required_bits_per_second} for room in rooms]
    data = {
        "rooms": classrooms,
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
    """A card with a QR code for each classroom, to be printed and cut; above them, not printed, the notes for the person who prints them."""
    import segno  # heavy, and only for this page

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
