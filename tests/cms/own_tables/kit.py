"""A plugin with a table, as the kit makes it, installed where this process looks for plugins."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from mosaic_cms.scaffold import write_plugin

NAME = "notes"
_SECOND = """
import sqlalchemy as sa
from alembic import op
from mosaic_core import types

revision = "notes_0002"
down_revision = "notes_0001"
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    op.add_column("notes_notes", sa.Column("colour", types.Text(20)), schema="tenant")
"""


class Kit:
    """The plugin's distribution."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        write_plugin(NAME, "tables", folder)
        self.package = folder / NAME / f"mosaic_{NAME}"
        described = folder / NAME / f"mosaic_{NAME}-0.1.0.dist-info"
        described.mkdir()
        (described / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: mosaic-{NAME}\nVersion: 0.1.0\n"
        )
        (described / "entry_points.txt").write_text(f"[mosaic]\n{NAME} = mosaic_{NAME}.plugin\n")
        monkeypatch.syspath_prepend(str(folder / NAME))
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
        self.forget()

    def forget(self) -> None:
        """The next process imports what is there then."""
        for name in [one for one in sys.modules if one.startswith(f"mosaic_{NAME}")]:
            self._monkeypatch.delitem(sys.modules, name)

    def release(self) -> None:
        """A second version, whose notes have a colour."""
        (self.package / "migrations" / "m0002_colour.py").write_text(_SECOND)
        tables = self.package / "tables.py"
        column = "    colour: Mapped[str | None] = mapped_column(types.Text(20))\n"
        tables.write_text(tables.read_text() + column)
        self.forget()

    def withdraw(self) -> None:
        """The first version again, as on a host that was not updated yet."""
        (self.package / "migrations" / "m0002_colour.py").unlink()
        shutil.rmtree(self.package / "migrations" / "__pycache__", ignore_errors=True)
        tables = self.package / "tables.py"
        kept = [line for line in tables.read_text().splitlines(True) if "colour" not in line]
        tables.write_text("".join(kept))
        self.forget()
