"""What a page shows of another: its card, in a listing and beside a post."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import cache
from typing import Any

from sqlalchemy import Integer, Select, and_, bindparam, case, literal_column, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.blocks.base import Listing
from mosaic_cms.content.models import Media, PageVersion
from mosaic_cms.content.published import PublishedPage, PublishedTerm
from mosaic_cms.content.references import picture_of
from mosaic_cms.content.safe_addresses import is_allowed
from mosaic_cms.content.slugs import slugify
from mosaic_cms.pictures.picture import Picture

#: Of this layout, the newest comes first, and each page knows its neighbours.
DATED = "post"
_DATED = PublishedPage.__table__.c.dated
#: Puts those without a date last, on every database.
UNDATED = case((_DATED.is_(None), literal_column("1")), else_=literal_column("0"))
#: What an :class:`Item` is made of.
COLUMNS = (
    PublishedPage.page_id,
    PublishedPage.path,
    PublishedPage.title,
    PublishedPage.summary,
    PublishedPage.card,
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What other pages may show of a placed page, and where it stands among them."""

    page_id: uuid.UUID
    site_id: uuid.UUID
    language: str
    translation_id: uuid.UUID
    path: str
    parent_id: uuid.UUID | None
    position: int
    layout: str
    title: str
    summary: str
    card: dict[str, Any]
    dated: datetime | None

    @classmethod
    def of(cls, row: PublishedPage) -> Facts:
        return cls(**{field.name: getattr(row, field.name) for field in fields(cls)})


@dataclass(frozen=True, slots=True)
class Item:
    """What a page shows of another: in its trail, its listing, or beside it."""

    id: uuid.UUID
    title: str
    url: str
    summary: str = ""
    date: datetime | None = None
    tags: tuple[str, ...] = ()
    image: Picture | None = None


def card_of(version: PageVersion, media: dict[str, Media]) -> dict[str, Any]:
    """What is kept of a live version for :class:`Item`."""
    details = version.details
    reference = details.get("image") or ""
    found = media.get(reference.removeprefix("media:"))
    alt = details.get("image_alt") or ""
    image: Picture | None = None
    if found is not None:
        image = picture_of(found, alt=alt or found.alt)
    elif reference and not reference.startswith("media:") and is_allowed(reference):
        image = Picture(reference, None, None, alt)
    return {
        "date": details.get("date"),
        "tags": details.get("tags") or [],
        "categories": details.get("categories") or [],
        "author": details.get("author") or "",
        "image": None if image is None else image.facts(),
    }


def item_of(row: Any) -> Item:
    """A placed page as others show it: of a row that has :data:`COLUMNS`."""
    card = row.card
    image = Picture.of(card["image"]) if card.get("image") else None
    date = date_of(card)
    return Item(row.page_id, row.title, row.path, row.summary, date, tuple(card["tags"]), image)


def date_of(card: dict[str, Any]) -> datetime | None:
    """The date of a card; without a zone, it is UTC: the machine's own must not count."""
    date = datetime.fromisoformat(card["date"]) if card.get("date") else None
    return date.replace(tzinfo=UTC) if date is not None and date.tzinfo is None else date


async def posts_below(session: AsyncSession, row: PublishedPage | Facts) -> list[Item]:
    """A post and the posts beside it, the newest first."""
    rows = await session.execute(select(*COLUMNS).where(*_beside(row)))
    return sorted(map(item_of, rows), key=newest_first)


async def neighbours(
    session: AsyncSession, row: PublishedPage | Facts
) -> tuple[Item | None, Item | None]:
    """The post before and the post after this one, in time."""
    if row.dated is None:  # those without a date come last, by their address
        posts = await posts_below(session, row)
        at = next(n for n, item in enumerate(posts) if item.id == row.page_id)
        older = posts[at + 1] if at + 1 < len(posts) else None
        return older, posts[at - 1] if at > 0 else None
    dated, path = PublishedPage.dated, PublishedPage.path
    beside = _beside(row)
    before = or_(dated < row.dated, and_(dated == row.dated, path > row.path))
    after = or_(dated > row.dated, and_(dated == row.dated, path < row.path))
    older = await _first(session, dated.desc(), path, where=[*beside, before])
    if older is None:
        older = await _first(session, path, where=[*beside, dated.is_(None)])
    return older, await _first(session, dated, path.desc(), where=[*beside, after])


async def listed(session: AsyncSession, row: PublishedPage, listing: Listing) -> list[Item]:
    """The pages that a block of a placed page lists; never the page itself."""
    asked: dict[str, Any] = {"site": row.site_id, "language": row.language, "page": row.page_id}
    if listing.tag is not None:
        asked["tag"] = slugify(listing.tag)
    else:
        asked["below"] = row.page_id if listing.below is None else _id_of(listing.below)
    query = _listing(tagged=listing.tag is not None, newest=listing.newest)
    return [item_of(row) for row in await session.execute(query, asked | {"most": listing.limit})]


@cache
def _listing(*, tagged: bool, newest: bool) -> Select[Any]:
    """The query of :func:`listed`; making it takes longer than asking it."""
    there = (
        PublishedPage.site_id == bindparam("site"),
        PublishedPage.language == bindparam("language"),
    )
    tags = select(PublishedTerm.page_id).where(
        PublishedTerm.site_id == bindparam("site"),
        PublishedTerm.kind == "tag",
        PublishedTerm.slug == bindparam("tag"),
    )
    listed = (
        PublishedPage.page_id.in_(tags) if tagged else PublishedPage.parent_id == bindparam("below")
    )
    order = (PublishedPage.position, PublishedPage.path)
    return (
        select(*COLUMNS)
        .where(*there, PublishedPage.page_id != bindparam("page"), listed)
        .order_by(*((UNDATED, PublishedPage.dated.desc()) if newest else ()), *order)
        .limit(bindparam("most", type_=Integer))
    )


def _beside(row: PublishedPage | Facts) -> list[Any]:
    return [
        PublishedPage.site_id == row.site_id,
        PublishedPage.parent_id.is_not_distinct_from(row.parent_id),
        PublishedPage.layout == DATED,
    ]


async def _first(session: AsyncSession, *order: Any, where: list[Any]) -> Item | None:
    query = select(*COLUMNS).where(*where).order_by(*order).limit(1)
    found = (await session.execute(query)).first()
    return None if found is None else item_of(found)


def _id_of(reference: str) -> uuid.UUID:
    return uuid.UUID(reference.partition(":")[2])


def newest_first(item: Item) -> tuple[bool, float, str]:
    """The order of what has dates; what has none comes last, by its address."""
    return (item.date is None, -item.date.timestamp() if item.date else 0.0, item.url)
