"""The whole product over PostgreSQL: a tenant of a tier on schemas beside one on a file."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mosaic_cms.migrating import migrate_platform
from mosaic_cms.product import open_product
from mosaic_cms.web.site_app import SiteApp
from mosaic_core.head import TENANT
from mosaic_core.head.log import content_of, rebuild, verify
from mosaic_core.settings import Settings
from tests.cms.deployment import Deployment, settings_for
from tests.postgres import PostgreSQL


def _settings(root: Path, postgres: PostgreSQL) -> Settings:
    named = ("host_resolvers", "tenancy_sqlite", "tenancy_sqlschema", "storage_local")
    tables: dict[str, dict[str, Any]] = {
        "platform": {"plugins": named},
        "plugins": {
            "tenancy_sqlschema": {"url": postgres.url(), "prefix": f"p{secrets.token_hex(5)}"}
        },
        "tiers": {
            "open": {"persistence": "tenancy_sqlite", "storage": "storage_local"},
            "paid": {"persistence": "tenancy_sqlschema", "storage": "storage_local"},
        },
    }
    return settings_for(root, **tables)


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Deployment]:
    async with open_product(settings) as product:
        deployment = Deployment(product, SiteApp(product))
        async with deployment.client:
            yield deployment


def test_a_site_on_a_schema_is_made_published_searched_and_seen(
    tmp_path: Path, postgres: PostgreSQL
) -> None:
    settings = _settings(tmp_path, postgres)

    async def main() -> None:
        await migrate_platform(settings)
        async with _opened(settings) as deployment:
            for slug, tier in (("aurora", "paid"), ("bread", "open")):
                await deployment.rule("tenants.create", slug=slug, name=slug.title(), tier=tier)
                text = f"The **tulips** of {slug}."
                await deployment.do("pages.edit", slug, path="/", body=text)
                await deployment.do("pages.publish", slug, path="/")
                await deployment.add("/garden/", slug, body=f"A garden of {slug}.")
            for slug, other in (("aurora", "bread"), ("bread", "aurora")):
                host = f"{slug}.mosaic.test"
                home = await deployment.get("/", host)
                assert home.status_code == 200
                assert f"<strong>tulips</strong> of {slug}." in home.text
                assert f"A garden of {slug}." in (await deployment.get("/garden/", host)).text
                found = await deployment.get("/search/?q=gardn", host)
                assert found.status_code == 200
                assert "/garden/" in found.text
                assert f"garden of {other}" not in found.text
            await deployment.do("pages.edit", path="/garden/", body="Now it is a meadow.")
            await deployment.do("pages.publish", path="/garden/")
            assert "Now it is a meadow." in (await deployment.get("/garden/")).text
            assert (await deployment.get("/search/?q=meadow")).text.count("/garden/") >= 1
        async with _opened(settings) as again:
            assert "Now it is a meadow." in (await again.get("/garden/")).text
            tenant = again.product.platform.directory.named("aurora")
            strategy = again.product.platform.persistence(tenant)
            assert await strategy.check(tenant) == []
            assert await strategy.strays([tenant.tenant_id]) == []

    asyncio.run(main())


def test_a_bundle_of_one_tier_becomes_the_same_tenant_on_another(
    tmp_path: Path, postgres: PostgreSQL
) -> None:
    settings = _settings(tmp_path, postgres)
    made = {"paid": ("aurora", "open"), "open": ("bread", "paid")}

    async def content(deployment: Deployment, slug: str) -> tuple[Any, Any]:
        """What the tables hold, and what the log says that they hold."""
        tenant = deployment.scope(slug).tenant
        persistence = deployment.product.platform.persistence(tenant)
        async with persistence.session(tenant) as session:
            await verify(session, TENANT)
            metadata = deployment.product.platform.schema.metadata
            rows = await content_of(session, metadata)
            return rows, await rebuild(session, TENANT)

    async def main() -> None:
        await migrate_platform(settings)
        async with _opened(settings) as deployment:
            for tier, (slug, other) in made.items():
                await deployment.rule("tenants.create", slug=slug, name=slug.title(), tier=tier)
                for path in ("/garden/", "/garden/tulips/"):
                    body = f"# {path}\n\nTiles \U0001f40d of {slug}."
                    await deployment.add(path, slug, body=body)
                file = tmp_path / f"{slug}.mosaic"
                await deployment.do("tenants.export", slug, file=file)
                await deployment.rule("tenants.import", file=file, slug=f"{slug}-2", tier=other)
                before, after = [await content(deployment, s) for s in (slug, f"{slug}-2")]
                assert before[0] == after[0]
                assert all(rows == rebuilt for rows, rebuilt in (before, after))
                assert len(before[0]["pages"]) == 3

    asyncio.run(main())
