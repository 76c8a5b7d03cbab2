"""A page that is not in the cache: one lookup in the projection, put into a kept shell.

The further pages of one that has many below it are put together by :mod:`.further_pages`.
What has no page of its own (feeds, the sitemap, listings, search) is made by
:mod:`mosaic_cms.web.made`; a page with the same path, where it could get that, comes first.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import quote

from sqlalchemy import bindparam, select

from mosaic_cms.content.head_tags import UNLISTED
from mosaic_cms.content.paths import normalise_path
from mosaic_cms.content.published import PublishedPage, PublishedRedirect
from mosaic_cms.product import Product
from mosaic_cms.web import further_pages
from mosaic_cms.web.forms import Forms
from mosaic_cms.web.hosts import SiteHandle
from mosaic_cms.web.languages import instead, liked_home
from mosaic_cms.web.made import MadePages
from mosaic_cms.web.responses import Finished, redirect
from mosaic_cms.web.surround import Surround, Surrounds
from mosaic_cms.web.visit import Made, Visit

_PAGES = PublishedPage.__table__.c
_REDIRECTS = PublishedRedirect.__table__.c

# Constants: each is compiled once for each strategy.
_PAGE_QUERY = select(
    _PAGES.page_id,
    _PAGES.language,
    _PAGES.title,
    _PAGES.layout,
    _PAGES.head,
    _PAGES.html,
    _PAGES.theme,
    _PAGES.theme_revision,
).where(
    _PAGES.site_id == bindparam("site_id"),
    _PAGES.path == bindparam("path"),
    _PAGES.html.is_not(None),
)
_REDIRECT_QUERY = select(_REDIRECTS.target).where(
    _REDIRECTS.site_id == bindparam("site_id"), _REDIRECTS.source == bindparam("source")
)
#: What an address may have in it as it is; ``%`` is there because a query is encoded already.
_PLAIN = "/:?#[]@!$&'()*+,;=%~-._"


class _Row(NamedTuple):
    page_id: Any
    language: str
    title: str
    layout: str
    head: str
    html: str
    theme: str
    theme_revision: str


class Delivery:
    """Makes the response for a path of a site."""

    def __init__(self, product: Product, cdn_seconds: int) -> None:
        self._product = product
        self._seconds = cdn_seconds
        self._surrounds = Surrounds(product)
        self._made = MadePages()
        self._forms = Forms()

    async def deliver(self, handle: SiteHandle, path: str, query: bytes, client: str) -> Made:
        """The response, and whether it is the same for everybody who asks for this path."""
        visit = await self._visit(handle, path, query, client)
        if visit is None:
            return await self._missing(handle, path), False
        rows = await visit.rows(_PAGE_QUERY, path=visit.path)
        if rows:
            row = _Row(*rows[0])
            around = await visit.around(row.language, row.theme, row.theme_revision)
            further = await further_pages.answer(around, row.page_id, row.title, row.head)
            return further or await self._page(around, row)
        targets = await visit.rows(_REDIRECT_QUERY, source=visit.path)
        if targets:
            location = _location(targets[0][0], query)
            return redirect(301, location, seconds=self._seconds), False
        made = await self._made.answer(visit)
        if made is None:
            translated = await instead(visit)
            if translated is not None:
                return redirect(302, _location(translated, query), seconds=self._seconds), False
            return await self._missing(handle, path), False
        if isinstance(made, str):
            return redirect(308, _location(made, query), seconds=self._seconds), False
        return made

    async def negotiate(
        self, handle: SiteHandle, path: str, query: bytes, accepted: bytes
    ) -> tuple[Finished | None, bool]:
        """A redirect to the home page in the language that a visitor likes best, where there is
        one and no query; and whether that is asked at all for this path, so that what is there is
        not the same for everybody."""
        if path != "/":
            return None, False
        visit = await self._visit(handle, path, query, "")
        if visit is None or len(visit.site.surrounds) < 2:
            return None, False
        if query:
            return None, True
        liked = await liked_home(visit, accepted)
        if liked is None:
            return None, True
        location = _location(liked, b"")
        return redirect(302, location, seconds=self._seconds, vary=b"accept-language"), True

    async def form(
        self, handle: SiteHandle, path: str, query: bytes, client: str
    ) -> tuple[Visit, Forms] | None:
        """What takes a form that was posted to a path; None where no page shows one."""
        visit = await self._visit(handle, path, query, client)
        if visit is None or not await self._forms.are_at(visit):
            return None
        return visit, self._forms

    async def failure(self, handle: SiteHandle, reference: str) -> Finished | None:
        """The theme's own page for an error of ours; None when the site cannot even show that."""
        surround = (await self._surrounds.get(handle)).of("")
        main = surround.theme.render("500", site=surround.site, reference=reference)
        return _trouble(surround, 500, main)

    async def _visit(
        self, handle: SiteHandle, path: str, query: bytes, client: str
    ) -> Visit | None:
        """None for a path that nothing can have."""
        normal = normalise_path(path)
        if normal is None:
            return None
        site = await self._surrounds.get(handle)
        surround = site.at(normal)
        return Visit(
            self._product, handle, site, surround, path, normal, query, client, self._seconds
        )

    async def _page(self, visit: Visit, row: _Row) -> Made:
        if visit.path != visit.asked:
            location = _location(visit.path, visit.query)
            return redirect(308, location, seconds=self._seconds), False
        html, kept = row.html, True
        if b"sent=" in visit.query:
            thanked = await self._forms.thanked(visit, html)
            html, kept = thanked or html, thanked is None
        headers = visit.kept(f"page-{row.page_id.hex}") if kept else None
        if headers is not None and visit.path == "/" and len(visit.site.surrounds) > 1:
            headers.append((b"vary", b"accept-language"))
        finished = visit.page(
            title=row.title, main=html, head=row.head, layout=row.layout, headers=headers
        )
        # Of a page with a form, ``?sent=`` asks for the message in its place; of a long list there
        # are further pages.
        finished.by_query = 'name="_form"' in row.html or further_pages.THE_WAY in row.html
        return finished, kept and not visit.query

    async def _missing(self, handle: SiteHandle, path: str) -> Finished:
        surround = (await self._surrounds.get(handle)).at(path)
        shown = path[:200].encode("utf-8", "replace").decode()
        return _trouble(surround, 404, surround.theme.render("404", site=surround.site, path=shown))


def _trouble(surround: Surround, status: int, main: str) -> Finished:
    body = surround.document(
        surround.root, title=str(status), head=UNLISTED, kind="layout-error", main=main
    )
    headers = [(b"cache-control", b"no-store")]
    return Finished(status, "text/html; charset=utf-8", body, headers)


def _location(target: str, query: bytes) -> str:
    """An address for the Location header: ASCII, with the query that was asked for."""
    address, mark, fragment = quote(target, safe=_PLAIN).partition("#")
    if query and "?" not in address:
        address += "?" + quote(query, safe=_PLAIN)
    return address + mark + fragment
