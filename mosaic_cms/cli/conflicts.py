"""What a save is at odds with: both texts of everything."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.text import Text

from mosaic_cms.content.conflicts import EditConflict
from mosaic_core.errors import MosaicError, PreconditionRequired


def facts_of(error: MosaicError) -> dict[str, Any]:
    """What programs are told besides: the revision of what is there, and what is at odds."""
    facts: dict[str, Any] = {}
    if isinstance(error, EditConflict | PreconditionRequired):
        facts["revision"] = error.revision
    if isinstance(error, EditConflict):
        facts["conflicts"] = list(error.conflicts)
    return facts


def show(error: MosaicError, console: Console) -> None:
    """Both texts of everything that is at odds, for people."""
    if not isinstance(error, EditConflict):
        return
    for item in error.conflicts:
        console.print(Text.assemble("\n", (item.where, "bold"), f": {item.what}"))
        for name, value, style in (("theirs", item.theirs, "red"), ("yours", item.mine, "green")):
            text = json.dumps(value, ensure_ascii=False)
            console.print(Text.assemble((f"  {name}: ", "bold"), (text, style)), soft_wrap=True)
    console.print()
