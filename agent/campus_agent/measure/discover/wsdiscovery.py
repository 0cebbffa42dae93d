"""WS-Discovery without the socket (OASIS 2009 as ONVIF uses it): the Probe, and what ProbeMatches say. Hostile XML is refused, not parsed."""

from dataclasses import dataclass

from campus_agent.measure.equipment import xmltree

GROUP, PORT = "239.255.255.250", 3702
MAX_ANSWER_BYTES = 65_536
MAX_TEXT = 2000
_ENVELOPE = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
    ' xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" xmlns:n="http://www.onvif.org/ver10/network/wsdl"><s:Header>'
    "<a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action><a:MessageID>urn:uuid:{id}</a:MessageID>"
    "<a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To></s:Header><s:Body><d:Probe>"
    "<d:Types>n:NetworkVideoTransmitter</d:Types></d:Probe></s:Body></s:Envelope>"
)


class NotUnderstood(ValueError):
    """An answer that is no ProbeMatches, or that should not be parsed."""


@dataclass(frozen=True, slots=True)
class Match:
    """A device that answered: where its services are, and what it says of itself (ONVIF scopes: name, hardware, location)."""

    addresses: tuple[str, ...]
    types: tuple[str, ...]
    scopes: tuple[str, ...]

    def scope(self, name: str) -> str:
        """The value of `onvif://www.onvif.org/NAME/VALUE`; "" without one."""
        prefix = f"onvif://www.onvif.org/{name}/"
        return next((scope.removeprefix(prefix) for scope in self.scopes if scope.startswith(prefix)), "")


def probe(message_id: str) -> bytes:
    """Ask all cameras. `message_id` is a UUID."""
    return _ENVELOPE.format(id=message_id).encode()


def parse(answer: bytes) -> list[Match]:
    """The matches of one answer. Raises NotUnderstood; entities and document types are never expanded."""
    if len(answer) > MAX_ANSWER_BYTES:
        raise NotUnderstood(f"{len(answer)} octets")
    try:
        root = xmltree.parse(answer)
    except xmltree.XmlRefused as error:
        raise NotUnderstood(str(error)) from None
    if root.name != "Envelope":
        raise NotUnderstood(f"no SOAP: <{root.name[:40]}>")
    return [
        Match(_words(match, "XAddrs"), _words(match, "Types"), _words(match, "Scopes"))
        for match in root.within("ProbeMatch")
    ]


def _words(parent: xmltree.Element, name: str) -> tuple[str, ...]:
    element = next(parent.within(name), None)
    return tuple(element.text[:MAX_TEXT].split()) if element is not None else ()
