"""Deleting for good: with what rows were like, which the change log would tell for as long as it
reaches back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mosaic_core.head import TENANT, Write
from mosaic_core.head.retention import erase


async def delete_for_good(write: Write, rows: Sequence[Any]) -> None:
    """Deletes rows of one table, with all that the change log has of them: that they were there,
    and who changed them when, stays; what they were like goes.

    Args:
        rows: each with its ``id``.
    """
    for row in rows:
        await write.session.delete(row)
    if rows:
        await erase(write, TENANT, rows[0].__tablename__, [str(row.id) for row in rows])
