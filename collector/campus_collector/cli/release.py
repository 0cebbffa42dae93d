"""`campus-collector release add`, `list`, `stop`, `key`: releases of the agent, which gateways fetch and install by themselves."""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from campus_base.command_line import EXIT_FAILED, EXIT_OK, CommandParser, failed, json_line
from campus_base.language import Language
from campus_base.messages import message
from campus_base.system_errors import error_words
from campus_collector.cli.common import data_options, json_option
from campus_collector.config import CollectorConfig
from campus_collector.domain.releases import STATE_WORDS, WAVES
from campus_collector.judge.table import aligned
from campus_collector.release.repository import PackageRefused
from campus_collector.release.service import Releases
from campus_collector.store.open import open_store

HEADINGS = (message("version"), message("state"), message("wave"), message("reason"))
NO_RELEASE = message("no release of this version is going out")


def register(parser: CommandParser) -> None:
    words = parser.words
    add = parser.add_command("add", message("add a package; newer than all others it goes out in waves"), _add)
    data_options(add)
    add.add_argument("file", type=Path, metavar="FILE.deb", help=words(message("package of the agent")))
    listing = parser.add_command("list", message("all releases with their wave and state"), _list)
    data_options(listing)
    json_option(listing)
    stop = parser.add_command("stop", message("stop a release: gateways that have it go back"), _stop)
    data_options(stop)
    stop.add_argument("version", metavar="VERSION", help=words(message("its version")))
    stop.add_argument("--reason", default="", help=words(message("why, for the audit trail")))
    key = parser.add_command("key", message("the fingerprint of the key that signs releases"), _key)
    data_options(key)


def _add(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    store = open_store(config.store)
    try:
        release = Releases(store, config.key_folder).add(arguments.file)
    except PackageRefused as refused:
        return failed(EXIT_FAILED, f"{arguments.file}: {refused.words.in_(language)}")
    except OSError as error:
        return failed(EXIT_FAILED, f"{arguments.file}: {error_words(error).in_(language)}")
    finally:
        store.close()
    print(f"{release.version}: {STATE_WORDS[release.state].in_(language)}")
    return EXIT_OK


def _list(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    store = open_store(config.store, must_exist=True)
    try:
        releases = store.releases.all()
    finally:
        store.close()
    if arguments.json:
        print(json_line({"releases": [asdict(each) for each in releases]}))
        return EXIT_OK
    rows = [[heading.in_(language) for heading in HEADINGS]]
    for each in releases:
        wave = f"{each.wave + 1}/{len(WAVES)}" if each.state == "rolling" else "—"
        rows.append([each.version, STATE_WORDS[each.state].in_(language), wave, each.reason])
    print(aligned(rows))
    return EXIT_OK


def _stop(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    store = open_store(config.store, must_exist=True)
    try:
        stopped = Releases(store, config.key_folder).stop(arguments.version, arguments.reason)
    finally:
        store.close()
    if not stopped:
        return failed(EXIT_FAILED, NO_RELEASE.in_(language))
    print(f"{arguments.version}: {STATE_WORDS['stopped'].in_(language)}")
    return EXIT_OK


def _key(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    store = open_store(config.store, must_exist=True)
    try:
        fingerprint = Releases(store, config.key_folder).fingerprint()
    finally:
        store.close()
    if not fingerprint:
        return failed(EXIT_FAILED, message("no release was added yet: there is no key").in_(language))
    print(fingerprint)
    text = message("On a gateway that was enrolled before, as root: campus-agent upgrade pin {fingerprint}")
    print(text.in_(language, fingerprint=fingerprint), file=sys.stderr)
    return EXIT_OK
