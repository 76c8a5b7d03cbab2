"""What the tests of schemas share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugins.tenancy_sqlschema.schemas import Schemas
from tests.postgres import PostgreSQL


@pytest.fixture
def schemas(postgres: PostgreSQL, tmp_path: Path) -> Schemas:
    return Schemas(postgres, tmp_path)
