"""XML from a device, as a small tree, as far as it is legible; read as it arrives. A reader of our own, because devices write what parsers refuse.

Read all the same: bytes in GBK under any declaration, prefixes that nobody declared, a bare `&`, NUL, blank lines before the declaration, end
tags that do not match, a text that breaks off. Such oddities are named in `odd`. Refused: document types (and with them every entity but the
five of XML), and too many levels or attributes. Nothing is ever fetched. Elements that nobody needs are counted, not kept, and beyond the
bounds the rest is left unread.

Names are compared without their namespace: devices differ in prefixes and in versions of namespaces, not in what an element is called.
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_BYTES = 256 * 1024
MAX_DEPTH = 40
MAX_ELEMENTS = 5_000
MAX_ATTRIBUTES = 40
MAX_TEXT = 4_000
MAX_TAG_BYTES = 16_384
MAX_NAMES = 500
_PREDEFINED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}
_REFERENCE = re.compile(r"&(?:#([0-9]{1,7})|#x([0-9A-Fa-f]{1,6})|(lt|gt|amp|quot|apos));|&")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_TAG_END = re.compile(rb"""[^<>"']*(?:(?:"[^"]*"|'[^']*')[^<>"']*)*>""")
_ATTRIBUTE = re.compile(rb"""([^\s=<>"'/]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_SECTIONS = ((b"<!--", b"-->"), (b"<![CDATA[", b"]]>"), (b"<?", b"?>"))
_LONGEST_SECTION = 9


class XmlRefused(ValueError):
    """No XML, or XML that should not be read."""


@dataclass(slots=True)
class Element:
    """One element: local name, attributes by local name, text right within it, children."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list["Element"] = field(default_factory=list)
    _parts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self._parts).strip()[:MAX_TEXT]

    def at(self, *path: str) -> "Element | None":
        """The first element at the end of this path of children."""
        element: Element | None = self
        for name in path:
            element = next((child for child in element.children if child.name == name), None) if element else None
        return element

    def text_at(self, *path: str) -> str:
        """The text at the end of a path; "" where there is none."""
        element = self.at(*path)
        return element.text if element is not None else ""

    def all(self, name: str) -> Iterator["Element"]:
        return (child for child in self.children if child.name == name)

    def within(self, name: str) -> Iterator["Element"]:
        """Every element of this name, this one and what is below it, in the order of the text."""
        if self.name == name:
            yield self
        for child in self.children:
            yield from child.within(name)


def parse(data: bytes) -> Element:
    """The root element of a whole text. Raises XmlRefused."""
    if len(data) > MAX_BYTES:
        raise XmlRefused(f"{len(data)} octets of XML")
    reader = TreeReader()
    reader.feed(data)
    if reader.full:
        raise XmlRefused(f"more than {MAX_ELEMENTS} elements")
    return reader.tree()


@dataclass(slots=True)
class TreeReader:
    """Makes a tree of the bytes it is fed. `needed`: the local names of the elements to read, None for all; what lies within any other is left out."""

    needed: frozenset[str] | None = None
    max_bytes: int = MAX_BYTES
    root: Element | None = None
    complete: bool = False
    full: bool = False
    odd: set[str] = field(default_factory=set)
    _buffer: bytearray = field(default_factory=bytearray)
    _open: list[tuple[str, Element | None]] = field(default_factory=list)
    _read: int = 0
    _elements: int = 0
    _names: dict[bytes, str] = field(default_factory=dict)
    _wide: codecs.IncrementalDecoder | None = None

    def feed(self, data: bytes) -> bool:
        """Read on; True when nothing more is needed: the root has ended, or a bound is reached. Raises XmlRefused."""
        first = self._read == 0
        self._read += len(data)
        if first:
            self._wide = _wide_decoder(data)
        self._buffer += self._wide.decode(data).encode() if self._wide is not None else data
        start = 0
        while not (self.complete or self.full):
            after = self._step(start)
            if after is None:
                break
            start = after
        del self._buffer[:start]
        self.full = self.full or self._read > self.max_bytes
        return self.complete or self.full

    def tree(self) -> Element:
        """The root element, as far as it came. Raises XmlRefused where there is none."""
        if self.root is None:
            raise XmlRefused("no XML")
        if not self.complete:
            self.odd.add("it breaks off")
        return self.root

    def _step(self, start: int) -> int | None:
        """Take the next piece of text or of markup; where the one after it begins, None when it is not whole yet."""
        begin = self._buffer.find(b"<", start)
        if begin < 0:
            if len(self._buffer) - start > MAX_TAG_BYTES:
                self._text(bytes(self._buffer[start:]))
                return len(self._buffer)
            return None
        if begin > start:
            self._text(bytes(self._buffer[start:begin]))
            return begin
        beginning = bytes(self._buffer[begin : begin + _LONGEST_SECTION])
        if beginning[1:2] in (b"!", b"?", b""):
            for opening, closing in _SECTIONS:
                if beginning.startswith(opening):
                    return self._section(begin, opening, closing)
                if opening.startswith(beginning):
                    return None
        match = _TAG_END.match(self._buffer, begin + 1, begin + MAX_TAG_BYTES)
        if match is None:
            return self._broken_tag(begin)
        self._markup(bytes(self._buffer[begin + 1 : match.end() - 1]))
        return match.end()

    def _section(self, begin: int, start: bytes, end: bytes) -> int | None:
        """A comment, an instruction, or text that is not markup."""
        close = self._buffer.find(end, begin + len(start))
        if close < 0:
            if len(self._buffer) - begin > MAX_TAG_BYTES:
                raise XmlRefused("a section without an end")
            return None
        if start == b"<![CDATA[":
            self._text(bytes(self._buffer[begin + len(start) : close]), literal=True)
        return close + len(end)

    def _broken_tag(self, begin: int) -> int | None:
        """A `<` that begins no tag: text, once it is sure."""
        following = self._buffer.find(b"<", begin + 1)
        if following < 0 and len(self._buffer) - begin <= MAX_TAG_BYTES:
            return None
        if self._buffer[begin + 1 : begin + 2] == b"!":
            raise XmlRefused("a document type or entity")
        self.odd.add("markup that is none")
        return following if following >= 0 else len(self._buffer)

    def _markup(self, tag: bytes) -> None:
        if tag.startswith(b"!"):
            raise XmlRefused("a document type or entity")
        if tag.startswith(b"/"):
            self._end(self._name(tag[1:]))
            return
        raw, *rest = tag.rstrip(b"/").split(None, 1) or [b""]
        name = self._name(raw)
        if not name:
            self.odd.add("an element without a name")
            return
        self._start(name, b"".join(rest))
        if tag.endswith(b"/") and not self.full:
            self._end(self._open[-1][0])

    def _start(self, name: str, rest: bytes) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise XmlRefused("more levels than an answer needs")
        parent = self._open[-1][1] if self._open else None
        needed = self.needed is None or name in self.needed
        element: Element | None = None
        if needed and (parent is not None or not self._open):
            self._elements += 1
            if self._elements > MAX_ELEMENTS:
                self.full = True
                return
            element = Element(name, self._attributes(rest))
            if parent is not None:
                parent.children.append(element)
        if not self._open:
            self.root = element if element is not None else Element(name)
            element = self.root
        self._open.append((name, element))

    def _end(self, name: str) -> None:
        if not any(open_name == name for open_name, _ in reversed(self._open)):
            self.odd.add("an end without a beginning")
            return
        while self._open.pop()[0] != name:
            self.odd.add("elements without an end")
        self.complete = self.root is not None and not self._open

    def _name(self, raw: bytes) -> str:
        """A local name; a long answer has few of them."""
        name = self._names.get(raw)
        if name is None:
            name = _local(self._decoded(raw))
            if len(self._names) < MAX_NAMES:
                self._names[raw] = name
        return name

    def _attributes(self, rest: bytes) -> dict[str, str]:
        attributes: dict[str, str] = {}
        for number, match in enumerate(_ATTRIBUTE.finditer(rest), 1):
            if number > MAX_ATTRIBUTES:
                raise XmlRefused("more attributes than an answer needs")
            key = self._decoded(match[1])
            if not key.startswith("xmlns"):
                value = match[2] if match[2] is not None else match[3]
                attributes.setdefault(_local(key), self._resolved(self._decoded(value)))
        return attributes

    def _text(self, data: bytes, literal: bool = False) -> None:
        if self._open:
            element = self._open[-1][1]
            if element is not None:
                text = self._decoded(data)
                element._parts.append(text if literal else self._resolved(text))
        elif data.strip(b"\xef\xbb\xbf\x00 \t\r\n"):
            self.odd.add("text before the first element")

    def _decoded(self, data: bytes) -> str:
        """A piece of text: UTF-8, else GB 18030, which holds GBK and GB 2312 (no byte of a character of theirs is markup)."""
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            self.odd.add("octets that are no UTF-8")
            try:
                text = data.decode("gb18030")
            except UnicodeDecodeError:
                text = data.decode("utf-8", "replace")
        if _CONTROLS.search(text):
            self.odd.add("control characters")
            text = _CONTROLS.sub("", text)
        return text

    def _resolved(self, text: str) -> str:
        return _REFERENCE.sub(self._character, text) if "&" in text else text

    def _character(self, match: re.Match[str]) -> str:
        decimal, hexadecimal, name = match.groups()
        if name:
            return _PREDEFINED[name]
        if not decimal and not hexadecimal:
            self.odd.add("a bare &")
            return "&"
        number = int(decimal) if decimal else int(hexadecimal, 16)
        valid = number in (9, 10, 13) or 32 <= number < 0xD800 or 0xE000 <= number < 0x110000
        return chr(number) if valid else ""


def _wide_decoder(data: bytes) -> codecs.IncrementalDecoder | None:
    """A decoder for UTF-16, by its mark or by NUL beside the first `<`; None for anything that has ASCII's bytes."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return codecs.getincrementaldecoder("utf-16")("replace")
    if data[:1] == b"<" and data[1:4:2] == b"\0\0":
        return codecs.getincrementaldecoder("utf-16-le")("replace")
    if data[1:2] == b"<" and data[0:4:2] == b"\0\0":
        return codecs.getincrementaldecoder("utf-16-be")("replace")
    return None


def _local(name: str) -> str:
    return name.strip().rpartition(":")[2]
