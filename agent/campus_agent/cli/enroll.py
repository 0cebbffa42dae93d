"""`campus-agent enroll`: by a one-time code to a token and a configuration, then the service and a first look at everything."""

import argparse
import asyncio
import os
import subprocess
import sys
import unicodedata
from pathlib import Path
from urllib.parse import urlsplit

from campus_agent.cli.common import EXIT_NOT_MET
from campus_agent.config import fetched
from campus_agent.config.model import DEFAULT_PATH, AgentConfig
from campus_agent.config.read import load_config
from campus_agent.ship import configuration
from campus_agent.ship.connection import ShipFailed
from campus_agent.ship.enrolment import EnrolFailed, Written, enroll
from campus_base.command_line import EXIT_OK, EXIT_USAGE, CommandParser, failed
from campus_base.files import make_folder
from campus_base.language import Language
from campus_base.messages import Message, message
from campus_base.settings import ConfigurationError

UNIT = "campus-agent.service"
SYSTEMCTL_SECONDS = 120
MAX_TYPED = 200


def register(parser: CommandParser) -> None:
    words = parser.words
    parser.add_argument("url", metavar="URL", help=words(message("the collector's address")))
    parser.add_argument(
        "code",
        metavar="CODE",
        nargs="?",
        help=words(
            message(
                "from: campus-collector enroll-code; left out, it is asked for and stays out of the process list"
                " and the shell's history"
            )
        ),
    )
    folder = message("where token and agent.toml go (default: {path})")
    parser.add_argument(
        "--dir",
        type=Path,
        default=DEFAULT_PATH.parent,
        metavar="DIR",
        help=words(folder, path=DEFAULT_PATH.parent),
    )
    parser.add_argument(
        "--ca-sha256",
        metavar="HEX",
        help=words(message("fingerprint of the collector's private authority, which is fetched and kept")),
    )
    parser.add_argument(
        "--ca-file",
        type=Path,
        metavar="FILE",
        help=words(message("authority of the collector's certificate, if private")),
    )
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace, language: Language) -> int:
    mistake = _mistake_in_url(arguments.url)
    if mistake is not None:
        return failed(EXIT_USAGE, mistake.in_(language))
    code = _code_of(arguments.code, language)
    if not code or not code.isascii():
        text = message("CODE: nothing was given that could be one: letters, digits and hyphens")
        return failed(EXIT_USAGE, text.in_(language))
    try:
        written = enroll(arguments.url, code, arguments.dir, arguments.ca_file, arguments.ca_sha256)
    except EnrolFailed as error:
        return failed(EXIT_NOT_MET, error.words.in_(language))
    _print_written(written, language)
    _begin_service(written.config_file, language)
    return EXIT_OK


def _mistake_in_url(url: str) -> Message | None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return message("URL: must be like https://collector.example:8443")
    if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        return message(
            "URL: must be https:// unless the collector is on this machine: code and token would travel readable"
        )
    return None


def _code_of(argument: str | None, language: Language) -> str:
    """The code as typed, with the full-width letters of a Chinese keyboard made narrow; asked for where it was left out."""
    typed = argument if argument is not None else _ask(message("Code: "), language)
    return unicodedata.normalize("NFKC", typed).strip()


def _ask(question: Message, language: Language) -> str:
    """A line from whoever sits there, or from a pipe."""
    if sys.stdin is None:
        return ""
    if sys.stdin.isatty():
        print(question.in_(language), end="", file=sys.stderr, flush=True)
    try:
        return sys.stdin.readline(MAX_TYPED)
    except UnicodeDecodeError:
        return ""


def _print_written(written: Written, language: Language) -> None:
    text = message("This gateway now speaks for {school}.\n  {token}  (mode 600)\n  {config}  {made}")
    origin = message("made") if written.config else message("was there, and is unchanged")
    values = {"school": written.school, "token": written.token_file, "config": written.config_file}
    print(text.in_(language, **values, made=origin.in_(language)))
    if written.key_file is not None:
        key = message("  {key}  the classrooms' test key: the same file goes to `campus-agent respond --test-key-file`")
        print(key.in_(language, key=written.key_file))


def _begin_service(file: Path, language: Language) -> None:
    """Fetch the collector's configuration, let the service begin, look at everything: the gateway is enrolled whatever comes of it."""
    from campus_agent.doctor import examine, in_words  # it loads much, and only a success needs it

    try:
        config = _with_fetched_configuration(file, language)
    except ConfigurationError as error:
        print(error.in_(language), file=sys.stderr)
        return
    started = start_service()
    if started is not None:
        text = (
            message("The service campus-agent runs.")
            if started
            else message("The service campus-agent does not run: journalctl -u campus-agent")
        )
        print(text.in_(language))
    print(in_words(asyncio.run(examine(config)), language))
    if started is None:
        text = message("Next: campus-agent run --config {file}")
        print(text.in_(language, file=file))


def _with_fetched_configuration(file: Path, language: Language) -> AgentConfig:
    """The configuration with the collector's over it, where it could be fetched and stored. Raises ConfigurationError."""
    config = load_config(file)
    try:
        body = configuration.fetch(config, file)
        if body is not None:
            make_folder(config.state_dir, 0o700)
            fetched.store(body, config.state_dir)
            config = load_config(file)
        text = message("The collector's configuration: {rooms} classroom(s), {services} platform(s).")
        print(text.in_(language, rooms=len(config.classrooms), services=len(config.services)))
    except (ShipFailed, fetched.FetchedConfigRefused, OSError) as error:
        reason = error.words.in_(language) if isinstance(error, fetched.FetchedConfigRefused) else str(error)
        text = message("the collector's configuration is not in force: {reason}")
        print(text.in_(language, reason=reason), file=sys.stderr)
    return config


def start_service() -> bool | None:
    """Let the service begin, or begin again with the new token. None: there is no such service here; False: it does not run."""
    if not Path("/run/systemd/system").is_dir() or os.geteuid() != 0:
        return None
    try:
        if not _systemctl("cat"):
            return None
        return _systemctl("enable") and _systemctl("restart")
    except (OSError, subprocess.SubprocessError):
        return False


def _systemctl(verb: str) -> bool:
    command = ["systemctl", "--quiet", verb, UNIT]
    return subprocess.run(command, capture_output=True, check=False, timeout=SYSTEMCTL_SECONDS).returncode == 0
