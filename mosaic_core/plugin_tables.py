"""The tables of tenants, with those that plugins add.

A plugin's tables stand alone, since the plugin may go: nothing points from them to others, so all
else goes on without it, and its rows stay as they are until it is there again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table
from sqlalchemy.orm import DeclarativeBase

from mosaic_core.database import History, TenantSchema, TenantTables, metadata_faults
from mosaic_core.database.branches import belongs_to
from mosaic_core.database.schema import is_kernel
from mosaic_core.errors import PluginConflict, PluginInvalid
from mosaic_core.plugins import Plugins
from mosaic_core.search import searched_table

HOOK = "mosaic_tables"
_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")


@dataclass(frozen=True)
class _Together:
    """Tables of several ``MetaData``, between which nothing points."""

    sorted_tables: list[Table]


def with_plugins(schema: TenantSchema, plugins: Plugins) -> TenantSchema:
    """A schema with the tables of the selected plugins, and the migrations that lead to them.

    Raises:
        PluginInvalid: a plugin's tables break a rule, or its migrations are no branch of their own.
        PluginConflict: two plugins have a table of one name.
    """
    offers = plugins.offers(HOOK)
    if not offers:
        return schema
    tables = list(schema.metadata.sorted_tables)
    owners = {table.name: "MOSAIC" for table in tables}
    for offer in offers:
        plugin, offered = offer.plugin, offer.value
        for fault in table_faults(plugin.name, offered):
            raise PluginInvalid(
                f"A table of {plugin.origin} breaks a rule: {fault}.",
                hint="docs/migrations.md has the rules of a plugin's tables.",
            )
        for table in offered.base.metadata.sorted_tables:
            if table.name in owners:
                raise PluginConflict(
                    f"{plugin.origin} and {owners[table.name]} both have a table {table.name!r}.",
                    hint="Select one of the two in [platform] plugins.",
                )
            owners[table.name] = plugin.origin
            tables.append(table)
    history = schema.history
    branches = {offer.plugin.name: offer.value.migrations for offer in offers}
    whole = History(history.schema, history.folders, history.branches | branches)
    return TenantSchema(_Together(tables), whole)


def table_faults(plugin: str, offered: TenantTables) -> Iterator[str]:
    """Every breach of the rules of a plugin's tables, in words; nothing when they are kept."""
    base: Any = offered.base
    if not (isinstance(base, type) and issubclass(base, DeclarativeBase)):
        yield "its base is no class that is derived from DeclarativeBase"
        return
    metadata = offered.base.metadata
    if not _NAME.match(plugin):
        yield f"{plugin!r} is no name that tables begin with; use letters, digits and underscores"
    if not metadata.tables:
        yield "there is none"
    own = {table.name for table in metadata.tables.values()}
    for table in metadata.tables.values():
        if table.schema != "tenant":
            yield f"{table.name} is not declared with tenant_metadata()"
        if not belongs_to(table.name, plugin):
            yield f"{table.name} is not called {plugin} or {plugin}_…"
        if is_kernel(table):
            yield f"{table.name} says that the kernel writes it"
        for key in table.foreign_keys:
            if key.target_fullname.rpartition(".")[0].removeprefix("tenant.") not in own:
                yield f"{table.name}.{key.parent.name} points to a table that is not the plugin's"
                return  # nothing can be told of tables in an order that they do not have
    if searched_table(metadata.tables.values()) is not None:
        yield "one of them is searched by visitors, which MOSAIC's own are"
    yield from metadata_faults(metadata, offered.base)
