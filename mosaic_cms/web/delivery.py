"""A page that is not in the cache: one lookup in the projection, put into a kept shell."""

from __future__ import annotations

import uuid
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from markupsafe import Markup, escape
from sqlalchemy import bindparam, select

from mosaic_cms.content.models import PublishedPage, PublishedRedirect, PublishedSite
from mosaic_cms.content.paths import normalise_path
from mosaic_cms.product import Product
from mosaic_cms.themes import Shell, Theme
from mosaic_cms.web.hosts import SiteHandle
from mosaic_cms.web.responses import Finished, redirect
from mosaic_core.errors import NotFound
from mosaic_core.tenants import TenantContext

_SITES = PublishedSite.__table__.c
_PAGES = PublishedPage.__table__.c
_REDIRECTS = PublishedRedirect.__table__.c

# Constants: each is compiled once for each strategy.
_SITE_QUERY = select(_SITES.site_id, _SITES.language, _SITES.key, _SITES.surround).order_by(
    _SITES.position
)
_PAGE_QUERY = select(_PAGES.page_id, _PAGES.title, _PAGES.layout, _PAGES.head, _PAGES.html).where(
    _PAGES.site_id == bindparam("site_id"),
    _PAGES.language == bindparam("language"),
    _PAGES.path == bindparam("path"),
    _PAGES.html.is_not(None),
)
_REDIRECT_QUERY = select(_REDIRECTS.target).where(
    _REDIRECTS.site_id == bindparam("site_id"), _REDIRECTS.source == bindparam("source")
)
#: Sites whose surroundings each process keeps.
_MOST_SITES = 512
_RIGHT_TO_LEFT = {"ar", "dv", "fa", "he", "ku", "ps", "sd", "ug", "ur", "yi"}
#: What an address may have in it as it is; ``%`` is there because a query is encoded already.
_PLAIN = "/:?#[]@!$&'()*+,;=%~-._"


@dataclass(slots=True)
class _Surround:
    """A site's surroundings in one state; its shells are made as sections are visited."""

    site_id: uuid.UUID
    language: str
    key: str
    theme: Theme
    site: dict[str, Any]
    menu: list[dict[str, str]]
    footer_menu: list[dict[str, str]]
    shells: dict[str, Shell] = field(default_factory=dict)

    def shell(self, path: str) -> Shell:
        """The shell for a path: the menu shows which section it is in."""
        entries = [item["path"] for item in (*self.menu, *self.footer_menu)]
        within = [entry for entry in entries if entry != "/" and path.startswith(entry)]
        section = max(within, key=len, default="")
        shell = self.shells.get(section)
        if shell is None:
            shell = self.theme.shell(
                site=self.site,
                menu=_entries(self.menu, section),
                footer_menu=_entries(self.footer_menu, section),
            )
            self.shells[section] = shell
        return shell


