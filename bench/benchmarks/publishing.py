"""Publishing a page of 25 blocks, giving a site of 1,000 pages another theme, and what saving a
draft costs when many block types are declared."""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import uvloop

from bench.deployment import new_deployment, scratch
from bench.figures import Figure, Target
from bench.harness import Spread
from bench.progress import tell
from bench.readers import reading
from mosaic_cms.app import leave_heap_alone
from mosaic_cms.blocks.base import TEMPLATES, Block, Line
from mosaic_cms.blocks.registry import BlockTypes
from mosaic_cms.blocks.standard import STANDARD
from mosaic_cms.product import Product, open_product
from mosaic_cms.scope import Actor, TenantScope
from mosaic_cms.web.site_app import SiteApp

NAMES = ("publish_page", "theme_change", "theme_change.page", "save_types")
_ROUNDS, _EACH = 5, 20
_PAGES = 1_000
_VISITORS = 4
_FEW, _MANY = 10, 200
_TURNS = 20

_TEXT = (
    "The kiln is opened on the third day, when a hand can stay on its door. **Cobalt** goes on "
    "first, because it runs; then the red, which does not. See the [shelf](#shelf) below.\n\n"
    "- one part of clay\n- eight parts of quartz\n- one part of frit\n"
)


def take() -> list[Figure]:
    with scratch() as folder:
        deployment = new_deployment(folder / "publishing")

        async def work() -> list[Figure]:
            async with open_product(deployment.settings()) as product:
                leave_heap_alone()
                return [*await _publish(product), *await _theme(product), _types()]

        return uvloop.run(work())  # as the server does


def _regions(word: str) -> dict[str, Any]:
    """25 blocks as an editor might make them."""
    kinds: list[tuple[str, dict[str, Any]]] = [
        ("hero", {"heading": f"Opening {word}", "text": "A workshop by the lake."}),
        *(("markdown", {"text": f"## Part {n}\n\n{_TEXT}"}) for n in range(8)),
        *(
            ("rich_text", {"text": f"<p>{word} and <em>glaze</em>, part {n}.</p>"})
            for n in range(6)
        ),
        ("quote", {"text": "A tile is a page that does not yellow.", "author": "The master"}),
        ("code", {"code": "def fire(kiln):\n    return kiln.at(900)\n", "language": "python"}),
        ("table", {"caption": "Firings", "rows": [["Day", "Heat"], ["1", "300"], ["2", "900"]]}),
        ("callout", {"kind": "tip", "text": "Wait for the *third* day."}),
        ("accordion", {"items": [{"title": "Why quartz?", "text": "It stays white."}]}),
        ("button", {"label": "Visit us", "link": "/visit/"}),
        ("divider", {}),
        ("page_list", {"heading": "News", "limit": 5}),
        ("callout", {"kind": "note", "text": "Closed on Mondays."}),
        ("columns", {"layout": "6-6", "columns": [[_block("a", 0)], [_block("b", 1)]]}),
    ]
    return {
        "main": [
            {"id": f"b{n}", "type": kind, "data": data} for n, (kind, data) in enumerate(kinds)
        ]
    }


def _block(word: str, number: int) -> dict[str, Any]:
    return {
        "id": f"inner{number}",
        "type": "markdown",
        "version": 1,
        "data": {"text": f"{word}: {_TEXT}"},
    }


async def _tenant(product: Product, slug: str) -> TenantScope:
    actor = Actor("operator", "bench")
    given = {"slug": slug, "name": "A workshop", "tier": "free"}
    await product.actions.perform("tenants.create", product.platform_scope(actor), given)
    return product.scope(product.platform.directory.named(slug), actor)


