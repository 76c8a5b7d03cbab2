"""SQLite as an asynchronous driver that answers at once."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import ForeignKey, insert, select
from sqlalchemy.exc import (
    InvalidRequestError,
    MissingGreenlet,
    OperationalError,
    UnboundExecutionError,
)
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.pool import NullPool
from sqlalchemy.util.concurrency import greenlet_spawn

from mosaic_core.database import sqlite
from mosaic_core.database.inline import InlineSession, driver_of, is_usable


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


@asynccontextmanager
async def in_session(engine: AsyncEngine) -> AsyncIterator[InlineSession]:
    with await greenlet_spawn(engine.sync_engine.connect) as connection:
        async with InlineSession(connection) as session:
            yield session


def test_an_attribute_does_not_ask_the_database_by_itself(tmp_path: Path) -> None:
    """It would work with this driver and fail with that of every server."""

    async def scenario() -> None:
        async with connected(tmp_path) as engine, in_session(engine) as session:
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
        async with connected(tmp_path) as engine, in_session(engine) as session:
            rows = await session.stream_scalars(select(Book).execution_options(yield_per=2))
            assert [len(some) async for some in rows.partitions()] == [2, 1]
            connection = await session.connection()
            ids = await connection.stream(select(Book.id).execution_options(yield_per=2))
            assert [len(some) async for some in ids.partitions()] == [2, 1]

    asyncio.run(scenario())


def test_a_stream_that_is_read_in_part_ends_with_its_session(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with connected(tmp_path) as engine:
            async with in_session(engine) as session:
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
        async with connected(tmp_path) as engine, in_session(engine) as session:
            session.add(Book(id=9, shelf_id=2))
            with pytest.raises(Exception, match="FOREIGN KEY"):
                await session.flush()
            await session.rollback()
            assert len((await session.scalars(select(Book))).all()) == 3

    asyncio.run(scenario())


def test_a_connection_whose_commit_was_cut_off_is_nobody_elses(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with connected(tmp_path) as engine:
            connection = await greenlet_spawn(engine.sync_engine.connect)
            driver = driver_of(connection)

            async def cut_off() -> None:
                async with InlineSession(connection) as session:
                    session.add(Shelf(id=2))
                    await session.flush()
                    task = asyncio.current_task()
                    assert task is not None
                    asyncio.get_running_loop().call_soon(task.cancel)
                    await session.commit()

            with pytest.raises(asyncio.CancelledError):
                await asyncio.create_task(cut_off())
            assert not is_usable(connection)
            connection.close()
            with pytest.raises(sqlite3.ProgrammingError, match="closed"):
                driver.execute("SELECT 1")
            async with in_session(engine) as session:  # the commit had begun: it was finished
                assert await session.get(Shelf, 2) is not None

    asyncio.run(scenario())


def test_a_session_leaves_its_connection_without_a_transaction(tmp_path: Path) -> None:
    """Also after an error that has ended the transaction."""

    async def scenario() -> None:
        async with connected(tmp_path) as engine:
            connection = await greenlet_spawn(engine.sync_engine.connect)
            driver = driver_of(connection)
            for _ in range(2):
                async with InlineSession(connection) as session:
                    session.add(Shelf(id=2))
                    await session.flush()
                    driver.execute("ROLLBACK")
                    with pytest.raises(OperationalError, match="ended by an error"):
                        await session.commit()
                assert is_usable(connection)
                assert not connection.in_transaction()
                async with InlineSession(connection) as session:
                    assert await session.get(Shelf, 2) is None
                assert not driver.in_transaction
            connection.close()

    asyncio.run(scenario())


def test_a_session_that_has_ended_asks_nothing_of_a_connection_that_is_somebody_elses(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with connected(tmp_path) as engine:
            with await greenlet_spawn(engine.sync_engine.connect) as connection:
                async with InlineSession(connection) as ended:
                    assert await ended.get(Shelf, 1) is not None
                    kept = await ended.connection()
                    assert await ended.connection() is kept
                async with InlineSession(connection) as session:
                    assert await session.get(Shelf, 1) is not None
                    with pytest.raises(UnboundExecutionError):
                        await ended.scalars(select(Book))
                    with pytest.raises(InvalidRequestError):
                        await kept.execute(insert(Book), {"id": 7, "shelf_id": 1})
                    assert await (await session.connection()).scalar(select(Book.id)) == 0
                assert not driver_of(connection).in_transaction

    asyncio.run(scenario())


def test_what_was_begun_on_a_kept_connection_swallows_no_commit(tmp_path: Path) -> None:
    """And what was said of one session holds for no other."""

    async def scenario() -> None:
        async with connected(tmp_path) as engine:
            with await greenlet_spawn(engine.sync_engine.connect) as connection:
                async with InlineSession(connection) as session:
                    await session.connection(execution_options={"said": True})
                connection.begin()
                assert not is_usable(connection)
                async with InlineSession(connection) as session:
                    assert "said" not in connection.get_execution_options()
                    session.add(Shelf(id=2))
                    await session.commit()
                async with in_session(engine) as session:
                    assert await session.get(Shelf, 2) is not None

    asyncio.run(scenario())