class Delivery:
    """Makes the response for a path of a site."""

    def __init__(self, product: Product, cdn_seconds: int) -> None:
        self._product = product
        self._seconds = cdn_seconds
        self._surrounds: OrderedDict[tuple[str, str | None], tuple[Any, _Surround]] = OrderedDict()

    async def deliver(self, handle: SiteHandle, path: str, query: bytes) -> tuple[Finished, bool]:
        """The response, and whether it is the same for everybody who asks for this path."""
        surround = await self._surround(handle)
        normal = normalise_path(path)
        row = None
        if normal is not None:
            row = await self._page(handle.tenant, surround, normal)
            if row is None:
                target = await self._redirect(handle.tenant, surround, normal)
                if target is not None:
                    return redirect(301, _location(target, query), seconds=self._seconds), False
        if row is None or normal is None:
            return self._missing(surround, path), False
        if normal != path:
            return redirect(308, _location(normal, query), seconds=self._seconds), False
        return self._page_response(handle, surround, normal, row), not query

    async def failure(self, handle: SiteHandle, reference: str) -> Finished | None:
        """The theme's own page for an error of ours; None when the site cannot even show that."""
        surround = await self._surround(handle)
        body = surround.theme.render("500", site=surround.site, reference=reference)
        return self._themed(surround, 500, "/", "500", body, "layout-error")

    async def _page(self, tenant: TenantContext, surround: _Surround, path: str) -> Any:
        parameters = {"site_id": surround.site_id, "language": surround.language, "path": path}
        persistence = self._product.platform.persistence(tenant)
        rows = await persistence.published(tenant, _PAGE_QUERY, parameters)
        return rows[0] if rows else None

    async def _redirect(self, tenant: TenantContext, surround: _Surround, path: str) -> str | None:
        persistence = self._product.platform.persistence(tenant)
        parameters = {"site_id": surround.site_id, "source": path}
        rows = await persistence.published(tenant, _REDIRECT_QUERY, parameters)
        return rows[0][0] if rows else None

    def _page_response(
        self, handle: SiteHandle, surround: _Surround, path: str, row: Any
    ) -> Finished:
        page_id, title, layout, head, html = row
        site_title = surround.site["title"]
        body = surround.shell(path).around(
            title=str(escape(title if title == site_title else f"{title} – {site_title}")),
            head=head,
            body_class=f"layout-{layout}",
            main=html,
        )
        tenant_id = handle.tenant.tenant_id
        tags = f"tenant-{tenant_id} site-{surround.site_id.hex} page-{page_id.hex}"
        cache = f"public, max-age=0, must-revalidate, s-maxage={self._seconds}"
        headers = [
            (b"cache-control", cache.encode()),
            (b"surrogate-key", tags.encode()),
            (b"content-language", surround.language.encode()),
        ]
        return Finished(200, "text/html; charset=utf-8", body, headers)

    def _missing(self, surround: _Surround, path: str) -> Finished:
        shown = path[:200].encode("utf-8", "replace").decode()
        body = surround.theme.render("404", site=surround.site, path=shown)
        return self._themed(surround, 404, "/", "404", body, "layout-error")

    @staticmethod
    def _themed(
        surround: _Surround, status: int, path: str, title: str, body: str, kind: str
    ) -> Finished:
        content = surround.shell(path).around(
            title=f"{title} – {escape(surround.site['title'])}",
            head='<meta name="robots" content="noindex">',
            body_class=kind,
            main=body,
        )
        headers = [(b"cache-control", b"no-store")]
        return Finished(status, "text/html; charset=utf-8", content, headers)

    async def _surround(self, handle: SiteHandle) -> _Surround:
        key = (handle.tenant.tenant_id, handle.site)
        state = (handle.head.published, handle.head.state.epoch, handle.tenant.tier)
        kept = self._surrounds.get(key)
        if kept is not None and kept[0] == state:
            self._surrounds.move_to_end(key)
            return kept[1]
        surround = await self._load(handle)
        self._surrounds[key] = (state, surround)
        self._surrounds.move_to_end(key)
        while len(self._surrounds) > _MOST_SITES:
            self._surrounds.popitem(last=False)
        return surround

    async def _load(self, handle: SiteHandle) -> _Surround:
        platform = self._product.platform
        rows = await platform.persistence(handle.tenant).published(handle.tenant, _SITE_QUERY, {})
        found = [row for row in rows if handle.site in (None, row[2])]
        if not found:
            raise NotFound(f"The site {handle.site or 'of this tenant'} is not there.")
        site_id, language, key, stored = found[0]
        theme = self._product.themes.get(stored["theme"])
        limits = platform.tier(handle.tenant).limits
        site = {
            "title": stored["title"],
            "tagline": stored["tagline"],
            "language": language,
            "direction": "rtl" if language[:2].lower() in _RIGHT_TO_LEFT else "ltr",
            "branding": limits.branding_required,
            "footer": Markup(stored["footer"]),  # noqa: S704 - sanitised when it was stored
            **theme.settings(stored["theme_settings"]),
        }
        return _Surround(site_id, language, key, theme, site, stored["menu"], stored["footer_menu"])


def _entries(items: list[dict[str, str]], section: str) -> list[dict[str, Any]]:
    return [
        {"title": item["title"], "url": item["path"], "active": item["path"] == section}
        for item in items
    ]


def _location(target: str, query: bytes) -> str:
    """An address for the Location header: ASCII, with the query that was asked for."""
    address, mark, fragment = quote(target, safe=_PLAIN).partition("#")
    if query and "?" not in address:
        address += "?" + quote(query, safe=_PLAIN)
    return address + mark + fragment
