"""`campus-collector simulate`: a labelled synthetic fleet through the real ingest API, and is it judged as it should be?"""

import argparse
import asyncio
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from campus_base.language import Language, Text
from campus_collector.cli.common import (
    EXIT_FAILED,
    EXIT_OK,
    EXIT_USAGE,
    MOST_SEED,
    Commands,
    Meter,
    month_from,
    whole_number,
)
from campus_collector.config import CollectorConfig
from campus_collector.judge.month import Month

WORDS = Text(
    "fill a collector with an invented fleet and known faults", "用虚构的学校和已知故障填充采集端，供演示和检验"
)
MORE = Text(
    "For trying things and for checking the judge; never beside real schools. A whole county of 100 schools sends about 2.9 million\n"
    "results a month and takes some minutes; --density 0.1 sends a tenth.",
    "用于演示和检验判定，不与真实学校混用。100 所学校的县每月约 290 万条结果，需要数分钟；--density 0.1 只发十分之一。",
)


def register(commands: Commands) -> None:
    """What it takes."""
    say = commands.words
    made = commands.add("simulate", WORDS, _simulate, MORE)
    made.add_argument(
        "--schools",
        type=whole_number(commands.language, 1, 2000),
        default=100,
        help=say(Text("how many (1 to 2000)", "学校数量（1 至 2000）")),
    )
    commands.month(made)
    made.add_argument(
        "--months",
        type=whole_number(commands.language, 1, 36),
        default=1,
        help=say(Text("so many, up to --month", "连续月数，以 --month 为最后一个月")),
    )
    made.add_argument("--classrooms", type=float, default=40, help=say(Text("a school, on average", "平均每校班级数")))
    made.add_argument(
        "--density", type=float, default=1.0, help=say(Text("share of the tests, 0.01 to 1", "测量密度，0.01 至 1"))
    )
    made.add_argument(
        "--seed",
        type=whole_number(commands.language, 0, MOST_SEED),
        default=1,
        help=say(Text("another seed, another county", "随机种子")),
    )
    made.add_argument(
        "--check", action="store_true", help=say(Text("judge, and compare with the truth", "判定并与已知事实对照"))
    )
    commands.json(made)


