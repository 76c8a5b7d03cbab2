"""The published projection as it is, and as it would be if it were made from nothing."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.content.models import Page, PageVersion, Site
from mosaic_cms.content.placing import place_page, place_redirects
from mosaic_cms.content.projection import Projection
from mosaic_cms.content.published import (
    PublishedDependency,
    PublishedForm,
    PublishedPage,
    PublishedRedirect,
    PublishedSite,
    PublishedTerm,
)
from mosaic_core.head import Write
from tests.cms.deployment import Deployment

_TABLES = (
    PublishedPage,
    PublishedSite,
    PublishedRedirect,
    PublishedDependency,
    PublishedForm,
    PublishedTerm,
)
Rows = dict[str, dict[str, Any]]


class _Undone(Exception):
    def __init__(self, rows: Rows) -> None:
        self.rows = rows


async def projected(deployment: Deployment, slug: str) -> Rows:
    """Every row of the projection, by table and key."""
    async with deployment.scope(slug).read() as session:
        return await _rows(session)


async def rebuilt(deployment: Deployment, slug: str) -> Rows:
    """What :func:`projected` were if every live page was placed and rendered now. Changes
    nothing."""
    projection = deployment.product.projection

    async def rebuild(write: Write) -> None:
        session = write.session
        for table in _TABLES:
            await session.execute(delete(table))
        await _make(session, projection)
        raise _Undone(await _rows(session))

    tenant = deployment.scope(slug).tenant
    try:  # everything within the write, however long it takes
        await deployment.product.platform.write(tenant, rebuild, actor="test", action="rebuild")
    except _Undone as undone:
        return undone.rows
    raise AssertionError("the rebuilding was not undone")


async def _make(session: AsyncSession, projection: Projection) -> None:
    live = []
    for site in list(await session.scalars(select(Site))):
        pages = select(Page).where(Page.site_id == site.id, Page.live_version_id.is_not(None))
        for page in list(await session.scalars(pages)):
            version = await session.get_one(PageVersion, page.live_version_id)
            await place_page(session, page, version)
            live.append(page.id)
        await session.flush()
        await projection.place_site(session, site)
        await place_redirects(session, site)
    rendered = await projection.render(session, live)
    assert len(rendered) == len(live)
    await projection.store(session, rendered)
    await session.flush()


async def _rows(session: AsyncSession) -> Rows:
    found: Rows = {}
    for table in _TABLES:
        columns = table.__table__.columns
        keys = [column.name for column in table.__table__.primary_key]
        for row in (await session.execute(select(*columns))).mappings():
            key = f"{table.__tablename__} {' '.join(str(row[name]) for name in keys)}"
            found[key] = dict(row)
    return found
