"""Where the platform database of a test is: in a file, or in a schema on a server."""

from __future__ import annotations

import asyncio
import os
import secrets
import string
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest
from sqlalchemy import Engine, delete, insert, select

from mosaic_core.database import History, PlatformBase
from mosaic_core.directory import PlatformDatabase, PlatformFile
from mosaic_core.directory.server import PlatformSchema
from mosaic_core.platform import platform_history
from mosaic_core.server_databases import backend_of
from mosaic_core.server_databases.backend import Transaction
from tests import mssql

_LETTERS = str.maketrans("0123456789", "abcdefghij")
#: How another process learns of a place.
_VARIABLE = "MOSAIC_TEST_PLACE"
#: The servers, as the ids of tests name them.
KINDS = ("sqlite", "postgresql", "mssql")
#: The same for many tests, of which those that import :func:`place` run on PostgreSQL each time.
KINDS_OF_MANY = (
    "sqlite",
    pytest.param("postgresql", marks=pytest.mark.campaign),
    *(["mssql"] if mssql.is_given() else []),
)


class Place(Protocol):
    """Where the platform database of a test is."""

    @property
    def kind(self) -> str: ...

    def database(self, history: History | None = None) -> PlatformDatabase:
        """It, as one process has it. Whoever asks closes it."""
        ...

    @property
    def settings(self) -> dict[str, dict[str, Any]]:
        """The table of the settings that says so."""
        ...

    def beside(self, name: str) -> Place:
        """Another one, of lower-case letters and digits; the same each time."""
        ...


class File:
    """Implements :class:`Place`, in a folder."""

    kind = "sqlite"
    settings: dict[str, dict[str, Any]] = {}

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "platform.db"

    def beside(self, name: str) -> File:
        return File(self.folder / name)

    def database(self, history: History | None = None) -> PlatformFile:
        return PlatformFile(self.path, history or platform_history())


class Schema:
    """Implements :class:`Place`, in a schema of its own on a server."""

    def __init__(self, kind: str, url: str, name: str | None = None) -> None:
        self.kind = kind
        self.url = url
        letters = (secrets.choice(string.ascii_lowercase) for _ in range(12))
        self.name = name or f"platform_{''.join(letters)}"

    def beside(self, name: str) -> Schema:
        return Schema(self.kind, self.url, f"{self.name}_{name.translate(_LETTERS)}")

    @property
    def settings(self) -> dict[str, dict[str, Any]]:
        return {"database": {"url": self.url, "schema_name": self.name, "connections": 4}}

    def database(self, history: History | None = None) -> PlatformSchema:
        backend, url = backend_of(self.url, "the URL of the tests")
        return PlatformSchema(
            backend, url, history or platform_history(), name=self.name, connections=4, wait=20
        )

    def take(self, file: Path, history: History) -> None:
        """Takes the tables of a file in place of what is here, and the file away."""
        self.remove()

        async def main() -> None:
            source, target = PlatformFile(file, history), self.database(history)
            try:
                await target.migrate()
                async with source.session() as rows, target._connected() as connection:
                    for table in PlatformBase.metadata.sorted_tables:
                        await connection.execute(delete(table))
                        found = (await rows.execute(select(table))).mappings().all()
                        if found:
                            await connection.execute(insert(table), [dict(row) for row in found])
                    await connection.commit()
            finally:
                await source.close()
                await target.close()

        _run(main)
        for path in file.parent.glob(f"{file.stem}.*"):
            path.unlink()

    def remove(self) -> None:
        async def main() -> None:
            database = self.database()
            try:
                async with database._connections.driver("The database of the tests") as driver:
                    writing = database._backend.transaction(driver, Transaction())
                    async with writing:
                        await database._backend.drop(driver, self.name, roles=False)
            finally:
                await database.close()

        _run(main)


def _run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """In a thread: whoever asks may be in a loop."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(main())).result()


def shared(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets processes that the test starts find the place."""
    if isinstance(place, Schema):
        monkeypatch.setenv(_VARIABLE, f"{place.kind} {place.url} {place.name}")


def found(folder: Path) -> Place:
    """The place that a test shares, in a process that it started; by default in the folder."""
    told = os.environ.get(_VARIABLE)
    return Schema(*told.split()) if told else File(folder)


async def kept_in(database: PlatformDatabase) -> bytes:
    """All that is kept in a platform database, as far as anybody can read it there."""
    if isinstance(database, PlatformFile):
        paths = sorted(database.path.parent.glob(f"{database.path.name}*"))
        return b"".join(path.read_bytes() for path in paths)
    found = []
    async with database.session() as session:
        for table in PlatformBase.metadata.sorted_tables:
            found += [repr(tuple(row)).encode() for row in await session.execute(select(table))]
    return b"".join(found)


def engine_of(database: PlatformDatabase) -> Engine:
    """What its statements go through."""
    holder = database._connections if isinstance(database, PlatformSchema) else database
    engine: Engine = getattr(holder._engine, "sync_engine", holder._engine)  # type: ignore[attr-defined]
    return engine


@contextmanager
def place_of(kind: str, folder: Path, fixture: Callable[[str], Any]) -> Iterator[Place]:
    """A new place of some kind, which is removed afterwards.

    Args:
        fixture: gives a fixture of pytest's by its name.
    """
    if kind == "sqlite":
        yield File(folder)
        return
    url = fixture("postgres").url() if kind == "postgresql" else fixture("sql_server").url
    schema = Schema(kind, url)
    try:
        yield schema
    finally:
        schema.remove()


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A place for a platform database, of each kind."""
    with place_of(request.param, tmp_path, request.getfixturevalue) as place:
        yield place


@pytest.fixture(params=KINDS_OF_MANY, name="place")
def place_of_many(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """The same for many tests."""
    with place_of(request.param, tmp_path, request.getfixturevalue) as place:
        yield place
