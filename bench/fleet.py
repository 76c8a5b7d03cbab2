"""Deployments with many tenants, provisioned by the product and kept in `bench/.fleet`.

Ten thousand take about a minute to make and 1.5 GB of disk. They are made again when the schema
has another revision; what was there before is removed.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from pathlib import Path

from bench.deployment import Deployment, new_deployment
from bench.progress import tell
from mosaic_cms.product import Product, open_product, tenant_schema
from mosaic_cms.scope import Actor
from mosaic_core.platform import platform_history

_FOLDER = Path(__file__).parent / ".fleet"


def host(number: int) -> str:
    """The host of a fleet's tenant."""
    return f"{_slug(number)}.localhost"


def fleet(size: int) -> Deployment:
    """A deployment whose tenants 0 to `size` - 1 each have a published home page.

    A run that was stopped is continued.
    """
    revisions = f"{platform_history().current} {tenant_schema().history.current}"
    current = _FOLDER / hashlib.sha256(revisions.encode()).hexdigest()[:12]
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


async def _provision(product: Product, size: int) -> None:
    scope = product.platform_scope(Actor("operator", "bench"))
    for number in range(len(product.platform.directory), size):
        if number % 1000 == 0:
            tell(f"tenant {number:,} of {size:,}")
        command = {"slug": _slug(number), "name": f"Tenant {number}"}
        await product.actions.perform("tenants.create", scope, command)


def _slug(number: int) -> str:
    return f"tenant-{number}"
