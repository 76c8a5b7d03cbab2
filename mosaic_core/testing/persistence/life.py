"""How a tenant's database comes, is brought up to date, and goes."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

import pytest
from sqlalchemy import select

from mosaic_core.errors import (
    Conflict,
    DatabaseBehind,
    DatabaseMissing,
    DatabaseNewer,
    InvalidInput,
)
from mosaic_core.head import TENANT
from mosaic_core.head.log import content_of, rebuild, verify
from mosaic_core.persistence import Capabilities, HeadState, HeadStatus, Persistence
from mosaic_core.provider import PlatformServices
from mosaic_core.testing.contract import Contract, contract_test
from mosaic_core.testing.persistence.tools import (
    add_toy,
    assert_missing,
    first,
    names_of,
    set_shelf,
)
from mosaic_core.testing.services import make_services, make_tenant
from mosaic_core.testing.tables import (
    ALL_SHELVES,
    ToyBase,
    toy_schema,
)


class LifeContract(Contract[Persistence]):
    """How a database comes, is brought up to date, and goes."""

    def make_services(self, data_dir: Path) -> PlatformServices:
        return make_services(data_dir, provider=self.provider.name, schema=toy_schema())

    def newer(self, *, wider: bool = False) -> PlatformServices:
        """The services of code that is one migration ahead, over the same data.

        Args:
            wider: it is one that older code can do without.
        """
        schema = toy_schema(newer=not wider, wider=wider)
        return make_services(self.services.data_dir, provider=self.provider.name, schema=schema)

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

        rows = await first(tenant, "the first")
        making = asyncio.create_task(persistence.provision(tenant, rows))
        while not making.done():
            await asyncio.sleep(0)
            try:
                assert await names_of(persistence, tenant) == ["the first"]
            except DatabaseMissing:
                continue
        await making
        assert await names_of(persistence, tenant) == ["the first"]
        shelves = await persistence.published(tenant, ALL_SHELVES, {})
        assert list(shelves) == [("home", "the first")]
        assert await persistence.head(tenant) == HeadState(1, 1, HeadStatus.OPEN, 1)
        assert await persistence.check(tenant) == []
        async with persistence.session(tenant) as session:
            assert await verify(session, TENANT) == 1
            assert await rebuild(session, TENANT) == await content_of(session, ToyBase.metadata)

    @contract_test
    async def test_first_rows_that_contradict_each_other_leave_nothing(
        self, persistence: Persistence
    ) -> None:
        tenant = make_tenant()
        rows = await first(tenant, "lost")
        with pytest.raises(Conflict):
            await persistence.provision(tenant, [*rows, rows[-1]])
        await assert_missing(persistence, tenant)
        await persistence.provision(tenant, await first(tenant, "second try"))
        assert await names_of(persistence, tenant) == ["second try"]

    @contract_test
    async def test_a_first_row_with_a_value_that_does_not_fit_leaves_nothing(
        self, persistence: Persistence
    ) -> None:
        tenant = make_tenant()
        with pytest.raises(InvalidInput):
            await persistence.provision(tenant, await first(tenant, "x" * 201))
        await assert_missing(persistence, tenant)
        await persistence.provision(tenant)
        assert await names_of(persistence, tenant) == []

    @contract_test
    async def test_a_database_whose_making_is_cancelled_is_whole_or_not_there(
        self, persistence: Persistence
    ) -> None:
        tenant, steps, cancelled = make_tenant(), 0, True
        while cancelled:
            making = asyncio.create_task(
                persistence.provision(tenant, await first(tenant, f"after {steps}"))
            )
            for _ in range(steps):
                await asyncio.sleep(0)
            making.cancel()
            await asyncio.wait([making])
            cancelled = making.cancelled()
            if cancelled:
                await assert_missing(persistence, tenant)
                # A server is waited for in between, and takes many more steps than a file.
                steps += 1 + (steps // 4 if steps < 40 else 3 * steps)
        assert await names_of(persistence, tenant) == [f"after {steps}"]
        assert await persistence.check(tenant) == []

    @contract_test
    async def test_what_exists_is_not_made_again(self, persistence: Persistence) -> None:
        tenant = make_tenant()
        await persistence.provision(tenant, await first(tenant, "kept"))
        with pytest.raises(Conflict):
            await persistence.provision(tenant, await first(tenant, "intruder"))
        assert await names_of(persistence, tenant) == ["kept"]
        assert (await persistence.head(tenant)).version == 1

    @contract_test
    async def test_of_many_who_make_one_database_one_succeeds(
        self, persistence: Persistence
    ) -> None:
        tenant = make_tenant()
        contents = [await first(tenant, f"n{n}") for n in range(8)]
        done = await asyncio.gather(
            *(persistence.provision(tenant, rows) for rows in contents), return_exceptions=True
        )
        assert sorted(type(result).__name__ for result in done) == ["Conflict"] * 7 + ["NoneType"]
        assert await names_of(persistence, tenant) == [f"n{done.index(None)}"]

    @contract_test
    async def test_a_tenant_s_next_home_is_another_database(self, persistence: Persistence) -> None:
        old, new = make_tenant(tenant_id="a1b2c3"), make_tenant(tenant_id="a1b2c3", epoch=2)
        await persistence.provision(old, await first(old, "old"))
        await assert_missing(persistence, new)
        await persistence.provision(new, await first(new, "new"))
        assert (await persistence.head(new)).epoch == 2
        await persistence.drop(old)
        assert await names_of(persistence, new) == ["new"]
        assert await persistence.check(new) == []

    @contract_test
    async def test_older_code_is_migrated_and_newer_is_refused(
        self, persistence: Persistence
    ) -> None:
        tenant, newer = make_tenant(), self.newer()
        await persistence.provision(tenant, await first(tenant, "kept"))
        assert await persistence.migrate(tenant) == self.services.schema.history.current
        assert (await persistence.head(tenant)).version == 1, "nothing to do leaves no trace"
        async with self.open(newer) as ahead:
            assert await ahead.revision(tenant) == self.services.schema.history.current
            with pytest.raises(DatabaseBehind, match="mosaic migrate"):
                await names_of(ahead, tenant)
            with pytest.raises(DatabaseBehind, match="mosaic migrate"):
                await add_toy(ahead, tenant, "early")
            with pytest.raises(DatabaseBehind):
                await ahead.head(tenant)
            assert (await ahead.head(tenant, behind=True)).version == 1
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
            with pytest.raises(DatabaseNewer):
                await names_of(behind, tenant)
            with pytest.raises(DatabaseNewer):
                await add_toy(behind, tenant, "late")
            with pytest.raises(DatabaseNewer):
                await behind.migrate(tenant)
            assert await behind.check(tenant) != []
        async with self.open(newer) as ahead:
            assert await names_of(ahead, tenant) == ["kept", "new"]

    @contract_test
    async def test_older_code_goes_on_through_the_expand_phase(
        self, persistence: Persistence
    ) -> None:
        tenant, newer = make_tenant(), self.newer(wider=True)
        await persistence.provision(tenant, await first(tenant, "kept"))
        assert await names_of(persistence, tenant) == ["kept"]
        async with self.open(newer) as ahead:
            assert await ahead.migrate(tenant) == newer.schema.history.current
            await add_toy(persistence, tenant, "by a process that was there")
            async with self.open(self.services) as started:
                await add_toy(started, tenant, "by one that was started")
                await set_shelf(started, tenant, "home", "old")
                assert list(await started.published(tenant, ALL_SHELVES, {})) == [("home", "old")]
                assert (await started.head(tenant)).version == 5
                assert await started.check(tenant) == []
                with pytest.raises(DatabaseNewer):
                    await started.migrate(tenant)
            await add_toy(ahead, tenant, "new")
            names = ["by a process that was there", "by one that was started", "kept", "new"]
            assert await names_of(persistence, tenant) == await names_of(ahead, tenant) == names
            fresh = make_tenant()
            await ahead.provision(fresh, await first(fresh, "of newer code"))
            assert await names_of(persistence, fresh) == ["of newer code"]
            async with ahead.session(tenant) as session:
                await verify(session, TENANT)

    @contract_test
    async def test_dropping_removes_everything_and_twice_is_no_error(
        self, persistence: Persistence
    ) -> None:
        tenant = make_tenant()
        await persistence.drop(tenant)
        await persistence.provision(tenant, await first(tenant, "old"))
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
        await persistence.provision(tenant, await first(tenant, "old"))
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
    async def test_a_database_of_no_tenant_is_named_with_how_to_remove_it(
        self, persistence: Persistence
    ) -> None:
        known, unknown = make_tenant(), make_tenant()
        assert await persistence.strays([]) == []
        await persistence.provision(known)
        await persistence.provision(unknown, await first(unknown, "left behind"))
        found = await persistence.strays([known.tenant_id])
        assert len(found) == 1
        stray = found[0]
        assert unknown.tenant_id in stray.problem.subject
        assert stray.age is not None
        assert abs(stray.age) < 3600
        assert unknown.tenant_id in stray.problem.mend
        assert await persistence.strays([known.tenant_id, unknown.tenant_id]) == []
        assert stray.home is not None
        assert stray.home.tenant_id == unknown.tenant_id
        assert await names_of(persistence, stray.home) == ["left behind"]
        await persistence.drop(stray.home)
        assert await persistence.strays([known.tenant_id]) == []
        assert await names_of(persistence, known) == []

    @contract_test
    async def test_what_is_being_made_is_no_stray(self, persistence: Persistence) -> None:
        tenant = make_tenant()
        making = asyncio.create_task(persistence.provision(tenant, await first(tenant, "first")))
        while not making.done():
            await asyncio.sleep(0)
            if not making.done():
                assert await persistence.strays([tenant.tenant_id]) == []
        await making

    @contract_test
    async def test_size_grows_and_compacting_gives_room_back(
        self, persistence: Persistence
    ) -> None:
        tenant = make_tenant()
        await persistence.provision(tenant, await first(tenant, "kept"))
        empty = await persistence.size(tenant)
        assert empty > 0
        for n in range(4):
            # Nothing that a database could keep in less room.
            await set_shelf(persistence, tenant, f"s{n}", secrets.token_urlsafe(375_000))
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
