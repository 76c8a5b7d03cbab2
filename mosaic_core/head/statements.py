"""The kernel's own statements, which are the same in every write.

SQLAlchemy takes three times as long for one as SQLite does, and every write has four of them. So a
driver that answers where it is asked is given each as it was compiled once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Insert, Update
from sqlalchemy.exc import IntegrityError, StatementError

from mosaic_core.database.inline import InlineDialect, driver_of
from mosaic_core.database.prepared import Prepared


class KernelStatement:
    """A statement that only the kernel runs: what it changes is not recorded, and no guard sees it
    on the way that is short."""

    def __init__(self, construct: Insert | Update) -> None:
        self.construct = construct
        self._prepared: Prepared | None = None

    def run(self, connection: Connection, *rows: Mapping[str, Any]) -> None:
        """Runs it for each of some rows: one value for each parameter, and of a table that it
        inserts into for each column.

        Raises:
            sqlalchemy.exc.IntegrityError: a constraint refuses it.
        """
        if isinstance(connection.dialect, InlineDialect):
            self._at_once(connection, rows)
        else:
            connection.execute(self.construct, rows[0] if len(rows) == 1 else rows)

    def one(self, connection: Connection, values: Mapping[str, Any]) -> Sequence[Any] | None:
        """The row that it returns, if there is one."""
        if not isinstance(connection.dialect, InlineDialect):
            return connection.execute(self.construct, values).one_or_none()
        found = self._at_once(connection, [values])
        return found[0] if found else None

    def _at_once(
        self, connection: Connection, rows: Sequence[Mapping[str, Any]]
    ) -> Sequence[Sequence[Any]]:
        prepared = self._prepared
        if prepared is None:
            prepared = self._prepared = Prepared.compile(self.construct, connection.dialect)
        driver = driver_of(connection)
        driver.require_begun()
        try:
            bound = [prepared.bound(values) for values in rows]
            if len(bound) == 1:
                return prepared.rows(driver.execute(prepared.sql, bound[0]).fetchall())
            driver.executemany(prepared.sql, bound)
        except sqlite3.IntegrityError as error:
            raise IntegrityError(prepared.sql, None, error) from error
        except ValueError as error:
            raise StatementError(str(error), prepared.sql, None, error) from error
        return ()
