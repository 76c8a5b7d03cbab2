"""Reading and writing a tenant's database."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert, select, text

from mosaic_core.errors import (
    DatabaseBusy,
    MosaicError,
    UnloggedWrite,
)
from mosaic_core.head import TENANT, Write
from mosaic_core.head.log import verify
from mosaic_core.persistence import HeadState, HeadStatus, Persistence
from mosaic_core.tenants import TenantContext
from mosaic_core.testing.contract import Contract, contract_test
from mosaic_core.testing.isolation import check_persistence_isolation
from mosaic_core.testing.persistence.tools import (
    add_toy,
    first,
    names_of,
    set_shelf,
    write,
)
from mosaic_core.testing.services import make_tenant
from mosaic_core.testing.tables import (
    ALL_SHELVES,
    SHELF_AT,
    Toy,
    put_shelf,
    put_toy,
)
from mosaic_core.types import new_id


class SessionContract(Contract[Persistence]):
    """Reading and writing."""

    async def tenant(self, persistence: Persistence) -> TenantContext:
        """A provisioned tenant with one toy, ``first``, and one shelf, ``home``."""
        tenant = make_tenant()
        await persistence.provision(tenant, await first(tenant, "first"))
        return tenant

    @contract_test
    async def test_values_of_every_type_come_back_as_they_were(
        self, persistence: Persistence
    ) -> None:
        tenant = await self.tenant(persistence)

        async def fn(writing: Write) -> Toy:
            return await put_toy(writing, "A\u0301 \U0001f40d ﬀ", count=-(2**63), sold=True)

        put = await write(persistence, tenant, fn)
        async with persistence.session(tenant) as session:
            got = await session.get(Toy, put.id)
        assert got is not None
        for column in Toy.__table__.columns:
            assert getattr(got, column.key) == getattr(put, column.key), column.key
            assert type(getattr(got, column.key)) is type(getattr(put, column.key)), column.key

    @contract_test
    async def test_ten_megabytes_and_large_json_come_back_as_they_were(
        self, persistence: Persistence
    ) -> None:
        tenant = await self.tenant(persistence)
        body = "tiles, çini, 瓦, \U0001f40d; " * 420_000
        facts = {"rows": [{"n": n, "text": f"row {n} ğ", "deep": [[n]]} for n in range(4_000)]}
        assert len(body.encode()) > 10_000_000

        async def fn(writing: Write) -> None:
            await put_toy(writing, "large", facts=facts)
            await put_shelf(writing, "large", body)

        await write(persistence, tenant, fn)
        async with persistence.session(tenant) as session:
            got = await session.scalar(select(Toy.facts).where(Toy.name == "large"))
            assert got == facts
            assert await verify(session, TENANT) == 2
        ((shown, about, _),) = await persistence.published(tenant, SHELF_AT, {"path": "large"})
        assert shown == body
        assert about == {"length": len(body)}

    @contract_test
    async def test_a_session_sees_one_snapshot(self, persistence: Persistence) -> None:
        tenant = await self.tenant(persistence)
        query = select(Toy.name).order_by(Toy.name)
        async with persistence.session(tenant) as session:
            assert list(await session.scalars(query)) == ["first"]
            await add_toy(persistence, tenant, "second")
            assert list(await session.scalars(query)) == ["first"]
            assert await session.scalar(select(TENANT.head.c.version)) == 1
        assert await names_of(persistence, tenant) == ["first", "second"]

    @contract_test
    async def test_a_session_refuses_to_write(self, persistence: Persistence) -> None:
        tenant = await self.tenant(persistence)

        async def through_objects() -> None:
            async with persistence.session(tenant) as session:
                toy = (await session.scalars(select(Toy))).one()
                toy.name = "changed"
                await session.commit()

        async def through_a_statement() -> None:
            async with persistence.session(tenant) as session:
                await session.execute(
                    insert(TENANT.outbox).values(
                        id=new_id(),
                        at=datetime.now(UTC),
                        topic="x",
                        payload=1,
                        attempts=0,
                        error="",
                    )
                )
                await session.commit()

        async def through_text() -> None:
            async with persistence.session(tenant) as session:
                await session.execute(text("DELETE FROM toys"))
                await session.commit()

        for attempt in (through_objects, through_a_statement, through_text):
            with pytest.raises(MosaicError):
                await attempt()
        assert await names_of(persistence, tenant) == ["first"]

    @contract_test
    async def test_an_error_does_not_tell_what_people_wrote(self, persistence: Persistence) -> None:
        tenant = await self.tenant(persistence)
        statement = text("SELECT 1 FROM toys WHERE name = :one AND name = :two")
        with pytest.raises(Exception, match="two") as caught:
            async with persistence.session(tenant) as session:
                await session.execute(statement, {"one": "dear diary"})
        assert "diary" not in str(caught.value)

    @contract_test
    async def test_even_a_write_changes_nothing_behind_the_log_s_back(
        self, persistence: Persistence
    ) -> None:
        tenant = await self.tenant(persistence)

        async def fn(writing: Write) -> None:
            await writing.session.execute(text("DELETE FROM toys"))

        with pytest.raises(UnloggedWrite):
            await write(persistence, tenant, fn)
        assert await names_of(persistence, tenant) == ["first"]

    @contract_test
    async def test_a_write_is_there_as_a_whole_or_not_at_all(
        self, persistence: Persistence
    ) -> None:
        tenant = await self.tenant(persistence)
        before = await persistence.head(tenant)

        async def fails(writing: Write) -> None:
            await put_toy(writing, "half")
            await put_shelf(writing, "home", "half")
            raise RuntimeError("changed my mind")

        with pytest.raises(RuntimeError, match="my mind"):
            await write(persistence, tenant, fails)
        assert await persistence.head(tenant) == before
        assert await names_of(persistence, tenant) == ["first"]
        assert list(await persistence.published(tenant, ALL_SHELVES, {})) == [("home", "first")]

    @contract_test
    async def test_the_head_moves_with_writes_and_published_with_what_visitors_see(
        self, persistence: Persistence
    ) -> None:
        tenant = await self.tenant(persistence)
        assert await persistence.head(tenant) == HeadState(1, 1, HeadStatus.OPEN, 1)
        await add_toy(persistence, tenant, "unseen")
        assert await persistence.head(tenant) == HeadState(2, 1, HeadStatus.OPEN, 1)
        await set_shelf(persistence, tenant, "home", "seen")
        assert await persistence.head(tenant) == HeadState(3, 2, HeadStatus.OPEN, 1)

    @contract_test
    async def test_a_glance_says_what_the_head_says_or_nothing(
        self, persistence: Persistence
    ) -> None:
        tenant = await self.tenant(persistence)
        for name in ("one", "two", "three"):
            assert persistence.glance(tenant) in (None, await persistence.head(tenant))
            await set_shelf(persistence, tenant, "home", name)
            glanced = persistence.glance(tenant)
            assert glanced in (None, await persistence.head(tenant))
        await persistence.drop(tenant)
        assert persistence.glance(tenant) is None

    @contract_test
    async def test_writers_take_turns(self, persistence: Persistence) -> None:
        tenant, inside = await self.tenant(persistence), 0

        async def fn(writing: Write) -> None:
            nonlocal inside
            inside += 1
            assert inside == 1, "two writes ran at one time"
            toy = (await writing.session.scalars(select(Toy))).one()
            count = toy.count
            await asyncio.sleep(0)
            toy.count = count + 1
            await writing.session.flush()
            inside -= 1

        async def reset(writing: Write) -> None:
            (await writing.session.scalars(select(Toy))).one().count = 0

        await write(persistence, tenant, reset)
        # Each has a writer of its own, as in so many processes.
        await asyncio.gather(*(write(persistence, tenant, fn) for _ in range(20)))
        async with persistence.session(tenant) as session:
            assert await session.scalar(select(Toy.count)) == 20
            await verify(session, TENANT)
        assert (await persistence.head(tenant)).version == 22

    @contract_test
    async def test_a_session_for_a_write_is_one_process_s_at_a_time(
        self, persistence: Persistence
    ) -> None:
        tenant, inside = await self.tenant(persistence), 0

        async def hold(strategy: Persistence) -> None:
            nonlocal inside
            async with strategy.exclusive(tenant) as session:
                await session.scalar(select(TENANT.head.c.version))
                inside += 1
                assert inside == 1, "two processes held it at one time"
                await asyncio.sleep(0.01)
                inside -= 1

        async with self.open(self.services) as again:
            await asyncio.gather(*(hold(each) for each in (persistence, again) * 4))

    @contract_test
    async def test_each_of_twenty_writers_gets_a_version_of_its_own(
        self, persistence: Persistence
    ) -> None:
        tenant, order = await self.tenant(persistence), list[tuple[int, str]]()

        async def one(name: str) -> None:
            async def fn(writing: Write) -> int:
                await put_toy(writing, name)
                return writing.version

            order.append((await write(persistence, tenant, fn), name))

        await asyncio.gather(*(one(f"n{n}") for n in range(20)))
        assert sorted(version for version, _ in order) == list(range(2, 22))
        log = TENANT.changes
        async with persistence.session(tenant) as session:
            rows = await session.execute(
                select(log.c.version, log.c.image).where(log.c.version > 1).order_by(log.c.version)
            )
            assert [(row.version, row.image["name"]) for row in rows] == sorted(order)
            assert await verify(session, TENANT) == 21

    @contract_test
    async def test_a_write_that_meets_a_passing_trouble_is_tried_again_from_its_beginning(
        self, persistence: Persistence
    ) -> None:
        tenant, tries = await self.tenant(persistence), 0

        async def fn(writing: Write) -> None:
            nonlocal tries
            tries += 1
            await put_toy(writing, f"try {tries}")
            if tries < 3:
                raise DatabaseBusy("A deadlock, for example.")

        await write(persistence, tenant, fn)
        assert await names_of(persistence, tenant) == ["first", "try 3"]
        assert (await persistence.head(tenant)).version == 2

    @contract_test
    async def test_readers_do_not_wait_for_a_writer(self, persistence: Persistence) -> None:
        tenant, waiting = await self.tenant(persistence), asyncio.Event()
        go_on = asyncio.Event()

        async def slow(writing: Write) -> None:
            await put_shelf(writing, "home", "not yet")
            waiting.set()
            await go_on.wait()

        writing = asyncio.create_task(write(persistence, tenant, slow))
        await waiting.wait()
        try:
            async with asyncio.timeout(2):
                assert (await persistence.head(tenant)).version == 1
                assert await names_of(persistence, tenant) == ["first"]
                rows = await persistence.published(tenant, ALL_SHELVES, {})
                assert list(rows) == [("home", "first")]
        finally:
            go_on.set()
            await writing
        rows = await persistence.published(tenant, ALL_SHELVES, {})
        assert list(rows) == [("home", "not yet")]

    @contract_test
    async def test_a_cancelled_write_lets_the_next_one_in(self, persistence: Persistence) -> None:
        tenant, begun = await self.tenant(persistence), asyncio.Event()

        async def never_ends(writing: Write) -> None:
            await put_toy(writing, "lost")
            begun.set()
            await asyncio.Event().wait()

        writing = asyncio.create_task(write(persistence, tenant, never_ends))
        await begun.wait()
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        async with asyncio.timeout(2):
            await add_toy(persistence, tenant, "second")
        assert await names_of(persistence, tenant) == ["first", "second"]

    @contract_test
    async def test_published_answers_constant_queries_with_each_call_s_values(
        self, persistence: Persistence
    ) -> None:
        tenant = await self.tenant(persistence)
        assert list(await persistence.published(tenant, SHELF_AT, {"path": "a"})) == []
        await set_shelf(persistence, tenant, "a", "one")
        await set_shelf(persistence, tenant, "b'; --", "tw\U0001f40d")
        for path, body in (("a", "one"), ("b'; --", "tw\U0001f40d"), ("a", "one")):
            rows = await persistence.published(tenant, SHELF_AT, {"path": path})
            assert [tuple(row)[:2] for row in rows] == [(body, {"length": len(body)})]
            assert rows[0][2].tzinfo is not None
        assert list(await persistence.published(tenant, SHELF_AT, {"path": "A"})) == []
        rows = await persistence.published(tenant, ALL_SHELVES, {})
        assert [row[0] for row in rows] == ["a", "b'; --", "home"]

    @contract_test
    async def test_many_tenants_are_served_at_one_time(self, persistence: Persistence) -> None:
        tenants = [await self.tenant(persistence) for _ in range(6)]

        async def use(tenant: TenantContext) -> None:
            for n in range(4):
                await set_shelf(persistence, tenant, "home", f"{tenant.tenant_id} {n}")
                rows = await persistence.published(tenant, ALL_SHELVES, {})
                assert list(rows) == [("home", f"{tenant.tenant_id} {n}")]
                assert await names_of(persistence, tenant) == ["first"]

        await asyncio.gather(*(use(tenant) for tenant in tenants))

    @contract_test
    async def test_no_tenant_reaches_another_s_rows(self, persistence: Persistence) -> None:
        await check_persistence_isolation(persistence, make_tenant(), make_tenant())

    @contract_test
    async def test_a_hostile_tenant_id_reaches_nothing(self, persistence: Persistence) -> None:
        for tenant_id in ("../other", "a/b", 'a"; drop', "", ".", "a\0b", "ä" * 8):
            tenant = make_tenant(tenant_id=tenant_id, slug="hostile")
            with pytest.raises(MosaicError):
                await persistence.provision(tenant)
            with pytest.raises(MosaicError):
                await persistence.head(tenant)

    @contract_test
    async def test_rows_outlive_the_process_that_wrote_them(self, persistence: Persistence) -> None:
        tenant = await self.tenant(persistence)
        async with self.open(self.services) as again:
            assert await names_of(again, tenant) == ["first"]
            await asyncio.gather(
                *(add_toy(p, tenant, f"n{n}") for n in range(5) for p in (again, persistence))
            )
            assert await again.head(tenant) == await persistence.head(tenant)
        assert len(await names_of(persistence, tenant)) == 11
