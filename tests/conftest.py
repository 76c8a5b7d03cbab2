"""What tests of several folders share, started once in a session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import mssql
from tests.azurite import azurite
from tests.platforms import KINDS, Place, place_of
from tests.postgres import PostgreSQL, running

__all__ = ["azurite"]


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgreSQL]:
    """A PostgreSQL of this test process, which stops it at its end."""
    with running() as server:
        yield server


@pytest.fixture(scope="session")
def sql_server() -> mssql.SQLServer:
    """The SQL Server that the environment names; without one, the test is skipped."""
    return mssql.given()


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A place for a platform database, of each kind."""
    with place_of(request.param, tmp_path, request.getfixturevalue) as place:
        yield place
