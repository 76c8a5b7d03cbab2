"""A deployment with three tiers, between which its tenants move."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select

from mosaic_cms.migrating import migrate_platform
from mosaic_cms.product import open_product, platform_schema
from mosaic_cms.web.site_app import SiteApp
from mosaic_core.database.schema import is_derived
from mosaic_core.head import TENANT
from mosaic_core.head.log import content_of, rebuild, verify
from mosaic_core.tenants import TenantContext
from tests.cms.deployment import Deployment, settings_for
from tests.platforms import Schema
from tests.postgres import PostgreSQL

TIERS = ("file", "schema", "database")


@dataclass(slots=True)
class Ground:
    """Where a test moves tenants: its settings, the same each time it is opened."""

    root: Path
    postgres: PostgreSQL
    tiers: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: One that was made before, of a tenant in a file.
    made: Path | None = None
    #: Seconds; long enough for two slow cores.
    lease: float = 15.0
    #: Where schemas are made, if elsewhere.
    url: str | None = None
    #: Where databases of tenants alone are made, if elsewhere.
    dedicated: str | None = None
    #: Databases that are there, by the slugs of who gets them.
    given: dict[str, str] = field(default_factory=dict)
    #: Other plugins, and tables of their settings.
    plugins: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: Where the platform database is, unless in a file.
    platform: Schema | None = None
    prefix: str = field(default_factory=lambda: f"m{secrets.token_hex(5)}")

    def tables(self) -> dict[str, dict[str, Any]]:
        url = self.postgres.url()
        return {
            "platform": {
                "plugins": (
                    "host_resolvers",
                    "tenancy_sqlite",
                    "tenancy_sqlschema",
                    "tenancy_dedicated",
                    "storage_local",
                    *self.plugins,
                ),
                "lease": self.lease,
            },
            "plugins": {
                "tenancy_sqlschema": {"url": self.url or url, "prefix": self.prefix},
                "tenancy_dedicated": {
                    "url": self.dedicated or url,
                    "prefix": self.prefix,
                    "given": self.given,
                },
                **self.plugins,
            },
            "tiers": {
                name: {"persistence": strategy, "storage": "storage_local"}
                for name, strategy in (
                    ("file", "tenancy_sqlite"),
                    ("other", "tenancy_sqlite"),
                    ("schema", "tenancy_sqlschema"),
                    ("database", "tenancy_dedicated"),
                )
            }
            | self.tiers,
            **({} if self.platform is None else self.platform.settings),
        }

    @asynccontextmanager
    async def opened(self, **platform: Any) -> AsyncIterator[Deployment]:
        tables = self.tables()
        tables["platform"] |= platform
        selected = tables["platform"]["plugins"]
        tables["plugins"] = {n: given for n, given in tables["plugins"].items() if n in selected}
        async with open_product(settings_for(self.root, **tables)) as product:
            deployment = Deployment(product, SiteApp(product))
            async with deployment.client:
                yield deployment

    def configuration(self) -> Path:
        """The same as a file, for commands."""
        path = self.root / "mosaic.toml"
        lines = ["[platform]", 'domain = "mosaic.test"']
        tables = self.tables()
        lines += [f"{key} = {_toml(value)}" for key, value in tables["platform"].items()]
        for group in ("plugins", "tiers"):
            for name, given in tables[group].items():
                lines.append(f"[{group}.{name}]")
                lines += [f"{key} = {_toml(value)}" for key, value in given.items()]
        path.write_text("\n".join(lines))
        return path

    async def make(self, tier: str = "file") -> None:
        """A tenant with a few pages, one of them a draft, and a redirect."""
        if tier == "file" and self.made is not None:
            shutil.copytree(self.made, self.root)
            if self.platform is not None:
                self.platform.take(self.root / "data" / "platform.db", platform_schema())
            return
        await migrate_platform(settings_for(self.root, **self.tables()))
        async with self.opened() as deployment:
            await deployment.rule("tenants.create", slug="aurora", name="Aurora", tier=tier)
            await fill(deployment)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + "}"
    return json.dumps(list(value) if isinstance(value, tuple) else value)


async def fill(deployment: Deployment) -> None:
    await deployment.add("/top/", body="Younger than what will be below it.\n")
    await deployment.add("/deep/", body="# Tiles \U0001f40d and *more*.\n")
    await deployment.add("/deep/a/", body="See [the top](/top/).\n")
    await deployment.do("pages.edit", path="/deep/", title="Not shown yet")
    await deployment.do("redirects.set", source="/old/", target="/deep/")


def tenant_of(deployment: Deployment) -> TenantContext:
    return deployment.scope("aurora").tenant


async def everything(deployment: Deployment, tenant: TenantContext) -> dict[str, Any]:
    """All rows of a home by their tables, in the order of their keys, and what its head says; its
    log is whole, and says what is there."""
    platform = deployment.product.platform
    metadata = platform.schema.metadata
    async with platform.persistence(tenant).session(tenant) as session:
        await verify(session, TENANT)
        assert await rebuild(session, TENANT) == await content_of(session, metadata)
        found: dict[str, Any] = {}
        for table in metadata.sorted_tables:
            if table.name != "head":
                rows = await session.execute(select(table).order_by(*table.primary_key.columns))
                found[table.name] = [dict(row) for row in rows.mappings()]
        head = (await session.execute(select(TENANT.head))).mappings().one()
        names = ("owner", "version", "published", "digest", "base_version")
        found["head"] = {name: head[name] for name in names}
        assert any(is_derived(table) and found[table.name] for table in metadata.sorted_tables)
        return found


async def move(deployment: Deployment, tier: str) -> Any:
    """Moves the tenant in this process."""
    tenant = tenant_of(deployment)
    return await deployment.product.platform.moving.move(tenant, tier, actor="operator")
