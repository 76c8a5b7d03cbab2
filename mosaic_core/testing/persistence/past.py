"""What a tenant's change log tells of the past, and what it tells no longer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from mosaic_core.head import TENANT, Write
from mosaic_core.head.log import compact, content_of, rebuild, verify
from mosaic_core.head.retention import erase, outlived
from mosaic_core.persistence import Persistence
from mosaic_core.testing.contract import Contract, contract_test
from mosaic_core.testing.persistence.tools import add_toy, first, write
from mosaic_core.testing.services import make_tenant
from mosaic_core.testing.tables import ToyBase, put_toy


class PastContract(Contract[Persistence]):
    """What the log tells of the past."""

    @contract_test
    async def test_a_log_forgets_what_is_older_than_an_instant_and_its_chain_holds(
        self, persistence: Persistence
    ) -> None:
        tenant = make_tenant()
        await persistence.provision(tenant, await first(tenant, "one"))
        for name in ("two", "three", "four"):
            await add_toy(persistence, tenant, name)
        before = datetime.now(UTC) + timedelta(hours=1)

        async def step(version: int) -> int:
            return await write(persistence, tenant, lambda w: compact(w, TENANT, version))

        async with persistence.session(tenant) as session:
            assert await outlived(session, TENANT, before - timedelta(hours=2), 2) is None
            some = await outlived(session, TENANT, before, 2)
            every = await outlived(session, TENANT, before, 100)
        assert some is not None
        assert every is not None
        assert 1 < some < every == (await persistence.head(tenant)).version
        await step(some)
        await step(every)
        async with persistence.session(tenant) as session:
            assert await outlived(session, TENANT, before, 100) is None
            assert await rebuild(session, TENANT) == await content_of(session, ToyBase.metadata)
            await verify(session, TENANT)

    @contract_test
    async def test_what_is_erased_from_a_log_leaves_its_chain_whole(
        self, persistence: Persistence
    ) -> None:
        tenant = make_tenant()
        await persistence.provision(tenant, await first(tenant, "known"))
        log = TENANT.changes
        async with persistence.session(tenant) as session:
            rows = await session.execute(select(log.c.entity, log.c.entity_id, log.c.image))
            told = [row for row in rows if "known" in str(row.image)]
        assert told

        async def fn(writing: Write) -> None:
            for row in told:
                await erase(writing, TENANT, row.entity, [row.entity_id])
            await put_toy(writing, "another")

        await write(persistence, tenant, fn)
        async with persistence.session(tenant) as session:
            images = list(await session.scalars(select(log.c.image)))
            await verify(session, TENANT)
        assert "known" not in str(images)
        assert "another" in str(images)
