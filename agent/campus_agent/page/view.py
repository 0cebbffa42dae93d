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
    "stay": message("Classroom network monitor"),
    "stay_about": message("This page stays open: in breaks the school's gateway tests this classroom's line by it."),
}  # fmt: skip
STAY_WORDS: dict[str, Message] = {
    "waiting": message("Connected to the gateway; nothing to do."),
    "testing": message("The line is being tested, a few seconds …"),
    "rest": message("Another page of this classroom is open: this one rests. Reload it to use it."),
    "away": message("The gateway does not answer; trying again."),
    "elsewhere": message("This is not the classroom's registered machine: its network address is another."),
    "key": message("The key of this page is not valid, or was replaced: ask for a new shortcut."),
    "room": message("This classroom is not tested by a browser."),
    "old": message("This browser is too old for the test."),
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


def stay_page(rooms: Sequence[Endpoint], chosen: str, language: Language, nonce: str) -> str | None:
    """The page that stays open in a classroom; None where there is no such classroom."""
    room = next((room for room in rooms if room.id == chosen), None)
    if room is None:
        return None
    data = {"room": room.id, "words": {key: text.in_(language) for key, text in STAY_WORDS.items()}}
    return _template("stay.html").substitute(
        lang="zh-CN" if language == "zh" else "en",
        title=escape(WORDS["stay"].in_(language)),
        product=escape(WORDS["product"].in_(language)),
        about=escape(WORDS["stay_about"].in_(language)),
        room=escape(room.name),
        nonce=nonce,
        data=json.dumps(data, ensure_ascii=False).replace("<", "\\u003c"),
    )


def codes_page(rooms: Sequence[Endpoint], url: str, language: Language, holidays_known: bool = True) -> str:
    """A card with a QR code for each classroom, to be printed and cut; above them, not printed, the notes for the person who prints them."""
    return cards_page([card(room.name, f"{url}/?room={room.id}", language) for room in rooms], language, holidays_known)


def card(name: str, address: str, language: Language) -> str:
    """A card: a name, and an address as a QR code and as text."""
    import segno  # heavy, and only for these pages

    code = segno.make(address, error="m", micro=False).svg_inline(scale=5, border=2)
    return f"<section><h2>{escape(name)}</h2>{code}<p>{escape(WORDS['scan'].in_(language))}</p><p><code>{escape(address)}</code></p></section>"


def cards_page(cards: Sequence[str], language: Language, holidays_known: bool = True) -> str:
    """The sheet of these cards."""
    return _template("codes.html").substitute(
        lang="zh-CN" if language == "zh" else "en",
        title=escape(WORDS["codes"].in_(language)),
        notice="" if holidays_known else f"<p class=notice>{escape(WORDS['provisional'].in_(language))}</p>",
        cards="\n".join(cards) or escape(WORDS["none"].in_(language)),
    )


def _template(name: str) -> Template:
    return Template((files("campus_agent.page") / "html" / name).read_text(encoding="utf-8"))
