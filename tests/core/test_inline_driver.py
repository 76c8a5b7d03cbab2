"""SQLite as an asynchronous driver that answers at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import ForeignKey, insert, select
from sqlalchemy.exc import MissingGreenlet
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.pool import NullPool

from mosaic_core.database import sqlite
from mosaic_core.database.inline import InlineSession


class Base(DeclarativeBase):
    pass


class Shelf(Base):
    __tablename__ = "shelves"
    id: Mapped[int] = mapped_column(primary_key=True)
    books: Mapped[list[Book]] = relationship()


class Book(Base):
    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
    shelf_id: Mapped[int] = mapped_column(ForeignKey("shelves.id"))


@asynccontextmanager
async def connected(folder: Path) -> AsyncIterator[AsyncEngine]:
    """An engine for a file with one shelf of three books, in write-ahead mode."""
    opened = partial(sqlite.open_inline, folder / "shelves.db", writable=True, mode="rwc")
    engine = create_async_engine("sqlite+inline://", poolclass=NullPool, creator=opened)
    sqlite.explicit_transactions(engine.sync_engine)
    raw = opened()
    raw.execute("PRAGMA journal_mode = WAL")
    raw.close()
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
        await connection.execute(insert(Shelf), {"id": 1})
        await connection.execute(insert(Book), [{"id": n, "shelf_id": 1} for n in range(3)])
    yield engine
    await engine.dispose()


def test_an_attribute_does_not_ask_the_database_by_itself(tmp_path: Path) -> None:
    """It would work with this driver and fail with that of every server."""

    async def scenario() -> None:
        async with connected(tmp_path) as engine, InlineSession(engine) as session:
            shelf = await session.get_one(Shelf, 1)
            with pytest.raises(MissingGreenlet):
                _ = shelf.books
            await session.refresh(shelf, ["books"])
            assert len(shelf.books) == 3
            assert await session.run_sync(lambda inner: len(inner.get_one(Shelf, 1).books)) == 3

    asyncio.run(scenario())


def test_a_query_that_is_read_in_part_keeps_no_snapshot(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with connected(tmp_path) as engine, engine.connect() as connection:
            ids = await connection.execute(select(Book.id).order_by(Book.id))
            assert ids.fetchone() == (0,)
            await connection.rollback()
            raw = sqlite.open_inline(tmp_path / "shelves.db", writable=True)
            raw.execute("INSERT INTO books (id, shelf_id) VALUES (7, 1)")
            busy, *_ = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            raw.close()
            assert not busy
            assert [row.id for row in ids] == [1, 2]
            assert len((await connection.execute(select(Book.id))).all()) == 4

    asyncio.run(scenario())


def test_a_stream_is_read_as_it_is_asked_for(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with connected(tmp_path) as engine, InlineSession(engine) as session:
            rows = await session.stream_scalars(select(Book).execution_options(yield_per=2))
            assert [len(some) async for some in rows.partitions()] == [2, 1]
            connection = await session.connection()
            ids = await connection.stream(select(Book.id).execution_options(yield_per=2))
            assert [len(some) async for some in ids.partitions()] == [2, 1]

    asyncio.run(scenario())


def test_a_stream_that_is_read_in_part_ends_with_its_session(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with connected(tmp_path) as engine:
            async with InlineSession(engine) as session:
                rows = await session.stream(select(Book.id).execution_options(yield_per=1))
                assert await anext(aiter(rows)) == (0,)
            raw = sqlite.open_inline(tmp_path / "shelves.db", writable=True)
            raw.execute("INSERT INTO books (id, shelf_id) VALUES (7, 1)")
            busy, *_ = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            raw.close()
            assert not busy

    asyncio.run(scenario())


def test_a_session_says_what_the_database_does_not_take(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with connected(tmp_path) as engine, InlineSession(engine) as session:
            session.add(Book(id=9, shelf_id=2))
            with pytest.raises(Exception, match="FOREIGN KEY"):
                await session.flush()
            await session.rollback()
            assert len((await session.scalars(select(Book))).all()) == 3

    asyncio.run(scenario())
