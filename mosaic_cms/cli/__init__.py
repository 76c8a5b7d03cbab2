"""The command line: one face of the actions, for the operator."""

from __future__ import annotations

from mosaic_cms.cli.main import main

__all__ = ["main"]
