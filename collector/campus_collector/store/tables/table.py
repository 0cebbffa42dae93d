"""What the table groups have in common."""

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from campus_collector.store.database import Database
from campus_collector.store.transport import ALL_SCHOOLS, Transaction

P = ParamSpec("P")
Answer = TypeVar("Answer")
AnyTable = TypeVar("AnyTable", bound="TableGroup")


class TableGroup:
    """A group of tables of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database


def in_commit(
    method: Callable[Concatenate[AnyTable, Transaction, P], Answer],
) -> Callable[Concatenate[AnyTable, P], Answer]:
    """Run a method inside one commit that is no school's, all or nothing: callers leave its `transaction` out. It may raise StoreUnavailable too."""

    @functools.wraps(method)
    def call(self: AnyTable, /, *args: P.args, **kwargs: P.kwargs) -> Answer:
        return self._database.write(lambda transaction: method(self, transaction, *args, **kwargs))

    return call


def in_commit_of_school(
    method: Callable[Concatenate[AnyTable, Transaction, str, P], Answer],
) -> Callable[Concatenate[AnyTable, str, P], Answer]:
    """The same inside a commit of one school, which the method's next argument names."""

    @functools.wraps(method)
    def call(self: AnyTable, school: str, /, *args: P.args, **kwargs: P.kwargs) -> Answer:
        return self._database.write(
            lambda transaction: method(self, transaction, school, *args, **kwargs), whose=school
        )

    return call


def in_commit_of_all_schools(
    method: Callable[Concatenate[AnyTable, Transaction, P], Answer],
) -> Callable[Concatenate[AnyTable, P], Answer]:
    """The same inside a commit beside which nothing else is written."""

    @functools.wraps(method)
    def call(self: AnyTable, /, *args: P.args, **kwargs: P.kwargs) -> Answer:
        return self._database.write(lambda transaction: method(self, transaction, *args, **kwargs), whose=ALL_SCHOOLS)

    return call


def insert(table: str, *columns: str) -> str:
    """An INSERT with parameters of the columns' names."""
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(f':{column}' for column in columns)})"


def fields(record: object, *names: str) -> dict[str, object]:
    """The fields of a record as parameters."""
    return {name: getattr(record, name) for name in names}
