"""Every persistence strategy that ships keeps the contract, on each of its databases."""

import secrets
from collections.abc import Iterator

import pytest
from mosaic_tenancy_dedicated import plugin as dedicated
from mosaic_tenancy_sqlite import plugin as sqlite
from mosaic_tenancy_sqlschema import plugin as sqlschema

from mosaic_core.testing.persistence import PersistenceContract
from tests.mssql import SQLServer
from tests.postgres import PostgreSQL


class TestSQLite(PersistenceContract):
    provider = sqlite.mosaic_persistence()
    database = "sqlite"


class TestSQLiteWithHardlyAnyRoom(PersistenceContract):
    """Two open files and two sessions, so that they are closed and waited for all the time."""

    provider = sqlite.mosaic_persistence()
    database = "sqlite"
    settings = {"max_open": 2, "max_sessions": 2}


class TestSchemas(PersistenceContract):
    provider = sqlschema.mosaic_persistence()
    database = "postgresql"

    @pytest.fixture(autouse=True)
    def on_the_server(self, postgres: PostgreSQL) -> None:
        """In one database; what each test finds there begins with a prefix of its own."""
        self.settings = {"url": postgres.url(), "prefix": f"t{secrets.token_hex(5)}"}


class TestSchemasWithRolesAndHardlyAnyRoom(TestSchemas):
    """Two connections, so that they are waited for all the time, and a role for each tenant."""

    @pytest.fixture(autouse=True)
    def on_the_server(self, postgres: PostgreSQL) -> None:
        prefix = f"t{secrets.token_hex(5)}"
        self.settings = {
            "url": postgres.url(),
            "prefix": prefix,
            "connections": 2,
            "roles": True,
        }


class TestDatabases(PersistenceContract):
    provider = dedicated.mosaic_persistence()
    database = "postgresql"

    @pytest.fixture(autouse=True)
    def on_the_server(self, postgres: PostgreSQL) -> Iterator[None]:
        prefix = f"t{secrets.token_hex(5)}"
        self.settings = {"url": postgres.url(), "prefix": prefix}
        yield
        postgres.remove_databases(f"{prefix}_")


class TestFiles(PersistenceContract):
    """In a folder below the data folder."""

    provider = dedicated.mosaic_persistence()
    database = "sqlite"
    settings = {"url": "sqlite:///dedicated"}


class TestSchemasOnSQLServer(PersistenceContract):
    provider = sqlschema.mosaic_persistence()
    database = "mssql"

    @pytest.fixture(autouse=True)
    def on_the_server(self, sql_server: SQLServer) -> Iterator[None]:
        """In one database; what each test finds there begins with a prefix of its own."""
        prefix = f"t{secrets.token_hex(5)}"
        self.settings = {"url": sql_server.url, "prefix": prefix}
        yield
        sql_server.remove_schemas(f"{prefix}_")


class TestSchemasOnSQLServerWithHardlyAnyRoom(PersistenceContract):
    """Two connections, so that they are waited for all the time."""

    provider = sqlschema.mosaic_persistence()
    database = "mssql"

    @pytest.fixture(autouse=True)
    def on_the_server(self, sql_server: SQLServer) -> Iterator[None]:
        prefix = f"t{secrets.token_hex(5)}"
        self.settings = {"url": sql_server.url, "prefix": prefix, "connections": 2}
        yield
        sql_server.remove_schemas(f"{prefix}_")


@pytest.mark.timeout(900)
class TestDatabasesOnSQLServer(PersistenceContract):
    """It takes seconds to make a database there, and one test makes dozens."""

    provider = dedicated.mosaic_persistence()
    database = "mssql"
    limit = 600.0

    @pytest.fixture(autouse=True)
    def on_the_server(self, sql_server: SQLServer) -> Iterator[None]:
        prefix = f"t{secrets.token_hex(5)}"
        self.settings = {"url": sql_server.url, "prefix": prefix}
        yield
        sql_server.remove_databases(f"{prefix}_")
