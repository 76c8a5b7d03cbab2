"""The guard on the cursor: nothing changes a database behind the change log's back.

It is installed on every engine that reaches tenant tables. A statement that changes rows needs the
permit of a running write, and even then only three kinds pass: what the unit of work flushes (the
recorder sees it), derived tables (they are rebuilt, not logged), and the kernel's own. The
transaction of a write belongs to the kernel too: its function neither ends nor splits it.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, Table, event
from sqlalchemy.sql import ClauseElement, Delete, Insert, TextClause, Update, visitors
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.selectable import ReturnsRows

from mosaic_core.database.schema import is_derived, is_kernel, publishes
from mosaic_core.errors import UnloggedWrite
from mosaic_core.head.touched import touched

_PERMIT = "mosaic_permit"
_MIGRATING = "mosaic_migrating"
_HINT = "Change rows through the session's objects inside a write, so that the change log sees it."


class Permit:
    """What one write may do at this moment, and whether it touched derived tables."""

    def __init__(self) -> None:
        self.flushing = False
        self.committing = False
        #: Why the write cannot be committed any more, whatever its function made of the error.
        self.spoiled = ""
        self.derived = False
        self.published = False
        #: A move follows the log: it has to say which derived rows were changed.
        self.followed = False
        #: What is known then of derived rows that were changed past the unit of work, by tables
        #: (see :func:`mosaic_core.head.touched.touched`).
        self.touched: dict[str, set[str]] = {}
        self._kernel = False

    @contextmanager
    def kernel(self) -> Iterator[None]:
        """While the kernel writes its own tables."""
        self._kernel = True
        try:
            yield
        finally:
            self._kernel = False

    def changed(self, table: Table) -> None:
        """Notes that rows of a derived table were changed."""
        self.derived = True
        self.published = self.published or publishes(table)

    def spoil(self, reason: str) -> UnloggedWrite:
        """The error for a write whose transaction is not what the kernel began."""
        self.spoiled = self.spoiled or reason
        return UnloggedWrite(
            f"The function of a write {self.spoiled}.",
            hint="Return from it and the write commits; let an error leave it and all is undone.",
        )

    def refusal(self, table: Table) -> str | None:
        """Why a statement on ``table`` may not pass, or None when it may."""
        if self._kernel or is_derived(table):
            return None
        if is_kernel(table):
            return f"{table.name} belongs to the kernel"
        if not self.flushing:
            return f"it changes {table.name} past the unit of work"
        return None


def permitted(permit: Permit) -> dict[str, Any]:
    """Execution options that give a connection the permit for one transaction."""
    return {_PERMIT: permit}


def migrating() -> dict[str, Any]:
    """Execution options of a connection that migrates a schema; its log gets a checkpoint."""
    return {_MIGRATING: True}


def install(engine: Engine) -> None:
    """Puts the guard on an engine."""
    vetted: weakref.WeakSet[Any] = weakref.WeakSet()

    @event.listens_for(engine, "before_cursor_execute")
    def before(
        connection: Connection,
        cursor: Any,
        statement: str,
        parameters: Any,
        context: Any,
        many: Any,
    ) -> None:
        options = connection.get_execution_options()
        if _MIGRATING in options:
            return
        compiled = getattr(context, "compiled", None)
        construct = getattr(compiled, "statement", None)
        if isinstance(construct, Insert | Update | Delete):
            permit = options.get(_PERMIT)
            if permit is None:
                raise _refused("there is no write going on")
            table = construct.table
            if not isinstance(table, Table):
                raise _refused("it changes something that is no table")
            reason = permit.refusal(table)
            if reason is not None:
                raise _refused(reason)
        elif not isinstance(construct, ReturnsRows):
            raise _refused("it is SQL text or DDL")
        if compiled not in vetted:
            _vet(construct)
            vetted.add(compiled)

    @event.listens_for(engine, "after_cursor_execute")
    def after(
        connection: Connection,
        cursor: Any,
        statement: str,
        parameters: Any,
        context: Any,
        many: Any,
    ) -> None:
        permit = connection.get_execution_options().get(_PERMIT)
        construct = getattr(getattr(context, "compiled", None), "statement", None)
        if permit is None or not isinstance(construct, Insert | Update | Delete):
            return
        table = construct.table
        if isinstance(table, Table) and is_derived(table) and context.rowcount != 0:
            permit.changed(table)
            if permit.followed and not permit.flushing:
                found = touched(construct, context.compiled, context.compiled_parameters)
                permit.touched.setdefault(table.name, set()).update(found)

    @event.listens_for(engine, "savepoint")
    def savepoint(connection: Connection, name: str) -> None:
        permit = connection.get_execution_options().get(_PERMIT)
        if permit is not None:  # what a savepoint rolls back would stay in the log
            raise permit.spoil("set a savepoint")

    @event.listens_for(engine, "commit")
    def commit(connection: Connection) -> None:
        options = connection.get_execution_options()
        permit = options.get(_PERMIT)
        if permit is not None and not permit.committing and _MIGRATING not in options:
            raise permit.spoil("called commit()")

    @event.listens_for(engine, "rollback")
    def rollback(connection: Connection) -> None:
        permit = connection.get_execution_options().get(_PERMIT)
        if permit is not None:
            permit.spoil("went on after its transaction was rolled back")


def _vet(construct: ClauseElement) -> None:
    for element in visitors.iterate(construct):
        if isinstance(element, TextClause):
            raise _refused("it contains SQL text, which no tenant's schema applies to")
        if isinstance(element, UpdateBase) and element is not construct:
            raise _refused("it changes rows inside a query")


def _refused(reason: str) -> UnloggedWrite:
    return UnloggedWrite(f"The statement was refused: {reason}.", hint=_HINT)