def _simulate(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    from campus_collector.http.service import open_service
    from campus_collector.simulate.feed import Refused

    last = month_from(arguments.month, config)
    wrong = _mistake(arguments, last)
    if wrong is not None:
        print(wrong.in_(language), file=sys.stderr)
        return EXIT_USAGE
    service = open_service(config)
    try:
        imports = service.store.inventory.imports(1)
        real = (service.store.schools() and not imports) or (imports and imports[0].imported_by != "simulate")
        if real:
            text = Text(
                "this collector has real schools; simulate only into a new --state-dir",
                "此采集端已有真实学校；请在新的 --state-dir 中模拟",
            )
            print(text.in_(language), file=sys.stderr)
            return EXIT_USAGE
        return _Simulation(arguments, config, service, last, language).run()
    except Refused as error:
        print(f"campus-collector: {error}", file=sys.stderr)
        return EXIT_FAILED
    finally:
        service.store.close()


def _mistake(arguments: argparse.Namespace, last: Month) -> Text | None:
    if not 0.01 <= arguments.density <= 1 or not 1 <= arguments.classrooms <= 200:
        return Text(
            "--density: 0.01 to 1; --classrooms: 1 to 200",
            "--density：0.01 至 1；--classrooms：1 至 200",
        )
    if last.start > datetime.now(UTC):
        return Text("--month lies in the future", "--month 不能是未来的月份")
    return None


class _Simulation:
    """One run."""

    def __init__(self, arguments, config, service, last: Month, language: Language) -> None:  # type: ignore[no-untyped-def]
        from campus_collector.inventory.sample import sample
        from campus_collector.simulate.county import deal

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
        """Import, send, judge, compare, tell."""
        began = datetime.now(UTC)
        self._import()
        stored, duplicate = self._feed()
        seconds = (datetime.now(UTC) - began).total_seconds()
        said: dict[str, Any] = {
            "schools": len(self._county.inventory.schools or ()),
            "classrooms": len(self._county.inventory.classrooms or ()),
            "months": [str(one) for one in self._months],
            "stored": stored,
            "duplicate": duplicate,
            "seconds": round(seconds, 1),
        }
        self._write_truth()
        wrong = 0
        if self._arguments.check:
            found = [self._check(month) for month in self._months]
            said["check"] = found
            wrong = sum(len(one["wrong"]) + len(one["wrong_shared"]) for one in found)
        if self._arguments.json:
            print(json.dumps(said, ensure_ascii=False))
        else:
            self._tell(said)
        return EXIT_FAILED if wrong else EXIT_OK

    def _import(self) -> None:
        from campus_collector.inventory.changes import changes
        from campus_collector.inventory.intake import put_in_force

        store = self._service.store
        made = changes(store.inventory.current(), self._county.inventory)
        since = datetime.combine(self._first, time(), self._config.timezone)
        put_in_force(store, self._county.inventory, made, "simulate", datetime.now(UTC), since)

    def _feed(self) -> tuple[int, int]:
        from campus_collector.domain.records import Principal
        from campus_collector.domain.tokens import new_token, token_hash
        from campus_collector.simulate.feed import Sender
        from campus_collector.simulate.results import Generator

        days = [self._first + timedelta(days=n) for n in range((self._until - self._first).days + 1)]
        schools = self._county.inventory.schools or ()
        meter = Meter(Text("sending results", "正在上报结果"), self._language)
        stored = duplicate = done = 0
        seed = self._arguments.seed
        with _serving(self._service) as port:
            for school in schools:
                token = new_token()
                store = self._service.store
                store.issue_token(token_hash(token), Principal(school.id, school.id), school.town, datetime.now(UTC))
                policy, zone = self._service.verdicts.policy, self._config.timezone
                made = Generator(self._county, school, policy, zone, seed, self._arguments.density)
                sender = Sender("127.0.0.1", port, school.id, token, seed)
                late = self._county.schools[school.id].name == "late_batches"
                for month in self._months:
                    own = [day for day in days if month.first_day <= day <= month.last_day]
                    for _ in sender.send((one for day in own for one in made.day(day)), late):
                        pass
                    done += 1
                    meter(done, len(schools) * len(self._months))
                sender.close()
                stored, duplicate = stored + sender.stored, duplicate + sender.duplicate
        meter.done()
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
        from campus_collector.judge.service import shared_causes
        from campus_collector.simulate.truth import compare

        meter = Meter(Text("judging", "正在判定"), self._language)
        self._service.verdicts.catch_up(meter)
        meter.done()
        verdicts = self._service.verdicts.subjects(month)
        policy = self._service.verdicts.policy
        found = compare(self._county, month, self._until, policy, verdicts, shared_causes(verdicts))
        return {
            "month": str(month),
            "subjects": found.subjects,
            "uncertain": found.uncertain,
            "wrong": found.wrong,
            "causes": found.causes,
            "cause_ratio": round(found.cause_ratio, 4),
            "wrong_causes": found.wrong_causes,
            "shared": found.shared,
            "wrong_shared": found.wrong_shared,
        }

    def _tell(self, said: dict[str, Any]) -> None:
        text = Text(
            "{schools} schools, {classrooms} classrooms: {stored} results stored, {duplicate} duplicates, in {seconds} s.",
            "{schools} 所学校、{classrooms} 个班级：入库 {stored} 条结果，重复 {duplicate} 条，用时 {seconds} 秒。",
        )
        print(text.in_(self._language, **said))
        for one in said.get("check", []):
            text = Text(
                "{month}: {subjects} subjects, {n_wrong} wrong verdicts ({uncertain} may go either way);"
                " causes right: {cause_ratio:.1%} of {causes}; of the whole school: {n_shared} of {shared} wrong",
                "{month}：{subjects} 个对象，结论错误 {n_wrong} 个（{uncertain} 个两可）；"
                "原因正确率 {cause_ratio:.1%}（共 {causes} 个）；全校性原因错误 {n_shared}/{shared}",
            )
            values = one | {"n_wrong": len(one["wrong"]), "n_shared": len(one["wrong_shared"])}
            print(text.in_(self._language, **values))
            for line in [*one["wrong"], *one["wrong_shared"], *one["wrong_causes"]][:20]:
                print(f"  {line}")


@contextmanager
def _serving(service) -> Iterator[int]:  # type: ignore[no-untyped-def]
    """The collector's own application on a free loopback port, in a thread."""
    import uvicorn

    from campus_collector.http.app import build

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
