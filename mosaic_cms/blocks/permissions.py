"""Who may put which block on a page: HTML by hand is for Admins.

Content comes in from somebody in a few places, and each asks here. What stands there already is no
question of rights: whoever may edit a page may move, keep and remove an Admin's HTML.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mosaic_cms.blocks.registry import BlockTypes
from mosaic_cms.blocks.stored import blocks_in
from mosaic_cms.rights import Decision, Permission
from mosaic_core.errors import Denied


def require_permitted(
    types: BlockTypes, may: Callable[[Permission], Decision], after: Any, before: Any
) -> None:
    """Checks content that is about to be saved.

    Args:
        may: decides for the one who saves it.
        after, before: regions or blocks, as they are to be and as they are.

    Raises:
        Denied: there is a new block, or one with other data, that not everybody may make.
    """
    known = {stored["id"]: stored for stored in blocks_in(before)}
    for stored in blocks_in(after):
        kind = types.get(stored["type"])
        if kind is None or kind.permission == "content":
            continue
        there = known.get(stored["id"])
        if there is not None and (there["type"], there["data"]) == (kind.name, stored["data"]):
            continue
        decision = may(Permission("create" if there is None else "update", kind.permission))
        if not decision.allowed:
            raise Denied(
                f"The block {stored['id']!r} is {kind.title}: {decision.reason}",
                hint="Use another block, or ask an Admin to make this one.",
            )
