"""For modules whose deployments have their platform database in a file, or on a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cms.deployment import Deployments
from tests.platforms import Place, place, place_of_many

__all__ = ["deployments", "place", "place_of_many"]


@pytest.fixture
def deployments(made_deployment: Path, tmp_path: Path, place: Place) -> Deployments:
    return Deployments(made_deployment, tmp_path, place)
