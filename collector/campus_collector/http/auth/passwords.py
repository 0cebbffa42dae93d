"""Passwords: argon2id (RFC 9106, second recommended option), at most two at once, so that guesses cannot take the collector's memory."""

import threading

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from campus_base.language import Text

LEAST_LETTERS, MOST_LETTERS = 10, 200
_hasher = PasswordHasher(time_cost=3, memory_cost=65_536, parallelism=4)
_room = threading.BoundedSemaphore(2)
_NOBODY = _hasher.hash("nobody has this password")


def hash_of(password: str) -> str:
    """Its argon2id hash in PHC form, with a salt of its own."""
    with _room:
        return _hasher.hash(password)


def fits(password: str, kept: str | None) -> bool:
    """Is this the password of a hash? Without one the same work is done: the time tells nobody whether a name is known."""
    with _room:
        try:
            return _hasher.verify(kept or _NOBODY, password) and kept is not None
        except (Argon2Error, InvalidHashError):
            return False


def stronger(password: str, kept: str) -> str | None:
    """A hash by today's parameters, where the kept one is of weaker ones."""
    return hash_of(password) if _hasher.check_needs_rehash(kept) else None


def weakness(password: str, name: str) -> Text | None:
    """Why it must not be taken; None for a good one. Length counts, not a mixture of signs (NIST SP 800-63B-4, 3.1.1.2)."""
    if not LEAST_LETTERS <= len(password) <= MOST_LETTERS:
        return Text(
            f"a password has {LEAST_LETTERS} to {MOST_LETTERS} characters",
            f"密码长度应为 {LEAST_LETTERS} 至 {MOST_LETTERS} 个字符",
        )
    if len(set(password)) < 5 or password.casefold() in _COMMON or name.casefold() in password.casefold():
        return Text(
            "too easy to guess: not the name, not one sign again and again, not a well-known one",
            "过于简单：不能包含姓名，不能是重复字符或常见密码",
        )
    return None


_COMMON = frozenset(
    [
        "1234567890",
        "0123456789",
        "9876543210",
        "12345678910",
        "qwertyuiop",
        "1q2w3e4r5t",
        "password123",
        "password1234",
        "passw0rd123",
        "admin12345",
        "administrator",
        "campusmeter",
        "xiaoyuance",
        "a123456789",
        "woaini1314",
        "1234567890a",
        "iloveyou123",
        "qwerty12345",
        "abcd123456",
        "abc1234567",
    ]
)
