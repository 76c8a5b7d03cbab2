"""The contract of persistence, as tests. Subclass :class:`PersistenceContract`, set ``provider``.

The tests bring tables of their own (:mod:`mosaic_core.testing.tables`) beside the kernel's, and
write as the product does: through the head.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import insert, select, text

from mosaic_core.errors import (
    Conflict,
    DatabaseBehind,
    DatabaseMissing,
    DatabaseNewer,
    MosaicError,
    UnloggedWrite,
)
from mosaic_core.head import TENANT, Write, Writer
from mosaic_core.head.log import content_of, rebuild, verify
from mosaic_core.persistence import Begin, Capabilities, HeadState, HeadStatus, Persistence
from mosaic_core.provider import PlatformServices
from mosaic_core.tenants import TenantContext
from mosaic_core.testing.contract import Contract, contract_test
from mosaic_core.testing.isolation import check_persistence_isolation
from mosaic_core.testing.services import make_services, make_tenant
from mosaic_core.testing.tables import (
    ALL_SHELVES,
    SHELF_AT,
    Toy,
    ToyBase,
    put_shelf,
    put_toy,
    toy_schema,
)
from mosaic_core.types import new_id

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


def fill_with(tenant: TenantContext, name: str) -> Callable[[Begin], Awaitable[None]]:
    """A fill that adds one toy and one shelf."""

    async def fill(begin: Begin) -> None:
        async def fn(writing: Write) -> None:
            await put_toy(writing, name)
            await put_shelf(writing, "home", name)

        writer = Writer(TENANT, tenant.tenant_id, begin)
        await writer.write(fn, actor="tester", action="tenants.create")

    return fill


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


class LifeContract(Contract[Persistence]):
    """How a database comes, is brought up to date, and goes."""

    def make_services(self, data_dir: Path) -> PlatformServices:
        return make_services(data_dir, provider=self.provider.name, schema=toy_schema())

    def newer(self) -> PlatformServices:
        """The services of code that is one migration ahead, over the same data."""
        return make_services(
            self.services.data_dir, provider=self.provider.name, schema=toy_schema(newer=True)
        )

    @contract_test
    async def test_it_says_what_it_can_do(self, persistence: Persistence) -> None:
        assert isinstance(persistence, Persistence)
        assert isinstance(persistence.capabilities, Capabilities)

    @contract_test
    async def test_a_new_database_is_empty_current_and_whole(
        self, persistence: Persistence
    ) -> None:
        tenant = make_tenant()
        await assert_missing(persistence, tenant)
        await persistence.provision(tenant)
        assert await persistence.head(tenant) == HeadState(0, 0, HeadStatus.OPEN, 1)
        assert await persistence.revision(tenant) == self.services.schema.history.current
        assert await names_of(persistence, tenant) == []
        assert list(await persistence.published(tenant, ALL_SHELVES, {})) == []
        assert await persistence.check(tenant) == []
        async with persistence.session(tenant) as session:
            assert await session.scalar(select(TENANT.head.c.owner)) == tenant.tenant_id
            assert await verify(session, TENANT) == 0

    @contract_test
    async def test_a_database_is_seen_only_with_its_first_content(
        self, persistence: Persistence
    ) -> None:
        tenant = make_tenant()

        async def fill(begin: Begin) -> None:
            await fill_with(tenant, "the first")(begin)
            with pytest.raises(DatabaseMissing):
                await persistence.head(tenant)
            with pytest.raises(DatabaseMissing):
                await names_of(persistence, tenant)

        await persistence.provision(tenant, fill)
        assert await names_of(persistence, tenant) == ["the first"]
        rows = await persistence.published(tenant, ALL_SHELVES, {})
        assert list(rows) == [("home", "the first")]
        assert (await persistence.head(tenant)).version == 1

    @contract_test
    async def test_a_failing_fill_leaves_nothing(self, persistence: Persistence) -> None:
        tenant = make_tenant()

        async def fails(begin: Begin) -> None:
            await fill_with(tenant, "lost")(begin)
            raise RuntimeError("the first content could not be written")

        with pytest.raises(RuntimeError, match="could not be written"):
            await persistence.provision(tenant, fails)
        await assert_missing(persistence, tenant)
        await persistence.provision(tenant, fill_with(tenant, "second try"))
        assert await names_of(persistence, tenant) == ["second try"]

    @contract_test
    async def test_a_cancelled_fill_leaves_nothing(self, persistence: Persistence) -> None:
        tenant, begun = make_tenant(), asyncio.Event()

        async def never_ends(begin: Begin) -> None:
            await fill_with(tenant, "lost")(begin)
            begun.set()
            await asyncio.Event().wait()

        making = asyncio.create_task(persistence.provision(tenant, never_ends))
        await begun.wait()
        making.cancel()
        with pytest.raises(asyncio.CancelledError):
            await making
        await assert_missing(persistence, tenant)
        await persistence.provision(tenant)

    @contract_test
    async def test_what_exists_is_not_made_again(self, persistence: Persistence) -> None:
        tenant = make_tenant()
        await persistence.provision(tenant, fill_with(tenant, "kept"))
        with pytest.raises(Conflict):
            await persistence.provision(tenant, fill_with(tenant, "intruder"))
        assert await names_of(persistence, tenant) == ["kept"]
        assert (await persistence.head(tenant)).version == 1

    @contract_test
    async def test_of_many_who_make_one_database_one_succeeds(
        self, persistence: Persistence
    ) -> None:
        tenant = make_tenant()
        done = await asyncio.gather(
            *(persistence.provision(tenant, fill_with(tenant, f"n{n}")) for n in range(8)),
            return_exceptions=True,
        )
        assert sorted(type(result).__name__ for result in done) == ["Conflict"] * 7 + ["NoneType"]
        assert await names_of(persistence, tenant) == [f"n{done.index(None)}"]

    @contract_test
    async def test_a_tenant_s_next_home_is_another_database(self, persistence: Persistence) -> None:
        old, new = make_tenant(tenant_id="a1b2c3"), make_tenant(tenant_id="a1b2c3", epoch=2)
        await persistence.provision(old, fill_with(old, "old"))
        await assert_missing(persistence, new)
        await persistence.provision(new, fill_with(new, "new"))
        assert (await persistence.head(new)).epoch == 2
        await persistence.drop(old)
        assert await names_of(persistence, new) == ["new"]
        assert await persistence.check(new) == []

    @contract_test
    async def test_older_code_is_migrated_and_newer_is_refused(
        self, persistence: Persistence
    ) -> None:
        tenant, newer = make_tenant(), self.newer()
        await persistence.provision(tenant, fill_with(tenant, "kept"))
        assert await persistence.migrate(tenant) == self.services.schema.history.current
        assert (await persistence.head(tenant)).version == 1, "nothing to do leaves no trace"
        async with self.open(newer) as ahead:
            assert await ahead.revision(tenant) == self.services.schema.history.current
            for use in (names_of(ahead, tenant), add_toy(ahead, tenant, "early")):
                with pytest.raises(DatabaseBehind, match="mosaic migrate"):
                    await use
            assert await ahead.migrate(tenant) == newer.schema.history.current
            assert await ahead.revision(tenant) == newer.schema.history.current
            assert await ahead.migrate(tenant) == newer.schema.history.current
            assert await names_of(ahead, tenant) == ["kept"]
            await add_toy(ahead, tenant, "new")
            async with ahead.session(tenant) as session:
                await verify(session, TENANT)
                now = await content_of(session, ToyBase.metadata)
                assert await rebuild(session, TENANT) == now
        async with self.open(self.services) as behind:
            for use in (names_of(behind, tenant), add_toy(behind, tenant, "late")):
                with pytest.raises(DatabaseNewer):
                    await use
            with pytest.raises(DatabaseNewer):
                await behind.migrate(tenant)
            assert await behind.check(tenant) != []
        async with self.open(newer) as ahead:
            assert await names_of(ahead, tenant) == ["kept", "new"]

    @contract_test
    async def test_dropping_removes_everything_and_twice_is_no_error(
        self, persistence: Persistence
    ) -> None:
        tenant = make_tenant()
        await persistence.drop(tenant)
        await persistence.provision(tenant, fill_with(tenant, "old"))
        await persistence.published(tenant, ALL_SHELVES, {})
        await persistence.drop(tenant)
        await persistence.drop(tenant)
        left = [path for path in self.services.data_dir.rglob("*") if tenant.tenant_id in path.name]
        assert left == []
        await assert_missing(persistence, tenant)

    @contract_test
    async def test_what_is_made_again_shows_nothing_of_what_was(
        self, persistence: Persistence
    ) -> None:
        tenant = make_tenant()
        await persistence.provision(tenant, fill_with(tenant, "old"))
        await names_of(persistence, tenant)
        await persistence.published(tenant, ALL_SHELVES, {})
        await persistence.drop(tenant)
        await persistence.provision(tenant)
        assert await persistence.head(tenant) == HeadState(0, 0, HeadStatus.OPEN, 1)
        assert await names_of(persistence, tenant) == []
        assert list(await persistence.published(tenant, ALL_SHELVES, {})) == []
        await set_shelf(persistence, tenant, "home", "new")
        assert list(await persistence.published(tenant, ALL_SHELVES, {})) == [("home", "new")]

    @contract_test
    async def test_size_grows_and_compacting_gives_room_back(
        self, persistence: Persistence
    ) -> None:
        tenant = make_tenant()
        await persistence.provision(tenant, fill_with(tenant, "kept"))
        empty = await persistence.size(tenant)
        assert empty > 0
        for n in range(4):
            await set_shelf(persistence, tenant, f"s{n}", "x" * 500_000)
        full = await persistence.size(tenant)
        assert full > empty + 1_500_000
        for n in range(4):
            await set_shelf(persistence, tenant, f"s{n}", "")
        await persistence.compact(tenant)
        assert await persistence.size(tenant) < empty + 500_000
        assert await names_of(persistence, tenant) == ["kept"]
        assert len(await persistence.published(tenant, ALL_SHELVES, {})) == 5
        assert await persistence.check(tenant) == []
        async with persistence.session(tenant) as session:
            await verify(session, TENANT)


class SessionContract(Contract[Persistence]):
    """Reading and writing."""

    async def tenant(self, persistence: Persistence) -> TenantContext:
        """A provisioned tenant with one toy, ``first``, and one shelf, ``home``."""
        tenant = make_tenant()
        await persistence.provision(tenant, fill_with(tenant, "first"))
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


class PersistenceContract(LifeContract, SessionContract):
    """What every persistence strategy does."""
