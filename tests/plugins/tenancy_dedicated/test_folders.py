"""For small installations, a tenant's own database is a SQLite file: in a folder for all of them,
or in one that the operator gave."""

from __future__ import annotations

import asyncio
import dataclasses
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mosaic_tenancy_dedicated.plugin import DedicatedSettings, open_databases
from pydantic import ByteSize

from mosaic_core.errors import ConfigurationError, Conflict, DatabaseMissing, QuotaExceeded
from mosaic_core.persistence import Persistence
from mosaic_core.tenants import Limits, Tier
from mosaic_core.testing.persistence.tools import add_toy, first, names_of, write
from mosaic_core.testing.services import make_services, make_tenant
from mosaic_core.testing.tables import put_toy


@asynccontextmanager
async def opened(
    data: Path, tiers: dict[str, Tier] | None = None, **settings: Any
) -> AsyncIterator[Persistence]:
    services = make_services(data)
    if tiers is not None:
        services = dataclasses.replace(services, tiers=tiers)
    given = DedicatedSettings.model_validate({"url": "sqlite:///own", **settings})
    async with open_databases(given, services) as strategy:
        yield strategy


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.db"))


def test_a_file_is_named_by_the_tenant_s_id_and_the_number_of_its_home(tmp_path: Path) -> None:
    tenant = make_tenant(slug="acme")
    later = dataclasses.replace(tenant, epoch=3)

    async def main() -> None:
        async with opened(tmp_path, prefix="ours") as strategy:
            assert strategy.capabilities.single_host
            await strategy.provision(tenant, await first(tenant, "one"))
            await strategy.provision(later, await first(later, "three"))
            names = [f"ours_{tenant.tenant_id}_{epoch}.db" for epoch in (1, 3)]
            assert files(tmp_path / "own") == names
            await strategy.drop(tenant)
            assert await names_of(strategy, later) == ["three"]
            assert files(tmp_path / "own") == names[1:]

    asyncio.run(main())


@pytest.mark.parametrize("url", ["sqlite:///{}", "sqlite+aiosqlite:///{}"])
def test_a_folder_may_be_anywhere(tmp_path: Path, url: str) -> None:
    tenant, folder = make_tenant(), tmp_path / "disk" / "databases"
    data = tmp_path / "data"
    data.mkdir()

    async def main() -> None:
        async with opened(data, url=url.format(folder)) as strategy:
            await strategy.provision(tenant)
        assert len(files(folder)) == 1

    asyncio.run(main())


def test_there_is_no_limit_but_the_tier_s_own(tmp_path: Path) -> None:
    wide, tight = make_tenant(tier="wide"), make_tenant(tier="tight")
    small = Limits(database=ByteSize(1_000_000))
    tiers = {
        "wide": Tier(persistence="tenancy_dedicated", storage="-"),
        "tight": Tier(persistence="tenancy_dedicated", storage="-", limits=small),
    }

    async def main() -> None:
        async with opened(tmp_path, tiers) as strategy:
            for tenant in (wide, tight):
                await strategy.provision(tenant)

            async def grow(writing: Any) -> None:
                for number in range(30):
                    await put_toy(writing, f"toy {number}", picture=b"x" * 100_000)

            await write(strategy, wide, grow)
            assert await strategy.size(wide) > 3_000_000
            with pytest.raises(QuotaExceeded, match="tight tier's limit"):
                await write(strategy, tight, grow)

    asyncio.run(main())


def test_a_folder_that_the_operator_gives_has_that_tenant_s_file_alone(tmp_path: Path) -> None:
    ours, other = make_tenant(slug="acme"), make_tenant()
    disk = tmp_path / "acme"
    disk.mkdir()
    (disk / "letter.txt").write_text("of the operator's")
    (disk / "other.db").write_text("of the operator's")
    given = {"acme": f"sqlite:///{disk}"}

    async def main() -> None:
        async with opened(tmp_path, given=given) as strategy:
            await strategy.provision(ours, await first(ours, "ours"))
            await strategy.provision(other, await first(other, "other"))
            await add_toy(strategy, ours, "second")
            assert await names_of(strategy, ours) == ["ours", "second"]
            assert files(disk) == ["other.db", f"tenant_{ours.tenant_id}_1.db"]
            assert files(tmp_path / "own") == [f"tenant_{other.tenant_id}_1.db"]
            with pytest.raises(Conflict):
                await strategy.provision(ours)
            with pytest.raises(DatabaseMissing):
                await strategy.head(dataclasses.replace(ours, slug="renamed"))
            (stray,) = await strategy.strays([other.tenant_id])
            assert stray.problem.subject == f"tenant_{ours.tenant_id}_1.db"
            assert stray.home is not None
            await strategy.drop(stray.home)
            assert await strategy.strays([other.tenant_id]) == []
            assert files(disk) == ["other.db"]
            assert await names_of(strategy, other) == ["other"]

    asyncio.run(main())


def test_a_given_folder_that_is_missing_is_told_and_not_made(tmp_path: Path) -> None:
    """It may be a disk that is not there: who made it would find an empty one later."""
    ours, other = make_tenant(slug="acme"), make_tenant()
    disk = tmp_path / "mnt" / "acme"

    async def main() -> None:
        async with opened(tmp_path, given={"acme": f"sqlite:///{disk}"}) as strategy:
            for asked in (strategy.head(ours), strategy.provision(ours), strategy.size(ours)):
                with pytest.raises(DatabaseMissing):
                    await asked
            await strategy.provision(other)
            (stray,) = await strategy.strays([other.tenant_id])
            assert (stray.problem.subject, stray.home) == ("given.acme", None)
            assert not disk.exists()

    asyncio.run(main())


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "sqlite:///own?mode=ro", "sqlite://host/own"]
)
def test_what_is_no_folder_is_refused_with_what_to_write(tmp_path: Path, url: str) -> None:
    async def main() -> None:
        async with opened(tmp_path, url=url):
            pass

    with pytest.raises(ConfigurationError, match="names no folder") as caught:
        asyncio.run(main())
    assert "sqlite:///FOLDER" in caught.value.hint


@pytest.mark.parametrize("name", ["site.db", "site.sqlite3", "site"])
@pytest.mark.parametrize("setting", ["url", "given.acme"])
def test_who_names_a_file_is_told_to_name_its_folder(
    tmp_path: Path, setting: str, name: str
) -> None:
    """A tenant has two files while it moves: one name is not enough."""
    url = f"sqlite:///{name}"
    if name == "site":
        (tmp_path / name).write_bytes(b"")

    async def main() -> None:
        if setting == "url":
            async with opened(tmp_path, url=url):
                pass
        async with opened(tmp_path, given={"acme": url}):
            pass

    with pytest.raises(ConfigurationError, match=f"{re.escape(setting)} names a file") as caught:
        asyncio.run(main())
    assert "sqlite:////FOLDER" in caught.value.hint
    assert not (tmp_path / name).is_dir()
