"""Exchanges the collector's one-time code for this gateway's token, and stores what came with it.

Everything that could fail here is tried before the code is used, because it can be used only once. Where the package made a user for the
service, what it must write (token, test key, the collector's configuration) goes into its state folder and belongs to it; the rest it only reads.
"""

import base64
import gzip
import hashlib
import hmac
import json
import os
import platform
import pwd
import secrets
import ssl
from contextlib import suppress
from pathlib import Path

import msgspec

from campus_agent.config.model import DEFAULT_PATH, DEFAULT_STATE_DIR, Collector
from campus_agent.config.read import load_config
from campus_agent.ship.connection import CollectorAnswer, CollectorConnection, ShipFailed
from campus_base.files import check_writable, make_folder, write_whole
from campus_base.messages import Message, bilingual, message, verbatim
from campus_base.settings import ConfigurationError
from campus_base.system_errors import error_words
from campus_base.wire_words import FAILURE_WORDS, OPERATION_WORDS
from campus_wire.records import Enrolled, EnrollRequest, Problem
from campus_wire.version import VERSION

PATH = "/v1/enroll"
TOKEN_FILE, CONFIG_FILE, CA_FILE, KEY_FILE = "token", "agent.toml", "ca.pem", "test.key"
RELEASE_KEY_FILE = "release-key.asc"
"""Beside the configuration: the key that signs what this gateway may be upgraded to. It is pinned at enrolment and never replaced by itself."""
SERVICE_USER = "campus-agent"
PIN_SECONDS = 20.0
MAX_PEM_BYTES = 64 * 1024


class EnrolFailed(Exception):
    """It did not work; says why and whether the code is still good."""

    def __init__(self, words: Message) -> None:
        super().__init__(words.en)
        self.words = words


class Written(msgspec.Struct, frozen=True):
    """What was put where; `config` False when there was one already, which is left as it is."""

    school: str
    token_file: Path
    config_file: Path
    config: bool
    key_file: Path | None
    """The school's new test key; None where the configuration was there."""


def enroll(url: str, code: str, folder: Path, ca_file: Path | None = None, ca_sha256: str | None = None) -> Written:
    """Enrol this gateway; with the fingerprint of a private authority, fetch that first and keep it. Raises EnrolFailed."""
    owner = _service_user() if folder == DEFAULT_PATH.parent else None
    secret_folder = Path(DEFAULT_STATE_DIR) if owner is not None else folder
    token_file, config_file = secret_folder / TOKEN_FILE, folder / CONFIG_FILE
    if config_file.exists():  # it says where the token is
        token_file = _configured_token(config_file) or token_file
    _check_writable(folder, token_file)
    url = url.rstrip("/")
    if ca_sha256 is not None:
        ca_file = _pin(url, ca_sha256, folder / CA_FILE)
    answer = _exchange(Collector(url, token_file, ca_file), code)
    _write_token(token_file, answer.token, owner)
    _pin_release_key(folder / RELEASE_KEY_FILE, answer.release_key)
    if config_file.exists():
        return Written(answer.school, token_file, config_file, False, None)
    key_file = secret_folder / KEY_FILE
    whole = _config(url, answer, ca_file, token_file, key_file, folder)
    _write_configuration(config_file, whole, key_file, token_file, owner)
    return Written(answer.school, token_file, config_file, True, key_file)


def _write_token(token_file: Path, token: str, owner: tuple[int, int] | None) -> None:
    try:
        write_whole(token_file, token.encode() + b"\n", 0o600, owner)
    except OSError as error:
        raise EnrolFailed(
            message(
                "{token_file}: {reason}: the code is used; ask the bureau for a new one",
                token_file=token_file,
                reason=error_words(error),
            )
        ) from None


def _pin_release_key(file: Path, key: str) -> None:
    """Unless one is pinned already. Where it cannot be written the gateway is enrolled, and is upgraded by hand until it is pinned by hand."""
    if key and not file.exists():
        with suppress(OSError):
            write_whole(file, key.encode(), 0o644)


def _write_configuration(
    config_file: Path, whole: str, key_file: Path, token_file: Path, owner: tuple[int, int] | None
) -> None:
    """The school's test key, unless there is one, and the configuration, which the service's group may read."""
    try:
        if not key_file.exists():
            write_whole(key_file, base64.b64encode(secrets.token_bytes(32)) + b"\n", 0o600, owner)
        write_whole(config_file, whole.encode(), 0o640, (0, owner[1]) if owner is not None else None)
    except OSError as error:
        raise EnrolFailed(
            message(
                "{filename}: {reason}: the token is in place ({token_file}), the code is used; write"
                " {config_file} by hand:\n"
                "\n"
                "{whole}",
                filename=error.filename,
                reason=error_words(error),
                token_file=token_file,
                config_file=config_file,
                whole=whole,
            )
        ) from None


def _service_user() -> tuple[int, int] | None:
    """User and group of the service where the package made them, for root."""
    try:
        user = pwd.getpwnam(SERVICE_USER) if os.geteuid() == 0 else None
    except KeyError:
        return None
    return (user.pw_uid, user.pw_gid) if user is not None else None


