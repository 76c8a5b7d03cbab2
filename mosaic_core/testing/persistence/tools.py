"""What the tests of persistence have in common: writes as the platform makes them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import pytest
from sqlalchemy import select

from mosaic_core.errors import (
    DatabaseMissing,
)
from mosaic_core.head import TENANT, Write, Writer, first_rows
from mosaic_core.persistence import Persistence, Rows
from mosaic_core.tenants import TenantContext
from mosaic_core.testing.tables import (
    ALL_SHELVES,
    Shelf,
    Toy,
    make_toy,
    put_shelf,
    put_toy,
)

T = TypeVar("T")


async def write(
    persistence: Persistence,
    tenant: TenantContext,
    fn: Callable[[Write], Awaitable[T]],
    **options: Any,
) -> T:
    """A write as the platform makes it."""
    writer = Writer(TENANT, tenant.tenant_id, partial(persistence.exclusive, tenant))
    return await writer.write(fn, actor="tester", action="toys.change", **options)


async def add_toy(persistence: Persistence, tenant: TenantContext, name: str) -> None:
    """One toy more, in a write of its own."""

    async def fn(writing: Write) -> None:
        await put_toy(writing, name)

    await write(persistence, tenant, fn)


async def set_shelf(persistence: Persistence, tenant: TenantContext, path: str, body: str) -> None:
    """Publishes a shelf, in a write of its own."""

    async def fn(writing: Write) -> None:
        await put_shelf(writing, path, body)

    await write(persistence, tenant, fn)


async def names_of(persistence: Persistence, tenant: TenantContext) -> list[str]:
    """The names of the tenant's toys, in order."""
    async with persistence.session(tenant) as session:
        return list(await session.scalars(select(Toy.name).order_by(Toy.name)))


async def first(tenant: TenantContext, name: str) -> list[Rows]:
    """The rows of a new database with one toy and one shelf."""

    async def fn(writing: Write) -> None:
        shelf = Shelf(path="home", body=name, facts={"length": len(name)}, at=writing.at)
        writing.session.add_all([make_toy(name), shelf])

    return await first_rows(tenant, fn, actor="tester", action="tenants.create")


async def assert_missing(persistence: Persistence, tenant: TenantContext) -> None:
    """There is no database of the tenant's, whichever way one asks."""

    async def in_session() -> None:
        async with persistence.session(tenant):
            pass

    async def in_write() -> None:
        async with persistence.exclusive(tenant):
            pass

    calls: list[Callable[[], Awaitable[Any]]] = [
        in_session,
        in_write,
        lambda: persistence.head(tenant),
        lambda: persistence.published(tenant, ALL_SHELVES, {}),
        lambda: persistence.revision(tenant),
        lambda: persistence.migrate(tenant),
        lambda: persistence.compact(tenant),
        lambda: persistence.size(tenant),
    ]
    for call in calls:
        with pytest.raises(DatabaseMissing):
            await call()
    found = await persistence.check(tenant)
    assert found
    assert all(problem.subject and problem.what and problem.mend for problem in found)
