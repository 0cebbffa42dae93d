"""`campus-collector migrations`: which steps has this database taken, and which would this program take when it starts?"""

import argparse
import json
import sqlite3
import sys
from contextlib import closing

from campus_base.language import Language, Text
from campus_collector.cli.common import EXIT_FAILED, EXIT_OK, Commands
from campus_collector.config import CollectorConfig

WORDS = Text("the steps this database has taken, and the ones it would take", "数据库已执行和待执行的格式升级")


def register(commands: Commands) -> None:
    """What it takes."""
    commands.json(commands.add("migrations", WORDS, _migrations))


def _migrations(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    """Looks only: nothing is applied, and a database that is not there is not made."""
    from campus_collector.store.errors import NoDatabase
    from campus_collector.store.files import holds_something, must_be_a_file, not_ours, read_only
    from campus_collector.store.migrate import shipped

    must_be_a_file(config.database)
    done: dict[str, str] = {}
    if holds_something(config.database):
        try:
            with closing(sqlite3.connect(read_only(config.database), uri=True)) as database:
                done = dict(database.execute("SELECT name, applied_at FROM migration ORDER BY name").fetchall())
        except sqlite3.Error as error:
            raise not_ours(config.database, error) from None
    else:
        print(NoDatabase(config.database).in_(language), file=sys.stderr)
    known = [one.name for one in shipped("sqlite")]
    said = [{"name": name, "applied_at": done.get(name), "known": name in known} for name in sorted({*done, *known})]
    if arguments.json:
        print(json.dumps(said, ensure_ascii=False))
    else:
        waits = Text("when the collector starts", "采集端启动时执行").in_(language)
        newer = Text("of a newer program", "属于更新版本的程序").in_(language)
        for one in said:
            print(f"{one['name']:36} {one['applied_at'] or waits}{'' if one['known'] else '  ' + newer}")
    return EXIT_OK if all(one["known"] for one in said) else EXIT_FAILED
