"""``/search/?q=…``: what visitors find on a site, in their language."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup, escape

from mosaic_cms.content.head_tags import UNLISTED
from mosaic_cms.content.pagination import asked_page, pagination
from mosaic_cms.web.fragments import fragment, in_layout
from mosaic_cms.web.responses import Finished
from mosaic_cms.web.visit import Made, Visit
from mosaic_cms.web.words import words
from mosaic_core.cache import Rate
from mosaic_core.search import MOST_SKIPPED, SearchHit, SearchQuery, SearchResults, segments

PAGE_SIZE = 10
#: Characters of a query that count.
_LONGEST = 200
#: Searches of one visitor.
_RATE = Rate(limit=1, seconds=1, burst=20)


class SearchPage:
    """Makes it. Nothing of it is kept but how often a visitor asked."""

    async def answer(self, visit: Visit) -> Made | None:
        """The form, or one page of what was found; None beyond the last."""
        text = " ".join(visit.fields.get("q", "")[:_LONGEST].split())
        if not text:
            headers = visit.kept() if not visit.query else None
            return self._page(visit, "", {}, headers=headers), not visit.query
        number = asked_page(visit.fields)
        skipped = ((number or 1) - 1) * PAGE_SIZE
        if number is None or skipped > MOST_SKIPPED:
            return None
        whose = f"{visit.handle.tenant.tenant_id} {visit.visitor}"
        wait = await visit.product.rates.wait("search", _RATE, whose)
        if wait:
            return slower(visit, wait), False
        tenant, surround = visit.handle.tenant, visit.surround
        query = SearchQuery(text, (surround.site_id, surround.language), PAGE_SIZE, skipped)
        results = await visit.product.platform.persistence(tenant).search(tenant, query)
        if number > 1 and not results.hits:
            return None
        return self._page(visit, text, _found(visit, text, results, number)), False

    @staticmethod
    def _page(visit: Visit, text: str, found: dict[str, Any], **options: Any) -> Finished:
        surround = visit.surround
        title = words(surround.language)["search"]
        body = fragment("search", surround.language, action=visit.path, query=text, **found)
        main = in_layout(surround, "page", title=title, url=visit.path, body=body)
        shown = f"{text} – {title}" if text else title
        head = f"{UNLISTED}\n{visit.description(title)}"
        page = visit.page(title=shown, main=main, head=head, layout="page", **options)
        page.by_query = True
        return page


def slower(visit: Visit, seconds: int) -> Finished:
    """A page that asks for patience."""
    told = words(visit.surround.language)
    body = fragment(
        "told", visit.surround.language, text=told["slower_more"].format(seconds=seconds)
    )
    main = in_layout(visit.surround, "page", title=told["slower"], url=visit.path, body=body)
    headers = [(b"cache-control", b"no-store"), (b"retry-after", str(seconds).encode())]
    return visit.page(
        status=429, title=told["slower"], main=main, head=UNLISTED, layout="page", headers=headers
    )


def _found(visit: Visit, text: str, results: SearchResults, number: int) -> dict[str, Any]:
    reachable = min(results.total, MOST_SKIPPED + PAGE_SIZE)
    pages = -(-reachable // PAGE_SIZE)
    return {
        "hits": [_hit(hit) for hit in results.hits],
        "total": results.total,
        "more": results.more,
        "first": (number - 1) * PAGE_SIZE + 1,
        "instead": [word for found in results.instead.values() for word in found],
        "pagination": pagination(visit.path, number, pages, q=text),
    }


def _hit(hit: SearchHit) -> dict[str, Any]:
    return {"url": hit.key[1], "title": _marked(hit.title), "snippet": _marked(hit.snippet)}


def _marked(text: str) -> Markup:
    """Plain text as HTML, with what was looked for marked."""
    return Markup("").join(
        Markup("<mark>{}</mark>").format(piece) if found else escape(piece)
        for piece, found in segments(text)
    )
