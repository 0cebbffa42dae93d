"""Messages: templates with values, Chinese from the catalogues, usable as values, keys and records."""

import subprocess
import sys
from pathlib import Path

import msgspec

from campus_base.messages import Message, bilingual, joined, message, pmessage, verbatim
from campus_base.wire_words import VERDICT_WORDS
from campus_wire.verdicts import Verdict


def test_values_are_put_into_the_template() -> None:
    assert message("{count} of {whole:.1f}", count=3, whole=2.25).en == "3 of 2.2"
    assert message("{count} of {whole}", count=3).in_("en", whole=4) == "3 of 4"
    assert message("{count}").with_(count=7).en == "7"


def test_without_values_braces_are_text() -> None:
    assert message("a {brace}").en == "a {brace}"


def test_braces_in_values_stay_as_they_are() -> None:
    assert message("{given}", given="{other}").en == "{other}"


def test_a_value_may_be_a_message() -> None:
    text = message("verdict: {verdict}", verdict=VERDICT_WORDS[Verdict.MET])
    assert text.en == f"verdict: {VERDICT_WORDS[Verdict.MET].en}"
    assert VERDICT_WORDS[Verdict.MET].zh in text.zh


def test_the_chinese_comes_from_the_catalogue_and_is_english_where_there_is_none() -> None:
    assert VERDICT_WORDS[Verdict.MET].zh == "达标"
    assert message("no such entry " + "in any catalogue").zh == "no such entry in any catalogue"


def test_a_context_tells_two_meanings_apart() -> None:
    assert pmessage("one", "word") != message("word")


def test_the_empty_message_is_empty_in_both_languages() -> None:
    """The empty key of a catalogue is its header."""
    assert (message("").en, message("").zh) == ("", "")


def test_words_that_are_data() -> None:
    assert (bilingual("a", "甲").en, bilingual("a", "甲").zh) == ("a", "甲")
    assert bilingual("a {x}", "甲 {x}").with_(x=1).zh == "甲 1"
    assert verbatim("x").zh == "x"


def test_parts_are_joined_in_the_language_of_the_reader() -> None:
    pair = bilingual("{left}, {right}", "{left}、{right}")
    three = joined(map(verbatim, "abc"), pair)
    assert (three.en, three.zh) == ("a, b, c", "a、b、c")
    assert joined([verbatim("a")], pair).en == "a"
    assert joined([], pair).en == ""


def test_equal_and_hashable_by_content() -> None:
    assert message("{a}", a=1) == message("{a}", a=1)
    assert len({message("{a}", a=1), message("{a}", a=1), message("{a}", a=2)}) == 2


def test_an_exception_is_kept_as_its_text() -> None:
    assert message("{error}", error=ValueError("bad")).values == (("error", "bad"),)
    assert message("{path}", path=Path("/etc")).en == "/etc"


def test_goes_through_msgspec() -> None:
    text = message("{a} {b}", a=message("{c:.1f}", c=1.25), b="x")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(text), type=Message) == text


def test_no_catalogue_is_loaded_before_chinese_is_asked_for() -> None:
    program = (
        "import campus_agent.daemon, campus_base.messages as messages\n"
        "from campus_base.wire_words import VERDICT_WORDS\n"
        "text = next(iter(VERDICT_WORDS.values()))\n"
        "text.en, repr(text), hash(text)\n"
        "assert messages._catalogue.cache_info().currsize == 0\n"
        "text.zh\n"
        "assert messages._catalogue.cache_info().currsize == 1\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
