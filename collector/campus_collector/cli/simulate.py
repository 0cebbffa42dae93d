"""`campus-collector simulate`: a labelled synthetic fleet through the real ingest API, and is it judged as it should be?"""

import argparse
import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import uvicorn

from campus_base.command_line import EXIT_FAILED, EXIT_OK, EXIT_USAGE, CommandParser, failed, json_line, whole_number
from campus_base.language import Language
from campus_base.messages import Message, message
from campus_collector.cli.common import MOST_SEED, ProgressBar, data_options, json_option, month_from, month_option
from campus_collector.config import CollectorConfig
from campus_collector.domain.agents import Principal
from campus_collector.domain.tokens import new_token, token_hash
from campus_collector.http.app import build
from campus_collector.http.service import Service, open_service
from campus_collector.inventory.changes import changes
from campus_collector.inventory.importer import activate
from campus_collector.inventory.sample import sample
from campus_collector.judge.month import Month
from campus_collector.judge.shared_causes import shared_causes
from campus_collector.simulate.county import deal
from campus_collector.simulate.feed import BatchRefused, Sender
from campus_collector.simulate.results import Frequency, Generator
from campus_collector.simulate.truth import compare

MORE = message(
    "For trying things and for checking the judge; never beside real schools. A whole county of 100"
    " schools sends about 2.9 million\n"
    "results a month and takes some minutes; --density 0.1 sends a tenth."
)

FIRST_YEAR = 2020
"""The collector takes no older results; a month's first evening is in the UTC month before."""


def register(parser: CommandParser) -> None:
    words = parser.words
    data_options(parser)
    parser.epilog = parser.words(MORE)
    parser.set_defaults(command=run)
    parser.add_argument(
        "--schools",
        type=whole_number(parser.language, 1, 2000),
        default=100,
        help=words(message("how many (1 to 2000)")),
    )
    month_option(parser)
    parser.add_argument(
        "--months",
        type=whole_number(parser.language, 1, 36),
        default=1,
        help=words(message("so many, up to --month")),
    )
    parser.add_argument("--classrooms", type=float, default=40, help=words(message("a school, on average")))
    parser.add_argument("--density", type=float, default=1.0, help=words(message("share of the tests, 0.01 to 1")))
    parser.add_argument(
        "--seed",
        type=whole_number(parser.language, 0, MOST_SEED),
        default=1,
        help=words(message("another seed, another county")),
    )
    parser.add_argument("--check", action="store_true", help=words(message("judge, and compare with the truth")))
    json_option(parser)


