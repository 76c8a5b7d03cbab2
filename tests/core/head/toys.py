"""A toy tenant: tables of its own metadata, its migrations, and ways to open, write and read it."""

from __future__ import annotations

import gc
import os
import threading
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from mosaic_tenancy_sqlite.naming import FileNames
from pydantic import ByteSize
from sqlalchemy import Column, ForeignKey, MetaData, UniqueConstraint, select
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    make_transient,
    mapped_column,
    registry,
    relationship,
)

from mosaic_core import types
from mosaic_core.database import History, TenantBase, TenantSchema, derived
from mosaic_core.database.schema import fill, tenant_metadata
from mosaic_core.file_databases import FileDatabases, FileOptions
from mosaic_core.head import TENANT, HeadTables, Write, Writer
from mosaic_core.head import log as change_log
from mosaic_core.platform import TENANT_MIGRATIONS
from mosaic_core.tenants import Limits, TenantContext, Tier
from mosaic_core.types import new_id

MIGRATIONS = Path(__file__).parent / "migrations"


class ToyBase(DeclarativeBase):
    registry = registry(metadata=tenant_metadata(), constructor=fill)


HeadTables(ToyBase.metadata)


class Box(ToyBase):
    __tablename__ = "boxes"
    __table_args__ = ({"sqlite_strict": True},)

    id: Mapped[str] = mapped_column(types.Text(40), primary_key=True)
    label: Mapped[str | None] = mapped_column(types.Text(100))
    note: Mapped[Any] = mapped_column(types.Json(), nullable=True)
    weight: Mapped[Decimal | None] = mapped_column(types.Exact(12, 4))
    count: Mapped[int] = mapped_column(types.Integer(), default=0)
    sealed: Mapped[bool] = mapped_column(types.Boolean(), default=False)
    packed_at: Mapped[datetime | None] = mapped_column(types.UTCDateTime())
    picture: Mapped[bytes | None] = mapped_column(types.Bytes())
    things: Mapped[list[Thing]] = relationship(
        back_populates="box", cascade="all, delete-orphan", order_by="Thing.name"
    )


class Thing(ToyBase):
    __tablename__ = "things"
    __table_args__ = (UniqueConstraint("name"), {"sqlite_strict": True})

    id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True, default=new_id)
    box_id: Mapped[str] = mapped_column(types.Text(40), ForeignKey("tenant.boxes.id"), index=True)
    name: Mapped[str] = mapped_column(types.Text(100))
    box: Mapped[Box] = relationship(back_populates="things")


class Pair(ToyBase):
    __tablename__ = "pairs"
    __table_args__ = ({"sqlite_strict": True},)

    left: Mapped[str] = mapped_column(types.Text(40), primary_key=True)
    right: Mapped[int] = mapped_column(types.Integer(), primary_key=True, autoincrement=False)
    value: Mapped[str] = mapped_column(types.Text())


class Shown(ToyBase):
    """Derived, and what visitors see."""

    __tablename__ = "shown"
    __table_args__ = ({"sqlite_strict": True, "info": derived(publishes=True)},)

    path: Mapped[str] = mapped_column(types.Text(100), primary_key=True)
    text: Mapped[str] = mapped_column(types.Text())


class Word(ToyBase):
    """Derived, and nothing that visitors see."""

    __tablename__ = "words"
    __table_args__ = ({"sqlite_strict": True, "info": derived()},)

    word: Mapped[str] = mapped_column(types.Text(100), primary_key=True)
    n: Mapped[int] = mapped_column(types.Integer())


def toy_schema(*, second: bool = False) -> TenantSchema:
    """The toys; with ``second``, as the next release has them: boxes have a shade."""
    folders = [TENANT_MIGRATIONS, MIGRATIONS / "first"]
    if not second:
        return TenantSchema(ToyBase.metadata, History("tenant", folders))
    metadata = MetaData(schema="tenant", naming_convention=TenantBase.metadata.naming_convention)
    for table in ToyBase.metadata.sorted_tables:
        table.to_metadata(metadata)
    metadata.tables["tenant.boxes"].append_column(Column("shade", types.Text(20)))
    return TenantSchema(metadata, History("tenant", [*folders, MIGRATIONS / "second"]))


def toy_tenant(number: int = 1, *, epoch: int = 1) -> TenantContext:
    return TenantContext(f"{number:032x}", f"toy-{number}", "Toys", "free", epoch=epoch)


