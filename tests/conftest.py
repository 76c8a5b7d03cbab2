"""What tests of several folders share, started once in a session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import mssql
from tests.azurite import azurite
from tests.platforms import place
from tests.postgres import PostgreSQL, running

__all__ = ["azurite", "place"]


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgreSQL]:
    """A PostgreSQL of this test process, which stops it at its end."""
    with running() as server:
        yield server


@pytest.fixture(scope="session")
def sql_server() -> mssql.SQLServer:
    """The SQL Server that the environment names; without one, the test is skipped."""
    return mssql.given()
