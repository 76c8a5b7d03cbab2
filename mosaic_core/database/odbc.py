"""Connecting to SQL Server and Azure SQL through ODBC.

The clients (aioodbc over pyodbc) and Microsoft's driver are no libraries of the kernel's: they are
imported when an engine is made. The driver is the one that the URL names, else the one inside of
the package ``mssql-python-odbc``, which no ``odbcinst.ini`` has to know: ODBC takes a path.
"""

from __future__ import annotations

import platform
import struct
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, event
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import await_only

from mosaic_core.database.mssql import LOCK_TIMEOUT
from mosaic_core.errors import ConfigurationError

#: Seconds to sign in (Microsoft advises so many for Azure SQL).
LOGIN_TIMEOUT = 30
#: Seconds without use after which a connection is asked whether it is there, and after which it is
#: replaced. Azure cuts what is idle for 30 minutes.
_IDLE, _OLD = 60.0, 1_500
#: The connection's attribute for a token (SQL_COPT_SS_ACCESS_TOKEN in msodbcsql.h), and what a
#: token is asked for.
_TOKEN: Final = 1256
SCOPE: Final = "https://database.windows.net/.default"
#: What every connection is told once, the same for all: an error undoes the whole transaction.
_SESSION = f"SET XACT_ABORT ON; SET LOCK_TIMEOUT {LOCK_TIMEOUT * 1000}"
_INSTALL = "pip install 'mosaic-cms[mssql]'"
#: The folder of the driver for a Linux, by what its /etc/os-release says that it is like.
_FAMILIES = {"alpine": "alpine", "rhel": "rhel", "fedora": "rhel", "centos": "rhel"} | {
    "suse": "suse",
    "sles": "suse",
}
_MACHINES = {"amd64": "x86_64", "aarch64": "arm64"}


#: Gives an access token for :data:`SCOPE`.
Token = Callable[[], Awaitable[str]]


