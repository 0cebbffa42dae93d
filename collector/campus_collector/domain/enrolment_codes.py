"""One-time codes that people read out and type: twelve letters of Crockford's base 32, 60 random bits, in groups of four. Pure.

https://www.crockford.com/base32.html: no I, L, O, U; what looks alike is read alike.
"""

import hashlib
import secrets

LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH, GROUP = 12, 4
_ALIKE = str.maketrans({"O": "0", "I": "1", "L": "1", "-": "", " ": ""})


def new_code() -> str:
    """A random code like `7K3M-Q9XZ-02FD`."""
    return grouped("".join(secrets.choice(LETTERS) for _ in range(LENGTH)))


def grouped(letters: str) -> str:
    return "-".join(letters[start : start + GROUP] for start in range(0, len(letters), GROUP))


def plain(text: str) -> str | None:
    """A typed code without its groups and in the letters we use; None for what cannot be one."""
    letters = text.strip().upper().translate(_ALIKE)
    return letters if len(letters) == LENGTH and set(letters) <= set(LETTERS) else None


def code_hash(letters: str) -> bytes:
    """What the store keeps: 60 bits that are valid for hours, and whose guesses are counted, need no slow hash."""
    return hashlib.sha256(b"campusmeter enrol " + letters.encode()).digest()
