"""What a URL of the settings is: a database on a server, or a folder of SQLite files."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from mosaic_core.database import sqlite
from mosaic_core.errors import ConfigurationError
from mosaic_core.file_databases import FileDatabases, FileOptions
from mosaic_core.persistence import Persistence
from mosaic_core.provider import PlatformServices
from mosaic_core.server_databases import Names, backend_of
from mosaic_tenancy_dedicated.databases import TenantDatabases
from mosaic_tenancy_dedicated.identity import token
from mosaic_tenancy_dedicated.plugin import DedicatedSettings
from mosaic_tenancy_dedicated.servers import GivenDatabase, MadeDatabases, Opening

_SQLITE = frozenset({"sqlite", "sqlite+aiosqlite"})
#: What is called so is meant as a file, also where there is none yet.
_FILES = frozenset({".db", ".sqlite", ".sqlite3"})


@asynccontextmanager
async def opened(
    settings: DedicatedSettings, services: PlatformServices
) -> AsyncIterator[TenantDatabases]:
    """Every place that the settings name.

    Raises:
        ConfigurationError: a URL is of none; the message has nothing of what was given.
    """
    opening = Opening(settings, services.schema, services.tiers)

    async def place(secret: SecretStr, name: str, *, given: bool) -> Persistence:
        text, setting = secret.get_secret_value(), f"[plugins.tenancy_dedicated] {name}"
        if (folder := _folder(text, setting, services.data_dir)) is not None:
            # What was given is not made: a disk that is missing is not taken for an empty one.
            files = await _files(folder, settings, services, make=not given)
            stack.push_async_callback(files.close)
            return files
        kind = GivenDatabase if given else MadeDatabases
        server = kind(opening, *backend_of(text, setting, token))
        stack.push_async_callback(server.close)
        return server

    async with AsyncExitStack() as stack:
        made = await place(settings.url, "url", given=False)
        others = {
            slug: await place(url, f"given.{slug}", given=True)
            for slug, url in settings.given.items()
        }
        yield TenantDatabases(made, others)


def _folder(text: str, setting: str, data_dir: Path) -> Path | None:
    """The folder that a URL of SQLite names, below the data folder unless it is absolute; None for
    another URL."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        return None
    if url.drivername not in _SQLITE:
        return None
    folder = data_dir / (url.database or "")
    if folder.is_file() or (folder.suffix in _FILES and not folder.is_dir()):
        raise ConfigurationError(
            f"{setting} names a file, and no folder for SQLite files.",
            hint="Write its folder: sqlite:///FOLDER, below the data folder, or sqlite:////FOLDER, "
            "from the root. MOSAIC names the files in it itself: a tenant has two while it moves.",
        )
    if not url.database or url.host or url.query or ":" in url.database:
        raise ConfigurationError(
            f"{setting} names no folder for SQLite files.",
            hint="Write sqlite:///FOLDER, below the data folder, or sqlite:////FOLDER, from the "
            "root; the files in it are named by MOSAIC.",
        )
    return folder


async def _files(
    folder: Path, settings: DedicatedSettings, services: PlatformServices, *, make: bool
) -> FileDatabases:
    if make:
        with sqlite.translating(f"The folder {folder.name!r} of tenant databases", files=True):
            folder.mkdir(parents=True, exist_ok=True)
    return await FileDatabases.open(
        folder,
        Names(settings.prefix),
        services.schema,
        services.tiers,
        templates=services.data_dir / "templates",
        options=FileOptions(max_sessions=settings.connections),
    )
