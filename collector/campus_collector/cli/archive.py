"""`campus-collector archive`: a closed month as files, and are archives whole?"""

import argparse
import os
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from campus_base.command_line import EXIT_FAILED, EXIT_OK, EXIT_USAGE, CommandParser, failed, json_line
from campus_base.language import Language
from campus_base.messages import message
from campus_base.system_errors import error_words
from campus_base.terminal import escape_cell
from campus_collector.archive.check import CheckedArchives, archives_below, missing_archives, verify_archives
from campus_collector.archive.errors import NotArchived
from campus_collector.archive.service import Archives
from campus_collector.cli.common import ARCHIVE_BUSY, ProgressBar, data_options, json_option, month_from
from campus_collector.config import CollectorConfig
from campus_collector.judge.policy import load_policy
from campus_collector.store.archive.errors import ArchiveError
from campus_collector.store.archive.read import ArchivedMonth
from campus_collector.store.errors import StoreBusy, StoreError
from campus_collector.store.open import open_store

MORE = message(
    "A serving collector archives each month by itself after it was closed, in [store] archive_dir; with --out the"
    " files are written elsewhere as well, and the collector takes no notice of them."
)
VERIFY_MORE = message(
    "Reads the files alone. Where this machine has the collector's database, the manifests are also compared with what"
    " it recorded."
)


def register(parser: CommandParser) -> None:
    words = parser.words
    data_options(parser)
    parser.epilog = words(MORE)
    parser.set_defaults(command=run)
    parser.add_argument("--month", metavar="YYYY-MM", help=words(message("the month")))
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help=words(message("another folder than [store] archive_dir"))
    )
    json_option(parser)
    action = parser.add_command(
        "verify", message("replay the chains from the files, name the first difference"), _verify, VERIFY_MORE
    )
    action.add_argument(
        "directory", type=Path, metavar="DIR", help=words(message("a folder of archives, or one month of it"))
    )
    data_options(action)
    json_option(action)
    parser.subcommands_are_optional()


def run(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    if arguments.month is None:
        text = message("--month YYYY-MM, or: verify DIR")
        return failed(EXIT_USAGE, text.in_(language))
    month = month_from(arguments.month, config)
    progress = ProgressBar(message("archiving"), language)
    with closing(open_store(config.store, config.quotas, archive_dir=config.archive_dir, must_exist=True)) as store:
        policy = load_policy(config.policy_file)
        archives = Archives(store, policy, config.timezone, config.county, config.archive_dir)
        try:
            if arguments.out is None or arguments.out.resolve() == config.archive_dir.resolve():
                archive = archives.archive(month, progress)
            else:
                archive = archives.copy(month, arguments.out, progress)
        except NotArchived as error:
            reason = error.words.in_(language)
        except ArchiveError as error:
            reason = error.in_(language)
        except StoreBusy:
            reason = ARCHIVE_BUSY.in_(language)
        except OSError as error:
            reason = f"{error.filename or config.archive_dir}: {error_words(error).in_(language)}"
        else:
            progress.done()
            print(json_line(_as_json(archive)) if arguments.json else _in_words(archive, language))
            return EXIT_OK
        finally:
            progress.done()
    return failed(EXIT_FAILED, reason)


def _as_json(archive: ArchivedMonth) -> dict[str, Any]:
    manifest = archive.manifest
    return {
        "folder": str(archive.folder),
        "month": manifest.month,
        "results": manifest.results,
        "schools": manifest.schools,
        "bytes": _bytes_of(archive),
        "manifest": manifest.sha256,
    }


def _bytes_of(archive: ArchivedMonth) -> int:
    return sum(file.bytes for file in archive.manifest.files.values())


def _in_words(archive: ArchivedMonth, language: Language) -> str:
    manifest = archive.manifest
    text = message(
        "{folder}: {results} results of {schools} schools, {size:.1f} MB, read back and checked; hash of the manifest"
        " {hash}"
    )
    values = {"results": manifest.results, "schools": manifest.schools, "size": _bytes_of(archive) / 1e6}
    return text.in_(language, folder=archive.folder, hash=manifest.sha256, **values)


def _verify(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    progress = ProgressBar(message("verifying"), language)
    try:
        archives = archives_below(arguments.directory)
        recorded = _recorded(config, language)
        checked = verify_archives(archives, recorded, progress)
        if arguments.directory.resolve() == config.archive_dir.resolve():
            checked.findings += missing_archives(recorded, archives)
    except ArchiveError as error:
        return failed(EXIT_FAILED, error.in_(language))
    finally:
        progress.done()
    if not archives and not checked.findings:
        text = message("{folder}: there is no archive")
        return failed(EXIT_FAILED, text.in_(language, folder=arguments.directory))
    print(json_line(_checked_json(checked)) if arguments.json else _checked_words(checked, language))
    return EXIT_FAILED if checked.findings else EXIT_OK


def _recorded(config: CollectorConfig, language: Language) -> Mapping[str, str]:
    """What the collector's database says of its archives; nothing where there is none."""
    if config.postgres is None and not os.path.exists(config.database):  # a folder that may not be read is none
        return {}
    try:
        with closing(open_store(config.store, config.quotas, archive_dir=config.archive_dir, must_exist=True)) as store:
            return {month: record.manifest_sha256 for month, record in store.archives.records().items()}
    except StoreError as error:
        print(error.in_(language), file=sys.stderr)
        return {}


def _checked_json(checked: CheckedArchives) -> dict[str, Any]:
    findings = [
        {"month": finding.month, "place": finding.place, "en": finding.words.en, "zh": finding.words.zh}
        for finding in checked.findings
    ]
    counts = {"months": checked.months, "schools": checked.schools, "results": checked.results}
    notes = {month: {"en": words.en, "zh": words.zh} for month, words in checked.notes.items()}
    return counts | {"manifests": checked.manifests, "findings": findings, "notes": notes}


def _checked_words(checked: CheckedArchives, language: Language) -> str:
    text = message("{months} month(s), {results} results.")
    lines = [text.in_(language, months=len(checked.months), results=checked.results)]
    lines += [f"{month}  {digest}" for month, digest in checked.manifests.items()]
    lines += [escape_cell(f"{month}: {words.in_(language)}") for month, words in checked.notes.items()]
    lines += [escape_cell(f"✗ {finding.place}: {finding.words.in_(language)}") for finding in checked.findings]
    if not checked.findings:
        lines.append(message("✓ everything fits").in_(language))
    return "\n".join(lines)
