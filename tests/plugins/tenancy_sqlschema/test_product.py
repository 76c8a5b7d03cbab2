"""The whole product over PostgreSQL: a tenant of a tier on schemas beside one on a file."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mosaic_cms.cli.deployment import migrate_platform
from mosaic_cms.product import open_product
from mosaic_cms.web.site_app import SiteApp
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
