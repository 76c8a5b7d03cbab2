"""Publishing and unpublishing: from a draft to what visitors see."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from sqlalchemy import func, select

from mosaic_cms.content.models import Page, PageVersion, PublishedPage, Site
from mosaic_cms.content.projection import Projection
from mosaic_core.errors import InvalidInput, NotFound
from mosaic_core.head import TENANT, Write
from mosaic_core.head.log import enqueue
from mosaic_core.types import new_id

#: The topic of messages that name pages to render again.
RENDER = "projection.render"
#: Pages in one message.
BATCH = 25


class Publisher:
    """Publishes pages of a site; every method runs inside a write."""

    def __init__(self, projection: Projection) -> None:
        self._projection = projection

    async def publish(self, write: Write, site: Site, page: Page) -> PageVersion:
        """Makes the draft live. The page shows at once; what depends on it follows by a job."""
        session = write.session
        before: set[uuid.UUID] = set()
        if page.live_version_id is not None:
            before = await self._dependents(write, site, [page])
        with session.no_autoflush:  # so that a new row is written once, with its page in it
            version, row = await self._go_live(write, site, page)
            if version.layout == "post":
                await session.flush()  # it is found among its neighbours
            rendered = await self._projection.render_row(session, site, version, row)
            await self._projection.fill(session, row, rendered)
        after = await self._projection.dependents(session, [row])
        await self._projection.place_site(session, site)
        await self.render_later(write, before | after)
        return version

    async def open_site(self, write: Write, site: Site, home: Page) -> None:
        """Shows a new site with its first page. The projection has nothing of it yet, so nothing
        is looked for: no row to change, no page to list, none that would list this one."""
        version, row = await self._go_live(write, site, home)
        rendered = await self._projection.render_row(write.session, site, version, row, alone=True)
        await self._projection.fill(write.session, row, rendered)
        await self._projection.place_site(write.session, site, first=True)

    async def publish_many(self, write: Write, site: Site, pages: list[Page]) -> None:
        """Makes many drafts live; they show as jobs render them, an already live one whole."""
        touched = await self._dependents(write, site, pages)
        rows = [(await self._go_live(write, site, page))[1] for page in pages]
        touched |= await self._projection.dependents(write.session, rows)
        await self._projection.place_site(write.session, site)
        await self.render_later(write, touched.union(page.id for page in pages))

    async def unpublish(self, write: Write, site: Site, page: Page) -> None:
        """Takes a page from visitors; its draft stays.

        Raises:
            NotFound: it is not published.
            InvalidInput: pages below it are published.
        """
        if page.live_version_id is None:
            raise NotFound(f"The page {page.path!r} is not published.")
        below = await write.session.scalar(
            select(func.count())
            .select_from(Page)
            .where(Page.parent_id == page.id, Page.live_version_id.is_not(None))
        )
        if below:
            raise InvalidInput(
                f"The page {page.path!r} has {below} published pages below it.",
                hint="Unpublish those first.",
            )
        dependents = await self._dependents(write, site, [page])
        page.live_version_id = None
        await write.session.flush()
        await self._projection.remove(write.session, site, page.id)
        await self._projection.place_site(write.session, site)
        await self.render_later(write, dependents)

    async def readdress(self, write: Write, site: Site, pages: list[Page]) -> None:
        """Moves published pages to their new addresses."""
        touched = await self._dependents(write, site, pages)
        rows = []
        for page in pages:
            version = await self._live(write, page)
            if version is not None:
                rows.append(await self._projection.place(write.session, site, page, version))
                await write.session.flush()  # one at a time: each may take another's old address
        touched |= await self._projection.dependents(write.session, rows)
        if rows:
            await self._projection.place_site(write.session, site)
            await self.render_later(write, touched.union(row.page_id for row in rows))

    async def refresh_site(self, write: Write, site: Site) -> None:
        """Places every live page anew and has it rendered: its theme or its pictures changed."""
        pages = await write.session.scalars(
            select(Page).where(Page.site_id == site.id, Page.live_version_id.is_not(None))
        )
        ids = []
        for page in pages:
            version = await self._live(write, page)
            assert version is not None
            await self._projection.place(write.session, site, page, version)
            ids.append(page.id)
        await self.render_later(write, ids)

    async def renew(self, write: Write, site: Site, *, everything: bool) -> None:
        """Has pages rendered again: all of them, or those made with another state of the theme."""
        outdated = select(PublishedPage.page_id).where(PublishedPage.site_id == site.id)
        if not everything:
            revision = self._projection.revision(site)
            outdated = outdated.where(PublishedPage.theme_revision != revision)
        await self.render_later(write, await write.session.scalars(outdated))

    async def render_later(self, write: Write, page_ids: Iterable[uuid.UUID]) -> None:
        """Leaves messages that name pages to render again."""
        ids = sorted(str(page_id) for page_id in page_ids)
        for start in range(0, len(ids), BATCH):
            await enqueue(write, TENANT, RENDER, {"pages": ids[start : start + BATCH]})

    async def _go_live(
        self, write: Write, site: Site, page: Page
    ) -> tuple[PageVersion, PublishedPage]:
        if not page.title.strip():
            raise InvalidInput(
                f"The page {page.path!r} has no title.", hint="Give it one, then publish."
            )
        version = await self._live(write, page)
        first = False
        draft = {
            name: getattr(page, name) for name in ("layout", "title", "summary", "body", "details")
        }
        if version is None or any(getattr(version, k) != v for k, v in draft.items()):
            page.version_count += 1
            version = PageVersion(
                id=new_id(),
                page_id=page.id,
                number=page.version_count,
                at=write.at,
                actor=write.info.actor,
                **draft,
            )
            write.session.add(version)
            page.live_version_id = version.id
            first = version.number == 1
        row = await self._projection.place(write.session, site, page, version, first=first)
        return version, row

    async def _dependents(self, write: Write, site: Site, pages: list[Page]) -> set[uuid.UUID]:
        """What shows something of these pages as they are placed now."""
        keys = [(page.id, site.language) for page in pages if page.live_version_id is not None]
        rows = [await write.session.get(PublishedPage, key) for key in keys]
        return await self._projection.dependents(write.session, [row for row in rows if row])

    @staticmethod
    async def _live(write: Write, page: Page) -> PageVersion | None:
        if page.live_version_id is None:
            return None
        return await write.session.get(PageVersion, page.live_version_id)
