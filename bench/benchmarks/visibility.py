"""When a published change is seen: in the process that took it, and in others, with no Redis."""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from typing import Any

from bench import tiles
from bench.deployment import READY_PATH, Deployment, scratch
from bench.figures import Figure, Target
from bench.harness import Spread
from bench.process import BenchError, Server, probe
from bench.progress import tell
from mosaic_cms.product import Product, open_product
from mosaic_cms.scope import Actor
from mosaic_cms.web.site_app import SiteApp

NAMES = ("visible_here", "visible_elsewhere")
_PUBLISHES = 12
_OTHERS = 2  # other processes
_PATIENCE = 10.0  # seconds
_PAUSE = 0.005  # seconds between two looks at another process


def take() -> list[Figure]:
    with ExitStack() as running:
        deployment = tiles.tiles(running.enter_context(scratch()))
        servers = [
            running.enter_context(Server(deployment.serve(), ready_path=READY_PATH))
            for _ in range(_OTHERS)
        ]
        return asyncio.run(_take(deployment, servers))


async def _take(deployment: Deployment, servers: list[Server]) -> list[Figure]:
    here: list[float] = []
    elsewhere: list[float] = []
    async with open_product(deployment.settings()) as product:
        site = SiteApp(product)
        for number in range(1, _PUBLISHES + 1):
            tell(f"publish {number} of {_PUBLISHES}")
            # The other processes have just looked, or are about to look: every moment comes up.
            await asyncio.sleep(0.1 * (number % 7))
            text = f"Change number {number} was published."
            await _publish(product, text)
            done = time.perf_counter()
            if text.encode() not in await _own_page(site):
                raise BenchError("the process that published shows the old page")
            here.append((time.perf_counter() - done) * 1e3)
            waits = [_seen(server, text.encode(), done) for server in servers]
            elsewhere += await asyncio.gather(*waits)
    note = f"{_PUBLISHES} publishes"
    return [
        Figure(
            "visible_here", Spread.of(here), "ms", None, f"{note}; new in the very next request"
        ),
        Figure(
            "visible_elsewhere",
            Spread(max(elsewhere), min(elsewhere), max(elsewhere)),
            "s, the longest",
            Target("<", 1),
            f"{note}, {_OTHERS} other processes, no Redis",
        ),
    ]


async def _publish(product: Product, text: str) -> None:
    scope = product.scope(product.platform.directory.named(tiles.SLUG), Actor("operator", "bench"))
    perform, page = product.actions.perform, {"path": tiles.PATH}
    seen = await perform("pages.show", scope, page)
    await perform("pages.edit", scope, {**page, "body": text, "based_on": seen.revision})
    await perform("pages.publish", scope, page)


async def _own_page(site: SiteApp) -> bytes:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": tiles.PATH,
        "query_string": b"",
        "headers": [(b"host", tiles.HOST["Host"].encode())],
    }
    await site(scope, receive, send)
    return b"".join(message.get("body", b"") for message in sent)


async def _seen(server: Server, text: bytes, since: float) -> float:
    """Seconds until another process shows a text to every visitor who asks."""
    while time.perf_counter() - since < _PATIENCE:
        page = await asyncio.to_thread(probe, server.url, tiles.PATH, tiles.HOST)
        if text in page.body:
            return time.perf_counter() - since
        await asyncio.sleep(_PAUSE)
    raise BenchError(f"another process still shows the old page after {_PATIENCE} s")
