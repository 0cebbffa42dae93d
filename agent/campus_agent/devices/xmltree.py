"""XML from a device, as a small tree, or one clear refusal. Standard library's expat with handlers of our own.

Refused: document types (and with them every entity, inner or outer), too many octets, elements, attributes, or levels. Nothing is ever fetched.
Names are compared without their namespace: devices differ in prefixes and in versions of namespaces, not in what an element is called.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

MAX_BYTES = 256 * 1024
MAX_DEPTH = 40
MAX_ELEMENTS = 5_000
MAX_ATTRIBUTES = 40
MAX_TEXT = 4_000


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
        """Its own text, trimmed."""
        return "".join(self._parts).strip()[:MAX_TEXT]

    def at(self, *path: str) -> "Element | None":
        """The first element at the end of this path of children."""
        here: Element | None = self
        for name in path:
            here = next((one for one in here.children if one.name == name), None) if here else None
        return here

    def said(self, *path: str) -> str:
        """The text at the end of a path; "" where there is none."""
        found = self.at(*path)
        return found.text if found is not None else ""

    def all(self, name: str) -> Iterator["Element"]:
        """Every child of this name."""
        return (one for one in self.children if one.name == name)

    def within(self, name: str) -> Iterator["Element"]:
        """Every element of this name, this one and what is below it, in the order of the text."""
        if self.name == name:
            yield self
        for one in self.children:
            yield from one.within(name)


def parse(octets: bytes) -> Element:
    """The root element. Raises XmlRefused."""
    if len(octets) > MAX_BYTES:
        raise XmlRefused(f"{len(octets)} octets of XML")
    builder = _Builder()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    try:
        parser.Parse(octets, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        if isinstance(error, XmlRefused):
            raise
        raise XmlRefused(f"no XML: {error}"[:100]) from None
    if builder.root is None:
        raise XmlRefused("no XML")
    return builder.root


def _refuse(*_: object) -> None:
    raise XmlRefused("a document type or entity")


@dataclass(slots=True)
class _Builder:
    root: Element | None = None
    _open: list[Element] = field(default_factory=list)
    _count: int = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > MAX_ELEMENTS or len(self._open) >= MAX_DEPTH or len(attributes) > MAX_ATTRIBUTES:
            raise XmlRefused("more elements, levels or attributes than an answer needs")
        element = Element(_local(name), {_local(key): value for key, value in attributes.items()})
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def end(self, name: str) -> None:
        self._open.pop()

    def text(self, data: str) -> None:
        self._open[-1]._parts.append(data)


def _local(name: str) -> str:
    return name.rpartition(" ")[2]
