"""To which site something belongs that is named by its id alone."""

from __future__ import annotations

import uuid

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.content.models import (
    Comment,
    Page,
    Release,
    Schedule,
    SharedBlock,
    Site,
    Submission,
)

#: What an id may be of.
Kind = (
    type[Comment]
    | type[Page]
    | type[Release]
    | type[Schedule]
    | type[SharedBlock]
    | type[Submission]
)


async def site_of(session: AsyncSession, kind: Kind, thing: uuid.UUID | None) -> str | None:
    """The key of the site that a thing belongs to; None when there is no such thing."""
    query = select(Site.key)
    if issubclass(kind, Comment | Submission):
        query = query.join(Page, Page.site_id == Site.id)
        query = query.join(kind, kind.page_id == Page.id)
    else:
        query = query.join(kind, kind.site_id == Site.id)
    found: str | None = await session.scalar(query.where(kind.id == thing))
    return found
