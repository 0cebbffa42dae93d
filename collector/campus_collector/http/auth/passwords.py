"""Passwords: argon2id (RFC 9106, second recommended option), at most two at once: each takes 64 MiB of memory."""

import threading

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from campus_base.messages import Message, message

LEAST_LETTERS, MOST_LETTERS = 10, 200
_hasher = PasswordHasher(time_cost=3, memory_cost=65_536, parallelism=4)
_at_once = threading.BoundedSemaphore(2)
_NOBODY = _hasher.hash("nobody has this password")


def hash_of(password: str) -> str:
    """The argon2id hash in PHC form, with a salt of its own."""
    with _at_once:
        return _hasher.hash(password)


def verify(password: str, hashed: str | None) -> bool:
    """Is this the password of a hash? Without a hash the same work is done: the duration does not show whether a name exists."""
    with _at_once:
        try:
            return _hasher.verify(hashed or _NOBODY, password) and hashed is not None
        except (Argon2Error, InvalidHashError):
            return False


def rehash_if_needed(password: str, hashed: str) -> str | None:
    """A hash with today's parameters; None when the present one has them."""
    return hash_of(password) if _hasher.check_needs_rehash(hashed) else None


def policy_violation(password: str, name: str) -> Message | None:
    """The rule that a new password breaks; None for a good one. Length counts, not a mixture of signs (NIST SP 800-63B-4, 3.1.1.2)."""
    if not LEAST_LETTERS <= len(password) <= MOST_LETTERS:
        return message(
            "a password has {least_letters} to {most_letters} characters",
            least_letters=LEAST_LETTERS,
            most_letters=MOST_LETTERS,
        )
    if len(set(password)) < 5 or password.casefold() in _COMMON or name.casefold() in password.casefold():
        return message("too easy to guess: not the name, not one sign again and again, not a well-known one")
    return None


_COMMON = {
    "1234567890", "0123456789", "9876543210", "12345678910", "qwertyuiop", "1q2w3e4r5t", "password123",
    "password1234", "passw0rd123", "admin12345", "administrator", "campusmeter", "xiaoyuance", "a123456789",
    "woaini1314", "1234567890a", "iloveyou123", "qwerty12345", "abcd123456", "abc1234567",
}  # fmt: skip
