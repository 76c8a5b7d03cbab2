"""A process that moves a tenant and dies on the way, at a point that is counted as it comes.

A step has three: before its effect, between the effect and the note of it, after the note.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from mosaic_cms.product import open_product
from mosaic_core.moves import Mover, Step
from mosaic_core.tenants import TenantContext
from tests.cms.deployment import settings_for

POINTS = ("before", "between", "after")


def dying_at(patch: pytest.MonkeyPatch, step: Step, point: str, die: Callable[[], Any]) -> None:
    """Has a mover die at a point of a step."""
    effect, recorded = Mover._effect, Mover._recorded

    async def effect_dying(self: Mover, doing: Step) -> None:
        if doing is step and point == "before":
            die()
        await effect(self, doing)
        if doing is step and point == "between":
            die()

    async def recorded_dying(self: Mover, done: Step, **values: Any) -> None:
        await recorded(self, done, **values)
        if done is step and point == "after":
            die()

    patch.setattr(Mover, "_effect", effect_dying)
    patch.setattr(Mover, "_recorded", recorded_dying)


def cancelling_at(patch: pytest.MonkeyPatch, step: Step) -> None:
    """Has somebody cancel a move when it comes to a step."""
    effect = Mover._effect

    async def cancelled(self: Mover, doing: Step) -> None:
        if doing is step:
            with suppress(Exception):
                await self._moves.cancel(self._source.tenant, actor="somebody")
        await effect(self, doing)

    patch.setattr(Mover, "_effect", cancelled)


async def _main(given: dict[str, Any]) -> None:
    settings = settings_for(Path(given["root"]), **given["tables"])
    patch = pytest.MonkeyPatch()
    if given["cancel"]:
        cancelling_at(patch, Step(given["cancel"]))
    die = lambda: os.kill(os.getpid(), signal.SIGKILL)  # noqa: E731
    dying_at(patch, Step(given["step"]), given["point"], die)
    async with open_product(settings) as product:
        tenant: TenantContext = product.platform.directory.named("aurora")
        await product.platform.moving.move(tenant, given["tier"], actor="operator")


if __name__ == "__main__":
    asyncio.run(_main(json.loads(sys.argv[1])))
