"""What people read: an English template with named values; the Chinese comes from the catalogues (gettext) of the packages.

`message("no such school: {school}", school=school)` is a message, `.in_(language)` its text. The English template is the catalogue's key, so
it must be a literal: Babel extracts it from the source. A value may be a message itself. No catalogue is loaded before a Chinese text is
asked for. Catalogues: `<package>/locale/zh/LC_MESSAGES/<package>.po`, compiled beside it.
"""

import gettext
import sys
from collections.abc import Iterable
from functools import cache, reduce
from pathlib import Path
from typing import Union

import msgspec

from campus_base.language import Language

PACKAGES = ("campus_base", "campus_agent", "campus_collector")
"""Who has a catalogue. A program reads those of the packages that it has imported; the same message is the same in all of them."""

Value = Union[str, int, float, bool, None, "Message"]


class Message(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """One sentence in every language. Equal and hashable by content; msgspec can encode it."""

    template: str
    """English, with `{name}` for each value (str.format); without values it is the text as it stands."""
    values: tuple[tuple[str, Value], ...] = ()
    context: str = ""
    """Distinguishes two meanings of the same English (pgettext)."""
    chinese: str | None = None
    """The Chinese template, where it is data and not from a catalogue."""

    def in_(self, language: Language, **values: object) -> str:
        """The text in one language; values given here are added to the message's own."""
        template = self.template if language == "en" else self._chinese()
        filled = {name: _text(value, language) for name, value in (*self.values, *values.items())}
        return template.format_map(filled) if filled else template

    def with_(self, **values: object) -> "Message":
        """The same message with more values."""
        return msgspec.structs.replace(self, values=(*self.values, *_plain_values(values)))

    @property
    def en(self) -> str:
        return self.in_("en")

    @property
    def zh(self) -> str:
        return self.in_("zh")

    def _chinese(self) -> str:
        if self.chinese is not None or not self.template:  # the empty key of a catalogue is its header
            return self.chinese or ""
        catalogue = _catalogue(tuple(name for name in PACKAGES if name in sys.modules))
        return catalogue.pgettext(self.context, self.template) if self.context else catalogue.gettext(self.template)


def message(template: str, /, **values: object) -> Message:
    """A message of the catalogues; `template` must be a literal."""
    return Message(template, _plain_values(values))


def pmessage(context: str, template: str, /, **values: object) -> Message:
    """A message whose English alone is ambiguous; both must be literals."""
    return Message(template, _plain_values(values), context)


def bilingual(en: str, zh: str) -> Message:
    """Words that are data and come in both languages: of the wire, the database, a profile."""
    return Message(en, chinese=zh)


def verbatim(text: str) -> Message:
    """What reads the same in every language: a name, a number, the words of an operating system."""
    return Message(text, chinese=text)


def joined(parts: Iterable[Message], pair: Message) -> Message:
    """The parts as one message; `pair` puts two together: "{left}, {right}". No part is the empty message."""
    return reduce(lambda left, right: pair.with_(left=left, right=right), list(parts) or [verbatim("")])


def _plain_values(values: dict[str, object]) -> tuple[tuple[str, Value], ...]:
    """Values as they are when the message is made: an exception or a path as its text, so that no other object stays in memory."""
    return tuple(
        (name, value if isinstance(value, str | int | float | Message) or value is None else str(value))
        for name, value in values.items()
    )


def _text(value: object, language: Language) -> object:
    return value.in_(language) if isinstance(value, Message) else value


@cache
def _catalogue(packages: tuple[str, ...]) -> gettext.NullTranslations:
    catalogue = gettext.NullTranslations()
    for package in packages:
        folder = Path(str(sys.modules[package].__file__)).parent / "locale"
        catalogue.add_fallback(gettext.translation(package, folder, ["zh"], fallback=True))
    return catalogue
