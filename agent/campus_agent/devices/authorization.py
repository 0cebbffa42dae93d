"""Answer a 401: Basic (RFC 7617) and Digest (RFC 7616, RFC 2617), as RTSP and HTTP devices ask for it. Pure.

Digest is preferred; Basic is answered only where nothing better is offered. MD5 is what cameras still ask for: it is theirs to choose.
"""

import hashlib
import re
from base64 import b64encode
from collections.abc import Sequence

_PAIR = re.compile(r'([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_HASHES = {"MD5": "md5", "SHA-256": "sha256", "MD5-SESS": "md5", "SHA-256-SESS": "sha256"}


def authorization(
    challenges: Sequence[str], method: str, uri: str, user: str, password: str, client_nonce: str
) -> str | None:
    """The `Authorization` header for one request; None when nothing offered can be answered."""
    for challenge in challenges:
        scheme, _, rest = challenge.strip().partition(" ")
        if scheme.lower() == "digest":
            answer = _digest(_parameters(rest), method, uri, user, password, client_nonce)
            if answer is not None:
                return answer
    if any(challenge.strip().lower().startswith("basic") for challenge in challenges):
        return "Basic " + b64encode(f"{user}:{password}".encode()).decode("ascii")
    return None


def _digest(given: dict[str, str], method: str, uri: str, user: str, password: str, client_nonce: str) -> str | None:
    algorithm = given.get("algorithm", "MD5")
    name = _HASHES.get(algorithm.upper())
    if name is None or "nonce" not in given:
        return None

    def hashed(text: str) -> str:
        return hashlib.new(name, text.encode(), usedforsecurity=False).hexdigest()

    realm, nonce = given.get("realm", ""), given["nonce"]
    secret = hashed(f"{user}:{realm}:{password}")
    if algorithm.upper().endswith("-SESS"):
        secret = hashed(f"{secret}:{nonce}:{client_nonce}")
    action = hashed(f"{method}:{uri}")
    qualities = [one.strip() for one in given.get("qop", "").split(",") if one.strip()]
    fields = [("username", user), ("realm", realm), ("nonce", nonce), ("uri", uri)]
    plain = []
    if "auth" in qualities:
        response = hashed(f"{secret}:{nonce}:00000001:{client_nonce}:auth:{action}")
        plain = ["qop=auth", "nc=00000001"]
        fields.append(("cnonce", client_nonce))
    elif qualities:
        return None
    else:
        response = hashed(f"{secret}:{nonce}:{action}")
    fields.append(("response", response))
    if "opaque" in given:
        fields.append(("opaque", given["opaque"]))
    if "algorithm" in given:
        plain.append(f"algorithm={algorithm}")
    return "Digest " + ", ".join([f'{key}="{_quoted(value)}"' for key, value in fields] + plain)


def _parameters(text: str) -> dict[str, str]:
    return {
        match[1].lower(): re.sub(r"\\(.)", r"\1", match[2]) if match[2] is not None else match[3]
        for match in _PAIR.finditer(text[:4096])
    }


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