@asynccontextmanager
async def opened(
    folder: Path,
    *,
    schema: TenantSchema | None = None,
    limit: int = 100_000_000,
    reserve: int = 8_000_000,
    **settings: Any,
) -> AsyncIterator[FileDatabases]:
    tier = Tier(persistence="tenancy_sqlite", storage="-", limits=Limits(database=ByteSize(limit)))
    (folder / "tenants").mkdir(parents=True, exist_ok=True)
    files = await FileDatabases.open(
        folder / "tenants",
        FileNames(),
        schema or toy_schema(),
        {"free": tier},
        templates=folder / "templates",
        options=FileOptions(reserve=reserve, **settings),
    )
    try:
        yield files
    finally:
        await files.close()


@asynccontextmanager
async def toy(folder: Path, **settings: Any) -> AsyncIterator[Toys]:
    """One toy tenant, provisioned when it is not there yet."""
    async with opened(folder, **settings) as files:
        toys = Toys(files, toy_tenant())
        if not toys.path.exists():
            await files.provision(toys.tenant)
        yield toys


class Toys:
    """A tenant with its writer."""

    def __init__(self, files: FileDatabases, tenant: TenantContext, **writer: Any) -> None:
        self.files = files
        self.tenant = tenant
        self.path: Path = files._path(tenant)
        self.writer = Writer(TENANT, tenant.tenant_id, partial(files.exclusive, tenant), **writer)

    async def write(
        self, fn: Any, *, actor: str = "tester", action: str = "test", **kw: Any
    ) -> Any:
        return await self.writer.write(fn, actor=actor, action=action, **kw)

    async def add(self, *rows: Any, **kw: Any) -> int:
        """Adds rows and returns the version."""

        async def fn(write: Write) -> int:
            for row in rows:
                make_transient(row)  # as it was before an earlier try
            write.session.add_all(rows)
            return write.version

        return int(await self.write(fn, **kw))

    async def count_up(self, box: str = "counter") -> int:
        """Reads, waits and writes: what goes wrong when two writes overlap."""

        async def fn(write: Write) -> int:
            row = await write.session.get(Box, box)
            if row is None:
                row = Box(id=box, count=0)
                write.session.add(row)
            row.count += 1
            return row.count

        return int(await self.write(fn))

    async def get(self, kind: Any, key: Any) -> Any:
        async with self.files.session(self.tenant) as session:
            return await session.get(kind, key)

    async def head(self) -> Any:
        return await self.files.head(self.tenant)

    async def verify(self) -> int:
        async with self.files.session(self.tenant) as session:
            return await change_log.verify(session, TENANT)

    async def rebuilt(self, version: int | None = None) -> change_log.Content:
        async with self.files.session(self.tenant) as session:
            return await change_log.rebuild(session, TENANT, version)

    async def content(self, metadata: MetaData = ToyBase.metadata) -> change_log.Content:
        async with self.files.session(self.tenant) as session:
            return await change_log.content_of(session, metadata)

    async def log(self) -> list[Any]:
        """The change log's rows, oldest first."""
        changes = TENANT.changes
        async with self.files.session(self.tenant) as session:
            rows = await session.execute(select(changes).order_by(changes.c.version, changes.c.seq))
            return list(rows)

    async def whole(self) -> int:
        """The number of changes, once the log is found intact and to tell what the tables hold."""
        changes = await self.verify()
        assert await self.rebuilt() == await self.content()
        versions = [row.version for row in await self.log()]
        assert sorted(set(versions)) == list(range(1, (await self.head()).version + 1))
        return changes


def a_box(name: str = "a", **values: Any) -> Box:
    """A box with something in every column."""
    full = {
        "label": "Naïve 🧊 box",
        "note": {"b": [1, 2.5, None, True], "a": "ü"},
        "weight": Decimal("1.5"),
        "count": 2**62,
        "sealed": True,
        "packed_at": datetime(2026, 3, 1, 12, 30, 15, 123456, UTC),
        "picture": b"\0\xff",
    }
    return Box(id=name, **{**full, **values})


@contextmanager
def nothing_leaks() -> Iterator[None]:
    """Fails when threads or file descriptors are left over."""
    gc.collect()
    before = _held()
    yield
    deadline = time.monotonic() + 5
    while (after := _held()) != before and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.02)
    assert after == before


def _held() -> tuple[list[str], int]:
    return sorted(thread.name for thread in threading.enumerate()), len(os.listdir("/proc/self/fd"))
