"""Which kind of server a URL is of."""

from __future__ import annotations

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from mosaic_core.database.odbc import Token
from mosaic_core.errors import ConfigurationError
from mosaic_core.server_databases.backend import Backend
from mosaic_core.server_databases.mssql.backend import SQLServer
from mosaic_core.server_databases.postgresql.backend import PostgreSQL

#: The drivers that this is written for.
_POSTGRESQL, _MSSQL = "postgresql+asyncpg", "mssql+aioodbc"
_DRIVERS = {
    **dict.fromkeys(("postgresql", "postgres", _POSTGRESQL), _POSTGRESQL),
    **dict.fromkeys(("mssql", _MSSQL), _MSSQL),
}


def backend_of(text: str, setting: str, token: Token | None = None) -> tuple[Backend, URL]:
    """What a URL's kind of server does in its own way, and the URL with the driver for it.

    Args:
        setting: where the text stands, for an error.
        token: gives an access token for Azure SQL, if the URL says nothing of who signs in; without
            one, that is the driver's business.

    Raises:
        ConfigurationError: it is of none of them; the message has nothing of what was given.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        url = URL.create("none")
    driver = _DRIVERS.get(url.drivername)
    if driver is None or not url.database:
        raise ConfigurationError(
            f"{setting} is no URL of a PostgreSQL or SQL Server database.",
            hint="Write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, or the same with mssql.",
        )
    backend: Backend = PostgreSQL() if driver == _POSTGRESQL else SQLServer(token)
    return backend, url.set(drivername=driver)
