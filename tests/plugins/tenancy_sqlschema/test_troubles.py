"""What a server does to its clients: deadlocks, lost connections, full and refused."""

from __future__ import annotations

import asyncio
import re
import secrets
from contextlib import AbstractAsyncContextManager
from functools import partial

import pytest
from mosaic_tenancy_sqlschema.plugin import SchemaSettings
from pydantic import ValidationError
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_core.errors import (
    ConfigurationError,
    DatabaseBusy,
    DatabaseError,
    DatabaseMissing,
    DatabaseReadOnly,
    MosaicError,
    QuotaExceeded,
    UnloggedWrite,
)
from mosaic_core.head import TENANT, Write, Writer
from mosaic_core.head.log import verify
from mosaic_core.persistence import Persistence
from mosaic_core.tenants import TenantContext
from mosaic_core.testing.persistence.tools import add_toy, first, names_of, set_shelf, write
from mosaic_core.testing.services import make_tenant
from mosaic_core.testing.tables import ALL_SHELVES, Toy, put_toy
from tests.plugins.tenancy_sqlschema.schemas import Schemas


async def _tenant(strategy: Persistence, name: str = "first") -> TenantContext:
    tenant = make_tenant()
    await strategy.provision(tenant, await first(tenant, name))
    return tenant


def test_a_deadlock_is_resolved_and_both_writes_are_there_once(schemas: Schemas) -> None:
    async def main() -> None:
        async with schemas.opened() as strategy:
            one, other = await _tenant(strategy), await _tenant(strategy)
            met, tries = asyncio.Barrier(2), list[str]()

            async def both(tenant: TenantContext, locks: tuple[int, int]) -> None:
                async def fn(writing: Write) -> None:
                    tries.append(tenant.tenant_id)
                    await put_toy(writing, "second")
                    await writing.session.scalar(select(func.pg_advisory_xact_lock(locks[0])))
                    if len(tries) <= 2:
                        await met.wait()
                    await writing.session.scalar(select(func.pg_advisory_xact_lock(locks[1])))

                await write(strategy, tenant, fn)

            key = int(one.tenant_id[:7], 16)
            await asyncio.gather(both(one, (key, key + 1)), both(other, (key + 1, key)))
            assert len(tries) == 3, "nobody was in a deadlock"
            for tenant in (one, other):
                assert await names_of(strategy, tenant) == ["first", "second"]
                assert (await strategy.head(tenant)).version == 2

    asyncio.run(main())


async def _end_the_others(schemas: Schemas) -> None:
    """Closes every connection of the strategy, as a server does that is started anew."""
    async with schemas.connected() as own:
        await own.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'mosaic' AND pid <> pg_backend_pid()"
        )


def test_a_connection_that_is_lost_in_a_write_costs_another_try(schemas: Schemas) -> None:
    async def main() -> None:
        async with schemas.opened() as strategy:
            tenant, tries = await _tenant(strategy), 0

            async def fn(writing: Write) -> None:
                nonlocal tries
                tries += 1
                await put_toy(writing, f"try {tries}")
                if tries == 1:
                    await _end_the_others(schemas)

            await write(strategy, tenant, fn)
            assert tries == 2
            assert await names_of(strategy, tenant) == ["first", "try 2"]
            async with strategy.session(tenant) as session:
                assert await verify(session, TENANT) == 2

    asyncio.run(main())


def test_a_commit_whose_answer_is_lost_is_looked_up_and_never_doubled(schemas: Schemas) -> None:
    async def main() -> None:
        async with schemas.opened() as strategy:
            tenant, hinted = await _tenant(strategy), 0

            async def hint(topics: set[str]) -> None:
                """The last thing before the commit, which then finds no connection."""
                nonlocal hinted
                hinted += 1
                if hinted == 1:
                    await _end_the_others(schemas)

            async def fn(writing: Write) -> None:
                await put_toy(writing, "once")
                writing.topics.add("news")

            begin = partial(strategy.exclusive, tenant)
            writer = Writer(TENANT, tenant.tenant_id, begin, hint=hint)
            await writer.write(fn, actor="tester", action="toys.add")
            assert hinted == 2
            assert await names_of(strategy, tenant) == ["first", "once"]
            assert (await strategy.head(tenant)).version == 2

    asyncio.run(main())


def test_after_the_server_closed_them_all_the_next_calls_find_new_connections(
    schemas: Schemas,
) -> None:
    async def main() -> None:
        async with schemas.opened() as strategy:
            tenant = await _tenant(strategy)
            for _ in range(2):
                await _end_the_others(schemas)
                await asyncio.sleep(0.2)
                assert (await strategy.head(tenant)).version == 1
                assert await names_of(strategy, tenant) == ["first"]

    asyncio.run(main())


