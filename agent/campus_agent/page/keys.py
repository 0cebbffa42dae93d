"""The keys of classrooms whose page stays open: one each, made here, of which only a hash is kept; a new one makes the old one worthless."""

import hmac
import secrets
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import msgspec

from campus_base.files import make_folder, write_whole

FILE_NAME = "page-keys.json"
KEY_BYTES = 16
"""128 bits: not to be guessed, and short enough for a shortcut."""
MAX_KEY_LETTERS = 64
Hashes = dict[str, str]
"""By classroom: SHA-256 of its key, in hexadecimal. A key is random, so no slow hash is needed."""


class KeysUnreadable(Exception):
    """The file of hashes is there and cannot be read."""


class RoomKeys:
    """The hashes in the state folder. They are read again when the file has changed: revoking needs no restart."""

    def __init__(self, state_dir: Path) -> None:
        self._file = state_dir / FILE_NAME
        self._read_at: tuple[int, int] | None = None
        self._hashes: Hashes = {}

    def rooms(self) -> frozenset[str]:
        """The classrooms that have a key. Raises KeysUnreadable."""
        return frozenset(self._load())

    def opens(self, room: str, key: str) -> bool:
        """Is this the classroom's key? False where the file cannot be read."""
        try:
            expected = self._load().get(room, "")
        except KeysUnreadable:
            return False
        offered = _hash(key[:MAX_KEY_LETTERS])
        return bool(expected) and hmac.compare_digest(expected, offered)

    def renew(self, rooms: Sequence[str]) -> dict[str, str]:
        """New keys by classroom, to be handed out now: they are kept nowhere. Raises KeysUnreadable, OSError."""
        keys = {room: secrets.token_urlsafe(KEY_BYTES) for room in rooms}
        self._store(self._load() | {room: _hash(key) for room, key in keys.items()})
        return keys

    def revoke(self, rooms: Sequence[str]) -> list[str]:
        """Take these classrooms' keys away. Those that had one. Raises KeysUnreadable, OSError."""
        hashes = self._load()
        revoked = [room for room in rooms if room in hashes]
        self._store({room: value for room, value in hashes.items() if room not in revoked})
        return revoked

    def _load(self) -> Hashes:
        try:
            status = self._file.stat()
            version = (status.st_mtime_ns, status.st_ino)
            if version != self._read_at:
                self._hashes = msgspec.json.decode(self._file.read_bytes(), type=Hashes)
                self._read_at = version
        except FileNotFoundError:
            self._hashes, self._read_at = {}, None
        except (OSError, msgspec.MsgspecError) as error:
            raise KeysUnreadable(f"{self._file}: {error}") from None
        return self._hashes

    def _store(self, hashes: Hashes) -> None:
        make_folder(self._file.parent)
        write_whole(self._file, msgspec.json.encode(dict(sorted(hashes.items()))) + b"\n", 0o600)


def _hash(key: str) -> str:
    return sha256(key.encode(errors="replace")).hexdigest()
