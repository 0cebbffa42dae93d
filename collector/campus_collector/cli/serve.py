"""`campus-collector serve`: agents, pages and Prometheus, until stopped."""

import argparse
import asyncio
import sys

from campus_base.command_line import EXIT_FAILED, EXIT_OK, CommandParser, failed
from campus_base.language import Language
from campus_base.logs import configure_logging
from campus_base.messages import message
from campus_base.system_errors import error_words
from campus_collector.cli.common import data_options
from campus_collector.config import CollectorConfig
from campus_collector.http.app import serve
from campus_collector.http.service import open_service


def register(parser: CommandParser) -> None:
    data_options(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    configure_logging()
    service = open_service(config, make_key=True)

    def ready(host: str, port: int) -> None:
        scheme = "https" if config.tls_cert else "http"
        shown = f"[{host}]" if ":" in host else host
        text = message("Overview: {url}  Metrics: {url}metrics")
        print(text.in_(language, url=f"{scheme}://{shown}:{port}/"), file=sys.stderr, flush=True)

    try:
        asyncio.run(serve(service, ready))
    except OSError as error:
        text = message("cannot listen on {host}:{port}: {reason}")
        reason = error_words(error)
        service.store.close()
        return failed(EXIT_FAILED, text.in_(language, host=config.host, port=config.port, reason=reason))
    return EXIT_OK
