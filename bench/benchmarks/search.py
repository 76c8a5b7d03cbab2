"""Searching a site of 10,000 published pages as visitors do, and as nobody should; and saving one
with its index."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

from mosaic_tenancy_sqlite.plugin import mosaic_persistence
from sqlalchemy import select

from bench.deployment import scratch
from bench.figures import Figure, Target
from bench.harness import Spread
from bench.progress import tell
from mosaic_cms.content.published import PublishedPage
from mosaic_cms.product import tenant_schema
from mosaic_core import types
from mosaic_core.head import TENANT, Write, Writer
from mosaic_core.persistence import Persistence
from mosaic_core.search import SearchQuery
from mosaic_core.tenants import TenantContext
from mosaic_core.testing.persistence.search import HOSTILE
from mosaic_core.testing.services import make_services, make_tenant

NAMES = (
    *("search", "search.median", "search.typo", "search.frequent", "search.hostile"),
    *("search.save", "search.first", "search.first.late"),
)
_PAGES, _BATCH, _WORDS_EACH = 10_000, 250, 300
_ROUNDS, _EACH, _SAVES = 5, 200, 40
_SYLLABLES = (
    *("ka", "te", "mo", "ri", "sa", "lu", "ven", "dor", "pi", "na", "gar", "sto", "mel", "hu"),
    *("bri", "cen", "fa", "lon", "ter", "qui", "zor", "wex", "ad", "is", "ul", "op"),
)
#: What the columns hold that no search looks at.
_BLANK: dict[type[Any], Callable[[], Any]] = {
    types.Text: str,
    types.Json: dict,
    types.Integer: int,
    types.Boolean: bool,
    types.Uuid: types.new_id,
    types.UTCDateTime: partial(datetime.now, UTC),
}

Site = tuple[uuid.UUID, str]


def take() -> list[Figure]:
    with scratch() as folder:
        return asyncio.run(_take(folder))


async def _take(folder: Path) -> list[Figure]:
    provider = mosaic_persistence()
    services = make_services(folder, provider=provider.name, schema=tenant_schema())
    async with provider.open(provider.settings(), services) as persistence:
        tenant, site, pages = make_tenant(), (uuid.uuid4(), "en"), Pages()
        await persistence.provision(tenant)
        tell(f"{_PAGES:,} pages")
        await _fill(persistence, tenant, site, pages)
        bare = [[await _save(persistence, tenant, pages) for _ in range(_SAVES)]]
        first, late = await _first(persistence, tenant, site)
        kinds = {
            "": pages.query,
            ".typo": pages.typo,
            ".frequent": pages.frequent,
        }
        figures = []
        for kind, make in kinds.items():
            tell(f"{_ROUNDS} rounds of {_EACH} searches{kind and f': {kind[1:]}'}")
            taken = [
                [await _search(persistence, tenant, site, make()) for _ in range(_EACH)]
                for _ in range(_ROUNDS)
            ]
            target = Target("<", 10) if kind != ".frequent" else None
            note = f"p95 of {_ROUNDS * _EACH} searches over {_PAGES:,} pages"
            figures.append(Figure(f"search{kind}", _spread(taken, 0.95), "ms", target, note))
            if not kind:
                figures.append(Figure("search.median", _spread(taken, 0.5), "ms"))
        hostile, worst = await _hostile(persistence, tenant, site, pages)
        saves = [[await _save(persistence, tenant, pages) for _ in range(_SAVES)]]
        without = statistics.median(bare[0])
        note = f"one page's text changed and committed; {without:.1f} ms without an index"
        return [
            *figures,
            Figure("search.save", _spread(saves, 0.5), "ms", note=note),
            Figure("search.hostile", hostile, "ms", Target("<", 50), f"the slowest was {worst!r}"),
            Figure("search.first", Spread.of([first]), "ms", note="makes the index of all pages"),
            Figure("search.first.late", late, "ms", note="meanwhile, p99 of the event loop"),
        ]


class Pages:
    """Texts whose words are as frequent as those of a language, the same in each run."""

    def __init__(self) -> None:
        self._random = random.Random(1923)
        made: dict[str, None] = {}
        while len(made) < 40_000:
            made["".join(self._random.choices(_SYLLABLES, k=self._random.randint(1, 5)))] = None
        self.words = list(made)
        self._weights = list(accumulate(1 / (rank + 3) for rank in range(len(self.words))))
        self.ids: list[uuid.UUID] = []

    def text(self, words: int) -> str:
        return " ".join(self._random.choices(self.words, cum_weights=self._weights, k=words))

    def query(self) -> str:
        """One to three words as they come in texts, the last one often half typed."""
        words = self.text(self._random.randint(1, 3))
        return words[: -self._random.randint(1, 3)] if self._random.random() < 0.5 else words

    def typo(self) -> str:
        """A word with a letter too many, too few, or another one."""
        word = ""
        while len(word) < 5:
            word = self.text(1)
        at = self._random.randrange(len(word))
        return word[:at] + self._random.choice(["", "y", "jj"]) + word[at + 1 :]

    def frequent(self) -> str:
        """One of the words that are on most pages."""
        return self._random.choice(self.words[:20])

    def hostile(self) -> list[str]:
        """Queries that cost as much as can be."""
        many = self.words[:9]
        return [
            *HOSTILE,
            *(" ".join([*many, last]) for last in (self.words[9], self.words[9][:2], "e\u0301")),
            *(" ".join(f"{word}{slip}" for word in self.words[:3]) for slip in ("q", "qq", "")),
            *(word[:length] for word in self.words[:5] for length in (1, 2, 3, 4)),
        ]


async def _fill(persistence: Persistence, tenant: TenantContext, site: Site, pages: Pages) -> None:
    async def fn(write: Write) -> None:
        for _ in range(_BATCH):
            write.session.add(_page(site, pages))

    for _ in range(_PAGES // _BATCH):
        await _writer(persistence, tenant).write(fn, actor="bench", action="bench.fill")


def _page(site: Site, pages: Pages) -> PublishedPage:
    page_id = types.new_id()
    pages.ids.append(page_id)
    known = {
        **{"page_id": page_id, "language": site[1], "site_id": site[0], "path": f"/{page_id}/"},
        **{"title": pages.text(5), "summary": pages.text(20), "text": pages.text(_WORDS_EACH)},
    }
    for column in PublishedPage.__table__.columns:
        if column.name not in known:
            known[column.name] = None if column.nullable else _BLANK[type(column.type)]()
    return PublishedPage(**known)


async def _search(persistence: Persistence, tenant: TenantContext, site: Site, text: str) -> float:
    """Milliseconds for the first ten hits."""
    started = time.perf_counter()
    await persistence.search(tenant, SearchQuery(text, site))
    return (time.perf_counter() - started) * 1e3


async def _first(
    persistence: Persistence, tenant: TenantContext, site: Site
) -> tuple[float, Spread]:
    """Milliseconds for the first search, and by how many the event loop was late meanwhile."""
    searching = asyncio.create_task(_search(persistence, tenant, site, "anything"))
    late = []
    while not searching.done():
        started = time.perf_counter()
        await asyncio.sleep(0.002)
        late.append((time.perf_counter() - started - 0.002) * 1e3)
    return await searching, Spread(_quantile(late, 0.99), min(late), max(late))


async def _hostile(
    persistence: Persistence, tenant: TenantContext, site: Site, pages: Pages
) -> tuple[Spread, str]:
    """Milliseconds for the query that takes longest, at the best of three times; and which."""
    tell("hostile queries")
    taken = {
        text: min([await _search(persistence, tenant, site, text) for _ in range(3)])
        for text in pages.hostile()
    }
    worst = max(taken, key=lambda text: taken[text])
    return Spread(taken[worst], min(taken.values()), taken[worst]), worst[:30]


async def _save(persistence: Persistence, tenant: TenantContext, pages: Pages) -> float:
    page_id, text = random.choice(pages.ids), pages.text(_WORDS_EACH)

    async def fn(write: Write) -> None:
        query = select(PublishedPage).where(PublishedPage.page_id == page_id)
        (await write.session.scalars(query)).one().text = text

    started = time.perf_counter()
    await _writer(persistence, tenant).write(fn, actor="bench", action="bench.save")
    return (time.perf_counter() - started) * 1e3


def _writer(persistence: Persistence, tenant: TenantContext) -> Writer:
    return Writer(TENANT, tenant.tenant_id, partial(persistence.exclusive, tenant))


def _spread(turns: list[list[float]], share: float) -> Spread:
    """A quantile of all, with the lowest and the highest of the rounds'."""
    rounds = [_quantile(turn, share) for turn in turns]
    return Spread(
        _quantile([value for turn in turns for value in turn], share), min(rounds), max(rounds)
    )


def _quantile(values: list[float], share: float) -> float:
    return statistics.quantiles(values, n=100)[round(share * 100) - 1]
