"""The index in one tenant's file: whether it is there, and making it beside everything else.

It is made in steps, each a short transaction, so that whoever writes to the file waits for one of
them only. Its triggers are there from the first step on, and keep what is in it exact. When this
process ends in between, the next search goes on.
"""

# ruff: noqa: S608 - what is put into SQL are names of columns, quoted
from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects.sqlite import dialect

from mosaic_core.database import History, Tables
from mosaic_core.file_databases.search_definition import DROP, SPAN, SPELL_ALL, Definition, quoted
from mosaic_core.search import searched_table

#: Rows that a step looks for, and that it puts in before it looks at the clock.
_CHOSEN, _TOGETHER = 10_000, 16


class SearchIndex:
    """The index of the table that a schema searches.

    The number of the definition that a file's index has stands in the file's header
    (``PRAGMA user_version``); negative, as long as the index lacks rows.
    """

    def __init__(self, metadata: Tables) -> None:
        found = searched_table(metadata.sorted_tables)
        assert found is not None
        self.table, self.searchable = found
        self._definition = Definition(self.table, self.searchable)
        self._bind = [
            self.table.c[name].type.dialect_impl(dialect()).bind_processor(dialect())
            for name in self.searchable.by
        ]

    @staticmethod
    def of(metadata: Tables) -> SearchIndex | None:
        """The index that a schema needs; None when nothing is searched."""
        return SearchIndex(metadata) if searched_table(metadata.sorted_tables) is not None else None

    @cached_property
    def number(self) -> int:
        """Another for another definition, and never 0."""
        text = "\n".join([*self._definition.create, self._definition.enter, *SPELL_ALL])
        return int(hashlib.sha256(text.encode()).hexdigest()[:7], 16) + 1

    def is_in(self, connection: sqlite3.Connection) -> bool:
        """Whether the file has this very index, with all rows."""
        return _number_in(connection) == self.number

    def step(self, connection: sqlite3.Connection, seconds: float) -> bool:
        """Goes on making the index, for about so many seconds, or makes it anew if it is another.

        Returns:
            whether the file has it now.
        """
        until = time.thread_time() + seconds
        with _transaction(connection):
            if self.is_in(connection):
                return True
            if _number_in(connection) != -self.number:
                for statement in (*DROP, *self._definition.create):
                    connection.execute(statement)
                _set_number(connection, -self.number)
            if not self._filled(connection, until):
                return False
            for statement in SPELL_ALL:
                connection.execute(statement)
            _set_number(connection, self.number)
            return True

    def remove(self, connection: sqlite3.Connection) -> None:
        """Takes the index away, whichever it is."""
        with _transaction(connection):
            for statement in DROP:
                connection.execute(statement)

    def respell(self, connection: sqlite3.Connection) -> None:
        """Forgets the words that are nowhere any more, if the file has this very index."""
        if self.is_in(connection):
            with _transaction(connection):
                for statement in SPELL_ALL:
                    connection.execute(statement)

    def scope(self, connection: sqlite3.Connection, by: tuple[Any, ...]) -> tuple[int, int] | None:
        """The first and the last number that a row of these values can have in the index; None
        when there never was one."""
        values = [
            value if bind is None else bind(value)
            for bind, value in zip(self._bind, by, strict=True)
        ]
        where = " AND ".join(f"{quoted(name)} = ?" for name in self.searchable.by)
        row = connection.execute(f"SELECT scope_id FROM search_scopes WHERE {where}", values)
        for (scope,) in row:
            return scope << SPAN, (scope + 1 << SPAN) - 1
        return None

    def joined(self, row: str, document: str = "d") -> str:
        """The condition under which a document is that of a row."""
        return self._definition.joined(row, document)

    def _filled(self, connection: sqlite3.Connection, until: float) -> bool:
        """Puts in rows until then; False when there may be more."""
        chosen = [row[0] for row in connection.execute(self._definition.choose, (_CHOSEN,))]
        for at in range(0, len(chosen), _TOGETHER):
            rows = json.dumps(chosen[at : at + _TOGETHER])
            numbers = connection.execute(self._definition.enter, (rows,)).fetchall()
            for statement in self._definition.put:
                connection.execute(statement, (json.dumps([number for (number,) in numbers]),))
            if time.thread_time() > until:
                return False
        return len(chosen) < _CHOSEN


class IndexedHistory(History):
    """A tenant's migrations, which take the index away before they change what it stands on.

    A migration may copy a table and drop the old one, with its triggers.
    """

    def __init__(self, history: History) -> None:
        super().__init__(history.schema, history.folders)
        self._history = history
        self.share(history)
        #: The database had an index, which is to be made again.
        self.dropped = False

    def upgrade(self, connection: Connection, subject: str) -> str:
        if self.own(self.read(connection)) != self.current:
            number = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
            self.dropped = number != 0
            for statement in DROP:
                connection.exec_driver_sql(statement)
        return self._history.upgrade(connection, subject)


def _number_in(connection: sqlite3.Connection) -> int:
    number: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return number


def _set_number(connection: sqlite3.Connection, number: int) -> None:
    connection.execute(f"PRAGMA user_version = {number}")


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
