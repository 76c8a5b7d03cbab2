"""The first content of a database that does not exist yet: all its rows, made before it is.

Nobody can see such a database, nothing is in it to be read or changed, and it comes into being
whole or not at all. So what its first write leaves is known beforehand, row by row, and a strategy
puts the rows in place in whichever way is fastest there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Any, NoReturn, cast

from sqlalchemy import MetaData, Table
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_core.database.schema import is_derived, publishes
from mosaic_core.errors import UnloggedWrite
from mosaic_core.head import chain
from mosaic_core.head.guard import Permit
from mosaic_core.head.rows import inserted, row_of
from mosaic_core.head.tables import GENESIS, TENANT, first_head
from mosaic_core.head.write import Write
from mosaic_core.persistence import Rows
from mosaic_core.tenants import TenantContext
from mosaic_core.types import new_id


def empty_rows(tenant: TenantContext) -> list[Rows]:
    """The rows of a database without content: its head."""
    return [Rows(TENANT.head, [first_head(tenant.tenant_id, tenant.epoch)])]


async def first_rows(
    tenant: TenantContext,
    fn: Callable[[Write], Awaitable[Any]],
    *,
    actor: str,
    action: str,
) -> list[Rows]:
    """The rows that a database has after ``fn``, its first write: head, content and log.

    ``fn`` adds objects to the write's session, one after those that it points to, and does nothing
    else with it: there is nothing to read or to flush to.

    Raises:
        UnloggedWrite: ``fn`` read, flushed or executed something.
    """
    added = _Added(action)
    info = chain.WriteInfo(new_id(), 1, datetime.now(UTC), actor, action)
    await fn(Write(cast("AsyncSession", added), info, Permit()))
    content: dict[Table, list[dict[str, Any]]] = {}
    changes: list[chain.Change] = []
    for row in added.objects:
        table, values = row_of(row)
        content.setdefault(table, []).append(values)
        if not is_derived(table):
            changes.append(inserted(table, values))
    head = first_head(tenant.tenant_id, tenant.epoch)
    if not content:
        return [Rows(TENANT.head, [head])]
    logged = chain.rows(info, changes, GENESIS)
    head |= {"version": 1, "digest": logged[-1]["chain"]}
    head["published"] = int(any(publishes(table) for table in content))
    return [
        Rows(TENANT.head, [head]),
        *(Rows(table, content[table]) for table in _in_order(content)),
        Rows(TENANT.changes, logged),
    ]


class _Added:
    """What a first write has of a session. A real one would take as long as all rows in it."""

    def __init__(self, action: str) -> None:
        self._action = action
        self.info: dict[Any, Any] = {}
        self._objects: dict[int, Any] = {}

    @property
    def objects(self) -> Iterable[Any]:
        """Each one once, in the order in which they were added."""
        return self._objects.values()

    def __contains__(self, row: Any) -> bool:
        return id(row) in self._objects

    def add(self, row: Any) -> None:
        self._objects[id(row)] = row

    def add_all(self, rows: Iterable[Any]) -> None:
        for row in rows:
            self.add(row)

    def __getattr__(self, name: str) -> NoReturn:
        raise UnloggedWrite(
            f"{self._action} asked a database that is not there yet.",
            hint="The function of a first write only adds objects to the session.",
        )


def _in_order(tables: Iterable[Table]) -> list[Table]:
    """Each table after those that its rows point to."""
    return sorted(tables, key=lambda table: _order(table.metadata)[table])


@cache
def _order(metadata: MetaData) -> dict[Table, int]:
    return {table: number for number, table in enumerate(metadata.sorted_tables)}
