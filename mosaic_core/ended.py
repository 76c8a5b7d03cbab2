"""Waiting for what must not be left alone, whatever becomes of whoever waits."""

from __future__ import annotations

import asyncio
from typing import Any


async def ended(future: asyncio.Future[Any]) -> None:
    """Waits until it has ended, well or not, however often the waiting task is cancelled.

    Raises:
        asyncio.CancelledError: it was cancelled meanwhile; by now, the other has ended.
    """
    cancelled = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
