"""What a page shows of others: its trail, its listing, and the posts beside it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.content.models import Media, PageVersion, PublishedPage
from mosaic_cms.content.references import media_url

#: Of this layout, the newest comes first, and each page knows its neighbours.
DATED = "post"


@dataclass(frozen=True, slots=True)
class Item:
    """What a page shows of another: in its trail, its listing, or beside it."""

    id: uuid.UUID
    title: str
    url: str
    summary: str = ""
    date: datetime | None = None
    tags: tuple[str, ...] = ()
    image: Any = None


@dataclass(frozen=True, slots=True)
class _Image:
    url: str
    alt: str
    width: int | None
    height: int | None


def card_of(version: PageVersion, media: dict[str, Media]) -> dict[str, Any]:
    """What is kept of a live version for :class:`Item`."""
    details = version.details
    reference = details.get("image") or ""
    found = media.get(reference.removeprefix("media:"))
    image: dict[str, Any] | None = None
    if found is not None:
        image = {"url": media_url(found), "width": found.width, "height": found.height}
    elif reference and not reference.startswith("media:"):
        image = {"url": reference, "width": None, "height": None}
    if image is not None:
        image["alt"] = details.get("image_alt") or ""
    return {"date": details.get("date"), "tags": details.get("tags") or [], "image": image}


def item_of(row: PublishedPage | Row[Any]) -> Item:
    """A placed page as others show it."""
    card = row.card
    image = _Image(**card["image"]) if card.get("image") else None
    date = datetime.fromisoformat(card["date"]) if card.get("date") else None
    if date is not None and date.tzinfo is None:  # the machine's own zone must not count
        date = date.replace(tzinfo=UTC)
    return Item(row.page_id, row.title, row.path, row.summary, date, tuple(card["tags"]), image)


async def _items(session: AsyncSession, *where: Any) -> list[Item]:
    rows = await session.execute(
        select(
            PublishedPage.page_id,
            PublishedPage.path,
            PublishedPage.title,
            PublishedPage.summary,
            PublishedPage.card,
        )
        .where(*where)
        .order_by(PublishedPage.position, PublishedPage.path)
    )
    return [item_of(row) for row in rows]


async def children_of(session: AsyncSession, row: PublishedPage) -> list[Item]:
    """The pages right below: in their order, or the newest first where any has a date."""
    children = await _items(
        session, PublishedPage.parent_id == row.page_id, PublishedPage.site_id == row.site_id
    )
    if any(child.date for child in children):
        children.sort(key=_newest_first)
    return children


async def trail(session: AsyncSession, row: PublishedPage) -> list[Item]:
    """The published ancestors, the home page first."""
    if row.path == "/":
        return []
    segments = row.path.strip("/").split("/")
    above = ["/"] + ["/" + "/".join(segments[:n]) + "/" for n in range(1, len(segments))]
    found = await _items(
        session, PublishedPage.site_id == row.site_id, PublishedPage.path.in_(above)
    )
    return sorted(found, key=lambda item: len(item.url))


async def posts_below(
    session: AsyncSession, site_id: uuid.UUID, parent_id: uuid.UUID | None
) -> list[Item]:
    """The posts below one page, the newest first."""
    found = await _items(
        session,
        PublishedPage.site_id == site_id,
        PublishedPage.parent_id.is_not_distinct_from(parent_id),
        PublishedPage.layout == DATED,
    )
    return sorted(found, key=_newest_first)


async def neighbours(session: AsyncSession, row: PublishedPage) -> tuple[Item | None, Item | None]:
    """The post before and the post after this one, in time."""
    posts = await posts_below(session, row.site_id, row.parent_id)
    at = next(n for n, item in enumerate(posts) if item.id == row.page_id)
    older = posts[at + 1] if at + 1 < len(posts) else None
    return older, posts[at - 1] if at > 0 else None


def _newest_first(item: Item) -> tuple[float, str]:
    return (-item.date.timestamp() if item.date else 0.0, item.url)
