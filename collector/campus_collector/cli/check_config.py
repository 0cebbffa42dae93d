"""`campus-collector check-config`: every mistake in configuration and policy, and until when the certificate is valid."""

import argparse
import sys
from datetime import tzinfo
from pathlib import Path

from campus_base.command_line import EXIT_OK, CommandParser
from campus_base.language import Language
from campus_base.messages import message
from campus_base.system_errors import error_words
from campus_collector.cli.common import data_options
from campus_collector.config import CollectorConfig
from campus_collector.judge.policy import load_policy
from campus_collector.tls.served import certificate_end, ends_soon


def register(parser: CommandParser) -> None:
    data_options(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    policy = load_policy(config.policy_file)
    text = message("Fine. Listens on {host}:{port}; database {database}; policy {policy} (version {version}).")
    values = {"host": config.host, "port": config.port, "database": config.store}
    print(text.in_(language, **values, policy=config.policy_file, version=policy.version))
    if config.tls_cert is not None:
        _print_certificate(config.tls_cert, config.ca_file, config.timezone, language)
    return EXIT_OK


def _print_certificate(cert: Path, ca: Path | None, zone: tzinfo, language: Language) -> None:
    """Until when the certificate is valid; on standard error too when that is soon."""

    try:
        ends = certificate_end(cert, ca)
    except (OSError, ValueError) as error:
        text = message("{cert}: its end cannot be read: {error}")
        print(text.in_(language, cert=cert, error=error_words(error)), file=sys.stderr)
        return
    soon = ends_soon(ends)
    text = (
        message("WARNING: certificate {cert} ends on {day}: renew it now")
        if soon
        else message("Certificate {cert} is good until {day}.")
    )
    print(text.in_(language, cert=cert, day=ends.astimezone(zone).date()), file=sys.stderr if soon else sys.stdout)
