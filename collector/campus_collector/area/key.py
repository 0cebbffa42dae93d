"""The key by which a collector signs its months: Ed25519 (RFC 8032), made at its first start and kept.

Where the database is SQLite it is a file beside it that only the service reads. Collectors on a PostgreSQL server are several machines without a
common folder: the server keeps one key for all of them, as it keeps that of the sessions. The private key is in no log and on no page.
"""

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from campus_base.files import read_or_make
from campus_collector.store.errors import StoreUnavailable
from campus_collector.store.store import Store

log = logging.getLogger(__name__)
KEY_FILE = "signing-key.pem"
SHARED_NAME = "signing"
PUBLIC_KEY_BYTES, SIGNATURE_BYTES = 32, 64


class NoSigningKey(Exception):
    """There is no key, or it cannot be read; says why."""


class SigningKey:
    """The key of one collector; `folder` holds its file, or the store holds the key."""

    def __init__(self, store: Store, folder: Path | None) -> None:
        """Nothing is read yet."""
        self._store = store
        self._file = None if folder is None else folder / KEY_FILE
        self._key: Ed25519PrivateKey | None = None

    def make(self) -> None:
        """Make the key unless there is one. Raises NoSigningKey, StoreUnavailable."""
        self._keep(_new_pem)

    def take_from(self, other: "SigningKey") -> None:
        """The key of another store, unless there is one here already or none there. Raises NoSigningKey, StoreUnavailable."""
        if other.exists():
            self._keep(other._read)

    def exists(self) -> bool:
        """Is there a key, whether it can be read or not? Raises StoreUnavailable."""
        if self._file is None:
            return self._store.shared_keys.get(SHARED_NAME) is not None
        return self._file.exists()

    def _keep(self, pem: Callable[[], bytes]) -> None:
        """Unless there is one."""
        if self._file is None:
            if not self.exists():
                self._store.shared_keys.get_or_add(SHARED_NAME, pem())
            return
        try:
            read_or_make(self._file, pem)
        except OSError as error:
            raise NoSigningKey(f"{self._file}: {error.strerror or error}") from None

    def public_key(self) -> bytes:
        """The 32 octets of the public key. Raises NoSigningKey, StoreUnavailable."""
        return self._private().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def fingerprint(self) -> str:
        """SHA-256 of the public key in hex; "" where there is no key."""
        try:
            return fingerprint_of(self.public_key())
        except (NoSigningKey, StoreUnavailable):
            return ""

    def sign(self, content: bytes) -> bytes:
        """64 octets. Raises NoSigningKey, StoreUnavailable."""
        return self._private().sign(content)

    def _private(self) -> Ed25519PrivateKey:
        if self._key is None:
            self._key = _from_pem(self._read())
        return self._key

    def _read(self) -> bytes:
        if self._file is None:
            pem = self._store.shared_keys.get(SHARED_NAME)
            if pem is None:
                raise NoSigningKey("this collector has no signing key yet: start it once")
            return pem
        try:
            return self._file.read_bytes()
        except OSError as error:
            raise NoSigningKey(f"{self._file}: {error.strerror or error}") from None


def fingerprint_of(public_key: bytes) -> str:
    """SHA-256 of a public key's 32 octets, in hex."""
    return hashlib.sha256(public_key).hexdigest()


def shown_fingerprint(fingerprint: str) -> str:
    """In groups of eight, as people compare it."""
    return " ".join(fingerprint[start : start + 8] for start in range(0, len(fingerprint), 8))


def is_signed(content: bytes, signature: bytes, public_key: bytes) -> bool:
    """Was this signed with the key's private part?"""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, content)
    except (InvalidSignature, ValueError):
        return False
    return True


def _new_pem() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _from_pem(pem: bytes) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError):
        raise NoSigningKey("the signing key cannot be read: it is damaged, or no key") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise NoSigningKey("the signing key is not an Ed25519 key")
    return key
