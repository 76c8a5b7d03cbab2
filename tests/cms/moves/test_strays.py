"""What a killed process left of a tenant is removed, wherever tenants are kept; nothing else is."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from functools import partial

import pytest
from typer.testing import CliRunner

from mosaic_cms import strays
from mosaic_cms.cli.commands import app
from mosaic_core.directory import Work
from mosaic_core.errors import DatabaseMissing
from mosaic_core.head import TENANT, Write, Writer, chain
from mosaic_core.tenants import TenantContext
from mosaic_core.types import new_id
from tests.cms.commands import invoke
from tests.cms.deployment import Deployment
from tests.cms.moves.moving import TIERS, Ground, everything, move, tenant_of

#: The tiers of a ground, and one whose home is a file in a given folder.
PLACES = (*TIERS, "own")


@pytest.fixture
def places(ground: Ground) -> Ground:
    """A ground with four kinds of home; the own files are in a folder that was given."""
    disk = ground.root.parent / "disk"
    disk.mkdir()
    ground.given = {"owned": f"sqlite:///{disk}"}
    return ground


def stray_at(tier: str) -> TenantContext:
    slug = "owned" if tier == "own" else f"killed-{new_id().hex}"
    return TenantContext(new_id().hex, slug, "Killed", "database" if tier == "own" else tier)


@asynccontextmanager
async def left_behind(places: Ground, tier: str) -> AsyncIterator[tuple[Deployment, TenantContext]]:
    """A deployment, and a tenant whose making was killed before it was known."""
    await places.make()
    async with places.opened() as deployment:
        tenant = stray_at(tier)
        await deployment.product.platform.persistence(tenant).provision(tenant)
        yield deployment, tenant


def age(places: Ground, tier: str, tenant: TenantContext, hours: float = 2.0) -> None:
    """Makes what was left there so old, by what it says of itself."""
    then = time.time() - hours * 3600
    name = f"{places.prefix}_{tenant.tenant_id}_1"
    told = f"'MOSAIC, made {time.strftime('%Y-%m-%dT%H:%M:%S+00:00', time.gmtime(then))}'"
    if tier == "schema":
        places.postgres.run(f'COMMENT ON SCHEMA "{name}" IS {told}')
    elif tier == "database":
        places.postgres.run(f'COMMENT ON DATABASE "{name}" IS {told}')
    else:
        folder = places.root / "data" / "tenants" if tier == "file" else places.root.parent / "disk"
        for path in folder.glob(f"*{tenant.tenant_id}*.db"):
            os.utime(path, (then, then))


async def is_there(deployment: Deployment, tenant: TenantContext) -> bool:
    try:
        await deployment.product.platform.persistence(tenant).head(tenant)
    except DatabaseMissing:
        return False
    return True


async def lived(deployment: Deployment, tenant: TenantContext) -> None:
    """Somebody writes there, twice."""
    persistence = deployment.product.platform.persistence(tenant)
    writer = Writer(TENANT, tenant.tenant_id, partial(persistence.exclusive, tenant))

    async def something(write: Write) -> None:
        write.extra.append(chain.Change(chain.MIGRATE, "", "", {"from": "a", "to": "b"}))

    for _ in range(2):
        await writer.write(something, actor="somebody", action="test")


@pytest.mark.parametrize("tier", PLACES)
def test_what_is_old_and_nobody_s_goes_and_all_else_stays(
    places: Ground, tier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[TenantContext] = []

    async def before() -> dict[str, object]:
        async with left_behind(places, tier) as (deployment, killed):
            platform = deployment.product.platform
            young, lived_in = stray_at(tier), stray_at(tier)
            for one in (young, lived_in):
                await platform.persistence(one).provision(one)
            await lived(deployment, lived_in)
            left.extend((killed, young, lived_in))
            await move(deployment, "schema" if tier == "file" else "other")
            await deployment.rule("tenants.create", slug="gone", name="Gone", tier="file")
            await deployment.rule("tenants.delete", slug="gone")
            return await everything(deployment, tenant_of(deployment))

    async def after() -> tuple[dict[str, object], list[bool]]:
        async with places.opened() as deployment:
            await deployment.rule("tenants.recover", slug="gone")
            there = [await is_there(deployment, one) for one in left]
            return await everything(deployment, tenant_of(deployment)), there

    content = asyncio.run(before())
    monkeypatch.setenv("MOSAIC_CONFIG", str(places.configuration()))
    killed, young, lived_in = left
    for one in (killed, lived_in):
        age(places, tier, one)
    named = json.loads(invoke("doctor", "--json", code=1))["problems"]
    assert len(named) == 3
    assert all("doctor --remove-strays" in one["mend"] for one in named)
    assert json.loads(invoke("doctor", "--remove-strays", "--json", code=1))["removed"] == []
    asked = CliRunner().invoke(app, ["doctor", "--remove-strays"], input="n\n")
    assert asked.exit_code == 1
    assert "Remove 1 of them for good?" in asked.output
    done = json.loads(invoke("doctor", "--remove-strays", "--yes", "--json", code=1))
    (removed,) = done["removed"]
    assert killed.tenant_id in removed
    why = {one["subject"]: one["what"] for one in done["left"]}
    assert len(why) == 2
    for subject, what in why.items():
        wanted = "still be making it" if young.tenant_id in subject else "has written to it"
        assert wanted in what
    assert asyncio.run(after()) == (content, [False, True, True])


def outdate(places: Ground, tier: str, tenant: TenantContext) -> None:
    """Has an earlier release make it: it is without the newest migrations."""
    older = "UPDATE {}alembic_version SET version_num = 'c0001' WHERE version_num LIKE 'c%'"
    if tier in {"schema", "database"}:
        name = f"{places.prefix}_{tenant.tenant_id}_1"
        database = name if tier == "database" else "postgres"
        places.postgres.run(older.format(f'"{name}".'), database=database)
        return
    folder = places.root / "data" / "tenants" if tier == "file" else places.root.parent / "disk"
    (path,) = folder.glob(f"*{tenant.tenant_id}*.db")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(older.format(""))


@pytest.mark.parametrize("tier", PLACES)
def test_what_an_earlier_release_left_goes_unless_somebody_lived_there(
    places: Ground, tier: str
) -> None:
    async def leave() -> tuple[TenantContext, TenantContext]:
        async with left_behind(places, tier) as (deployment, killed):
            lived_in = stray_at(tier)
            await deployment.product.platform.persistence(lived_in).provision(lived_in)
            await lived(deployment, lived_in)
            return killed, lived_in

    async def remove() -> dict[str, str]:
        async with places.opened() as deployment:
            platform = deployment.product.platform
            return {
                found.stray.home.tenant_id: await strays.remove(platform, found, actor="operator")
                for found in await strays.find(platform)
                if found.stray.home is not None
            }

    killed, lived_in = asyncio.run(leave())
    for one in (killed, lived_in):
        outdate(places, tier, one)
        age(places, tier, one)
    why = asyncio.run(remove())
    assert why[killed.tenant_id] == ""
    assert "has written to it" in why[lived_in.tenant_id]
    assert list(asyncio.run(remove())) == [lived_in.tenant_id]


@pytest.mark.parametrize("tier", PLACES)
def test_what_becomes_a_tenant_s_meanwhile_stays(places: Ground, tier: str) -> None:
    async def main() -> None:
        async with left_behind(places, tier) as (deployment, killed):
            platform = deployment.product.platform
            await asyncio.to_thread(age, places, tier, killed)
            (found,) = await strays.find(platform)
            assert found.refusal == ""
            leases = platform.directory.leases
            async with leases.held(killed, Work.IMPORT, holder="an import"):
                why = await strays.remove(platform, found, actor="operator")
                assert "is being imported" in why
            revision = platform.schema.history.current
            await platform.directory.add(killed, revision, actor="an import")
            assert "a tenant's now" in await strays.remove(platform, found, actor="operator")
            assert await is_there(deployment, killed)
            assert await strays.find(platform) == []

    asyncio.run(main())


def test_a_database_without_anything_in_it_is_as_old_as_its_tenant_s_id(
    places: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its making was killed before it could say since when it is there."""
    now, then = new_id().hex, f"{int((time.time() - 7200) * 1000):012x}7{'0' * 3}8{'0' * 15}"
    names = [f"{places.prefix}_{one}_1" for one in (now, then)]
    for name in names:
        places.postgres.run(f'CREATE DATABASE "{name}"')
    asyncio.run(places.make())
    monkeypatch.setenv("MOSAIC_CONFIG", str(places.configuration()))
    done = json.loads(invoke("doctor", "--remove-strays", "--yes", "--json", code=1))
    assert done["removed"] == [names[1]]
    assert [one["subject"] for one in done["left"]] == [names[0]]


def test_what_cannot_be_read_is_left_to_the_operator(
    places: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(places.make())
    damaged = places.root / "data" / "tenants" / f"{new_id().hex}.db"
    damaged.write_bytes(b"no database" * 1000)
    os.utime(damaged, (0, 0))
    monkeypatch.setenv("MOSAIC_CONFIG", str(places.configuration()))
    (left,) = json.loads(invoke("doctor", "--remove-strays", "--yes", "--json", code=1))["left"]
    assert left["subject"] == damaged.name
    assert "cannot be read" in left["what"]
    assert damaged.exists()
