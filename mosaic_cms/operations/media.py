"""A site's library: what there is, what is said of it, and the point that matters in a picture."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.actions import Model, Part, action
from mosaic_cms.content.conflicts import Revision, revision_of, settled
from mosaic_cms.content.models import Media
from mosaic_cms.content.references import media_url
from mosaic_cms.content.tree import find_site
from mosaic_cms.media import listing, shelf
from mosaic_cms.media.kinds import KINDS, ending_of, kind_of_type
from mosaic_cms.media.names import check_folder, check_tags, check_words, safe_name
from mosaic_cms.rights import Permission
from mosaic_cms.scope import TenantScope
from mosaic_core.errors import InvalidInput
from mosaic_core.head import Write

Percent = Annotated[int, Field(ge=0, le=100)]
#: ``media:<id>``.
Reference = Annotated[str, Field(max_length=100)]
Alt = Annotated[str, Field(max_length=1000)]
Caption = Annotated[str, Field(max_length=2000)]
Credit = Annotated[str, Field(max_length=500)]
Folder = Annotated[str, Field(max_length=300)]
Tags = Annotated[tuple[str, ...], Field(max_length=50)]


class MediaView(Model):
    """A file of the library.

    Attributes:
        reference: what names it in content, ``media:<id>``.
        size: in bytes; ``width`` and ``height`` in pixels, of a picture.
        focal_x: the point that matters in a picture, in percent from the left; ``focal_y`` from
            the top. None is the middle.
        needs_alt: it is a picture, and nothing says what it shows.
        version: counts its contents.
        revision: of what is said of it: what a change of that says it is based on.
    """

    reference: str
    name: str
    url: str
    content_type: str
    size: int
    digest: str
    width: int | None
    height: int | None
    focal_x: int | None
    focal_y: int | None
    folder: str
    tags: tuple[str, ...]
    alt: str
    caption: str
    credit: str
    needs_alt: bool
    version: int
    revision: str
    created_at: datetime
    updated_at: datetime


class ListMedia(Part):
    """What is looked for; without anything, all there is.

    Attributes:
        after: the file that stands before those that are listed, ``media:<id>``.
        folder: what is right in it; "" is what is in none.
        below: also what is in the folders below it.
        query: words that stand in its name, texts or tags, all of them.
        kind: such as jpeg or pdf.
        without_alt: pictures of which nothing says what they show.
        unused: what no page, shared block or menu names.
    """

    folder: Folder | None = None
    below: bool = False
    tag: Annotated[str, Field(max_length=60)] | None = None
    query: Annotated[str, Field(max_length=200)] = ""
    kind: Annotated[str, Field(max_length=20)] | None = None
    without_alt: bool = False
    unused: bool = False
    site: str | None = None
    after: Reference = ""


class NamedMedia(Model):
    """A file, ``media:<id>``."""

    media: Reference
    site: str | None = None


class MediaSite(Model):
    """A site; None is the tenant's first."""

    site: str | None = None


class EditMedia(Model):
    """What is said of a file; what is not given stays.

    Attributes:
        based_on: the revision that was changed. It has to be said, here or with If-Match.
    """

    media: Reference
    name: Annotated[str, Field(min_length=1, max_length=300)] | None = None
    folder: Folder | None = None
    tags: Tags | None = None
    alt: Alt | None = None
    caption: Caption | None = None
    credit: Credit | None = None
    site: str | None = None
    based_on: Revision | None = None


class FocusMedia(Model):
    """A picture, ``media:<id>``, and the point that matters in it, in percent; none is the
    middle."""

    media: Reference
    x: Percent | None = None
    y: Percent | None = None
    site: str | None = None


@action(
    "media.list",
    needs=Permission("read", "media"),
    effect="read",
    http="GET /media",
    cursor="reference",
)
async def list_media(scope: TenantScope, command: ListMedia) -> list[MediaView]:
    """The files of a library, by their name."""
    async with scope.read() as session:
        site = await find_site(session, command.site)
        query = select(Media).where(Media.site_id == site.id, Media.binned_at.is_(None))
        query = query.where(*_asked(command)).order_by(Media.name, Media.id)
        if command.after:
            place = await listing.place_of(session, site, command.after)
            query = query.where(listing.behind(*place))
        rows = await listing.rows_of(
            session, query, limit=command.limit, tag=command.tag, unused=command.unused
        )
        return [media_view(row) for row in rows]


@action("media.show", needs=Permission("read", "media"), effect="read", http="GET /media/{media}")
async def show_media(scope: TenantScope, command: NamedMedia) -> MediaView:
    """One file; ``references.of`` says where it is used."""
    async with scope.read() as session:
        site = await find_site(session, command.site)
        return media_view(await shelf.find(session, site, command.media))


