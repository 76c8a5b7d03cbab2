"""Homes that no tenant of the directory has."""

from __future__ import annotations

from collections.abc import Collection

from mosaic_core.persistence import Stray
from mosaic_core.server_databases.database import ServerDatabase
from mosaic_core.server_databases.naming import Names, made_at


async def stray_schemas(
    database: ServerDatabase, names: Names, known: Collection[str]
) -> list[Stray]:
    """The homes in one database whose tenant is not among those whose ids are known."""
    return [
        Stray.of(
            name,
            "No tenant of the directory has this schema",
            made_at(comment),
            home,
            f"run {database.removal(name)}",
        )
        for name, comment in await database.schemas(f"{names.prefix}_")
        if (home := names.home(name)) is not None and home.tenant_id not in known
    ]