def _configured_token(config_file: Path) -> Path | None:
    with suppress(ConfigurationError):
        collector = load_config(config_file).collector
        return collector.token_file if collector is not None else None
    return None


def _pin(url: str, expected: str, ca_file: Path) -> Path:
    """Fetch the collector's authority over an unchecked connection, and store it only if it has the fingerprint that was given.

    Whoever sits in between can send another certificate, but not one with this SHA-256.
    """
    connection = CollectorConnection(Collector(url, Path(), None), PIN_SECONDS, PIN_SECONDS, certificate_checked=False)
    try:
        answer = connection.get("/ca.pem")
        if answer.status != 200:
            raise ValueError(f"HTTP {answer.status}")
        pem = answer.body[:MAX_PEM_BYTES].decode("ascii")
        fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    except (ShipFailed, ValueError) as error:
        raise EnrolFailed(message("{url}/ca.pem: {error}; the code was not used", url=url, error=error)) from None
    finally:
        connection.close()
    if not hmac.compare_digest(fingerprint, expected.replace(":", "").lower()):
        raise EnrolFailed(
            message(
                "{url}: its authority has the fingerprint {fingerprint}, not the one given: somebody may be in"
                " between; the code was not used",
                url=url,
                fingerprint=fingerprint,
            )
        )
    try:
        write_whole(ca_file, pem.encode(), 0o644)
    except OSError as error:
        raise EnrolFailed(
            message("{ca_file}: {reason}; the code was not used", ca_file=ca_file, reason=error_words(error))
        ) from None
    return ca_file


def _check_writable(folder: Path, token_file: Path) -> None:
    """Before the code is spent. Raises EnrolFailed."""
    try:
        make_folder(folder, 0o700)
        check_writable(token_file)
    except OSError as error:
        raise EnrolFailed(
            message(
                "{folder}: {reason}: run as root, or give another folder with --dir; the code was not used",
                folder=folder,
                reason=error_words(error),
            )
        ) from None


def _exchange(collector: Collector, code: str) -> Enrolled:
    """The collector's answer to the code. Raises EnrolFailed."""
    answer = _posted(collector, code)
    if answer.status == 201:
        with suppress(msgspec.MsgspecError):
            return msgspec.json.decode(answer.body, type=Enrolled)
    detail = f"HTTP {answer.status}"
    with suppress(msgspec.MsgspecError):
        problem = msgspec.json.decode(answer.body, type=Problem)
        detail = f"{problem.title}: {problem.detail}"
    words = {
        403: message("the code is not valid, was used or has expired: ask the bureau for a new one"),
        429: message("too many wrong codes: try again later"),
        404: message("this address takes no enrolment: check it"),
    }.get(answer.status, verbatim(detail))
    # in English the collector's own words, which say more
    reason = bilingual(detail, words.zh)
    raise EnrolFailed(message("{url}: {reason}", url=collector.url, reason=reason))


def _posted(collector: Collector, code: str) -> CollectorAnswer:
    connection = CollectorConnection(collector)
    body = gzip.compress(msgspec.json.encode(EnrollRequest(code, VERSION, platform.platform()[:100])))
    try:
        return connection.post_openly(PATH, body)
    except ShipFailed as failed:
        if failed.clock is not None:
            raise EnrolFailed(
                message(
                    "{url}: this gateway's clock is wrong: {clock}; set it (timedatectl set-ntp true, or date -s),"
                    " then enrol again; the code was not used",
                    url=collector.url,
                    clock=failed.clock,
                )
            ) from None
        where, why = OPERATION_WORDS[failed.failure.operation], FAILURE_WORDS[failed.failure.kind]
        raise EnrolFailed(
            message(
                "{url}: {where}: {why} ({detail}); the code was not used, unless the answer was lost",
                url=collector.url,
                where=where,
                why=why,
                detail=failed.failure.detail,
            )
        ) from None
    finally:
        connection.close()


def _config(url: str, answer: Enrolled, ca_file: Path | None, token_file: Path, key_file: Path, folder: Path) -> str:
    """The least that `run` needs; the rest is for the school to fill in (deploy/agent.sample.toml)."""
    lines = ["# made by campus-agent enroll; deploy/agent.sample.toml shows everything that can be set", "", "[agent]"]
    if answer.town:
        lines.append(f"town = {json.dumps(answer.town)}")

    def named(file: Path) -> str:
        return json.dumps(file.name if file.parent == folder else str(file))

    lines.append(f"school = {json.dumps(answer.school)}")
    if folder != DEFAULT_PATH.parent:  # everything of this gateway in one folder
        lines.append('state_dir = "state"')
    lines.append(f"test_key_file = {named(key_file)}")
    lines += ["", "[collector]", f"url = {json.dumps(url)}", f"token_file = {named(token_file)}"]
    if ca_file is not None:
        lines.append(f"ca_file = {json.dumps(str(ca_file.resolve()))}")
    lines += ["", "[page]", "port = 8090"]  # the classrooms' test page, on the school's network
    return "\n".join(lines) + "\n"
