"""The further pages of a page that has many below it: ``/blog/?page=2`` and on.

The first is the page itself, as it is in the projection. What one of the others costs does not grow
with the list: it is read up to where the page ends.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

from markupsafe import Markup
from sqlalchemy import Select, bindparam, func, select

from mosaic_cms.content.head_tags import UNLISTED, encoded
from mosaic_cms.content.items import UNDATED, item_of
from mosaic_cms.content.pagination import asked_page, pagination
from mosaic_cms.content.published import PublishedPage
from mosaic_cms.content.surroundings import MOST_BELOW
from mosaic_cms.web.fragments import in_layout
from mosaic_cms.web.listings import canonical
from mosaic_cms.web.visit import Made, Visit

#: What the first page has in it, in a theme that shows its visitors the way.
THE_WAY = '?page=2"'

_PAGES = PublishedPage.__table__.c
_BELOW = (_PAGES.site_id == bindparam("site_id"), _PAGES.parent_id == bindparam("page_id"))


def _some(*order: Any) -> Select[Any]:
    shown = (_PAGES.page_id, _PAGES.path, _PAGES.title, _PAGES.summary, _PAGES.card)
    page = select(*shown).where(*_BELOW).order_by(*order)
    return page.limit(bindparam("most")).offset(bindparam("skipped"))


# Constants: each is compiled once for each strategy.
_COUNTS: Any = select(func.count(), func.count(_PAGES.dated)).where(*_BELOW)
# In the orders of the first page (mosaic_cms.content.surroundings).
_IN_ORDER = _some(_PAGES.position, _PAGES.path)
_NEWEST_FIRST = _some(UNDATED, _PAGES.dated.desc(), _PAGES.path)


class _Row(NamedTuple):
    page_id: UUID
    path: str
    title: str
    summary: str
    card: dict[str, Any]


async def answer(visit: Visit, page_id: UUID, title: str, head: str) -> Made | None:
    """The page of the list that the query asks for; None for the first, and where there is none.

    Args:
        head: the tags of the first, which say whether search engines may list it.
    """
    number = asked_page(visit.fields) or 1
    if number == 1 or visit.path != visit.asked:
        return None
    ((below, dated),) = await visit.rows(_COUNTS, page_id=page_id)
    pages = -(-below // MOST_BELOW)
    if number > pages:
        return None
    query = _NEWEST_FIRST if dated else _IN_ORDER
    skipped = (number - 1) * MOST_BELOW
    rows = await visit.rows(query, page_id=page_id, most=MOST_BELOW, skipped=skipped)
    turning = pagination(encoded(visit.path), number, pages)
    main = in_layout(
        visit.surround,
        "list",
        title=title,
        url=visit.path,
        body=Markup(),
        children=[item_of(_Row(*row)) for row in rows],
        pagination=turning,
    )
    tags = [visit.description(title), canonical(visit.path, number, turning)]
    if UNLISTED in head:
        tags.append(UNLISTED)
    finished = visit.page(
        title=title,
        main=main,
        head="\n".join(tags),
        layout="list",
        headers=visit.kept(f"page-{page_id.hex}"),
    )
    finished.by_query = True
    return finished, visit.query == f"page={number}".encode()
