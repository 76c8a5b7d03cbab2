"""How SQL Server is connected to: driver, encryption, tokens, and a thread for each connection."""

from __future__ import annotations

import asyncio
import struct
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url
from sqlalchemy.dialects.mssql.aioodbc import dialect

from mosaic_core.database import odbc
from mosaic_core.errors import ConfigurationError, DatabaseBusy
from mosaic_core.server_databases import Home, ServerDatabase, backend_of
from mosaic_core.server_databases.mssql.backend import SQLServer
from mosaic_core.server_databases.mssql.statements import Statements
from mosaic_core.server_databases.postgresql.backend import PostgreSQL
from mosaic_core.testing.services import make_tenant
from mosaic_core.testing.tables import toy_schema
from tests.mssql import no_token

_URL = "mssql+aioodbc://mosaic:geheim@db.example:1444/site"


def _client() -> None:
    """Skips the test where the client does not load: it needs unixODBC, which no wheel has."""
    try:
        import pyodbc  # noqa: F401
    except ImportError as error:
        pytest.skip(f"no SQL Server: its client does not load ({error})")


def test_the_url_says_which_kind_of_server_it_is() -> None:
    for text, kind, driver in (
        ("postgresql://u:p@h/d", PostgreSQL, "postgresql+asyncpg"),
        ("mssql://u:p@h/d", SQLServer, "mssql+aioodbc"),
        ("mssql+aioodbc://h/d", SQLServer, "mssql+aioodbc"),
    ):
        backend, url = backend_of(text, "url", no_token)
        assert type(backend) is kind
        assert url.drivername == driver
    for text in ("mysql://u:geheim@h/d", "mssql://u:geheim@h", "geheim", ""):
        with pytest.raises(ConfigurationError, match="SQL Server") as told:
            backend_of(text, "[plugins.x] url", no_token)
        assert "geheim" not in told.value.message + told.value.hint


def test_the_driver_comes_out_of_its_package_and_talks_encrypted() -> None:
    url = odbc.completed(make_url(_URL))
    assert Path(str(url.query["driver"])).is_file()
    assert url.query["Encrypt"] == "yes"
    named = odbc.completed(make_url(f"{_URL}?driver=FreeTDS&encrypt=no"))
    assert dict(named.query) == {"driver": "FreeTDS", "encrypt": "no"}


@pytest.mark.parametrize("name", ["authentication", "Authentication"])
def test_who_signs_in_by_the_driver_s_own_means_does_so_by_no_other(name: str) -> None:
    url = odbc.completed(make_url(f"mssql+aioodbc://db.example/site?{name}=ActiveDirectoryMsi"))
    _, options = dialect().create_connect_args(url)
    told = options["dsn"].split(";")
    assert "Authentication=ActiveDirectoryMsi" in told
    assert "Trusted_Connection=Yes" not in told


def test_each_machine_gets_its_own_driver(tmp_path: Path) -> None:
    places = {
        ("Linux", "x86_64", "debian_ubuntu"): "linux/debian_ubuntu/x86_64/lib/libmsodbcsql-18.6.so",
        ("Linux", "aarch64", "alpine"): "linux/alpine/arm64/lib/libmsodbcsql-18.6.so.2.1",
        ("Darwin", "arm64", ""): "macos/arm64/lib/libmsodbcsql.18.dylib",
        ("Windows", "AMD64", ""): "windows/x64/msodbcsql18.dll",
    }
    for place in places.values():
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
    (tmp_path / "windows/x64/msodbcsqlr18.rll").touch()
    for machine, place in places.items():
        assert odbc.driver_in(tmp_path, *machine) == tmp_path / place
    assert odbc.driver_in(tmp_path, "Linux", "riscv64", "debian_ubuntu") is None


def test_a_token_signs_in_where_the_url_says_nothing_of_who_does() -> None:
    assert odbc.by_token(make_url("mssql+aioodbc://db.example/site"))
    for query in ("Trusted_Connection=yes", "Authentication=ActiveDirectoryMsi"):
        assert not odbc.by_token(make_url(f"mssql+aioodbc://db.example/site?{query}"))
    assert not odbc.by_token(make_url(_URL))


def test_a_token_is_packed_as_the_driver_takes_it() -> None:
    packed = odbc.packed("abc")
    assert struct.unpack("<I", packed[:4]) == (6,)
    assert packed[4:] == b"a\0b\0c\0"