async def _publish(product: Product) -> list[Figure]:
    scope = await _tenant(product, "pages")
    perform = product.actions.perform
    for n in range(30):
        page = {"slug": f"page-{n}", "title": f"Page {n}", "regions": _regions(f"first {n}")}
        await perform("pages.create", scope, page)
        await perform("pages.publish", scope, {"path": f"/page-{n}/"})

    async def once(number: int) -> float:
        path = f"/page-{number % 30}/"
        seen = await perform("pages.show", scope, {"path": path})
        text = {"regions": _regions(f"again {number}"), "based_on": seen.revision}
        await perform("pages.edit", scope, {"path": path, **text})
        return await _timed(partial(perform, "pages.publish", scope, {"path": path}))

    rounds = []
    for turn in range(_ROUNDS):
        tell(f"round {turn + 1} of {_ROUNDS}: {_EACH} pages published")
        rounds.append([await once(turn * _EACH + n) for n in range(_EACH)])
    note = f"{_ROUNDS * _EACH} times 25 blocks, on disk and to be seen; medians of rounds"
    return [Figure("publish_page", _spread(rounds), "ms", Target("<", 20), note)]


async def _theme(product: Product) -> list[Figure]:
    """Seconds until every page is rendered with the other theme, by the jobs that ship, in a
    process that serves visitors meanwhile; and how long these wait."""
    scope = await _tenant(product, "themes")
    perform = product.actions.perform
    tell(f"{_PAGES:,} pages")
    paths = []
    for n in range(_PAGES):
        parent = "/" if n < 25 else f"/page-{n % 25}/"
        page = {"slug": f"page-{n}", "title": f"Page {n}", "parent": parent, "body": _TEXT * 3}
        made = await perform("pages.create", scope, page)
        await perform("pages.publish", scope, {"path": made.path})
        paths.append(made.path)
    site = SiteApp(product)
    host = f"{scope.tenant.slug}.{product.platform.directory.platform_domain}"
    taken, waits, whole = [], [], 0
    for turn in range(_ROUNDS):
        theme = ("folio", "iznik")[turn % 2]
        tell(f"round {turn + 1} of {_ROUNDS}: to {theme}")
        seen = await perform("sites.show", scope, {})
        given = {"theme": theme, "based_on": seen.revision}
        change = partial(perform, "sites.configure", scope, given)
        async with reading(site, host, paths, _VISITORS) as read:
            seconds = await _timed(change)
        taken.append(seconds / 1e3)
        waits.append(statistics.quantiles(read.waits, n=100)[98])
        whole += sum(read.themes.values())
    note = f"{_PAGES:,} pages rendered again; {_VISITORS} visitors read {whole:,}, each whole"
    p99 = "p99 of what they read meanwhile"
    return [
        Figure("theme_change", Spread.of(taken), "s", Target("<", 10), note),
        Figure("theme_change.page", Spread.of(waits), "ms", None, p99),
    ]


def _types() -> Figure:
    """What checking and saving a draft costs with many types against few."""
    regions = _regions("saved")
    few, many = (_registry(count) for count in (_FEW, _MANY))
    ratios = []
    for _ in range(_ROUNDS):  # in turns as short as can be told: others use this machine too
        spent = [0.0, 0.0]
        for turn in range(_TURNS):
            for which in (turn % 2, 1 - turn % 2):
                spent[which] += _checking((many, few)[which], regions)
        ratios.append(spent[0] / spent[1])
    note = f"reading 25 blocks with {_MANY} types declared against {_FEW} more than the standard"
    return Figure("save_types", Spread.of(ratios), f"× {_FEW} types", Target("≤", 1.1), note)


def _registry(count: int) -> BlockTypes:
    extra = [
        type(
            f"Extra{n}",
            (Block,),
            {
                "__annotations__": {"text": Line},
                "__module__": __name__,
                "name": f"extra_{n}",
                "title": f"Extra {n}",
                "template": TEMPLATES / "divider.html",
            },
        )
        for n in range(count)
    ]
    return BlockTypes([*STANDARD, *extra])


def _checking(types: BlockTypes, regions: dict[str, Any]) -> float:
    from mosaic_cms.blocks.stored import regions_of

    started = time.process_time()
    for _ in range(10):
        types.faults(types.forward(regions_of(regions)))
    return time.process_time() - started


async def _timed(run: Callable[[], Awaitable[Any]]) -> float:
    started = time.perf_counter()
    await run()
    return (time.perf_counter() - started) * 1e3


def _spread(rounds: list[list[float]]) -> Spread:
    medians = [statistics.median(taken) for taken in rounds]
    every = [value for taken in rounds for value in taken]
    return Spread(statistics.median(every), min(medians), max(medians))
