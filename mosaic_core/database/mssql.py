"""What is known of SQL Server and Azure SQL: what their errors mean, names and DDL as text.

Their errors are known by the number that ODBC's message ends with (Microsoft's "Database Engine
events and errors") and, without one, by the SQLSTATE. How to connect is
:mod:`mosaic_core.database.odbc`'s.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Dialect, Index, MetaData, PrimaryKeyConstraint, Table, UniqueConstraint
from sqlalchemy.exc import DBAPIError, DisconnectionError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.sql import text

from mosaic_core import types
from mosaic_core.errors import (
    Conflict,
    DatabaseBusy,
    DatabaseDamaged,
    DatabaseError,
    DatabaseMissing,
    DatabaseReadOnly,
    DiskFull,
    InvalidInput,
    MosaicError,
)

#: Bytes that the key of a table's own order may have; another index's has 1700.
_MOST_CLUSTERED = 900
_NUMBER = re.compile(r"\((-?\d+)\)")
_PREFIXES = re.compile(r"^(\[[^\]]*\]\s*)+")

#: Seconds to wait for a lock that somebody else holds.
LOCK_TIMEOUT = 30
#: Worth another try: deadlocked, locked, changed since the snapshot or under it; ``model`` is
#: copied already; the database starts, or is taken to another machine; and of Azure SQL: busy, in
#: repair, throttled, out of workers.
_TRANSIENT = {
    *(1205, 1222, 3960, 3961, 3966, 1807),
    *(601, 921, 922, 983, 6005, 17142, 42108, 42109),
    *(40197, 40501, 40540, 40613, 49918, 49919, 49920, 10928, 10929),
}
#: The network's: Windows' numbers, which the driver has everywhere.
_LOST = {20, 64, 121, 233, 258, 10053, 10054, 10060, 11001}
#: No such object, schema, user, or database (4060 says it of the one that is signed in to).
_MISSING = {208, 911, 2760, 3701, 4060, 15151}
#: A row or a name that is there already, a row that is pointed to or points nowhere, no value.
_CONFLICT = {515, 547, 1801, 2601, 2627, 2714, 2759}
#: Too long, too large, not to be converted, or too long for an index.
_INVALID = {220, 241, 242, 245, 1946, 2628, 8114, 8115, 8152}
_REFUSED = {229, 230, 262, 297, 300, 916, 18452, 18456, 40615}
_FULL = {1101, 1105, 9002, 40544, 40552}
_DAMAGED = {823, 824}
_READ_ONLY = {3906, 3908}
_NO_SNAPSHOTS = {3952}
_IN_USE = {3702, 5061, 5064}
_AGAIN = "Try again; if it stays so, look at what else runs on the server."
#: What to do when a tenant's database is not there.
MISSING = "Run 'mosaic doctor', and restore a backup if the tenant should be here."


def where(url: URL) -> str:
    """The server of a URL as an error names it: never with a password."""
    return f"{url.host or 'localhost'}:{url.port or 1433}"


def quoted(name: str) -> str:
    """A name as SQL takes it (``QUOTED_IDENTIFIER`` is on, as ODBC has it)."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as SQL takes it, where a statement takes no parameter."""
    return "N'" + text.replace("'", "''") + "'"


def creation(tables: Sequence[Table], schema: str, dialect: Dialect) -> list[str]:
    """The statements that make tables and their indexes in a schema that is there.

    Args:
        tables: each after those that it points to; declared in the schema ``tenant``.
    """
    options: Any = {"dialect": dialect, "schema_translate_map": {"tenant": schema}}
    made: list[str] = []
    copies = MetaData(naming_convention=tables[0].metadata.naming_convention)
    for table in [table.to_metadata(copies) for table in tables]:
        fit(table)
        made.append(str(CreateTable(table).compile(**options, render_schema_translate=True)))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            made.append(str(CreateIndex(index).compile(**options, render_schema_translate=True)))
    return made


def fit(table: Table) -> None:
    """Changes a table, its indexes among that, before it is made here.

    Two rows without a value are the same to a unique constraint, so one that has columns without is
    made as an index of the rows that have them all; and rows are not kept in the order of a primary
    key that may be longer than such an order allows.
    """
    key = table.primary_key
    if _bytes(key) > _MOST_CLUSTERED:
        key.dialect_options["mssql"]["clustered"] = False
    for constraint in [one for one in table.constraints if isinstance(one, UniqueConstraint)]:
        if any(column.nullable for column in constraint.columns):
            table.constraints.remove(constraint)
            _unique_where_given(constraint)


def _unique_where_given(constraint: UniqueConstraint) -> None:
    given = [f"{quoted(one.name)} IS NOT NULL" for one in constraint.columns if one.nullable]
    columns = list(constraint.columns)
    Index(str(constraint.name), *columns, unique=True, mssql_where=text(" AND ".join(given)))


def _bytes(key: PrimaryKeyConstraint) -> int:
    return sum(_most_bytes(column.type) for column in key.columns)


