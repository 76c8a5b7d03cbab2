"""Deployments with many tenants, kept in `bench/.fleet`.

Ten thousand take some seconds to make and 1.5 GB of disk. They are made again when the schema has
another revision or pages are rendered in another way; what was there before is removed.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import sqlite3
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from sqlalchemy import select

import mosaic_cms
from bench.deployment import Deployment, new_deployment
from bench.progress import tell
from mosaic_cms.blocks.base import TEMPLATES
from mosaic_cms.product import Product, open_product, platform_schema, tenant_schema
from mosaic_cms.scope import Actor
from mosaic_core.directory import TenantRow
from mosaic_core.head import Write
from mosaic_core.types import new_id

_FOLDER = Path(__file__).parent / ".fleet"
_ACTOR = Actor("operator", "bench")
_BATCH = 1000


def host(number: int) -> str:
    """The host of a fleet's tenant."""
    return f"{_slug(number)}.localhost"


def fleet(size: int) -> Deployment:
    """A deployment whose tenants 0 to `size` - 1 each have a published home page.

    A run that was stopped is continued.
    """
    current = _FOLDER / _made_of()
    current.mkdir(parents=True, exist_ok=True)
    for old in _FOLDER.iterdir():
        if old != current:
            shutil.rmtree(old)
    folder = current / str(size)
    there = (folder / "mosaic.toml").exists()
    deployment = Deployment(folder) if there else new_deployment(folder)

    async def fill() -> None:
        async with open_product(deployment.settings()) as product:
            await _provision(product, size)

    asyncio.run(fill())
    return deployment


def _made_of() -> str:
    """Another one with each migration, and with each byte of what pages are rendered in: a server
    that starts with other themes renders the pages of all tenants again, while it is measured."""
    made_of = hashlib.sha256()
    made_of.update(f"{platform_schema().current} {tenant_schema().history.current}".encode())
    for folder in (Path(mosaic_cms.__file__).parent / "themes", TEMPLATES):
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            made_of.update(file.read_bytes())
    return made_of.hexdigest()[:12]


async def _provision(product: Product, size: int) -> None:
    """The product makes the first tenant. The others get its file with an owner of their own, and
    rows in the directory, a thousand in one write: it would take minutes one by one."""
    directory = product.platform.directory
    if len(directory) == 0:
        scope = product.platform_scope(_ACTOR)
        command = {"slug": _slug(0), "name": "One of many"}
        await product.actions.perform("tenants.create", scope, command)
    files = product.platform.settings.data_dir / "tenants"
    made = (files / f"{directory.named(_slug(0)).tenant_id}.db").read_bytes()
    for start in range(len(directory), size, _BATCH):
        tell(f"tenant {start:,} of {size:,}")
        numbers = {new_id().hex: n for n in range(start, min(start + _BATCH, size))}
        for tenant_id in numbers:
            _copy(made, files / f"{tenant_id}.db", tenant_id)
        await directory.write(
            partial(_enter, product, numbers), actor=str(_ACTOR), action="bench.fleet"
        )


def _copy(made: bytes, file: Path, owner: str) -> None:
    file.write_bytes(made)
    connection = sqlite3.connect(file)
    try:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("UPDATE head SET owner = ?", (owner,))
        connection.commit()
    finally:
        connection.close()


async def _enter(product: Product, numbers: Mapping[str, int], write: Write) -> None:
    first = await write.session.scalar(select(TenantRow).where(TenantRow.slug == _slug(0)))
    assert first is not None
    for tenant_id, number in numbers.items():
        write.session.add(
            TenantRow(
                tenant_id=tenant_id,
                slug=_slug(number),
                name=first.name,
                tier=first.tier,
                status=first.status,
                reason="",
                epoch=first.epoch,
                database_schema=None,
                revision=product.platform.schema.history.current,
                subscription_status=first.subscription_status,
                created_at=write.at,
                changed=write.version,
            )
        )


def _slug(number: int) -> str:
    return f"tenant-{number}"
