"""What the plugin declares."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from pydantic import BaseModel, ByteSize, ConfigDict, Field

from mosaic_core.hooks import hookimpl
from mosaic_core.persistence import Persistence
from mosaic_core.provider import PlatformServices, Provider

HOOK_API = ">=1,<2"


class SQLiteSettings(BaseModel):
    """``[plugins.tenancy_sqlite]``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: Tenants whose file each process keeps open for reading; the least recently read is closed.
    max_open: Annotated[int, Field(ge=1, le=100_000)] = 128
    #: Reading sessions at one time, and as many writes; each is an open file.
    max_sessions: Annotated[int, Field(ge=1, le=1_000)] = 16
    #: Room beyond the tier's limit, so that deleting, exporting and compacting always work.
    reserve: ByteSize = ByteSize(8_000_000)


@asynccontextmanager
async def open_sqlite(
    settings: SQLiteSettings, services: PlatformServices
) -> AsyncIterator[Persistence]:
    from mosaic_core.database import sqlite
    from mosaic_core.file_databases import FileDatabases, FileOptions
    from mosaic_tenancy_sqlite.naming import FileNames

    folder = services.data_dir / "tenants"
    with sqlite.translating(f"The folder {folder.name!r} of tenant databases", files=True):
        folder.mkdir(parents=True, exist_ok=True)
    files = await FileDatabases.open(
        folder,
        FileNames(),
        services.schema,
        services.tiers,
        templates=services.data_dir / "templates",
        options=FileOptions(settings.max_open, settings.max_sessions, int(settings.reserve)),
    )
    try:
        yield files
    finally:
        await files.close()


@hookimpl
def mosaic_persistence() -> Provider[Persistence]:
    return Provider(name="tenancy_sqlite", settings=SQLiteSettings, open=open_sqlite)
