"""What a move needs of a home: a head that says who may write, and rows in any order."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from mosaic_core.errors import Conflict, TenantFenced, TenantMoved
from mosaic_core.head import TENANT, WriteLimits, Writer, empty_rows
from mosaic_core.head.guard import Permit, permitted
from mosaic_core.persistence import HeadStatus, Persistence
from mosaic_core.tenants import TenantContext
from mosaic_core.testing.contract import Contract, contract_test
from mosaic_core.testing.persistence.tools import add_toy, first, names_of
from mosaic_core.testing.services import make_tenant
from mosaic_core.testing.tables import Sticker, Toy, make_toy
from mosaic_core.types import new_id


class MovingContract(Contract[Persistence]):
    """Fences, homes of one tenant side by side, and rows that are put in as they are."""

    @contract_test
    async def test_a_fenced_home_is_read_and_not_written(self, persistence: Persistence) -> None:
        tenant = make_tenant()
        await persistence.provision(tenant, await first(tenant, "one"))
        await _say(persistence, tenant, HeadStatus.FENCED)
        assert (await persistence.head(tenant)).status is HeadStatus.FENCED
        impatient = Writer(
            TENANT,
            tenant.tenant_id,
            partial(persistence.exclusive, tenant),
            limits=WriteLimits(fence=0.0),
        )
        with pytest.raises(TenantFenced):
            await impatient.write(_nothing, actor="tester", action="toys.change")
        assert await names_of(persistence, tenant) == ["one"]
        await _say(persistence, tenant, HeadStatus.OPEN)
        await add_toy(persistence, tenant, "two")
        await _say(persistence, tenant, HeadStatus.MOVED)
        with pytest.raises(TenantMoved):
            await add_toy(persistence, tenant, "three")
        assert await names_of(persistence, tenant) == ["one", "two"]

    @contract_test
    async def test_two_homes_of_one_tenant_stand_side_by_side(
        self, persistence: Persistence
    ) -> None:
        old = make_tenant()
        new = dataclasses.replace(old, epoch=2)
        await persistence.provision(old, await first(old, "old"))
        await persistence.provision(new, empty_rows(new))
        await add_toy(persistence, new, "new")
        assert await names_of(persistence, old) == ["old"]
        assert await names_of(persistence, new) == ["new"]
        assert (await persistence.head(new)).epoch == 2
        await persistence.drop(old)
        assert await names_of(persistence, new) == ["new"]

    @contract_test
    async def test_rows_may_come_before_those_that_they_point_to(
        self, persistence: Persistence
    ) -> None:
        tenant = make_tenant()
        await persistence.provision(tenant)
        toy = make_toy("late")
        values = {column.key: getattr(toy, column.key) for column in Toy.__table__.columns}
        sticker = insert(Sticker).values(id=new_id(), toy_id=toy.id)

        async def in_any_order(connection: AsyncConnection) -> None:
            await connection.execute(sticker)
            await connection.execute(insert(Toy).values(**values))

        with pytest.raises(Conflict):
            await _put(persistence, tenant, in_any_order, deferred=False)
        await _put(persistence, tenant, in_any_order, deferred=True)
        assert await names_of(persistence, tenant) == ["late"]
        with pytest.raises(Conflict):  # what was deferred once is not the next time
            await _put(
                persistence,
                tenant,
                lambda connection: connection.execute(
                    insert(Sticker).values(id=new_id(), toy_id=new_id())
                ),
                deferred=False,
            )

    @contract_test
    async def test_what_points_nowhere_in_the_end_is_not_committed(
        self, persistence: Persistence
    ) -> None:
        tenant = make_tenant()
        await persistence.provision(tenant, await first(tenant, "one"))

        async def lost(connection: AsyncConnection) -> None:
            await connection.execute(update(Toy).values(name="changed"))
            await connection.execute(insert(Sticker).values(id=new_id(), toy_id=new_id()))

        with pytest.raises(Conflict):
            await _put(persistence, tenant, lost, deferred=True)
        assert await names_of(persistence, tenant) == ["one"]
        await add_toy(persistence, tenant, "two")


async def _nothing(write: object) -> None:
    """A write that changes nothing."""


async def _put(
    persistence: Persistence,
    tenant: TenantContext,
    fn: Callable[[AsyncConnection], Awaitable[object]],
    *,
    deferred: bool,
) -> None:
    """Changes rows past the unit of work, as a move does."""
    async with persistence.exclusive(tenant, deferred=deferred) as session:
        permit = Permit()
        connection = await session.connection(execution_options=permitted(permit))
        with permit.kernel():
            await fn(connection)
        permit.committing = True
        await session.commit()


async def _say(persistence: Persistence, tenant: TenantContext, status: HeadStatus) -> None:
    statement = update(TENANT.head).values(status=status)
    await _put(
        persistence, tenant, lambda connection: connection.execute(statement), deferred=False
    )
