"""Every test of moves has a deployment of its own, with databases of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cms.moves.moving import Ground
from tests.postgres import PostgreSQL


@pytest.fixture
def ground(tmp_path: Path, postgres: PostgreSQL) -> Iterator[Ground]:
    ground = Ground(tmp_path / "deployment", postgres)
    yield ground
    postgres.remove_databases(f"{ground.prefix}_")
