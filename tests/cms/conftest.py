"""A deployment is made once for each test process and copied for each test."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.cms.deployment import Deployments, make_deployment
from tests.tsql import fits_sql_server, seen

__all__ = ["fits_sql_server", "seen"]


@pytest.fixture(scope="session")
def made_deployment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made")
    asyncio.run(make_deployment(root))
    return root


@pytest.fixture
def deployments(made_deployment: Path, tmp_path: Path) -> Deployments:
    return Deployments(made_deployment, tmp_path)