def test_a_connection_is_made_with_the_token_and_nobody_s_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _client()
    asked: list[tuple[str, dict[str, Any]]] = []

    def connect(dsn: str, **options: Any) -> Any:
        asked.append((dsn, options))
        raise ConnectionRefusedError

    async def token() -> str:
        return "a token"

    async def main() -> None:
        monkeypatch.setattr("pyodbc.connect", connect)
        url = make_url("mssql+aioodbc://db.example/site")
        engine = odbc.create_engine(url, connections=2, wait=1, token=token)
        with pytest.raises(ConnectionRefusedError):
            await engine.connect()
        await engine.dispose()

    asyncio.run(main())
    ((dsn, options),) = asked
    assert "Trusted_Connection" not in dsn
    assert "UID" not in dsn
    assert "Encrypt=yes" in dsn
    assert options["attrs_before"] == {1256: odbc.packed("a token")}
    assert options["timeout"] == odbc.LOGIN_TIMEOUT


def test_a_server_that_is_not_there_is_an_error_that_names_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the driver itself, which does not get far."""
    _client()
    monkeypatch.setattr(odbc, "LOGIN_TIMEOUT", 1)

    async def main() -> None:
        backend, url = backend_of("mssql://mosaic:geheim@127.0.0.1:1/site", "url", no_token)
        database = ServerDatabase(backend, url, toy_schema(), {}, connections=2, wait=1)
        try:
            with pytest.raises(DatabaseBusy, match=r"127\.0\.0\.1:1") as told:
                await database.head(Home(make_tenant(), "tenant_x_1"))
            assert "geheim" not in told.value.message + told.value.hint
        finally:
            await database.close()

    asyncio.run(main())


def test_a_tenant_has_no_role_of_its_own_there() -> None:
    backend, url = backend_of(_URL, "url", no_token)
    with pytest.raises(ConfigurationError, match="roles") as told:
        ServerDatabase(backend, url, toy_schema(), {}, connections=2, wait=1, roles=True)
    assert "geheim" not in told.value.message + told.value.hint


class _Native:
    """ODBC's connection, which answers with what it is given, each result in its turn."""

    closed = False

    def __init__(self, *results: Any) -> None:
        self.results = list(results)
        self.said: list[str] = []
        self.threads: set[str] = set()
        self.wait = threading.Event()

    def cursor(self) -> _Native:
        return self

    @property
    def description(self) -> Any:
        return () if isinstance(self.results[0], list) else None

    def execute(self, sql: str, *values: Any) -> None:
        self.threads.add(threading.current_thread().name)
        if sql == "slow":
            self.wait.wait(10)
        self.said.append(sql)
        self._raise()

    def fetchall(self) -> list[Any]:
        rows: list[Any] = self.results[0]
        return rows

    def nextset(self) -> bool:
        if len(self.results) == 1:
            return False
        del self.results[0]
        self._raise()
        return True

    def close(self) -> None:
        self.said.append("closed")

    def commit(self) -> None:
        self.said.append("commit")

    def _raise(self) -> None:
        if isinstance(self.results[0], Exception):
            raise self.results[0]


class _Connection:
    """aioodbc's, over one of those, with the one thread that the engine gives it."""

    closed = False

    def __init__(self, native: _Native) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self._conn = native
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="mssql")

    def _execute(self, function: Any, *values: Any) -> Any:
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._executor, function, *values)


def test_rows_come_from_the_first_result_that_has_some() -> None:
    async def main() -> None:
        native = _Native(None, [(1, "a"), (2, "b")])
        driver = Statements(_Connection(native))
        assert await driver.fetch("EXEC something") == [(1, "a"), (2, "b")]
        assert await Statements(_Connection(_Native([(7,)]))).fetchval("SELECT 7") == 7
        assert await Statements(_Connection(_Native([]))).fetchval("SELECT 7 WHERE 1 = 0") is None
        assert native.said[-1] == "closed"

    asyncio.run(main())


def test_an_error_of_a_later_statement_of_one_text_is_raised() -> None:
    async def main() -> None:
        native = _Native(None, ValueError("the second one"))
        with pytest.raises(ValueError, match="the second one"):
            await Statements(_Connection(native)).execute("INSERT …; INSERT …")
        assert native.said[-1] == "closed"

    asyncio.run(main())


def test_what_comes_after_a_cancelled_statement_waits_for_it() -> None:
    async def main() -> None:
        native = _Native(None)
        driver = Statements(_Connection(native))
        slow = asyncio.create_task(driver.execute("slow"))
        while not native.threads:
            await asyncio.sleep(0)
        slow.cancel()
        after = asyncio.create_task(driver.commit())
        await asyncio.wait([slow])
        assert slow.cancelled()
        assert native.said == []
        native.wait.set()
        await after
        assert native.said == ["slow", "closed", "commit"]
        assert len(native.threads) == 1

    asyncio.run(main())
