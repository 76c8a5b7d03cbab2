"""`mosaic migrate`, as far as the product has to do with it."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from mosaic_cms.cli import health
from mosaic_cms.migrating import Migrated, migrate_tenants
from mosaic_core.errors import DatabaseNewer, RolloutPaused
from mosaic_core.head import TENANT
from mosaic_core.head.log import content_of, in_shape, rebuild
from tests.cms.deployment import OPERATOR, Deployment, Deployments, opened, settings_for


def migrated(root: Path, **options: bool) -> Migrated:
    return asyncio.run(migrate_tenants(settings_for(root), _unseen, OPERATOR, **options))


def _unseen(what: str, done: int, of: int) -> None:
    """Nobody looks."""


async def noted(deployment: Deployment, slug: str, revision: str) -> None:
    """Has the directory think that a tenant is at a revision."""
    directory = deployment.product.platform.directory
    tenant_id = directory.named(slug).tenant_id
    await directory.change(tenant_id, actor="t", action="t", revision=revision)


def in_deployment(root: Path, work: Any) -> Any:
    async def main() -> Any:
        async with opened(root) as deployment:
            return await work(deployment)

    return asyncio.run(main())


def test_with_nothing_to_do_nothing_is_opened(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any) -> None:
        raise AssertionError("it is one query")

    root = deployments.copy()
    monkeypatch.setattr("mosaic_cms.migrating.open_product", refuse)
    done = migrated(root)
    assert (done["migrated"], done["failed"], done["waiting"]) == ([], {}, 0)


def test_a_tenant_that_fails_pauses_it_and_the_others_come_first_then(
    deployments: Deployments,
) -> None:
    root = deployments.copy()

    async def prepare(deployment: Deployment) -> Path:
        for slug in ("aurora", "bread", "steel"):
            await noted(deployment, slug, "c0004,k0002")
        tenant = deployment.product.platform.directory.named("steel")
        await deployment.rule("tenants.suspend", slug="bread")
        return deployment.product.platform.settings.data_dir / "tenants" / f"{tenant.tenant_id}.db"

    file = in_deployment(root, prepare)
    aside = file.rename(file.with_suffix(".aside"))
    done = migrated(root)  # the youngest tenant is the canary
    assert list(done["failed"]) == ["steel"]
    assert (done["wave"], done["waiting"]) == ("canaries", 2)
    with pytest.raises(RolloutPaused, match="steel: "):
        migrated(root)
    done = migrated(root, resume=True)
    assert sorted(done["migrated"]) == ["aurora", "bread"]
    assert done["unrendered"] == ["bread"]
    assert (list(done["failed"]), done["waiting"]) == (["steel"], 0)
    aside.rename(file)
    assert migrated(root, resume=True)["migrated"] == ["steel"]
    assert migrated(root)["migrated"] == []


def test_what_was_noted_wrong_is_put_right(deployments: Deployments) -> None:
    root = deployments.copy()

    async def forget(deployment: Deployment) -> None:
        await noted(deployment, "bread", "c0001")

    in_deployment(root, forget)
    done = migrated(root, verify=True)
    assert done["corrected"] == [f"bread is at {current(root)}; c0001 was noted."]
    assert done["migrated"] == []
    assert migrated(root, verify=True)["corrected"] == []


def current(root: Path) -> str:
    async def read(deployment: Deployment) -> str:
        return deployment.product.platform.schema.history.current

    return str(in_deployment(root, read))


def test_a_tenant_that_is_ahead_is_served_and_not_exported(
    deployments: Deployments, tmp_path: Path
) -> None:
    root = deployments.copy()

    async def file_of(deployment: Deployment) -> Path:
        tenant = deployment.product.platform.directory.named("aurora")
        return deployment.product.platform.settings.data_dir / "tenants" / f"{tenant.tenant_id}.db"

    connection = sqlite3.connect(in_deployment(root, file_of))
    with connection:  # what an expanding migration of the next release does
        connection.execute("ALTER TABLE pages ADD COLUMN mood TEXT")
        connection.execute(
            "UPDATE alembic_version SET version_num = 'c9999' WHERE version_num LIKE 'c%'"
        )
        connection.execute("INSERT INTO migrations VALUES ('c9999', 0)")
    connection.close()

    async def look(deployment: Deployment) -> None:
        assert (await deployment.get("/visit/")).status_code == 200
        await deployment.do("pages.edit", path="/visit/", title="Written by older code")
        await deployment.do("pages.publish", path="/visit/")
        assert "Written by older code" in (await deployment.get("/visit/")).text
        with pytest.raises(DatabaseNewer, match="newer MOSAIC"):
            await deployment.do("tenants.export", file=tmp_path / "x.mosaic")
        tenant = deployment.product.platform.directory.named("aurora")
        assert await health._examine_tenant(deployment.product, tenant) == []
        async with deployment.scope().read() as session:
            metadata = deployment.product.platform.schema.metadata
            logged = in_shape(await rebuild(session, TENANT), metadata)
            assert logged == await content_of(session, metadata)

    in_deployment(root, look)