def _most_bytes(kind: object) -> int:
    """Of a value in a key; a character may be half of two."""
    if isinstance(kind, types.Text) and kind.length:
        return 4 * kind.length
    return (kind.length if isinstance(kind, types.Bytes) else None) or 16


def is_native(error: BaseException | None) -> bool:
    """Whether the driver raised it. It is not imported for that."""
    return type(error).__module__ == "pyodbc"


def is_lost(error: BaseException | None) -> bool:
    """Whether the connection is no more."""
    state, number, _ = _told(error)
    return state[:2] == "08" or state in {"HYT00", "HYT01", "HY010"} or number in _LOST


def is_in_use(error: BaseException) -> bool:
    """Whether a database cannot be removed since somebody is connected to it."""
    return is_native(error) and _told(error)[1] in _IN_USE


@contextmanager
def translating(subject: str, server: str = "", missing: str = MISSING) -> Iterator[None]:
    """Raises SQL Server's errors as ours; ``subject`` names the database.

    With ``server``, which is :func:`where` it should be, an error of connecting names that. What to
    do when the database is not there, ``missing`` says.
    """
    try:
        yield
    except MosaicError:
        raise
    except DBAPIError as error:
        if isinstance(error.orig, MosaicError):
            raise error.orig from error
        raise _translate(_native(error.orig), subject, server, missing) from error
    except StatementError as error:
        if not isinstance(error.orig, ValueError):
            raise
        raise InvalidInput(f"{subject} does not take a value: {error.orig}.") from error
    except (PoolTimeout, DisconnectionError) as error:
        raise DatabaseBusy(
            f"{subject} has no connection free.",
            hint="Try again, or allow more connections in the settings.",
        ) from error
    except Exception as error:
        if not is_native(error):
            raise
        raise _translate(error, subject, server, missing) from error


def _native(error: BaseException | None) -> BaseException | None:
    """The driver's own error inside SQLAlchemy's."""
    if error is not None and not is_native(error) and is_native(error.__cause__):
        return error.__cause__
    return error


def _told(error: BaseException | None) -> tuple[str, int, str]:
    """SQLSTATE, number and text of the first thing that an error of ODBC's says.

    Its text is ``[state] [Microsoft][ODBC Driver …][SQL Server]What it says. (number) (function)``,
    and may say several things, one after the other. Without the server's, the number is 0.
    """
    given: tuple[Any, ...] = error.args if error is not None else ()
    state = str(given[0]) if len(given) > 1 else ""
    text = _PREFIXES.sub("", str(given[1] if len(given) > 1 else error))
    found = _NUMBER.search(text)
    said = text[: found.start()] if found else text
    return state, int(found[1]) if found else 0, said.partition("\n")[0].strip().rstrip(".")


def _translate(error: BaseException | None, subject: str, server: str, missing: str) -> MosaicError:
    """Our error for one of SQL Server's. What it says of the values of a row is not passed on."""
    state, number, said = _told(error)
    said = re.sub(r" The duplicate key value is .*| Truncated value: .*", "", said).rstrip(".")
    if number in _TRANSIENT:
        return DatabaseBusy(f"{subject} did not answer: {said}.", hint=_AGAIN)
    if number in _CONFLICT or (not number and state[:2] == "23"):
        return Conflict(f"{subject}: {said}.")
    if number in _MISSING:
        return DatabaseMissing(
            f"{subject} is not there: {said}.",
            hint=missing,
        )
    if number in _INVALID or (not number and state[:2] == "22"):
        return InvalidInput(f"{subject} does not take a value: {said}.")
    if number in _NO_SNAPSHOTS:
        return DatabaseError(
            f"{subject} has no snapshots: {said}.",
            hint="Run ALTER DATABASE CURRENT SET ALLOW_SNAPSHOT_ISOLATION ON there.",
        )
    if number in _READ_ONLY:
        return DatabaseReadOnly(
            f"{subject} cannot be written: {said}.",
            hint="Connect to the primary server, and let the database be written.",
        )
    if number in _FULL:
        return DiskFull(
            f"{subject} cannot grow: {said}.",
            hint="Give the server more room; what was saved before is safe.",
        )
    if number in _REFUSED:
        return DatabaseError(
            f"{subject} is closed to this user: {said}.",
            hint="Check the user and the password in the settings, and what the user may do there.",
        )
    if number in _DAMAGED:
        return DatabaseDamaged(
            f"{subject} is damaged: {said}.", hint="Restore the database from a backup."
        )
    if state[:2] == "IM" or "open lib" in said:
        return DatabaseError(
            f"{subject} cannot be reached: {said}.",
            hint="Install the ODBC driver that the URL names, or name none and install "
            "mssql-python-odbc.",
        )
    if is_lost(error):
        return DatabaseBusy(
            f"{subject} cannot be reached: no SQL Server answers at {server} ({said})."
            if server
            else f"{subject} did not answer: {said}.",
            hint="Check that the server runs and that the URL in the settings is right."
            if server
            else _AGAIN,
        )
    return DatabaseError(f"{subject}: {said}.", hint="Run 'mosaic doctor'.")
