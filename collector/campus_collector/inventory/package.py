"""A ZIP archive of anybody's making, opened within bounds: workbooks and packed folders of CSV files are such."""

import io
import posixpath
import zipfile
from collections.abc import Iterator

from campus_base.encoding import chinese_encoding
from campus_base.messages import message
from campus_collector.inventory.errors import Unreadable

MAX_ENTRIES = 2_000
MAX_UNPACKED_BYTES = 256 * 1024 * 1024
"""Of all entries that are read; counted as they are unpacked, whatever the archive says of them."""
CHUNK_BYTES = 256 * 1024
_UTF8_NAME, _ENCRYPTED = 0x800, 0x1


class Package:
    """The entries of an archive by name."""

    def __init__(self, name: str, content: bytes) -> None:
        """Reads the directory. Raises Unreadable."""
        self.name = name
        self._left = MAX_UNPACKED_BYTES
        if content.count(b"PK\x01\x02") > MAX_ENTRIES:  # before zipfile makes an object of each
            raise Unreadable(
                message("{name}: more than {max_entries} files inside", name=name, max_entries=MAX_ENTRIES)
            )
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(content))
            entries = self._archive.infolist()
        except Exception as error:  # zipfile raises whatever a damaged directory makes it stumble over
            raise damaged(name, error) from None
        self.entries = {_entry_name(entry): entry for entry in entries if not entry.is_dir()}
        self._folded = {name.lower().lstrip("/"): entry for name, entry in self.entries.items()}

    def __contains__(self, part: str) -> bool:
        """Is there an entry of this name, in any case?"""
        return _part_name(part) in self._folded

    def chunks(self, part: str) -> Iterator[bytes]:
        """The content of an entry, whatever the case of its name. Raises Unreadable."""
        entry = self._folded.get(_part_name(part))
        if entry is None:
            raise damaged(self.name, f"no part {part}")
        if entry.flag_bits & _ENCRYPTED:
            raise Unreadable(message("{name}: is protected by a password: save it without", name=self.name))
        try:
            with self._archive.open(entry) as stream:
                while chunk := stream.read(CHUNK_BYTES):
                    self._left -= len(chunk)
                    if self._left < 0:
                        raise too_large(self.name, MAX_UNPACKED_BYTES)
                    yield chunk
        except (Unreadable, GeneratorExit):
            raise
        except Exception as error:  # as above, and zlib, lzma and bz2 each have errors of their own
            raise damaged(self.name, error) from None

    def read(self, part: str, most: int) -> bytes:
        """A whole entry. Raises Unreadable, also for more than `most` bytes."""
        content = bytearray()
        for chunk in self.chunks(part):
            content += chunk
            if len(content) > most:
                raise too_large(f"{self.name}: {part}", most)
        return bytes(content)


def damaged(name: str, reason: object) -> Unreadable:
    """For an archive or a part that contradicts itself."""
    words = str(reason)[:120] or type(reason).__name__
    return Unreadable(
        message("{name}: is damaged and is not a readable file ({words}); save it again", name=name, words=words)
    )


def too_large(name: str, most: int) -> Unreadable:
    """For what has more than `most` bytes."""
    megabytes = most // 1_000_000
    return Unreadable(message("{name}: larger than {megabytes} MB", name=name, megabytes=megabytes))


def _entry_name(entry: zipfile.ZipInfo) -> str:
    """Windows writes names in the code page of the machine and marks nothing; zipfile reads them as code page 437."""
    name = entry.filename
    if not entry.flag_bits & _UTF8_NAME and not name.isascii():
        content = name.encode("cp437", "replace")
        name = content.decode(chinese_encoding(content) or "gb18030", "replace")
    return name.replace("\\", "/")


def _part_name(part: str) -> str:
    return posixpath.normpath(part.replace("\\", "/")).lstrip("/").lower()
