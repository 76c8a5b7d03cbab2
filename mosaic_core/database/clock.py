"""The database's clock, read inside a statement: that of a process may be set at any time, and
those of two machines never agree."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from mosaic_core import types


class database_now(FunctionElement[int]):  # noqa: N801 - used as a function of SQL
    """Milliseconds since 1970, UTC, at the moment at which the statement runs."""

    type = types.Integer()
    inherit_cache = True


@compiles(database_now, "sqlite")
def _sqlite(element: Any, compiler: Any, **options: Any) -> str:
    # Days since noon of the first of January 4714 BC; exact to a millisecond.
    return "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)"


@compiles(database_now, "postgresql")
def _postgresql(element: Any, compiler: Any, **options: Any) -> str:
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"


@compiles(database_now, "mssql")
def _mssql(element: Any, compiler: Any, **options: Any) -> str:
    return "DATEDIFF_BIG(millisecond, '1970-01-01', SYSUTCDATETIME())"
