"""What is known of PostgreSQL: how to connect, what its errors mean, names and DDL as text.

Its driver is no library of the kernel's: SQLAlchemy imports it when an engine is made, and its
errors are known by their SQLSTATE (postgresql.org/docs/current/errcodes-appendix.html).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from sqlalchemy import URL, Dialect, Table, event
from sqlalchemy.exc import DBAPIError, DisconnectionError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.schema import CreateIndex, CreateTable

from mosaic_core.errors import (
    ConfigurationError,
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

#: Seconds to connect, and to wait for a lock that somebody else holds.
CONNECT_TIMEOUT, LOCK_TIMEOUT = 10.0, 30.0

#: Worth another try: deadlocked, not to be serialised, locked, cancelled, too many clients, or the
#: server stops or starts.
_TRANSIENT = {"40P01", "40001", "55P03", "57014", "53300", "57P01", "57P02", "57P03", "57P05"}
_MISSING = {"3D000", "3F000", "42P01", "42704"}
_REFUSED = {"28000", "28P01", "42501"}
_AGAIN = "Try again; if it stays so, look at what else runs on the server."
#: What to do when a tenant's database is not there.
MISSING = "Run 'mosaic doctor', and restore a backup if the tenant should be here."


def create_engine(url: URL, *, connections: int, wait: float) -> AsyncEngine:
    """An engine of at most so many connections, all alike: none is set up for a tenant.

    Args:
        url: with the driver ``postgresql+asyncpg``.
        wait: seconds to wait for a connection when all are taken.

    Raises:
        ConfigurationError: the client is not installed.
    """
    if find_spec("asyncpg") is None:
        raise ConfigurationError(
            "PostgreSQL's client is not installed.",
            hint="Run pip install 'mosaic-cms[postgresql]'.",
        )
    engine = create_async_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=wait,
        hide_parameters=True,  # they are what people wrote
        connect_args={
            "timeout": CONNECT_TIMEOUT,
            "server_settings": {
                "application_name": "mosaic",
                "timezone": "UTC",
                "jit": "off",  # no statement here is worth being compiled
                "lock_timeout": f"{LOCK_TIMEOUT:g}s",
            },
        },
    )

    @event.listens_for(engine.sync_engine, "checkout")
    def checkout(connection: Any, record: Any, proxy: Any) -> None:
        # The driver has seen that the server closed it, or that somebody who was stopped left a
        # transaction in it: known here without asking the server.
        driver = connection.driver_connection
        if driver.is_closed() or driver.is_in_transaction():
            raise DisconnectionError("The connection cannot be used any more.")

    return engine


def where(url: URL) -> str:
    """The server of a URL as an error names it: never with a password."""
    host = url.host or url.query.get("host") or "localhost"
    return f"{host}:{url.port or 5432}" if url.host else str(host)


def quoted(name: str) -> str:
    """A name as SQL takes it."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as SQL takes it, where a statement takes no parameter."""
    return "'" + text.replace("'", "''") + "'"


def creation(tables: Sequence[Table], schema: str, dialect: Dialect) -> list[str]:
    """The statements that make tables and their indexes in a schema that is there.

    Args:
        tables: each after those that it points to; declared in the schema ``tenant``.
    """
    options: Any = {"dialect": dialect, "schema_translate_map": {"tenant": schema}}
    made: list[str] = []
    for table in tables:
        made.append(str(CreateTable(table).compile(**options, render_schema_translate=True)))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            made.append(str(CreateIndex(index).compile(**options, render_schema_translate=True)))
    return made


@contextmanager
def translating(subject: str, server: str = "", missing: str = MISSING) -> Iterator[None]:
    """Raises PostgreSQL's errors as ours; ``subject`` names the database.

    With ``server``, which is :func:`where` it should be, the network's too: not where somebody
    else's code runs inside, whose errors have nothing to do with the database. What to do when it
    is not there, ``missing`` says.
    """
    try:
        yield
    except MosaicError:
        raise
    except DBAPIError as error:
        if isinstance(error.orig, MosaicError):
            raise error.orig from error
        raise _translate(_native(error.orig), subject, missing) from error
    except StatementError as error:
        if not isinstance(error.orig, ValueError):
            raise
        raise InvalidInput(f"{subject} does not take a value: {error.orig}.") from error
    except (PoolTimeout, DisconnectionError) as error:
        raise DatabaseBusy(
            f"{subject} has no connection free.",
            hint="Try again, or allow more connections in the settings.",
        ) from error
    except OSError as error:
        if not server:
            raise
        raise DatabaseBusy(
            f"{subject} cannot be reached: no PostgreSQL answers at {server} "
            f"({error.strerror or type(error).__name__}).",
            hint="Check that the server runs and that the URL in the settings is right.",
        ) from error
    except Exception as error:
        if not _is_native(error):
            raise
        raise _translate(error, subject, missing) from error


def _native(error: BaseException | None) -> BaseException | None:
    """The driver's own error inside SQLAlchemy's."""
    return error.__cause__ if error is not None and error.__cause__ is not None else error


def _is_native(error: BaseException) -> bool:
    return hasattr(error, "sqlstate") or type(error).__module__.startswith("asyncpg.")


def _translate(error: BaseException | None, subject: str, missing: str) -> MosaicError:
    """Our error for one of PostgreSQL's. What it says of the values of a row is not passed on."""
    state = str(getattr(error, "sqlstate", None) or "")
    said = str(getattr(error, "message", None) or error).partition("\n")[0].rstrip(".")
    if state in _TRANSIENT or state[:2] == "08" or (state == "0A000" and "cached plan" in said):
        return DatabaseBusy(f"{subject} did not answer: {said}.", hint=_AGAIN)
    if state == "XX000" and "concurrently" in said:
        return DatabaseBusy(f"{subject} is being changed: {said}.", hint=_AGAIN)
    if state[:2] == "23" or state in {"42P06", "42P04", "42P07", "42710"}:
        return Conflict(f"{subject}: {said}.")
    if state in _MISSING or (state == "22023" and said.startswith("role ")):
        return DatabaseMissing(
            f"{subject} is not there: {said}.",
            hint=missing,
        )
    if state[:2] == "22" or state == "54000":
        return InvalidInput(f"{subject} does not take a value: {said}.")
    if state == "25006":
        return DatabaseReadOnly(
            f"{subject} cannot be written: {said}.",
            hint="Connect to the primary server, and let its transactions write.",
        )
    if state in {"53100", "53200"}:
        return DiskFull(
            f"{subject} cannot grow: {said}.",
            hint="Give the server more room; what was saved before is safe.",
        )
    if state in _REFUSED:
        return DatabaseError(
            f"{subject} is closed to this user: {said}.",
            hint="Check the user and the password in the settings, and what the user may do there.",
        )
    if state in {"XX001", "XX002"}:
        return DatabaseDamaged(
            f"{subject} is damaged: {said}.", hint="Restore the database from a backup."
        )
    if not state and _is_native(error or Exception()):  # the driver's: the connection is no more
        return DatabaseBusy(f"{subject} did not answer: {said}.", hint=_AGAIN)
    return DatabaseError(f"{subject}: {said}.", hint="Run 'mosaic doctor'.")