def run(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    last = month_from(arguments.month, config)
    wrong = _mistake(arguments, last)
    if wrong is not None:
        return failed(EXIT_USAGE, wrong.in_(language))
    service = open_service(config)
    try:
        imports = service.store.inventory.imports(1)
        real = (service.store.schools.all() and not imports) or (imports and imports[0].imported_by != "simulate")
        if real:
            text = message("this collector has real schools; simulate only into a new --state-dir")
            return failed(EXIT_USAGE, text.in_(language))
        return _Simulation(arguments, config, service, last, language).run()
    except BatchRefused as error:
        return failed(EXIT_FAILED, f"campus-collector: {error}")
    finally:
        service.store.close()


def _mistake(arguments: argparse.Namespace, last: Month) -> Message | None:
    if not 0.01 <= arguments.density <= 1 or not 1 <= arguments.classrooms <= 200:
        return message("--density: 0.01 to 1; --classrooms: 1 to 200")
    if last.start > datetime.now(UTC):
        return message("--month lies in the future")
    if 12 * last.year + last.number - arguments.months < 12 * FIRST_YEAR + 1:
        return message("results begin with {year}: --month and --months lie before it", year=FIRST_YEAR)
    return None


class _Simulation:
    """One run: makes the county, sends its months, compares the verdicts with the faults."""

    def __init__(
        self,
        arguments: argparse.Namespace,
        config: CollectorConfig,
        service: Service,
        last: Month,
        language: Language,
    ) -> None:

        self._arguments, self._config, self._service, self._language = arguments, config, service, language
        self._months = [last]
        while len(self._months) < arguments.months:
            self._months.insert(0, self._months[0].before())
        today = datetime.now(config.timezone).date()
        self._until = min(last.last_day, today - timedelta(days=1))
        self._first = self._months[0].first_day
        self._county = deal(
            sample(arguments.schools, arguments.seed, arguments.classrooms), self._first, self._until, arguments.seed
        )

    def run(self) -> int:
        """Import, send, judge, compare, print."""
        began = datetime.now(UTC)
        self._import()
        stored, duplicate = self._feed()
        seconds = (datetime.now(UTC) - began).total_seconds()
        summary: dict[str, Any] = {
            "schools": len(self._county.inventory.schools or ()),
            "classrooms": len(self._county.inventory.classrooms or ()),
            "months": [str(month) for month in self._months],
            "stored": stored,
            "duplicate": duplicate,
            "seconds": round(seconds, 1),
        }
        self._write_truth()
        wrong = 0
        if self._arguments.check:
            checks = [self._check(month) for month in self._months]
            summary["check"] = checks
            wrong = sum(len(check["wrong"]) + len(check["wrong_shared"]) for check in checks)
        if self._arguments.json:
            print(json_line(summary))
        else:
            self._print_summary(summary)
        return EXIT_FAILED if wrong else EXIT_OK

    def _import(self) -> None:

        store = self._service.store
        change_list = changes(store.inventory.current(), self._county.inventory)
        since = datetime.combine(self._first, time(), self._config.timezone)
        activate(store, self._county.inventory, change_list, "simulate", datetime.now(UTC), since)

    def _feed(self) -> tuple[int, int]:

        days = [self._first + timedelta(days=n) for n in range((self._until - self._first).days + 1)]
        schools = self._county.inventory.schools or ()
        progress = ProgressBar(message("sending results"), self._language)
        stored = duplicate = done = 0
        seed, frequency = self._arguments.seed, Frequency(lesson_stream_since=date.min).thinned(self._arguments.density)
        with _serving(self._service) as port:
            for school in schools:
                token = new_token()
                store = self._service.store
                store.tokens.issue(token_hash(token), Principal(school.id, school.id), school.town, datetime.now(UTC))
                policy, zone = self._service.verdicts.policy, self._config.timezone
                results = Generator(self._county, school, policy, zone, seed, frequency)
                sender = Sender("127.0.0.1", port, school.id, token, seed, results.agent_state())
                late = self._county.schools[school.id].name == "late_batches"
                for month in self._months:
                    days_of_month = [day for day in days if month.first_day <= day <= month.last_day]
                    for _ in sender.send((result for day in days_of_month for result in results.day(day)), late):
                        pass
                    done += 1
                    progress(done, len(schools) * len(self._months))
                sender.close()
                stored, duplicate = stored + sender.stored, duplicate + sender.duplicate
        progress.done()
        return stored, duplicate

    def _write_truth(self) -> None:
        """Beside the database: what was dealt out."""

        def name(fault: object) -> dict[str, str | None]:
            mended: date | None = getattr(fault, "mended_on", None)
            return {"fault": getattr(fault, "name", ""), "mended_on": mended.isoformat() if mended else None}

        truth = {
            "schools": {school: name(fault) for school, fault in self._county.schools.items() if fault.name},
            "classrooms": {"/".join(key): name(fault) for key, fault in self._county.classrooms.items()},
            "rooms": {school: name(fault) for school, fault in self._county.rooms.items() if fault.name},
        }
        path = self._config.database.parent / f"simulated-{self._months[-1]}.json"
        path.write_text(json.dumps(truth, ensure_ascii=False, indent=1), encoding="utf-8")

    def _check(self, month: Month) -> dict[str, Any]:

        progress = ProgressBar(message("judging"), self._language)
        self._service.verdicts.catch_up(progress)
        progress.done()
        verdicts = self._service.verdicts.subjects(month)
        policy = self._service.verdicts.policy
        comparison = compare(self._county, month, self._until, policy, verdicts, shared_causes(verdicts))
        return {
            "month": str(month),
            "subjects": comparison.subjects,
            "uncertain": comparison.uncertain,
            "wrong": comparison.wrong,
            "causes": comparison.causes,
            "cause_ratio": round(comparison.cause_ratio, 4),
            "wrong_causes": comparison.wrong_causes,
            "shared": comparison.shared,
            "wrong_shared": comparison.wrong_shared,
        }

    def _print_summary(self, summary: dict[str, Any]) -> None:
        text = message(
            "{schools} schools, {classrooms} classrooms: {stored} results stored, {duplicate} duplicates, in"
            " {seconds} s."
        )
        print(text.in_(self._language, **summary))
        for check in summary.get("check", []):
            text = message(
                "{month}: {subjects} subjects, {n_wrong} wrong verdicts ({uncertain} may go either way); causes"
                " right: {cause_ratio:.1%} of {causes}; of the whole school: {n_shared} of {shared} wrong"
            )
            values = check | {"n_wrong": len(check["wrong"]), "n_shared": len(check["wrong_shared"])}
            print(text.in_(self._language, **values))
            for line in [*check["wrong"], *check["wrong_shared"], *check["wrong_causes"]][:20]:
                print(f"  {line}")


@contextmanager
def _serving(service: Service) -> Iterator[int]:
    """The collector's own application on a free loopback port, in a thread."""
    server = uvicorn.Server(uvicorn.Config(build(service), host="127.0.0.1", port=0, log_config=None, lifespan="off"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("the collector did not start")
            thread.join(0.01)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(30)