def create_engine(
    url: URL,
    *,
    connections: int,
    wait: float,
    token: Token | None = None,
    autocommit: bool = False,
) -> AsyncEngine:
    """An engine of at most so many connections, all alike: none is set up for a tenant.

    Each connection has a thread of its own, so that there are never fewer threads than connections,
    and what is asked of one comes one after the other: when a statement is cancelled, the rollback
    after it waits for it, and no two threads are in one connection.

    Args:
        url: with the driver ``mssql+aioodbc``.
        wait: seconds to wait for a connection when all are taken.
        autocommit: each statement is a transaction of its own.
        token: asked with each new connection, where the URL says nothing of who signs in.

    Raises:
        ConfigurationError: the clients or the driver are not installed.
    """
    try:
        import pyodbc
    except ImportError as error:
        raise ConfigurationError(
            f"SQL Server's clients are not installed: {error}.",
            hint=f"Run {_INSTALL}; on Linux, unixODBC is needed too (apt install unixodbc).",
        ) from error
    pyodbc.pooling = False  # SQLAlchemy's pool is the one
    engine = create_async_engine(
        completed(url),
        pool_size=connections,
        max_overflow=0,
        pool_timeout=wait,
        pool_recycle=_OLD,
        hide_parameters=True,  # they are what people wrote
        connect_args={"timeout": LOGIN_TIMEOUT, "autocommit": autocommit},
    )
    listen = event.listens_for

    @listen(engine.sync_engine, "do_connect")
    def connecting(dialect: Any, record: Any, positional: Any, options: dict[str, Any]) -> None:
        options["executor"] = ThreadPoolExecutor(1, thread_name_prefix="mssql")
        if token is not None and by_token(url):
            # SQLAlchemy takes a URL without a user for Windows' own way, which a token excludes.
            options["dsn"] = options["dsn"].replace(";Trusted_Connection=Yes", "")
            options["attrs_before"] = {_TOKEN: packed(await_only(token()))}

    @listen(engine.sync_engine, "connect")
    def connected(connection: Any, record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute(_SESSION)
        cursor.close()

    @listen(engine.sync_engine, "checkin")
    def checkin(connection: Any, record: Any) -> None:
        record.info["used"] = time.monotonic()

    @listen(engine.sync_engine, "checkout")
    def checkout(connection: Any, record: Any, proxy: Any) -> None:
        if time.monotonic() - record.info.get("used", time.monotonic()) < _IDLE:
            return
        try:
            engine.sync_engine.dialect.do_ping(connection)
        except (DBAPIError, pyodbc.Error) as error:
            raise DisconnectionError("The server closed the connection.") from error

    return engine


def completed(url: URL) -> URL:
    """The URL with a driver, encrypted unless it says otherwise.

    Raises:
        ConfigurationError: there is no driver.
    """
    if "odbc_connect" in url.query:
        return url
    # SQLAlchemy knows this one by its small letters, and adds Windows' own way where it is not.
    small = {name: name.lower() for name in url.query if name.lower() == "authentication"}
    url = url.set(query={small.get(name, name): value for name, value in url.query.items()})
    named = {name.lower() for name in url.query}
    if "driver" not in named:
        url = url.update_query_dict({"driver": str(find_driver())})
    return url if "encrypt" in named else url.update_query_dict({"Encrypt": "yes"})


def by_token(url: URL) -> bool:
    """Whether an access token may sign in, since the URL says nothing of who does."""
    named = {name.lower() for name in url.query}
    return not url.username and not named & {
        "authentication",
        "odbc_connect",
        "trusted_connection",
        "uid",
    }


def find_driver() -> Path:
    """The driver inside of its package, for this machine.

    Raises:
        ConfigurationError: there is none.
    """
    try:
        from mssql_python_odbc import get_libs_dir
    except ImportError as error:
        raise ConfigurationError(
            "The URL names no ODBC driver for SQL Server, and none is installed.",
            hint=f"Run {_INSTALL}, or name one: …?driver=ODBC+Driver+18+for+SQL+Server.",
        ) from error
    found = driver_in(Path(get_libs_dir()), platform.system(), platform.machine(), _family())
    if found is None:
        raise ConfigurationError(
            f"mssql-python-odbc has no driver for {platform.system()} on {platform.machine()}.",
            hint="Install Microsoft's driver and name it in the URL: "
            "…?driver=ODBC+Driver+18+for+SQL+Server.",
        )
    return found


def driver_in(folder: Path, system: str, machine: str, family: str) -> Path | None:
    """The driver for a machine below ``libs`` of its package.

    Args:
        system, machine: as :mod:`platform` says them.
        family: the kind of Linux, as its folder is called.
    """
    machine = machine.lower()
    architecture = _MACHINES.get(machine, machine)
    if system == "Windows":
        where, name = f"windows/{'x64' if architecture == 'x86_64' else machine}", "msodbcsql??.dll"
    elif system == "Darwin":
        where, name = f"macos/{architecture}", "libmsodbcsql*.dylib"
    else:
        where, name = f"linux/{family}/{architecture}", "libmsodbcsql*.so*"
    return next(iter(sorted((folder / where).rglob(name))), None)


def _family() -> str:
    if platform.system() != "Linux":
        return ""
    try:
        told = platform.freedesktop_os_release()
    except OSError:
        told = {}
    like = [told.get("ID", ""), *told.get("ID_LIKE", "").split()]
    return next((_FAMILIES[name] for name in like if name in _FAMILIES), "debian_ubuntu")


def packed(token: str) -> bytes:
    """A token as the driver takes it: its length in bytes, and UTF-16 (Microsoft's "Using Microsoft
    Entra ID with the ODBC Driver", the access token's structure)."""
    encoded = token.encode("utf-16-le")
    return struct.pack(f"<I{len(encoded)}s", len(encoded), encoded)
