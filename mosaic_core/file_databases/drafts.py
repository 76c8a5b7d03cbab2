"""A new tenant's file: the template with the first rows in it, made in memory and written once.

SQLite's own file work (a journal, locks, a sync for each commit) protects what others may see or
what may have to be undone. Of a file that nobody knows yet there is neither.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from functools import cache, partial

from sqlalchemy import Dialect, Table

from mosaic_core.database import sqlite
from mosaic_core.database.inline import InlineDialect
from mosaic_core.database.prepared import Processor
from mosaic_core.errors import InvalidInput
from mosaic_core.file_databases import disk
from mosaic_core.persistence import Rows

#: SQLite's own limit (sqlite.org/limits.html).
_NO_LIMIT = 4294967294


class _Insert:
    """The statement that puts rows into one table."""

    def __init__(self, table: Table, dialect: Dialect) -> None:
        self.names = tuple(column.name for column in table.columns)
        self.bind: tuple[Processor | None, ...] = tuple(
            column.type.dialect_impl(dialect).bind_processor(dialect) for column in table.columns
        )
        self.sql = str(table.insert().compile(dialect=dialect, column_keys=self.names))

    def run(self, connection: sqlite3.Connection, rows: Rows) -> None:
        columns = list(zip(self.names, self.bind, strict=True))
        connection.executemany(
            self.sql,
            [
                [row[name] if bind is None else bind(row[name]) for name, bind in columns]
                for row in rows.values
            ],
        )


class Drafts:
    """Makes the content of new files.

    The template is kept open in memory: SQLite reads its hundred table definitions once. A
    tenant's rows are put into it, copied out with it, and rolled back, which leaves the template's
    pages as they were, to the byte.

    Args:
        template: a database without rows.
    """

    def __init__(self, template: bytes) -> None:
        dialect = InlineDialect()
        self._insert = cache(partial(_Insert, dialect=dialect))
        self._memory = sqlite3.connect(":memory:", isolation_level=None)
        with closing(sqlite3.connect(":memory:")) as source:
            source.deserialize(disk.with_journal(template, disk.ROLLBACK))
            # Page by page into a database of the pager's own, whose copies have what is not
            # committed in them; those of a deserialised one have not.
            source.backup(self._memory)
        self._memory.execute("PRAGMA foreign_keys = ON")

    def close(self) -> None:
        self._memory.close()

    def make(self, rows: Sequence[Rows], *, pages: int | None, subject: str) -> bytes:
        """A whole file with these rows, of at most so many pages, journalled as the template is in
        memory; errors call it ``subject``.

        Raises:
            Conflict, InvalidInput, sqlite.Full, DatabaseError: of a row.
        """
        memory = self._memory
        with sqlite.translating(subject):
            memory.execute(f"PRAGMA max_page_count = {pages or _NO_LIMIT}")
            memory.execute("BEGIN")
            try:
                for one in rows:
                    self._insert(one.table).run(memory, one)
                content = memory.serialize()
            except ValueError as error:
                raise InvalidInput(f"{subject} does not take a value: {error}.") from error
            finally:
                if memory.in_transaction:  # a full database has ended it
                    memory.execute("ROLLBACK")
        return content
