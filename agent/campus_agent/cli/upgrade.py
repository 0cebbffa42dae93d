"""`campus-agent upgrade enable`, `disable`, `look`, `pin`, `status`: releases by the collector, as root."""

import argparse
import subprocess

from campus_agent.cli.common import EXIT_NOT_MET, config_option
from campus_agent.config.model import Collector
from campus_agent.config.read import load_config
from campus_agent.ship.connection import ShipFailed
from campus_agent.upgrade.install import OUTCOME_FILE, read_json, read_order
from campus_agent.upgrade.look import FOLDER, NoUpgrade, begin, key_file_of, look, pin
from campus_base.command_line import EXIT_OK, CommandParser, failed, json_line
from campus_base.language import Language
from campus_base.messages import Message, message
from campus_base.system_errors import error_words

LOOK_UNITS = ("campus-agent-upgrade.timer", "campus-agent-upgrade.path")


def register(parser: CommandParser) -> None:
    words = parser.words
    for name, text, command in (
        ("enable", message("look each night for a release of the collector, and when it is asked for"), _enable),
        ("disable", message("look for no release any more"), _disable),
        ("look", message("ask the collector for a release, fetch it and install it"), _look),
        ("status", message("what is being done, and what became of the last upgrade"), _status),
        ("pin", message("keep the key that signs releases, if it has this fingerprint"), _pin),
    ):
        action = parser.add_command(name, text, command)
        config_option(action)
        if name == "pin":
            action.add_argument(
                "fingerprint", metavar="FINGERPRINT", help=words(message("from: campus-collector release key"))
            )


def _collector(arguments: argparse.Namespace) -> Collector:
    collector = load_config(arguments.config).collector
    if collector is None:
        raise NoUpgrade(message("no collector is configured"))
    return collector


def _enable(arguments: argparse.Namespace, language: Language) -> int:
    return _switch("enable")


def _disable(arguments: argparse.Namespace, language: Language) -> int:
    return _switch("disable")


def _switch(action: str) -> int:
    """What systemctl prints is what went wrong."""
    done = subprocess.run(["systemctl", "--quiet", "--now", action, *LOOK_UNITS], check=False, timeout=120)
    return EXIT_OK if done.returncode == 0 else EXIT_NOT_MET


def _look(arguments: argparse.Namespace, language: Language) -> int:
    try:
        order = look(_collector(arguments), key_file_of(arguments.config))
        if order is not None:
            begin()
    except (NoUpgrade, ShipFailed, OSError) as error:
        return failed(EXIT_NOT_MET, _reason(error, language))
    text = message("nothing to do") if order is None else message("{before} → {after}: is being installed")
    print(text.in_(language) if order is None else text.in_(language, before=order.before, after=order.after))
    return EXIT_OK


def _pin(arguments: argparse.Namespace, language: Language) -> int:
    try:
        pin(_collector(arguments), arguments.fingerprint, key_file_of(arguments.config))
    except (NoUpgrade, ShipFailed, OSError) as error:
        return failed(EXIT_NOT_MET, _reason(error, language))
    print(message("The release key is pinned.").in_(language))
    return EXIT_OK


def _status(arguments: argparse.Namespace, language: Language) -> int:
    order = read_order(FOLDER)
    pinned = key_file_of(arguments.config).is_file()
    print(
        json_line(
            {
                "pinned": pinned,
                "order": vars(order) if order else None,
                "last": read_json(FOLDER / OUTCOME_FILE) or None,
            }
        )
    )
    return EXIT_OK


def _reason(error: Exception, language: Language) -> str:
    words: Message | None = error.words if isinstance(error, NoUpgrade) else None
    if isinstance(error, OSError):
        words = error_words(error)
    return words.in_(language) if words is not None else str(error)
