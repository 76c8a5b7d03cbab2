"""A fleet brought to a new revision: with nothing to do, and with one column more; and making the
tenant of a shared database."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from bench.deployment import MOSAIC, Deployment, new_deployment, scratch
from bench.figures import Figure, Target
from bench.fleet import fleet
from bench.harness import Spread
from bench.progress import tell
from mosaic_cms.migrating import migrate_platform, migrate_tenants
from mosaic_cms.product import open_product, platform_schema, tenant_schema
from mosaic_cms.scope import Actor
from mosaic_core.database import History, TenantSchema
from mosaic_core.fleet import migrate_fleet
from mosaic_core.opening import open_platform
from mosaic_core.platform import Platform
from mosaic_core.settings import Settings
from mosaic_core.tenants import TenantContext

NAMES = ("migrate_nothing", "migrate_column", "provision_schema")
_ROUNDS = 5
_ACTOR = Actor("operator", "bench")
_MANY, _FILES, _SCHEMAS = 10_000, 1_000, 200
_COLUMN = '''
"""One column more."""

import sqlalchemy as sa
from alembic import op

from mosaic_core import types

revision = "bench1"
down_revision = "{after}"
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    op.add_column("pages", sa.Column("bench", types.Text(20)), schema="tenant")
'''


def take() -> list[Figure]:
    with scratch() as folder:
        figures = [*_nothing(), _files(folder)]
        with _server() as url:
            figures += asyncio.run(_schemas(folder, url))
        return figures


def _nothing() -> Iterator[Figure]:
    deployment = fleet(_MANY)
    settings = deployment.settings()
    seconds: dict[bool, list[float]] = {False: [], True: []}
    whole: list[float] = []
    for turn in range(_ROUNDS):
        tell(f"round {turn + 1} of {_ROUNDS}: nothing to do")
        for verify, taken in seconds.items():
            started = time.perf_counter()
            asyncio.run(_migrated(settings, verify=verify))
            taken.append(time.perf_counter() - started)
        started = time.perf_counter()
        subprocess.run(
            [MOSAIC, "-c", str(deployment.folder), "migrate", "--json"],
            check=True,
            capture_output=True,
        )
        whole.append(time.perf_counter() - started)
    note = f"{_MANY:,} SQLite tenants"
    yield Figure("migrate_nothing", Spread.of(seconds[False]), "s", Target("<", 0.2), note)
    every = f"{note}, each asked for its own revision"
    yield Figure("migrate_nothing.verify", Spread.of(seconds[True]), "s", note=every)
    yield Figure("migrate_nothing.command", Spread.of(whole), "s", note=f"{note}; with the start")


async def _migrated(settings: Settings, *, verify: bool) -> None:
    await migrate_platform(settings)
    done = await migrate_tenants(settings, _unseen, _ACTOR, verify=verify)
    assert done["migrated"] == done["corrected"] == []


def _files(folder: Path) -> Figure:
    made = fleet(_FILES)
    rates = []
    for turn in range(_ROUNDS):
        tell(f"round {turn + 1} of {_ROUNDS}: {_FILES:,} files")
        copy = Deployment(folder / "files")
        shutil.copytree(made.folder, copy.folder)
        rates.append(_FILES / asyncio.run(_one_column(copy.settings(), folder)))
        shutil.rmtree(copy.folder)
    return Figure("migrate_column", Spread.of(rates), "tenants/s", note=f"{_FILES:,} SQLite files")


async def _schemas(folder: Path, url: str) -> list[Figure]:
    milliseconds: list[float] = []
    rates = []
    for turn in range(_ROUNDS):
        tell(f"round {turn + 1} of {_ROUNDS}: {_SCHEMAS:,} schemas")
        settings = _on_the_server(folder / f"schemas-{turn}", url, prefix=f"bench{turn}")
        async with open_product(settings) as product:
            scope = product.platform_scope(_ACTOR)
            for number in range(_SCHEMAS):
                given = {"slug": f"tenant-{number}", "name": "One of many"}
                started = time.perf_counter()
                await product.actions.perform("tenants.create", scope, given)
                milliseconds.append((time.perf_counter() - started) * 1e3)
        rates.append(_SCHEMAS / await _one_column(settings, folder))
    note = f"{_SCHEMAS:,} PostgreSQL schemas"
    return [
        Figure("migrate_column.schemas", Spread.of(rates), "tenants/s", note=note),
        Figure(
            "provision_schema",
            Spread.of(milliseconds),
            "ms",
            Target("<", 150),
            "a tenant with a published home page, in a schema on PostgreSQL; low and high of all",
        ),
    ]


def _on_the_server(folder: Path, url: str, *, prefix: str) -> Settings:
    """A deployment whose tenants are schemas of a PostgreSQL database."""
    new_deployment(folder)
    (folder / "mosaic.toml").write_text(
        f"""
[platform]
plugins = ["host_resolvers", "tenancy_sqlschema", "storage_local"]
default_tier = "shared"

[tiers.shared]
persistence = "tenancy_sqlschema"
storage = "storage_local"

[plugins.tenancy_sqlschema]
url = "{url}"
prefix = "{prefix}"
""",
        "utf-8",
    )
    return Deployment(folder).settings()


async def _one_column(settings: Settings, folder: Path) -> float:
    """Seconds in which all tenants get one column more."""
    async with _ahead(settings, folder) as platform:

        async def one(tenant: TenantContext, revision: str) -> None:
            await platform.migrate(tenant, actor=str(_ACTOR))

        started = time.perf_counter()
        done = await migrate_fleet(platform, one, actor=str(_ACTOR), progress=_unseen)
        taken = time.perf_counter() - started
        assert done.whole
        assert len(done.migrated) == len(platform.directory)
        return taken


@asynccontextmanager
async def _ahead(settings: Settings, folder: Path) -> AsyncIterator[Platform]:
    """The platform of code that is one migration further on."""
    schema = tenant_schema()
    later = folder / "later"
    later.mkdir(exist_ok=True)
    (after,) = (name for name in schema.history.current.split(",") if name.startswith("c"))
    (later / "bench1_column.py").write_text(_COLUMN.format(after=after), "utf-8")
    history = History("tenant", [*schema.history.folders, later])
    ahead = TenantSchema(schema.metadata, history)
    async with open_platform(settings, ahead, history=platform_schema()) as platform:
        yield platform


@contextmanager
def _server() -> Iterator[str]:
    """A PostgreSQL server of its own; its URL."""
    from tests.postgres import running

    with running() as server:
        yield server.url()


def _unseen(what: str, done: int, of: int) -> None:
    """Nobody looks."""
