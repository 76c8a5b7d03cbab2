"""Composes everything: settings → platform → product → the ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from mosaic_cms.api.app import Api
from mosaic_cms.product import Product, open_product
from mosaic_cms.themes import THEMES_CHECKED
from mosaic_cms.web.responses import Receive, Scope, Send
from mosaic_cms.web.site_app import SiteApp
from mosaic_core.settings import Settings, load_settings

#: Names the mosaic.toml of a process that a web server starts.
CONFIG_VARIABLE = "MOSAIC_CONFIG"
#: Seconds between looks for work that a stopped process left behind.
SWEEP = 10.0
_log = logging.getLogger("mosaic.app")


class Application:
    """The whole of it as one ASGI application, opened and closed by the server's lifespan."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opened: AbstractAsyncContextManager[Product] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.product: Product | None = None
        self.site: SiteApp | None = None
        self.api: Api | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            assert self.api is not None, "the server did not run the lifespan"
            face = self.api if self.api.takes(scope) else self.site
            assert face is not None
            await face(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:  # there are no websockets
            await send({"type": "websocket.close", "code": 1000})

    def kept(self, scope: Scope) -> tuple[bytes, bytes] | None:
        """The response to a request whose page is in the cache (see :mod:`mosaic_cms.web.server`);
        None when there is more to do."""
        return None if self.site is None else self.site.kept(scope)

    async def start(self) -> None:
        """Opens everything."""
        self._opened = open_product(self._settings)
        self.product = await self._opened.__aenter__()
        self.product.themes.check(self._settings.data_dir / THEMES_CHECKED)
        self.site = SiteApp(self.product)
        self.api = Api(self.product)
        self._tasks = [
            asyncio.create_task(self._sweep(self.product)),
            asyncio.create_task(self.product.timekeeper.run()),
            asyncio.create_task(self.product.postman.run()),
            asyncio.create_task(self.product.renewal.run()),
            asyncio.create_task(self.product.remover.run()),
            asyncio.create_task(self.product.compactor.run()),
            asyncio.create_task(self.product.noted.run()),
            asyncio.create_task(self.product.platform.moving.run()),
        ]
        if self.product.platform.news is not None:
            self._tasks.append(asyncio.create_task(self.product.platform.news.listen()))

    async def stop(self) -> None:
        """Closes everything, in reverse."""
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if self._opened is not None:
            await self._opened.__aexit__(None, None, None)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    await self.start()
                except Exception as error:
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    raise
                leave_heap_alone()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _sweep(self, product: Product) -> None:
        """Finishes what stopped processes left: soon after the start, then now and again."""
        wait = 0.5
        while True:
            await asyncio.sleep(wait)
            wait = SWEEP
            try:
                await product.settle_all(older_than=5.0)
            except Exception:  # noqa: BLE001 - whatever it is, the next sweep tries again
                _log.exception("the outbox could not be dealt with; trying again")


def leave_heap_alone() -> None:
    """What is there now stays until the end, and no garbage collection looks through it again; of
    what comes, it looks through so little at a time that no visitor notices."""
    gc.freeze()
    gc.set_threshold(5_000, 5, 50)


def create_app() -> Application:
    """What a server imports: the application for the configuration in ``MOSAIC_CONFIG``."""
    return Application(load_settings(Path(os.environ.get(CONFIG_VARIABLE, "."))))
