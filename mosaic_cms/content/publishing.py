"""Publishing and unpublishing: from a draft to what visitors see."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.blocks.registry import BlockTypes
from mosaic_cms.content.items import Facts
from mosaic_cms.content.models import Page, PageVersion, Site
from mosaic_cms.content.placing import (
    dependents,
    place_page,
    place_redirects,
    remove_page,
)
from mosaic_cms.content.projection import Projection
from mosaic_cms.content.published import PublishedPage
from mosaic_cms.content.redirects import leave_redirects
from mosaic_cms.content.references import described_in, in_chunks
from mosaic_cms.content.versions import is_draft, version_of_draft
from mosaic_core.errors import InvalidInput, NotFound
from mosaic_core.head import TENANT, Write
from mosaic_core.head.outbox import enqueue

#: The topic of messages that name pages to render again.
RENDER = "projection.render"
#: Pages in one message.
BATCH = 25
_LIVE = (
    select(PageVersion, PublishedPage)
    .outerjoin(PublishedPage, PublishedPage.page_id == PageVersion.page_id)
    .where(PageVersion.id == bindparam("version"))
)


class Publisher:
    """Publishes pages of a site; every method runs inside a write."""

    def __init__(self, projection: Projection, types: BlockTypes) -> None:
        self._projection = projection
        self._types = types

    async def publish(self, write: Write, site: Site, page: Page) -> PageVersion:
        """Makes the draft live. The page shows at once; what depends on it follows by a job."""
        session = write.session
        # Held, so that the session finds them from here on without asking.
        live = await _live_and_placed(session, page)
        known = None if live is None or live[1] is None else Facts.of(live[1])
        touched: set[uuid.UUID] = set()
        with session.no_autoflush:  # so that a new row is written once, with its page in it
            version, row = await self._go_live(write, site, page)
            news = known != Facts.of(row)
            if news and known is not None:
                touched = await dependents(session, [known])
            if news and version.layout == "post":
                await session.flush()  # it is found among its neighbours
            rendered = await self._projection.render_row(session, site, version, row)
            await self._projection.fill(session, [(row, rendered)])
        if news:
            touched |= await dependents(session, [row])
            await self.place_around(session, site)
        await self.render_later(write, touched)
        return version

    async def open_site(self, write: Write, site: Site, home: Page) -> None:
        """Shows a new site with its first page. The projection has nothing of it yet, so nothing
        is looked for: no row to change, no page to list, none that would list this one."""
        version, row = await self._go_live(write, site, home)
        rendered = await self._projection.render_row(write.session, site, version, row, alone=True)
        await self._projection.fill(write.session, [(row, rendered)])
        await self._projection.place_site(write.session, site, first=True)

    async def publish_many(self, write: Write, site: Site, pages: list[Page]) -> None:
        """Makes many drafts live; they show as jobs render them, an already live one whole."""
        touched = await self._dependents(write, pages)
        rows = [(await self._go_live(write, site, page))[1] for page in pages]
        touched |= await dependents(write.session, rows)
        await self.place_around(write.session, site)
        await self.render_later(write, touched.union(page.id for page in pages))

    async def release(
        self, write: Write, site: Site, publish: list[Page], unpublish: list[Page]
    ) -> None:
        """Publishes pages and unpublishes others at once: each shows whole, or is gone, with the
        commit. What depends on them follows by jobs.

        Raises:
            InvalidInput, NotFound: as of :meth:`publish` and :meth:`unpublish`.
        """
        touched = await self._dependents(write, publish)
        touched |= await self._withdraw(write, unpublish)
        placed = [await self._go_live(write, site, page) for page in publish]
        await write.session.flush()
        for version, row in placed:
            rendered = await self._projection.render_row(write.session, site, version, row)
            await self._projection.fill(write.session, [(row, rendered)])
        touched |= await dependents(write.session, [row for _, row in placed])
        await self.place_around(write.session, site)
        await self.render_later(write, touched.difference(page.id for page in unpublish))

    async def unpublish(self, write: Write, site: Site, *pages: Page) -> None:
        """Takes pages from visitors; their drafts stay.

        Raises:
            NotFound: one is not published.
            InvalidInput: others below them are published.
        """
        touched = await self._withdraw(write, pages)
        await self.place_around(write.session, site)
        await self.render_later(write, touched)

    async def _withdraw(self, write: Write, pages: Sequence[Page]) -> set[uuid.UUID]:
        """Takes pages out of the projection; returns what showed something of them."""
        for page in pages:
            if page.live_version_id is None:
                raise NotFound(f"The page {page.path!r} is not published.")
        below = await published_below(write.session, pages)
        for page in pages:
            if below[page.id]:
                raise InvalidInput(
                    f"The page {page.path!r} has {below[page.id]} published pages below it.",
                    hint="Unpublish those first.",
                )
        touched = await self._dependents(write, pages)
        for page in pages:
            page.live_version_id = None
        await write.session.flush()
        for page in pages:
            await remove_page(write.session, page.id)
        if pages:  # these addresses lead to them again, wherever they are published next
            site = await write.session.get_one(Site, pages[0].site_id)
            left = {page.path: page.id for page in pages}
            await leave_redirects(write.session, site, left, ())
        return touched

    async def readdress(self, write: Write, site: Site, pages: list[Page]) -> None:
        """Moves published pages to their new addresses; the old ones lead there from now on."""
        touched = await self._dependents(write, pages)
        rows: list[PublishedPage] = []
        left: dict[str, uuid.UUID] = {}
        for page in pages:
            version = await self._live(write, page)
            if version is None:
                continue
            placed = await write.session.get(PublishedPage, page.id)
            if placed is not None and placed.path != page.path:
                left[placed.path] = page.id
            rows.append(await place_page(write.session, page, version))
            await write.session.flush()  # one at a time: each may take another's old address
        if rows:
            await leave_redirects(write.session, site, left, {row.path for row in rows})
            touched |= await dependents(write.session, rows)
            await self.place_around(write.session, site)
            await self.render_later(write, touched.union(row.page_id for row in rows))

    async def place_around(self, session: AsyncSession, site: Site) -> None:
        """Places what surrounds a site's pages: menus and redirects show what is published."""
        await self._projection.place_site(session, site)
        await place_redirects(session, site)

    async def refresh_pages(self, write: Write, site: Site, pages: Sequence[Page]) -> None:
        """Places live pages anew and has them rendered, with what shows something of them: their
        pictures changed."""
        rows = []
        for page in pages:
            version = await self._live(write, page)
            if version is not None:
                rows.append(await place_page(write.session, page, version))
        await write.session.flush()
        touched = await dependents(write.session, rows)
        await self.render_later(write, touched.union(row.page_id for row in rows))

    async def renew(self, write: Write, site: Site, *, everything: bool) -> None:
        """Has pages rendered again: all of them, or those made with another state of the theme."""
        if everything:
            every = select(PublishedPage.page_id).where(PublishedPage.site_id == site.id)
            ids = list(await write.session.scalars(every))
        else:
            ids = await self.outdated(write.session, site)
        await self.render_later(write, ids)

    async def outdated(self, session: AsyncSession, site: Site) -> list[uuid.UUID]:
        """The pages of a site that were made with another theme, or with another state of it."""
        return await self._projection.outdated(session, site)

    async def render_later(self, write: Write, page_ids: Iterable[uuid.UUID]) -> None:
        """Leaves messages that name pages to render again."""
        ids = sorted(str(page_id) for page_id in page_ids)
        for start in range(0, len(ids), BATCH):
            await enqueue(write, TENANT, RENDER, {"pages": ids[start : start + BATCH]})

    async def _go_live(
        self, write: Write, site: Site, page: Page
    ) -> tuple[PageVersion, PublishedPage]:
        await self._require_whole(write.session, page)
        version = await self._live(write, page)
        first = page.version_count == 0
        if version is None or not is_draft(page, version):
            version = await version_of_draft(write, page, live=version)
            page.live_version_id = version.id
        row = await place_page(write.session, page, version, first=first)
        return version, row

    async def _dependents(self, write: Write, pages: Sequence[Page]) -> set[uuid.UUID]:
        """What shows something of these pages as they are placed now."""
        keys = [page.id for page in pages if page.live_version_id is not None]
        rows = [await write.session.get(PublishedPage, key) for key in keys]
        return await dependents(write.session, [row for row in rows if row])

    async def problems(self, session: AsyncSession, page: Page) -> list[tuple[str, str]]:
        """Everything that keeps a draft from being published: where, and what."""
        described = await described_in(session, page.regions)
        problems = [
            (fault.where, fault.what)
            for fault in self._types.faults(page.regions, described=described)
            if fault.level == "problem"
        ]
        if not page.title.strip():
            problems.insert(0, ("title", "it is missing"))
        return problems

    async def _require_whole(self, session: AsyncSession, page: Page) -> None:
        problems = await self.problems(session, page)
        if problems:
            told = "; ".join(f"{where}: {what}" for where, what in problems[:5])
            more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
            raise InvalidInput(
                f"The page {page.path!r} cannot be published yet: {told}{more}.",
                hint="Mend what is named, then publish; the draft is saved as it is.",
                problems=tuple(problems),
            )

    @staticmethod
    async def _live(write: Write, page: Page) -> PageVersion | None:
        if page.live_version_id is None:
            return None
        return await write.session.get(PageVersion, page.live_version_id)


async def _live_and_placed(
    session: AsyncSession, page: Page
) -> tuple[PageVersion, PublishedPage | None] | None:
    """A page's live version, and its row in the projection."""
    if page.live_version_id is None:
        return None
    version, row = (await session.execute(_LIVE, {"version": page.live_version_id})).one()
    return version, row


async def published_below(
    session: AsyncSession, leaving: Collection[Page]
) -> Counter[uuid.UUID | None]:
    """How many published pages stand right below each of these, themselves left out."""
    found: Counter[uuid.UUID | None] = Counter()
    ids = {page.id for page in leaving}
    for chunk in in_chunks(ids):
        below = await session.execute(
            select(Page.id, Page.parent_id).where(
                Page.parent_id.in_(chunk), Page.live_version_id.is_not(None)
            )
        )
        found.update(parent_id for page_id, parent_id in below if page_id not in ids)
    return found
