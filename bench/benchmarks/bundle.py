"""A tenant into a bundle and out of it, beside what SQLite's own dump of the same rows takes."""

from __future__ import annotations

import asyncio
import sqlite3
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.deployment import new_deployment, scratch
from bench.figures import Figure
from bench.harness import Spread
from bench.progress import tell
from mosaic_cms.product import Product, open_product
from mosaic_cms.scope import Actor
from mosaic_core import bundle
from mosaic_core.bundle.form import MANIFEST, Manifest, rows_name
from mosaic_core.bundle.writing import BundleWriter
from mosaic_core.head import chain
from mosaic_core.head.tables import GENESIS, TENANT
from mosaic_core.tenants import TenantContext
from mosaic_core.types import canonical_json, new_id

NAMES = ("bundle_export", "bundle_import", "bundle_dump")
_ROUNDS, _PAGES, _PART = 5, 5_000, 500
_TEXT = "The kiln is opened on the third day, when a hand can stay on its door. " * 40


def take() -> list[Figure]:
    with scratch() as folder:
        deployment = new_deployment(folder / "bundles")

        async def work() -> list[Figure]:
            async with open_product(deployment.settings()) as product:
                return await _take(product, folder)

        return asyncio.run(work())


async def _take(product: Product, folder: Path) -> list[Figure]:
    actor = Actor("operator", "bench")
    given = {"slug": "small", "name": "A workshop", "tier": "free"}
    await product.actions.perform("tenants.create", product.platform_scope(actor), given)
    small, large = folder / "small.mosaic", folder / "large.mosaic"
    scope = product.scope(product.platform.directory.named("small"), actor)
    await product.actions.perform("tenants.export", scope, {"file": small})
    tell(f"{_PAGES:,} pages with their changes")
    size = await asyncio.to_thread(_grow, small, large)
    taken: dict[str, list[float]] = {name: [] for name in NAMES}
    for turn in range(_ROUNDS):
        tell(f"round {turn + 1} of {_ROUNDS}")
        tenant = new_id().hex
        target = bundle.Target(
            tenant=TenantContext(tenant, f"large-{turn}", "Large", "free"),
            persistence=product.platform.persistence(scope.tenant),
            storage=product.platform.storage(scope.tenant),
            schema=product.platform.schema,
            scratch=folder / "scratch",
            require=_nobody_else,
        )
        started = time.perf_counter()
        await bundle.load(target, large, progress=_unseen)
        taken["bundle_import"].append(size / (time.perf_counter() - started))
        source = bundle.Source(
            target.tenant,
            target.persistence,
            target.storage,
            target.schema,
            "bench",
            lambda key: False,
        )
        started = time.perf_counter()
        await bundle.export(source, folder / "again.mosaic", force=True, progress=_unseen)
        taken["bundle_export"].append(size / (time.perf_counter() - started))
        (file,) = product.platform.settings.data_dir.rglob(f"{tenant}.db")
        started = time.perf_counter()
        await asyncio.to_thread(_dump, file, folder / "dump.sql")
        taken["bundle_dump"].append(size / (time.perf_counter() - started))
        await target.persistence.drop(target.tenant)
    note = f"{_PAGES:,} pages and their changes, {size:.0f} MB of rows as JSON lines"
    beside = "SQLite's own dump of the same file, by Python's iterdump"
    return [
        Figure(name, Spread.of(taken[name]), "MB/s", note=beside if "dump" in name else note)
        for name in NAMES
    ]


def _grow(small: Path, large: Path) -> float:
    """A bundle with many pages made of one with a single page; megabytes of its rows."""
    with bundle.open_bundle(small) as opened:
        rows = {m.table: m.rows() for m in opened.members() if m.table is not None}
        facts = opened.manifest
    pages: list[dict[str, Any]] = []
    log: list[dict[str, Any]] = []
    value, at = GENESIS, datetime.now(UTC)
    (first,) = rows["pages"]
    changes = [chain.Change(chain.INSERT, "sites", row["id"], row) for row in rows["sites"]]
    for number in range(_PAGES):
        path = "/" if number == 0 else f"/page-{number}/"
        page: dict[str, Any] = first | {
            "id": str(new_id()),
            "path": path,
            "slug": path.strip("/"),
            "parent_id": None if number == 0 else pages[0]["id"],
            "title": f"Page {number}",
            "live_version_id": None,
            "version_count": 0,
            "translation_id": str(new_id()),
            "regions": {"main": [_block(number)]},
        }
        pages.append(page)
        changes.append(chain.Change(chain.INSERT, "pages", str(page["id"]), page))
        info = chain.WriteInfo(uuid.uuid4(), number + 1, at, "operator:bench", "pages.create")
        log += chain.rows(info, changes, value)
        value, changes = log[-1]["chain"], []
    head = facts.head.model_copy(update={"version": _PAGES, "digest": value.hex()})
    tables = {"sites": rows["sites"], "pages": pages, "changes": [_images(row) for row in log]}
    manifest = Manifest(**{**facts.model_dump(), "bundle_id": new_id(), "head": head.model_dump()})
    total = 0
    with large.open("wb") as file:
        writer = BundleWriter(file)
        writer.add(MANIFEST, manifest.model_dump_json().encode())
        for name in (*facts.tables, "changes"):
            some = tables.get(name, [])
            for start in range(0, len(some), _PART):
                lines = "".join(f"{canonical_json(x)}\n" for x in some[start : start + _PART])
                total += len(lines)
                writer.add_rows(rows_name(name, start // _PART + 1), lines.encode())
        counts = {name: len(tables.get(name, [])) for name in facts.tables}
        writer.seal(counts, len(log), 0, 0)
    return total / 1e6


def _block(number: int) -> dict[str, Any]:
    text = f"{_TEXT}{number}"
    return {"id": "b0", "type": "markdown", "version": 1, "data": {"text": text}}


def _images(row: dict[str, Any]) -> dict[str, Any]:
    columns = TENANT.changes.columns
    return {c.name: c.type.to_image(row[c.name]) for c in columns}  # type: ignore[attr-defined]


def _dump(file: Path, target: Path) -> None:
    connection = sqlite3.connect(file)
    try:
        with target.open("w", encoding="utf-8") as out:
            for line in connection.iterdump():
                out.write(f"{line}\n")
    finally:
        connection.close()


async def _nobody_else() -> None:
    """Nobody else imports it."""


def _unseen(what: str, done: int, of: int) -> None:
    """Nobody looks."""
