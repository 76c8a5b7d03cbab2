"""A site's stored files, and the point that matters in a picture."""

from __future__ import annotations

import uuid
from typing import Annotated

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.actions import Model, action
from mosaic_cms.content.models import Media, Site
from mosaic_cms.content.references import media_url
from mosaic_cms.content.tree import find_site
from mosaic_cms.rights import Permission
from mosaic_cms.scope import TenantScope
from mosaic_core.errors import InvalidInput, NotFound
from mosaic_core.head import Write

Percent = Annotated[int, Field(ge=0, le=100)]


class SiteMedia(Model):
    """A site; None is the tenant's first."""

    site: str | None = None


class MediaView(Model):
    """A stored file.

    Attributes:
        reference: what names it in content, ``media:<id>``.
        size: in bytes; ``width`` and ``height`` in pixels, of a picture.
        focal_x: the point that matters in a picture, in percent from the left; ``focal_y`` from
            the top. None is the middle.
    """

    reference: str
    name: str
    url: str
    content_type: str
    size: int
    width: int | None
    height: int | None
    focal_x: int | None
    focal_y: int | None


class FocusMedia(Model):
    """A picture, ``media:<id>``, and the point that matters in it, in percent; none is the
    middle."""

    media: str
    x: Percent | None = None
    y: Percent | None = None
    site: str | None = None


@action("media.list", needs=Permission("read", "media"), effect="read", http="GET /media")
async def list_media(scope: TenantScope, command: SiteMedia) -> list[MediaView]:
    """The stored files of a site, by their name."""
    async with scope.read() as session:
        site = await find_site(session, command.site)
        rows = await session.scalars(
            select(Media).where(Media.site_id == site.id).order_by(Media.name, Media.id)
        )
        return [_view(row) for row in rows]


@action("media.focus", needs=Permission("update", "media"), http="PUT /media/{media}/focus")
async def focus_media(scope: TenantScope, command: FocusMedia) -> MediaView:
    """Says which point of a picture matters: crops keep it in sight from now on."""
    if (command.x is None) != (command.y is None):
        raise InvalidInput(
            "A focal point has two numbers.",
            hint="Give x and y, in percent from the left and from the top, or neither.",
        )

    async def fn(write: Write) -> MediaView:
        site = await find_site(write.session, command.site)
        row = await _find(write.session, site, command.media)
        if (row.focal_x, row.focal_y) != (command.x, command.y):
            row.focal_x, row.focal_y = command.x, command.y
            await write.session.flush()
            await scope.product.publisher.refresh_site(write, site)
        return _view(row)

    return await scope.write(fn)


async def _find(session: AsyncSession, site: Site, reference: str) -> Media:
    """A picture of a site.

    Raises:
        InvalidInput: it is no picture.
        NotFound: the site has no such file.
    """
    try:
        row = await session.get(Media, uuid.UUID(reference.removeprefix("media:")))
    except ValueError:
        row = None
    if row is None or row.site_id != site.id:
        raise NotFound(
            f"The site {site.key!r} has no file {reference[:80]!r}.",
            hint="'mosaic media list' shows those there are.",
        )
    if row.width is None or row.height is None:
        raise InvalidInput(f"{row.name!r} is no picture whose size is known.")
    return row


def _view(row: Media) -> MediaView:
    return MediaView(
        reference=f"media:{row.id}",
        name=row.name,
        url=media_url(row),
        content_type=row.content_type,
        size=row.size,
        width=row.width,
        height=row.height,
        focal_x=row.focal_x,
        focal_y=row.focal_y,
    )
