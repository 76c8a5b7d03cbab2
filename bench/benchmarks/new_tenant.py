"""A new tenant with a published home page, beside the same empty tables made by SQLAlchemy."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import statistics
import time
from pathlib import Path

import uvloop
from sqlalchemy import create_engine, event

from bench.deployment import new_deployment, scratch
from bench.figures import Figure, Target
from bench.harness import Spread
from bench.progress import tell
from mosaic_cms.app import leave_heap_alone
from mosaic_cms.product import Product, open_product
from mosaic_cms.scope import Actor
from mosaic_core.database import TenantBase

NAMES = ("new_tenant", "new_tenant.create_all")
_ROUNDS = 5
_EACH = 20
_WARM_UP = 10
#: Seconds for the disk, after the tables of a round.
_REST = 1.0


def take() -> list[Figure]:
    with scratch() as folder:
        deployment = new_deployment(folder / "tenants")

        async def work() -> list[Figure]:
            async with open_product(deployment.settings()) as product:
                leave_heap_alone()
                return await _take(product, folder)

        return uvloop.run(work())  # as the server does


async def _take(product: Product, folder: Path) -> list[Figure]:
    ours: list[list[float]] = []
    tables: list[list[float]] = []
    for number in range(_WARM_UP):
        await _tenant(product, f"warm-{number}")
        _tables(folder / f"warm-{number}.db")
    for turn in range(_ROUNDS):
        tell(f"round {turn + 1} of {_ROUNDS}: {_EACH} new tenants")
        # Tables wait for the disk one by one, and one that was given thousands of writes in a
        # second keeps whoever comes next waiting: between two tenants nobody makes tables.
        os.sync()
        await asyncio.sleep(_REST)
        ours.append([await _tenant(product, f"tenant-{turn}-{n}") for n in range(_EACH)])
        tables.append([_tables(folder / f"{turn}-{n}.db") for n in range(_EACH)])
    note = f"{_ROUNDS * _EACH} tenants; low and high are medians of rounds"
    return [
        Figure("new_tenant", _spread(ours), "ms", Target("≤", 5), note),
        Figure("new_tenant.create_all", _spread(tables), "ms", note="the empty tables alone"),
    ]


async def _tenant(product: Product, slug: str) -> float:
    """Milliseconds for a tenant with a published home page, known to the directory and on disk."""
    scope = product.platform_scope(Actor("operator", "bench"))
    started = time.perf_counter()
    await product.actions.perform("tenants.create", scope, {"slug": slug, "name": "A new tenant"})
    return (time.perf_counter() - started) * 1e3


def _tables(file: Path) -> float:
    """Milliseconds for the same tables in a new file of SQLite's, made by SQLAlchemy."""
    started = time.perf_counter()
    engine = create_engine(
        f"sqlite:///{file}", execution_options={"schema_translate_map": {"tenant": None}}
    )
    event.listen(engine, "connect", _keep_journal)
    TenantBase.metadata.create_all(engine)
    engine.dispose()
    return (time.perf_counter() - started) * 1e3


def _keep_journal(connection: sqlite3.Connection, _: object) -> None:
    """It would be removed and made again for each table, and a file system without a journal of its
    own makes files slowly, also a tenant's, for minutes after hundreds were removed."""
    connection.execute("PRAGMA journal_mode = PERSIST")


def _spread(turns: list[list[float]]) -> Spread:
    medians = [statistics.median(turn) for turn in turns]
    everything = [value for turn in turns for value in turn]
    return Spread(statistics.median(everything), min(medians), max(medians))
