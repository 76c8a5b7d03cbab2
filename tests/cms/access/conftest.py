"""A deployment whose platform database is in a file, or on a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cms.deployment import Deployments
from tests.platforms import KINDS_OF_MANY, Place, place_of
from tests.tsql import fits_sql_server, seen

__all__ = ["fits_sql_server", "seen"]


@pytest.fixture(params=KINDS_OF_MANY)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with place_of(request.param, tmp_path, request.getfixturevalue) as place:
        yield place


@pytest.fixture
def deployments(made_deployment: Path, tmp_path: Path, place: Place) -> Deployments:
    return Deployments(made_deployment, tmp_path, place)