def test_writers_that_wait_leave_connections_to_the_readers(schemas: Schemas) -> None:
    async def main() -> None:
        async with schemas.opened(connections=2, wait=5) as strategy:
            tenant, go_on, begun = await _tenant(strategy), asyncio.Event(), asyncio.Event()

            async def fn(writing: Write) -> None:
                begun.set()
                await go_on.wait()
                assert await names_of(strategy, tenant), "a write may read beside itself"

            writers = [asyncio.create_task(write(strategy, tenant, fn)) for _ in range(12)]
            await begun.wait()
            async with asyncio.timeout(5):
                rows = await asyncio.gather(
                    *(strategy.published(tenant, ALL_SHELVES, {}) for _ in range(12))
                )
            assert len(rows) == 12
            go_on.set()
            await asyncio.gather(*writers)

    asyncio.run(main())


def test_no_connection_free_is_an_error_that_says_so(schemas: Schemas) -> None:
    async def main() -> None:
        async with schemas.opened(connections=2, wait=0.3) as strategy:
            tenant = await _tenant(strategy)
            async with strategy.session(tenant) as one, strategy.session(tenant) as other:
                assert await one.scalar(select(Toy.name)) == "first"
                assert await other.scalar(select(Toy.name)) == "first"
                with pytest.raises(DatabaseBusy, match="no connection free"):
                    await strategy.head(tenant)
            assert (await strategy.head(tenant)).version == 1

    asyncio.run(main())


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://me:s3cret@127.0.0.1:9/x", r"no PostgreSQL answers at 127\.0\.0\.1:9"),
        ("postgresql://me:s3cret@db.invalid/x", r"no PostgreSQL answers at db\.invalid:5432"),
    ],
)
def test_a_server_that_is_not_there_is_named_without_the_password(
    schemas: Schemas, url: str, says: str
) -> None:
    async def main() -> None:
        async with schemas.opened(url=url) as strategy:
            tenant = make_tenant()
            calls = (
                strategy.head(tenant),
                strategy.provision(tenant),
                strategy.strays([]),
                names_of(strategy, tenant),
                strategy.drop(tenant),
            )
            for call in calls:
                with pytest.raises(DatabaseError, match=says) as caught:
                    await call
                assert "s3cret" not in str(caught.value)
            (problem,) = await strategy.check(tenant)
            assert re.search(says, problem.what)

    asyncio.run(main())


def test_a_url_that_is_none_is_refused_without_showing_it(schemas: Schemas) -> None:
    async def opened(url: str) -> None:
        async with schemas.opened(url=url):
            pass

    for url in ("s3cret", "mysql://me:s3cret@host/x", "postgresql://me:s3cret@host", "a:b:s3cret"):
        with pytest.raises(ConfigurationError, match=r"tenancy_sqlschema.* url") as caught:
            asyncio.run(opened(url))
        assert "s3cret" not in str(caught.value)
    with pytest.raises(ValidationError) as refused:
        SchemaSettings.model_validate({"url": "postgresql://s3cret@host/x", "prefix": "Ä; drop"})
    assert "s3cret" not in str(refused.value)


def test_a_database_that_does_not_exist_or_refuses_the_user_says_so(schemas: Schemas) -> None:
    role = schemas.prefix
    schemas.postgres.run(f"CREATE ROLE {role} LOGIN")

    async def main() -> None:
        async with schemas.opened(url=schemas.postgres.url("nowhere")) as strategy:
            with pytest.raises(DatabaseMissing, match="nowhere"):
                await strategy.head(make_tenant())
        async with schemas.opened(url=schemas.postgres.url(user=role)) as strategy:
            with pytest.raises(DatabaseError, match="may do there"):
                await strategy.provision(make_tenant())

    asyncio.run(main())


def test_a_database_that_only_reads_is_read_and_says_so_to_writers(schemas: Schemas) -> None:
    role = schemas.prefix

    async def main() -> None:
        async with schemas.opened() as strategy:
            tenant = await _tenant(strategy)
        schemas_of = schemas.postgres.url(user=role)
        async with schemas.connected() as connection:
            await connection.execute(f"CREATE ROLE {role} LOGIN SUPERUSER")
            await connection.execute(f"ALTER ROLE {role} SET default_transaction_read_only = on")
        async with schemas.opened(url=schemas_of) as strategy:
            assert await names_of(strategy, tenant) == ["first"]
            with pytest.raises(DatabaseReadOnly, match="primary"):
                await add_toy(strategy, tenant, "second")
            with pytest.raises(DatabaseReadOnly):
                await strategy.provision(make_tenant())
            assert await names_of(strategy, tenant) == ["first"]

    asyncio.run(main())


