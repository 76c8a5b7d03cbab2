"""A rendition of a 12-megapixel photograph against the image library called directly, and serving
one that is stored against a plain static file route."""

from __future__ import annotations

import asyncio
import re
import statistics
import time
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from bench import static
from bench.deployment import READY_PATH, Deployment, new_deployment, scratch
from bench.figures import Figure, Target, compared
from bench.harness import Spread, measure, rounds
from bench.process import BenchError, Server, probe
from bench.progress import tell
from mosaic_cms.demo import fill_tenant
from mosaic_cms.pictures.geometry import Shape
from mosaic_cms.pictures.picture import Wanted
from mosaic_cms.pictures.renditions import Source
from mosaic_cms.product import Product, open_product
from mosaic_core.tenants import TenantContext

NAMES = ("rendition", "rendition.served")
_SLUG = "pictures"
_HOST = {"Host": f"{_SLUG}.localhost"}
_WIDTH = 800
_ROUNDS, _EACH = 5, 5
_AGAINST = "a plain static file route"


def take() -> list[Figure]:
    with ExitStack() as running:
        folder = running.enter_context(scratch())
        deployment = new_deployment(folder / "pictures")
        source = folder / "source"
        _write(source)
        made = asyncio.run(_made(deployment, source))
        mosaic = running.enter_context(Server(deployment.serve(), ready_path=READY_PATH))
        address = _address(probe(mosaic.url, "/", _HOST).body)
        answer = probe(mosaic.url, address, _HOST)  # the visitor who has it made
        if answer.status != 200 or answer.body[8:12] != b"WEBP":
            raise BenchError(f"no rendition at {address}: {answer.status}")
        (folder / "static").mkdir()
        (folder / "static" / "a.webp").write_bytes(answer.body)
        plain = running.enter_context(Server(static.serve(folder / "static")))
        found = rounds(
            {
                _AGAINST: partial(_sample, plain, "/a.webp"),
                "rendition.served": partial(_sample, mosaic, address),
            }
        )
    target = Target("≥", 0.7)
    served = compared(
        "rendition.served", found["rendition.served"], found[_AGAINST], _AGAINST, target=target
    )
    return [*made, *served]


def _write(folder: Path) -> None:
    """A page with a photograph of 4,000 × 3,000 pixels: soft shapes, and the grain of a sensor."""
    import pyvips

    (folder / "content").mkdir(parents=True)
    soft = pyvips.Image.perlin(4000, 3000, cell_size=512, seed=1, uchar=True)
    shades = soft.bandjoin([soft.flip("horizontal"), soft.flip("vertical")])
    grain = pyvips.Image.gaussnoise(4000, 3000, sigma=6, mean=0, seed=1)
    image = (shades + grain).cast("uchar").copy(interpretation="srgb")
    image.jpegsave(str(folder / "content" / "photograph.jpg"), Q=88)
    page = "---\ntitle: Home\n---\n\n![A photograph](photograph.jpg)\n"
    (folder / "content" / "index.md").write_text(page, encoding="utf-8")
    (folder / "site.toml").write_text('title = "Pictures"\n', encoding="utf-8")


async def _made(deployment: Deployment, source: Path) -> list[Figure]:
    """How long a rendition takes from the visitor's question to its being stored, and what it costs
    the processor, against the library alone."""
    photograph = source / "content" / "photograph.jpg"
    async with open_product(deployment.settings()) as product:
        await fill_tenant(product, _SLUG, source)
        tenant = product.platform.directory.named(_SLUG)
        storage = product.platform.storage(tenant)
        (key,) = [info.key async for info in storage.list(tenant)]
        stored = Source(key, photograph.stat().st_size)
        ours: Callable[[], Coroutine[Any, Any, None]] = partial(_once, product, tenant, stored)

        async def alone() -> None:
            await asyncio.to_thread(_directly, photograph)

        await ours()  # the library is imported
        wall, cpu, took = [], [], []
        for turn in range(1, _ROUNDS + 1):
            tell(f"round {turn} of {_ROUNDS}: {_EACH} renditions")
            pairs = [(await _timed(ours), await _timed(alone)) for _ in range(_EACH)]
            wall.append(_ratio([(one[0], other[0]) for one, other in pairs]))
            cpu.append(_ratio([(one[1], other[1]) for one, other in pairs]))
            took += [one[0] for one, _ in pairs]
    note = f"{statistics.median(took) * 1e3:,.0f} ms, read, rendered and on disk"
    unit = "× the library alone"
    return [
        Figure("rendition", Spread.of(wall), unit, Target("≤", 1.3), note),
        Figure("rendition.cpu", Spread.of(cpu), unit, note="CPU time of all threads"),
    ]


async def _once(product: Product, tenant: TenantContext, source: Source) -> None:
    storage, wanted = product.platform.storage(tenant), Wanted(Shape(), _WIDTH, "webp")
    await storage.delete(tenant, wanted.key(source.key))
    if await product.renditions.get(storage, tenant, source, wanted) is None:
        raise BenchError("the rendition could not be made")


def _directly(photograph: Path) -> bytes:
    """What the library's own manual says, with the same settings."""
    import pyvips

    image = pyvips.Image.thumbnail(str(photograph), _WIDTH, output_profile="srgb")
    made: bytes = image.webpsave_buffer(Q=78, effort=4, keep="none")
    return made


async def _timed(work: Callable[[], Coroutine[Any, Any, None]]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    await work()
    return time.perf_counter() - wall, time.process_time() - cpu


def _ratio(pairs: list[tuple[float, float]]) -> float:
    ours = statistics.median(one for one, _ in pairs)
    return ours / statistics.median(other for _, other in pairs)


def _address(page: bytes) -> str:
    found = re.search(rf"/-/media/[^ \"]+/{_WIDTH}\.webp".encode(), page)
    if found is None:
        raise BenchError("the page offers no rendition")
    return found[0].decode()


def _sample(server: Server, path: str) -> Any:
    return measure(server, path, contains=b"WEBP", headers=_HOST, seconds=3)
