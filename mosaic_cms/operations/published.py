"""What is published, for whoever may read it: the projection, and nothing else."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import Select, bindparam, select

from mosaic_cms.actions import Model, action
from mosaic_cms.content.paths import path_of
from mosaic_cms.content.published import PublishedPage, PublishedSite
from mosaic_cms.rights import Permission
from mosaic_cms.scope import TenantScope
from mosaic_core.errors import Denied, NotFound

_READ = Permission("read", "published")
#: Pages that one answer has at most.
MOST = 1000

_SITES = select(
    PublishedSite.site_id, PublishedSite.key, PublishedSite.language, PublishedSite.surround
).order_by(PublishedSite.position)
_FACTS = (
    PublishedPage.page_id,
    PublishedPage.path,
    PublishedPage.language,
    PublishedPage.layout,
    PublishedPage.title,
    PublishedPage.summary,
    PublishedPage.card,
    PublishedPage.dated,
    PublishedPage.changed_at,
    PublishedPage.translation_id,
)
_IN_SITE = PublishedPage.site_id == bindparam("site_id")
_PAGES = (
    select(*_FACTS)
    .where(_IN_SITE, PublishedPage.path > bindparam("after"))
    .order_by(PublishedPage.path)
    .limit(bindparam("most"))
    .offset(bindparam("skipped"))
)
_PAGE = select(
    *_FACTS, PublishedPage.html, PublishedPage.body_start, PublishedPage.body_length
).where(_IN_SITE, PublishedPage.path == bindparam("path"))


class WhichPublished(Model):
    """Published pages of a site, those of one language or all."""

    site: str | None = None
    language: Annotated[str, Field(max_length=35)] | None = None


class OnePublished(Model):
    """A published page, by its path."""

    path: Annotated[str, Field(max_length=4000)]
    site: str | None = None


class PublishedView(Model):
    """A published page in a list."""

    id: uuid.UUID
    path: str
    language: str
    layout: str
    title: str
    summary: str
    #: When it is dated, and when what it shows was published.
    date: datetime | None
    changed_at: datetime | None
    #: The same for all pages that say the same in different languages.
    translation_id: uuid.UUID
    #: What a listing shows of it: image, author, tags, categories.
    card: dict[str, Any]


class PublishedDetail(PublishedView):
    """A published page as visitors read it."""

    #: Its own content, without header and footer.
    html: str


@action("content.pages", needs=_READ, effect="read", http="GET /content/pages")
async def published_pages(scope: TenantScope, command: WhichPublished) -> list[PublishedView]:
    """The pages that a site has published, by path."""
    site_id, _ = await find_published(scope, command.site)
    found: list[PublishedView] = []
    after = ""
    while True:
        rows = await _rows(scope, _PAGES, site_id=site_id, after=after, most=MOST, skipped=0)
        views = (PublishedView(**_facts(row)) for row in rows)
        found += [view for view in views if command.language in {None, view.language}]
        if len(rows) < MOST:
            return found
        after = rows[-1][1]


@action("content.page", needs=_READ, effect="read", http="GET /content/pages/{path}")
async def published_page(scope: TenantScope, command: OnePublished) -> PublishedDetail:
    """A published page as visitors read it."""
    site_id, _ = await find_published(scope, command.site)
    path = path_of(command.path)
    rows = await _rows(scope, _PAGE, site_id=site_id, path=path)
    if not rows or rows[0][10] is None:
        raise NotFound(f"There is no published page {path!r}.")
    html, start, length = rows[0][10:]
    body = html[start - 1 : start - 1 + length] if start else html
    return PublishedDetail(**_facts(rows[0]), html=body)


async def find_published(scope: TenantScope, key: str | None) -> tuple[uuid.UUID, str]:
    """The site that is meant and its own language, for whoever may read it over the API.

    Raises:
        NotFound: there is none of this key.
        Denied: it is not open to everybody, and this is nobody of the tenant.
    """
    rows = await _rows(scope, _SITES)
    for site_id, known, _, surround in rows:
        if key is None or known == key:
            if not scope.actor.belongs and not surround.get("api", {}).get("public"):
                raise Denied(
                    "This site is not read over the API by everybody.",
                    hint="Send a key or a token, or ask its owner to open it.",
                )
            return site_id, surround["languages"][0]
    raise NotFound(f"There is no site {key!r}." if key else "The tenant has no site.")


async def _rows(scope: TenantScope, query: Select[Any], **given: Any) -> Any:
    platform = scope.product.platform
    home = await platform.at_home(scope.tenant)
    return await platform.persistence(home).published(home, query, given)


def _facts(row: tuple[Any, ...]) -> dict[str, Any]:
    page_id, path, language, layout, title, summary, card, dated, changed, translation = row[:10]
    return {
        "id": page_id,
        "path": path,
        "language": language,
        "layout": layout,
        "title": title,
        "summary": summary,
        "card": card,
        "date": dated,
        "changed_at": changed,
        "translation_id": translation,
    }