def test_at_the_tier_s_limit_nothing_grows_and_deleting_works(schemas: Schemas) -> None:
    async def remove(writing: Write) -> None:
        for toy in await writing.session.scalars(select(Toy)):
            await writing.session.delete(toy)

    async def main() -> None:
        async with schemas.opened(limit=1_000_000) as strategy:
            tenant = await _tenant(strategy)

            async def grow() -> None:
                for n in range(20):
                    await set_shelf(strategy, tenant, f"s{n}", secrets.token_urlsafe(100_000))

            with pytest.raises(QuotaExceeded, match="deleting always works"):
                await grow()
            assert 2 < len(await strategy.published(tenant, ALL_SHELVES, {})) < 15
            assert await strategy.size(tenant) > 1_000_000
            await write(strategy, tenant, remove, reserve=True)
            assert await names_of(strategy, tenant) == []

    asyncio.run(main())


def test_with_roles_the_database_refuses_what_reaches_into_another_schema(
    schemas: Schemas,
) -> None:
    async def main() -> None:
        async with schemas.opened(roles=True) as strategy:
            ours, theirs = await _tenant(strategy, "ours"), await _tenant(strategy, "theirs")
            other = Toy.__table__.to_metadata(
                type(Toy.metadata)(), schema=schemas.name(theirs.tenant_id)
            )

            async def reach(opened: AbstractAsyncContextManager[AsyncSession]) -> None:
                async with opened as session:
                    assert await session.scalar(select(Toy.name)) == "ours"
                    await session.scalar(select(other.c.name))

            for opened in (strategy.session(ours), strategy.exclusive(ours)):
                with pytest.raises(DatabaseError, match="may do there"):
                    await reach(opened)
            with pytest.raises(DatabaseError, match="may do there"):
                await strategy.published(ours, select(other.c.name), {})
            assert await names_of(strategy, theirs) == ["theirs"]
        async with schemas.opened() as strategy, strategy.session(ours) as session:
            assert await session.scalar(select(other.c.name)) == "theirs", "roles are what refuses"
        async with schemas.opened(roles=True) as strategy:
            await strategy.drop(ours)
            await strategy.drop(theirs)
        async with schemas.connected() as connection:
            roles = await connection.fetch(
                "SELECT 1 FROM pg_roles WHERE starts_with(rolname, $1)", f"{schemas.prefix}_"
            )
            assert roles == []

    asyncio.run(main())


def test_a_schema_of_somebody_else_s_is_no_stray_and_stays(schemas: Schemas) -> None:
    async def main() -> None:
        async with schemas.connected() as connection, schemas.opened() as strategy:
            await connection.execute(f'CREATE SCHEMA "{schemas.prefix}_by_hand"')
            await connection.execute(f'CREATE SCHEMA "{schemas.prefix}2_a1_1"')
            assert await strategy.strays([]) == []

    asyncio.run(main())


def test_a_schema_in_the_wrong_place_is_damage_and_not_served(schemas: Schemas) -> None:
    async def main() -> None:
        async with schemas.opened() as strategy, schemas.connected() as connection:
            tenant, other = await _tenant(strategy), make_tenant()
            await connection.execute(
                f'ALTER SCHEMA "{schemas.name(tenant.tenant_id)}" '
                f'RENAME TO "{schemas.name(other.tenant_id)}"'
            )
            with pytest.raises(MosaicError, match="belongs to another tenant"):
                await strategy.published(other, ALL_SHELVES, {})
            with pytest.raises(MosaicError):
                await add_toy(strategy, other, "misplaced")
            (problem,) = await strategy.check(other)
            assert "another tenant" in problem.what
            with pytest.raises(DatabaseMissing):
                await strategy.head(tenant)

    asyncio.run(main())


def test_a_missing_table_is_found_by_a_check(schemas: Schemas) -> None:
    async def main() -> None:
        async with schemas.opened() as strategy, schemas.connected() as connection:
            tenant = await _tenant(strategy)
            await connection.execute(f'DROP TABLE "{schemas.name(tenant.tenant_id)}".shelves')
            (problem,) = await strategy.check(tenant)
            assert "shelves" in problem.what

    asyncio.run(main())


def test_a_session_s_text_is_refused_before_it_reaches_the_server(schemas: Schemas) -> None:
    async def main() -> None:
        async with schemas.opened() as strategy:
            tenant = await _tenant(strategy)
            async with strategy.session(tenant) as session:
                with pytest.raises(UnloggedWrite):
                    await session.execute(text("SET search_path TO pg_catalog"))

    asyncio.run(main())


def test_a_connection_in_which_somebody_left_a_transaction_is_not_lent_again(
    schemas: Schemas,
) -> None:
    """As whoever is stopped in the moment in which it begins does."""

    async def main() -> None:
        async with schemas.opened(connections=2) as strategy:
            tenant = await _tenant(strategy, "one")
            for _ in range(4):
                async with strategy._database._driver(strategy._home(tenant)) as driver:
                    await driver.execute("BEGIN")
                assert await names_of(strategy, tenant) == ["one"]
                assert (await strategy.head(tenant)).version == 1

    asyncio.run(main())
