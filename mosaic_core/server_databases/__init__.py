"""Tenants on a database server: what the strategies have in common that keep them on one.

A tenant's *home* is a schema of a database. How many homes a database has, one or all, is the
strategy's; how a home is made, read, written, searched, migrated and removed is here. What one
tenant's statement reaches is in its text: the schema is compiled in, or translated for the one
session. Nothing depends on what a connection was told before, since nothing tells it anything that
outlives a transaction: no ``search_path``, no role, no setting.

What a kind of server does in its own way is its :class:`Backend`, in a package of its own.
"""

from mosaic_core.server_databases.backend import Backend, Server
from mosaic_core.server_databases.choosing import backend_of
from mosaic_core.server_databases.database import ServerDatabase
from mosaic_core.server_databases.naming import Home, Names, made_at
from mosaic_core.server_databases.strays import stray_schemas
from mosaic_core.server_databases.whole import whole

__all__ = [
    "Backend",
    "Home",
    "Names",
    "Server",
    "ServerDatabase",
    "backend_of",
    "made_at",
    "stray_schemas",
    "whole",
]
