"""An editor at work while visitors read: saves a draft every two seconds."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Self

from bench import tiles
from bench.deployment import Deployment
from bench.process import BenchError
from mosaic_cms.product import Product, open_product
from mosaic_cms.scope import Actor, TenantScope
from mosaic_core.persistence import HeadState

EVERY = 2.0  # seconds
_START = 30.0  # seconds that opening the product may take


class Editor:
    """Saves drafts of the measured page for the length of a `with` block, in a thread of its own.

    Every save is the action `pages.edit` with another body. Leaving raises BenchError unless the
    tenant's version moved with each of them and what is published did not.
    """

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._thread = threading.Thread(target=lambda: asyncio.run(self._work()))
        self._ready = threading.Event()
        self._enough = threading.Event()
        self._fault: BaseException | None = None
        self.saves = 0

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(_START):
            raise BenchError("the editor did not begin")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._enough.set()
        self._thread.join()
        if self._fault is not None:
            raise BenchError(f"the editor stopped: {self._fault}") from self._fault

    async def _work(self) -> None:
        try:
            async with open_product(self._deployment.settings()) as product:
                await self._edit(product)
        except BaseException as fault:  # noqa: BLE001 - told when the block is left
            self._fault = fault
        finally:
            self._ready.set()

    async def _edit(self, product: Product) -> None:
        tenant = product.platform.directory.named(tiles.SLUG)
        scope = product.scope(tenant, Actor("operator", "editor"))
        page = await product.actions.perform("pages.show", scope, {"path": tiles.PATH})
        before = await _head(scope)
        loop = asyncio.get_running_loop()
        due = loop.time()
        first, *others = page.regions["main"]
        while not self._enough.is_set():
            self.saves += 1
            text = f"{first['data']['text']}<p>Draft {before.version + self.saves}.</p>"
            regions = {"main": [{**first, "data": {"text": text}}, *others]}
            given = {"path": tiles.PATH, "regions": regions, "based_on": page.revision}
            page = await product.actions.perform("pages.edit", scope, given)
            self._ready.set()
            due += EVERY
            await asyncio.to_thread(self._enough.wait, max(0.0, due - loop.time()))
        after = await _head(scope)
        if (after.version, after.published) != (before.version + self.saves, before.published):
            raise BenchError(f"{self.saves} saves led from {before} to {after}")


async def _head(scope: TenantScope) -> HeadState:
    return await scope.product.platform.persistence(scope.tenant).head(scope.tenant)
