"""Homes that no tenant of the directory has."""

from __future__ import annotations

from collections.abc import Collection

from mosaic_core.persistence import Problem
from mosaic_core.server_databases.database import ServerDatabase
from mosaic_core.server_databases.naming import Names, age


async def stray_schemas(
    database: ServerDatabase, names: Names, known: Collection[str]
) -> list[Problem]:
    """The homes in one database whose tenant is not among those whose ids are known."""
    found = []
    for name, comment in await database.schemas(f"{names.prefix}_"):
        tenant_id = names.tenant_id(name)
        if tenant_id is not None and tenant_id not in known:
            found.append(
                Problem(
                    name,
                    f"No tenant of the directory has this schema, made {age(comment)}.",
                    "A process was killed before it made the tenant known. The schema is "
                    "never read: if no tenant is being made right now and platform.db is not "
                    f"from an old backup, run {database.removal(name)}",
                )
            )
    return found
