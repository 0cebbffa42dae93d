"""Is a text the name or address of one machine? Pure.

Resolvers read more than people mean: 010.0.0.8 is 8.0.0.8 to them (octal), 10.0.1 is 10.0.0.1, and 0.0.0.0 is the machine itself.
"""

import ipaddress
import re

HOST_PATTERN = r"[A-Za-z0-9_.:%-]{1,253}"
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")


def is_host(text: str) -> bool:
    """One machine's name, or its whole address: no short or octal forms, no port, no group's address, not 0.0.0.0."""
    if re.fullmatch(HOST_PATTERN, text) is None:
        return False
    labels = text.removesuffix(".").split(".")
    if ":" in text or _NUMBER.fullmatch(labels[-1]):
        return _is_address(text)
    return all(_LABEL.fullmatch(label) for label in labels)


def _is_address(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    everybody = address == ipaddress.IPv4Address("255.255.255.255")
    return not (address.is_multicast or address.is_unspecified or everybody)
