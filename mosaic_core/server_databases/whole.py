"""Making something whole or not at all, whatever becomes of the caller."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from mosaic_core.ended import ended


async def whole(making: Awaitable[None], undo: Callable[[], Awaitable[None]]) -> None:
    """Waits until it is made. When the caller is cancelled meanwhile, what was made is undone."""
    task = asyncio.ensure_future(making)
    try:
        await ended(task)
    except asyncio.CancelledError:
        if not task.cancelled() and task.exception() is None:
            await undo()
        raise
    task.result()
