"""The flat APT repository: the key that signs it, its index, and the packages that are added. Stock apt reads it (`signed-by`).

The private key is a file beside SQLite's database that only the service reads, or in the database of several collectors.
"""

import hashlib
import subprocess
from collections.abc import Iterable
from datetime import datetime
from email.utils import format_datetime
from pathlib import Path

from pysequoia import Profile, SignatureMode, Tsk, sign

from campus_base.files import read_or_make
from campus_base.messages import Message, message
from campus_base.settings import UnusableFile, read_file
from campus_collector.domain.releases import ReleasePackage
from campus_collector.store.store import Store

PACKAGE = "campus-agent"
KEY_FILE, SHARED_NAME = "release-key.pgp", "release"
INDEX_FILES = ("InRelease", "Packages", "release-key.asc")
PART_BYTES = 1 << 20
MAX_PACKAGE_BYTES = 256 << 20
ARCHITECTURES = ("amd64", "arm64")
COMMAND_SECONDS = 60


class PackageRefused(Exception):
    """This file is no package of the agent that could be added; says why."""

    def __init__(self, words: Message) -> None:
        super().__init__(words.en)
        self.words = words


def make_key(store: Store, folder: Path | None) -> Tsk:
    """The key, made where there was none. It does not end: gateways have it pinned. Raises OSError, StoreUnavailable."""

    def new() -> bytes:
        return bytes(Tsk.generate(user_id="CampusMeter releases", profile=Profile.RFC4880, validity_seconds=None))

    if folder is None:
        return Tsk.from_bytes(store.shared_keys.get_or_add(SHARED_NAME, new()))
    return Tsk.from_bytes(read_or_make(folder / KEY_FILE, new))


def read_package(file: Path) -> tuple[ReleasePackage, list[bytes]]:
    """A package's description, and its bytes in parts. Raises PackageRefused, OSError."""
    try:
        body = read_file(file, MAX_PACKAGE_BYTES, message("it is larger than {count} bytes", count=MAX_PACKAGE_BYTES))
    except UnusableFile as unusable:
        raise PackageRefused(unusable.text) from None
    done = subprocess.run(
        ["dpkg-deb", "--field", str(file.absolute())], capture_output=True, check=False, timeout=COMMAND_SECONDS
    )
    control = done.stdout.decode("utf-8", "replace").strip()
    fields = dict(line.split(": ", 1) for line in control.splitlines() if ": " in line and not line.startswith(" "))
    name, version, architecture = (fields.get(key, "") for key in ("Package", "Version", "Architecture"))
    if done.returncode or name != PACKAGE:
        raise PackageRefused(message("it is no package of {name}", name=PACKAGE))
    if architecture not in ARCHITECTURES or not is_version(version):
        raise PackageRefused(
            message("version {version!r} for {architecture!r}", version=version, architecture=architecture)
        )
    sha256 = hashlib.sha256(body).hexdigest()
    parts = [body[at : at + PART_BYTES] for at in range(0, len(body), PART_BYTES)]
    return ReleasePackage(version, architecture, sha256, len(body), control), parts


def is_version(text: str) -> bool:
    """Is it a version as our packages have them, safe in a file's name?"""
    return 0 < len(text) <= 40 and text.isascii() and text[0].isdigit() and all(c.isalnum() or c in ".+~" for c in text)


def is_newer(version: str, than: str) -> bool:
    """By the rules of Debian."""
    command = ["dpkg", "--compare-versions", version, "gt", than]
    return subprocess.run(command, check=False, timeout=COMMAND_SECONDS).returncode == 0


def file_name(package: ReleasePackage) -> str:
    """Of a package in the repository."""
    return f"{PACKAGE}_{package.version}_{package.architecture}.deb"


def index(packages: Iterable[ReleasePackage], number: int, key: Tsk, now: datetime) -> dict[str, bytes]:
    """The files of the index, signed. `Version` of the release file is the index's number: gateways take no lower one than they saw."""
    described = [
        f"{package.control}\nFilename: ./{file_name(package)}\nSize: {package.size}\nSHA256: {package.sha256}\n"
        for package in packages
    ]
    listed = "\n".join(described).encode()
    release = (
        f"Origin: CampusMeter\nLabel: CampusMeter\nVersion: {number}\nDate: {format_datetime(now)}\n"
        f"Architectures: {' '.join(ARCHITECTURES)}\nDescription: agent for school gateways\n"
        f"SHA256:\n {hashlib.sha256(listed).hexdigest()} {len(listed)} Packages\n"
    )
    signed = sign(key.signer(), release.encode(), mode=SignatureMode.CLEAR)
    return {"InRelease": signed, "Packages": listed, "release-key.asc": str(key.extract_certificate()).encode()}
