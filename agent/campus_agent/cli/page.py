"""`campus-agent page`: the classroom's test page alone, without the service; and the shortcuts of pages that stay open."""

import argparse
import re
from pathlib import Path

import msgspec

from campus_agent.cli.common import config_option, port_number
from campus_agent.config.model import AgentConfig
from campus_agent.config.read import load_config
from campus_agent.page.keys import KeysUnreadable, RoomKeys
from campus_agent.page.program import serve
from campus_agent.page.shortcuts import shortcut_files
from campus_base.command_line import EXIT_OK, EXIT_USAGE, CommandParser, failed
from campus_base.files import make_folder, write_whole
from campus_base.language import Language
from campus_base.logs import configure_logging
from campus_base.messages import message
from campus_base.system_errors import error_words

_NO_ROOM = message("no [[classroom]] with engine 'browser' is called {room}")


def register(parser: CommandParser) -> None:
    config_option(parser)
    parser.add_argument("--port", type=port_number, help=parser.words(message("instead of [page] port")))
    parser.set_defaults(command=run)
    words = message("new keys, and what opens the pages that stay: shortcuts, a script for Windows, QR codes")
    more = message("A new key makes the classroom's old one worthless. Keys are in the files and nowhere else.")
    shortcuts = parser.add_command("shortcuts", words, write_shortcuts, more)
    config_option(shortcuts)
    shortcuts.add_argument(
        "--url", required=True, type=_page_url, help=parser.words(message("of the page: http://GATEWAY:8090"))
    )
    shortcuts.add_argument("--out", type=Path, required=True, metavar="DIR", help=parser.words(message("new files")))
    only = message("only this classroom, may be given again (default: those without a key)")
    shortcuts.add_argument("--room", action="append", default=[], metavar="ID", help=parser.words(only))
    revoke = parser.add_command("revoke", message("take a classroom's key away"), revoke_keys)
    config_option(revoke)
    revoke.add_argument("rooms", nargs="+", metavar="ID", help=parser.words(message("a classroom")))
    parser.subcommands_are_optional()


def run(arguments: argparse.Namespace, language: Language) -> int:
    config = load_config(arguments.config)
    if arguments.port is not None:
        config = msgspec.structs.replace(config, page=msgspec.structs.replace(config.page, port=arguments.port))
    configure_logging()
    try:
        serve(config)
    except OSError as error:
        text = message("cannot listen on {listen}:{port}: {reason}")
        values = {"listen": config.page.listen, "port": config.page.port, "reason": error_words(error)}
        return failed(EXIT_USAGE, f"campus-agent page: {text.in_(language, **values)}")
    return EXIT_OK


def write_shortcuts(arguments: argparse.Namespace, language: Language) -> int:
    """Make keys, and the files that have them, readable by their owner alone."""
    config = load_config(arguments.config)
    rooms = _browser_rooms(config)
    unknown = [room for room in arguments.room if room not in rooms]
    if unknown:
        return failed(EXIT_USAGE, f"campus-agent page: {_NO_ROOM.in_(language, room=unknown[0])}")
    keys = RoomKeys(config.state_dir)
    try:
        wanted = arguments.room or [room for room in rooms if room not in keys.rooms()]
        make_folder(arguments.out, 0o700)
        files = shortcut_files(config.classrooms, keys.renew(wanted), arguments.url, language) if wanted else {}
        for name, text in files.items():
            write_whole(arguments.out / name, text.encode(), 0o600)
    except (OSError, KeysUnreadable) as error:
        return failed(EXIT_USAGE, f"campus-agent page: {_reason(error)}")
    words = message("new keys for {count} classrooms; files in {folder}: hand them out and delete them")
    none = message("every classroom has a key; name one with --room to give it a new one")
    print((words if wanted else none).in_(language, count=len(wanted), folder=arguments.out))
    return EXIT_OK


def revoke_keys(arguments: argparse.Namespace, language: Language) -> int:
    """From now on pages with these keys are refused."""
    config = load_config(arguments.config)
    try:
        revoked = RoomKeys(config.state_dir).revoke(arguments.rooms)
    except (OSError, KeysUnreadable) as error:
        return failed(EXIT_USAGE, f"campus-agent page: {_reason(error)}")
    print(message("revoked: {rooms}").in_(language, rooms=", ".join(revoked) or "-"))
    return EXIT_OK


def _page_url(text: str) -> str:
    """The type of the page's address: a host, with a port where that is not 80; it goes into scripts."""
    if not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+/?", text):
        raise argparse.ArgumentTypeError("http://10.0.1.1:8090")
    return text


def _browser_rooms(config: AgentConfig) -> list[str]:
    return [room.id for room in config.classrooms if room.engine == "browser"]


def _reason(error: Exception) -> str:
    return f"{error_words(error)}: {error.filename}" if isinstance(error, OSError) else str(error)
