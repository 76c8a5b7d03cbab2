"""A fleet's migration is killed at every step: the next one goes on, and every tenant is whole."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from mosaic_core.directory import Directory
from mosaic_core.fleet import migrate_fleet
from mosaic_core.head import PLATFORM, TENANT
from mosaic_core.head.log import verify
from tests.core.test_fleet import NEW, Ground, fleet
from tests.killing import nursery
from tests.platforms import File

SIZE = 3


def _ground(root: Path) -> Ground:
    return Ground(root, File(root))


async def migrate(root: Path) -> None:
    """What is killed."""
    async with fleet(_ground(root), lease=2.0) as platform:

        async def one(tenant: object, revision: str) -> None:
            await platform.migrate(tenant, actor="tester")  # type: ignore[arg-type]

        done = await migrate_fleet(platform, one, actor="tester", progress=lambda *_: None)
        assert done.whole


async def goes_on(root: Path) -> None:
    await migrate(root)
    async with fleet(_ground(root), lease=2.0) as platform:
        found = await platform.directory.revisions()
        assert {revision for _, revision in found} == {NEW}
        for tenant, _ in found:
            persistence = platform.persistence(tenant)
            assert await persistence.revision(tenant) == NEW
            assert await persistence.check(tenant) == []
            async with persistence.session(tenant) as session:
                assert await verify(session, TENANT) == 1  # it was migrated once
            assert await platform.directory.leases.of(tenant.tenant_id) is None
        await _whole(platform.directory)


async def _whole(directory: Directory) -> None:
    async with directory.database.session() as session:
        await verify(session, PLATFORM)


@pytest.mark.parametrize(
    "at",
    [
        pytest.param((7, 9), id="some"),
        pytest.param(None, id="all", marks=pytest.mark.campaign),
    ],
)
@pytest.mark.timeout(3600)
def test_a_killed_migration_is_gone_on_with(tmp_path: Path, at: tuple[int, ...] | None) -> None:
    made, root = tmp_path / "made", tmp_path / "fleet"

    async def make() -> None:
        async with fleet(_ground(made), SIZE):
            pass

    def fresh() -> Path:
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(made, root)
        return root

    asyncio.run(make())
    with nursery(__name__, "migrate") as processes:
        for folder in processes.kills(fresh, at):
            asyncio.run(goes_on(folder))
