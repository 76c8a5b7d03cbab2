"""Every test has a deployment of its own, and the kit's plugin."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cms.moves.conftest import ground, made_ground
from tests.cms.own_tables.kit import Kit

__all__ = ["ground", "kit", "made_ground"]


@pytest.fixture
def kit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kit:
    return Kit(tmp_path / "kit", monkeypatch)
