"""A database for each tenant: made and removed on a server, or given by the operator."""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mosaic_tenancy_dedicated.databases import TenantDatabases
from mosaic_tenancy_dedicated.plugin import DedicatedSettings, open_databases

from mosaic_core.errors import Conflict, DatabaseError, DatabaseMissing, InvalidInput
from mosaic_core.testing.persistence.tools import add_toy, first, names_of
from mosaic_core.testing.services import make_services, make_tenant
from tests.postgres import PostgreSQL


class Databases:
    """A place on a server, by a prefix of its own, that strategies are opened for."""

    def __init__(self, postgres: PostgreSQL, folder: Path) -> None:
        self.postgres = postgres
        self.prefix = f"t{secrets.token_hex(5)}"
        self._folder = folder

    @asynccontextmanager
    async def opened(self, **settings: Any) -> AsyncIterator[TenantDatabases]:
        given = {"url": self.postgres.url(), "prefix": self.prefix} | settings
        services = make_services(self._folder)
        async with open_databases(DedicatedSettings.model_validate(given), services) as strategy:
            assert isinstance(strategy, TenantDatabases)
            yield strategy

    def names(self) -> list[str]:
        named = f"FROM pg_database WHERE starts_with(datname, '{self.prefix}')"
        found = self.postgres.run(f"SELECT datname {named} ORDER BY 1")
        return [name for (name,) in found]


@pytest.fixture
def databases(postgres: PostgreSQL, tmp_path: Path) -> Iterator[Databases]:
    place = Databases(postgres, tmp_path)
    yield place
    postgres.remove_databases(place.prefix)


def test_a_tenant_has_a_database_and_nothing_else_is_in_it(databases: Databases) -> None:
    tenant = make_tenant()

    async def make() -> None:
        async with databases.opened() as strategy:
            await strategy.provision(tenant, await first(tenant, "ours"))

    async def drop() -> None:
        async with databases.opened() as strategy:
            await strategy.drop(tenant)

    asyncio.run(make())
    name = f"{databases.prefix}_{tenant.tenant_id}_1"
    assert databases.names() == [name]
    owners = databases.postgres.run(f'SELECT owner FROM "{name}".head', database=name)
    assert owners == [(tenant.tenant_id,)]
    asyncio.run(drop())
    assert databases.names() == []


def test_a_tenant_s_connections_are_closed_when_it_is_idle(databases: Databases) -> None:
    tenant = make_tenant()
    connected = (
        "SELECT count(*) FROM pg_stat_activity "
        f"WHERE datname = '{databases.prefix}_{tenant.tenant_id}_1'"
    )

    async def main() -> None:
        async with databases.opened(idle=0.2) as strategy:
            await strategy.provision(tenant, await first(tenant, "first"))
            async with strategy.session(tenant):
                await asyncio.sleep(0.4)
                assert await asyncio.to_thread(databases.postgres.run, connected) != [(0,)]
            async with asyncio.timeout(10):
                while await asyncio.to_thread(databases.postgres.run, connected) != [(0,)]:
                    await asyncio.sleep(0.1)
            assert await names_of(strategy, tenant) == ["first"], "and opened again"

    asyncio.run(main())


def test_what_fails_leaves_no_database_behind(databases: Databases) -> None:
    tenant = make_tenant()

    async def main() -> None:
        async with databases.opened() as strategy:
            with pytest.raises(InvalidInput):
                await strategy.provision(tenant, await first(tenant, "x" * 201))

    asyncio.run(main())
    assert databases.names() == []


def test_a_database_that_a_killed_process_left_empty_is_used(databases: Databases) -> None:
    tenant = make_tenant()
    databases.postgres.run(f'CREATE DATABASE "{databases.prefix}_{tenant.tenant_id}_1"')

    async def main() -> None:
        async with databases.opened() as strategy:
            with pytest.raises(DatabaseMissing):
                await strategy.head(tenant)
            (stray,) = await strategy.strays([])
            assert tenant.tenant_id in stray.problem.mend
            await strategy.provision(tenant, await first(tenant, "whole"))
            assert await names_of(strategy, tenant) == ["whole"]
            with pytest.raises(Conflict):
                await strategy.provision(tenant)

    asyncio.run(main())


def test_a_database_that_the_operator_gives_is_used_and_stays(databases: Databases) -> None:
    ours, other = make_tenant(slug="acme"), make_tenant()
    name = f"{databases.prefix}own"
    databases.postgres.run(f'CREATE DATABASE "{name}"', f'CREATE ROLE "{name}" LOGIN')
    databases.postgres.run(f'ALTER DATABASE "{name}" OWNER TO "{name}"')
    given = {"acme": databases.postgres.url(name, user=name)}

    async def main() -> None:
        async with databases.opened(given=given) as strategy:
            await strategy.provision(ours, await first(ours, "ours"))
            await strategy.provision(other, await first(other, "other"))
            await add_toy(strategy, ours, "second")
            assert await names_of(strategy, ours) == ["ours", "second"]
            with pytest.raises(Conflict):
                await strategy.provision(ours)
            await strategy.drop(ours)
            with pytest.raises(DatabaseMissing):
                await strategy.head(ours)
            await strategy.provision(ours)
            assert await names_of(strategy, other) == ["other"]
            (stray,) = await strategy.strays([other.tenant_id])
            assert stray.problem.subject == f"{databases.prefix}_{ours.tenant_id}_1"
            assert "DROP SCHEMA" in stray.problem.mend
            assert await strategy.strays([ours.tenant_id, other.tenant_id]) == []
        gone = {**given, "gone": "postgresql://me:s3cret@127.0.0.1:9/x"}
        async with databases.opened(given=gone) as strategy:
            found = await strategy.strays([other.tenant_id])
            assert [one.problem.subject for one in found] == [stray.problem.subject, "given.gone"]
            assert "s3cret" not in str(found)

    asyncio.run(main())
    assert databases.names() == [f"{databases.prefix}_{other.tenant_id}_1", name]


def test_under_another_slug_a_given_database_is_looked_for_anew(databases: Databases) -> None:
    tenant = make_tenant(slug="acme")
    name = f"{databases.prefix}own"
    databases.postgres.run(f'CREATE DATABASE "{name}"')
    given = {slug: databases.postgres.url(name) for slug in ("acme", "apex")}

    async def main() -> None:
        async with databases.opened(given=given) as strategy:
            await strategy.provision(tenant)
            await strategy.head(dataclasses.replace(tenant, slug="apex"))  # is there as well
            with pytest.raises(DatabaseMissing):
                await strategy.head(dataclasses.replace(tenant, slug="other"))
            await strategy.head(tenant)

    asyncio.run(main())


def test_a_server_that_is_not_there_is_named_without_the_password(databases: Databases) -> None:
    async def main() -> None:
        url = "postgresql://me:s3cret@127.0.0.1:9/x"
        async with databases.opened(url=url) as strategy:
            tenant = make_tenant()
            for call in (strategy.provision(tenant), strategy.head(tenant), strategy.strays([])):
                with pytest.raises(DatabaseError, match=r"127\.0\.0\.1:9") as caught:
                    await call
                assert "s3cret" not in str(caught.value)

    asyncio.run(main())
