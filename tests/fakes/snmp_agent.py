"""A FAKE SNMP agent for tests: real SNMP v2c messages, with the objects a test names, or with lies no real agent tells."""

from collections.abc import Callable, Mapping

from pyasn1.codec.ber import decoder, encoder
from pysnmp.proto import api

Oid = tuple[int, ...]
Answer = Callable[[str, list[Oid], int], "list[tuple[Oid, object]] | tuple[int, int] | None"]
"""From what is asked (`get`, `next` or `bulk`, which objects, how many rows) to bindings, an error (status, index), or silence."""
v2c = api.PROTOCOL_MODULES[api.SNMP_VERSION_2C]


def agent(answer: Answer) -> Callable[[bytes], bytes | None]:
    """What answers a datagram; the community is not looked at."""

    def reply(data: bytes) -> bytes | None:
        message, _ = decoder.decode(data, asn1Spec=v2c.Message())
        asked = v2c.apiMessage.get_pdu(message)
        bulk = asked.isSameTypeWith(v2c.GetBulkRequestPDU())
        names = [tuple(name) for name, _ in v2c.apiPDU.get_varbinds(asked)]
        rows = int(v2c.apiBulkPDU.get_max_repetitions(asked)) if bulk else 1
        kind = "bulk" if bulk else "next" if asked.isSameTypeWith(v2c.GetNextRequestPDU()) else "get"
        bindings = answer(kind, names, rows)
        if bindings is None:
            return None
        response = v2c.GetResponsePDU()
        v2c.apiPDU.set_defaults(response)
        v2c.apiPDU.set_request_id(response, v2c.apiPDU.get_request_id(asked))
        if isinstance(bindings, tuple):
            v2c.apiPDU.set_error_status(response, bindings[0])
            v2c.apiPDU.set_error_index(response, bindings[1])
            bindings = [(name, v2c.Null("")) for name in names]
        v2c.apiPDU.set_varbinds(response, [(v2c.ObjectIdentifier(name), value) for name, value in bindings])
        v2c.apiMessage.set_pdu(message, response)
        return bytes(encoder.encode(message))

    return reply


def objects(known: Mapping[str, object]) -> Answer:
    """An honest agent with these objects (dotted names to values)."""
    by_number = dict(sorted((tuple(map(int, name.split("."))), value) for name, value in known.items()))

    def answer(kind: str, names: list[Oid], rows: int) -> list[tuple[Oid, object]]:
        if kind == "get":
            return [(name, by_number.get(name, v2c.NoSuchObject(""))) for name in names]
        found: list[tuple[Oid, object]] = []
        here = list(names)
        for _ in range(rows):
            for place, name in enumerate(here):
                following = next((each for each in by_number if each > name), None)
                here[place] = following or name
                found.append((here[place], by_number[following] if following else v2c.EndOfMibView("")))
        return found

    return answer


def text(words: str) -> object:
    """An octet string."""
    return v2c.OctetString(words)


def number(value: int) -> object:
    """A whole number."""
    return v2c.Integer(value)


def ticks(value: int) -> object:
    """Hundredths of a second."""
    return v2c.TimeTicks(value)


def identifier(dotted: str) -> object:
    """An object identifier as a value."""
    return v2c.ObjectIdentifier(dotted)
