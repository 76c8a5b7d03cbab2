"""Every test of moves has a deployment of its own, with databases of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cms.moves.moving import Ground
from tests.platforms import Schema
from tests.postgres import PostgreSQL


@pytest.fixture(scope="session")
def made_ground(tmp_path_factory: pytest.TempPathFactory, postgres: PostgreSQL) -> Path:
    ground = Ground(tmp_path_factory.mktemp("made") / "deployment", postgres)
    asyncio.run(ground.make("file"))
    return ground.root


@pytest.fixture
def ground(tmp_path: Path, postgres: PostgreSQL, made_ground: Path) -> Iterator[Ground]:
    ground = Ground(tmp_path / "deployment", postgres, made=made_ground)
    yield ground
    postgres.remove_databases(f"{ground.prefix}_")


@pytest.fixture
def shared_ground(ground: Ground, postgres: PostgreSQL) -> Iterator[Ground]:
    """With its platform database on a server."""
    ground.platform = Schema("postgresql", postgres.url())
    yield ground
    ground.platform.remove()