@action("media.edit", needs=Permission("update", "media"), http="PATCH /media/{media}")
async def edit_media(scope: TenantScope, command: EditMedia) -> MediaView:
    """Says something else of a file; pages that show it say so too. What others changed meanwhile
    stays; what both changed is refused, with both."""

    async def fn(write: Write) -> MediaView:
        site = await find_site(write.session, command.site)
        row = await shelf.find(write.session, site, command.media)
        what, now = f"the file {row.name!r}", _said(row)
        based_on = scope.base(command.based_on, revision_of(now), what)
        told = command.model_dump(exclude={"media", "site", "name", "based_on"}, exclude_none=True)
        facts = facts_of(**told)
        if command.name is not None:
            kind = kind_of_type(row.content_type)
            if kind is None:  # of before kinds were looked at: it keeps the ending that it has
                kind = replace(KINDS["zip"], endings=(ending_of(row.name),))
            facts["name"] = safe_name(command.name, kind)
        facts = settled(what, now, facts, based_on)
        changed = {name for name, value in facts.items() if getattr(row, name) != value}
        for name in changed:
            setattr(row, name, facts[name])
        if changed:
            row.updated_at = write.at
            row.words = shelf.words_of(row)
        if changed & {"name", "alt"}:
            await shelf.show_again(write, scope.product.publisher, site, row)
        return media_view(row)

    return await scope.write(fn)


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
        row = await shelf.find(write.session, site, command.media)
        if row.width is None or row.height is None:
            raise InvalidInput(f"{row.name!r} is no picture whose size is known.")
        if (row.focal_x, row.focal_y) != (command.x, command.y):
            row.focal_x, row.focal_y = command.x, command.y
            row.updated_at = write.at
            await shelf.show_again(write, scope.product.publisher, site, row)
        return media_view(row)

    return await scope.write(fn)


def _asked(command: ListMedia) -> list[Any]:
    found: list[Any] = []
    if command.folder is not None:
        folder = check_folder(command.folder)
        here = Media.folder == folder
        inside = Media.folder.startswith(f"{folder}/", autoescape=True)
        if not command.below:
            found.append(here)
        elif folder:
            found.append(or_(here, inside))
    for word in command.query.casefold().split()[:10]:
        found.append(Media.words.contains(word, autoescape=True))
    if command.kind is not None:
        kind = KINDS.get(command.kind)
        if kind is None:
            raise InvalidInput(
                f"There is no kind of file {command.kind!r}.",
                hint=f"There are: {', '.join(KINDS)}.",
            )
        found.append(Media.content_type == kind.media_type)
    if command.without_alt:
        found += [Media.content_type.startswith("image/"), Media.alt == ""]
    return found


def facts_of(
    *,
    folder: str | None = None,
    tags: tuple[str, ...] | None = None,
    alt: str | None = None,
    caption: str | None = None,
    credit: str | None = None,
) -> dict[str, Any]:
    """What is said of a file, in its one form; nothing of what is not said."""
    facts: dict[str, Any] = {
        "folder": None if folder is None else check_folder(folder),
        "tags": None if tags is None else check_tags(tags),
        "alt": None if alt is None else check_words(alt, 1000),
        "caption": None if caption is None else check_words(caption, 2000),
        "credit": None if credit is None else check_words(credit, 500),
    }
    return {name: value for name, value in facts.items() if value is not None}


async def same_content(session: AsyncSession, row: Media) -> list[str]:
    """The references of other files of the site that have the same content."""
    query = select(Media.id).where(
        Media.site_id == row.site_id,
        Media.digest == row.digest,
        Media.id != row.id,
        Media.binned_at.is_(None),
    )
    return [f"media:{key}" for key in await session.scalars(query.order_by(Media.id))]


def media_view(row: Media) -> MediaView:
    """A file as its editors see it."""
    picture = row.content_type.startswith("image/")
    return MediaView(
        reference=f"media:{row.id}",
        url=media_url(row.digest, row.name),
        needs_alt=picture and not row.alt,
        tags=tuple(row.tags),
        revision=revision_of(_said(row)),
        **{name: getattr(row, name) for name in _SHOWN},
    )


def _said(row: Media) -> dict[str, Any]:
    """All that :class:`EditMedia` may change, as JSON values."""
    texts = {name: getattr(row, name) for name in ("name", "folder", "alt", "caption", "credit")}
    return {**texts, "tags": list(row.tags)}


_SHOWN = frozenset(MediaView.model_fields) - {"reference", "url", "needs_alt", "tags", "revision"}
