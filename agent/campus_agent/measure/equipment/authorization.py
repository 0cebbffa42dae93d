"""Answer a 401: Basic (RFC 7617) and Digest (RFC 7616, RFC 2617), as RTSP and HTTP devices ask for it. Pure but for fresh nonces.

Digest is answered wherever it is offered in a way that can be answered, in whatever header and order; Basic, which gives the password away,
only where it is not. MD5 is what cameras still ask for: it is theirs to choose. Challenges are text with surrogate escapes: a realm in GBK
goes back, and into the hash, byte for byte.
"""

import hashlib
import re
import secrets
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

MAX_CHALLENGE = 4096
_TOKEN = re.compile(r'([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))|([A-Za-z]+)')
_SCHEMES = frozenset({"digest", "basic", "negotiate", "ntlm", "bearer"})
_HASHES = {"MD5": "md5", "SHA-256": "sha256", "MD5-SESS": "md5", "SHA-256-SESS": "sha256"}
Challenge = tuple[str, dict[str, str]]
"""Scheme in lower case, parameters by their names in lower case."""


def challenges_in(headers: Sequence[str]) -> Iterator[Challenge]:
    """Every challenge of every header: one header may carry several (RFC 9110 section 11.6.1)."""
    for header in headers:
        current: dict[str, str] | None = None
        for match in _TOKEN.finditer(header[:MAX_CHALLENGE]):
            name, quoted, plain, word = match.groups()
            if word is not None and word.lower() in _SCHEMES:
                current = {}
                yield word.lower(), current
            elif name is not None and current is not None:
                current.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain)


def _answerable(headers: Sequence[str], basic: bool = True) -> list[Challenge]:
    """What can be answered, the device's first choice first: every Digest, or Basic where there is no such Digest."""
    offered = list(challenges_in(headers))
    digests = [challenge for challenge in offered if challenge[0] == "digest" and _can(challenge[1])]
    return digests or [challenge for challenge in offered if challenge[0] == "basic" and basic]


def _can(given: dict[str, str]) -> bool:
    qualities = _qualities(given)
    return _hash_of(given) is not None and "nonce" in given and (not qualities or "auth" in qualities)


def _hash_of(given: dict[str, str]) -> str | None:
    return _HASHES.get(given.get("algorithm", "MD5").upper())


def _qualities(given: dict[str, str]) -> list[str]:
    return [quality.strip().lower() for quality in given.get("qop", "").split(",") if quality.strip()]


@dataclass(slots=True)
class Login:
    """Who asks a device, and which of its challenges is being answered. `basic`: may the password be given away where nothing else is offered?"""

    user: str
    password: str = field(repr=False)
    basic: bool = True
    _challenge: Challenge | None = None
    _algorithm: str = ""
    _count: int = 0

    @property
    def challenged(self) -> bool:
        """Has the device offered a way that can be answered?"""
        return self._challenge is not None

    def take(self, headers: Sequence[str], refused: bool) -> bool:
        """Take the challenges of a 401; False when asking again is of no use.

        `refused`: the request carried an answer to the device's latest nonce. Then its next way is tried: some offer SHA-256 beside MD5
        and know only MD5.
        """
        offered = _answerable(headers, self.basic)
        names = [_name(challenge) for challenge in offered]
        position = names.index(self._algorithm) if self._algorithm in names else 0
        if refused and self.challenged:
            position += 1
        if position >= len(offered):
            return False
        self._challenge, self._algorithm, self._count = offered[position], names[position], 0
        return True

    def header(self, method: str, uri: str) -> str | None:
        """The `Authorization` header of one request; None as long as the device has asked for none."""
        if self._challenge is None:
            return None
        self._count += 1
        return _answer(self._challenge, method, uri, self.user, self.password, secrets.token_hex(8), self._count)


def _name(challenge: Challenge) -> str:
    scheme, given = challenge
    return f"{scheme} {given.get('algorithm', 'MD5').upper()}"


def authorization(
    challenges: Sequence[str], method: str, uri: str, user: str, password: str, client_nonce: str
) -> str | None:
    """The `Authorization` header for one request; None when nothing offered can be answered."""
    offered = _answerable(challenges)
    return _answer(offered[0], method, uri, user, password, client_nonce, 1) if offered else None


def _answer(
    challenge: Challenge, method: str, uri: str, user: str, password: str, client_nonce: str, count: int
) -> str:
    scheme, given = challenge
    if scheme == "basic":
        return "Basic " + b64encode(f"{user}:{password}".encode()).decode("ascii")
    return _digest(given, method, uri, (user, password), client_nonce, count)


def _digest(given: dict[str, str], method: str, uri: str, login: tuple[str, str], client_nonce: str, count: int) -> str:
    """One answer (RFC 7616 section 3.4); `count` is how often this nonce was used."""
    algorithm, name = given.get("algorithm", "MD5"), _hash_of(given) or "md5"

    def hashed(text: str) -> str:
        return hashlib.new(name, text.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()

    realm, nonce = given.get("realm", ""), given["nonce"]
    secret = hashed(f"{login[0]}:{realm}:{login[1]}")
    if algorithm.upper().endswith("-SESS"):
        secret = hashed(f"{secret}:{nonce}:{client_nonce}")
    action = hashed(f"{method}:{uri}")
    fields = [("username", login[0]), ("realm", realm), ("nonce", nonce), ("uri", uri)]
    plain = []
    if _qualities(given):
        used = f"{count:08x}"
        response = hashed(f"{secret}:{nonce}:{used}:{client_nonce}:auth:{action}")
        plain = ["qop=auth", f"nc={used}"]
        fields.append(("cnonce", client_nonce))
    else:
        response = hashed(f"{secret}:{nonce}:{action}")
    fields.append(("response", response))
    if "opaque" in given:
        fields.append(("opaque", given["opaque"]))
    if "algorithm" in given:
        plain.append(f"algorithm={algorithm}")
    return "Digest " + ", ".join([f'{key}="{_quoted(value)}"' for key, value in fields] + plain)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
