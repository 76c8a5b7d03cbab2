"""Commands, as somebody types them, over a made deployment."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from mosaic_cms.cli.commands import app
from tests.cms.deployment import Deployments


def command_line(deployments: Deployments, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A deployment that commands find; returns its configuration."""
    path = deployments.copy() / "mosaic.toml"
    path.write_text(
        '[platform]\ndomain = "mosaic.test"\n'
        'plugins = ["host_resolvers", "tenancy_sqlite", "storage_local"]\n'
        '[tiers.open]\npersistence = "tenancy_sqlite"\nstorage = "storage_local"\n'
    )
    monkeypatch.setenv("MOSAIC_CONFIG", str(path))
    for name, value in deployments.database.items():
        monkeypatch.setenv(f"MOSAIC_DATABASE__{name.upper()}", str(value))
    return path


def invoke(*words: str, code: int = 0) -> str:
    """What a command prints."""
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == code, (result.output, result.exception)
    return result.output
