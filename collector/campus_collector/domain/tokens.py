"""Tokens: 256 random bits, shown once; only their SHA-256 is stored (they are not guessable, so a slow hash adds nothing)."""

import hashlib
import secrets

PREFIX = "cm1_"
"""Lets scanners of leaked secrets recognise a token."""


def new_token() -> str:
    return PREFIX + secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def bearer(header: str | None) -> str | None:
    """The token of an `Authorization: Bearer ...` header (RFC 6750); None when there is none of that form."""
    scheme, _, token = (header or "").partition(" ")
    token = token.strip()
    return token if scheme.lower() == "bearer" and 0 < len(token) <= 200 else None
