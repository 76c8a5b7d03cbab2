"""What surrounds a site's pages, kept for one state of its tenant."""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from markupsafe import Markup, escape
from sqlalchemy import select

from mosaic_cms.content.head_tags import feed_links
from mosaic_cms.content.language_tags import language_root
from mosaic_cms.content.published import PublishedSite
from mosaic_cms.product import Product
from mosaic_cms.themes import Shell, Theme
from mosaic_cms.web.hosts import SiteHandle
from mosaic_core.errors import NotFound

_SITES = PublishedSite.__table__.c
# A constant: it is compiled once for each strategy.
_QUERY = select(_SITES.site_id, _SITES.language, _SITES.key, _SITES.surround).order_by(
    _SITES.position
)
#: Sites whose surroundings each process keeps.
_MOST_SITES = 512
_RIGHT_TO_LEFT = {"ar", "ckb", "dv", "fa", "he", "ku", "ps", "sd", "ug", "ur", "yi"}


@dataclass(slots=True)
class Surround:
    """A site's surroundings in one state and language; shells are made as sections are visited.

    Attributes:
        root: the path below which the pages in this language stand.
        feeds: the links to the feeds of the whole site.
    """

    site_id: uuid.UUID
    language: str
    root: str
    theme: Theme
    site: dict[str, Any]
    menus: dict[str, list[dict[str, Any]]]
    feeds: str
    theme_settings: dict[str, Any]
    shells: dict[str, Shell] = field(default_factory=dict)
    others: dict[tuple[str, str], Surround] = field(default_factory=dict)

    def made_for(self, theme: Theme) -> Surround:
        """The same around pages that were rendered with another theme, or another state of it:
        until they are rendered again, they are shown whole, as they were made."""
        other = self.others.get((theme.name, theme.revision))
        if other is None:
            site = {**self.site, **theme.settings(self.theme_settings)}
            other = replace(self, theme=theme, site=site, shells={}, others={})
            self.others[theme.name, theme.revision] = other
        return other

    def document(self, path: str, *, title: str, head: str, kind: str, main: str) -> bytes:
        """A whole page; ``kind`` is the class of its body."""
        site_title = self.site["title"]
        return self.shell(path).around(
            title=str(escape(title if title == site_title else f"{title} – {site_title}")),
            head=f"{head}\n{self.feeds}",
            body_class=kind,
            main=main,
        )

    def shell(self, path: str) -> Shell:
        """The shell for a path: the menus show which section it is in."""
        entries = [url for menu in self.menus.values() for url in _addresses(menu)]
        within = [entry for entry in entries if entry != "/" and path.startswith(entry)]
        section = max(within, key=len, default="")
        shell = self.shells.get(section)
        if shell is None:
            shell = self.theme.shell(
                site=self.site,
                menu=_entries(self.menus.get("header", []), section),
                footer_menu=_entries(self.menus.get("footer", []), section),
                side_menu=_entries(self.menus.get("side", []), section),
            )
            self.shells[section] = shell
        return shell


@dataclass(frozen=True, slots=True)
class Languages:
    """The surroundings of one site in its languages, the site's own first."""

    site_id: uuid.UUID
    surrounds: dict[str, Surround]

    def of(self, language: str) -> Surround:
        """Those of a language, or of the site's own."""
        return self.surrounds.get(language) or next(iter(self.surrounds.values()))

    def at(self, path: str) -> Surround:
        """Those of the language in which a path is."""
        for surround in self.surrounds.values():
            if surround.root != "/" and path.startswith(surround.root):
                return surround
        return next(iter(self.surrounds.values()))


class Surrounds:
    """Keeps the surroundings of the sites that were visited last."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._kept: OrderedDict[tuple[str, str | None], tuple[Any, Languages]] = OrderedDict()

    async def get(self, handle: SiteHandle) -> Languages:
        """Those of a site as they are now.

        Raises:
            NotFound: the tenant has no such site.
        """
        key = (handle.tenant.tenant_id, handle.site)
        state = (handle.head.published, handle.head.state.epoch, handle.tenant.tier)
        kept = self._kept.get(key)
        if kept is not None and kept[0] == state:
            self._kept.move_to_end(key)
            return kept[1]
        found = await self._load(handle)
        self._kept[key] = (state, found)
        self._kept.move_to_end(key)
        while len(self._kept) > _MOST_SITES:
            self._kept.popitem(last=False)
        return found

    async def _load(self, handle: SiteHandle) -> Languages:
        platform = self._product.platform
        rows = await platform.persistence(handle.tenant).published(handle.tenant, _QUERY, {})
        found = [row for row in rows if handle.site in (None, row[2])]
        if not found:
            raise NotFound(f"The site {handle.site or 'of this tenant'} is not there.")
        site_id = found[0][0]
        stored = {row[1]: row[3] for row in found if row[0] == site_id}
        order = next(iter(stored.values()))["languages"]
        spoken = [language for language in order if language in stored] or list(stored)
        branding = platform.tier(handle.tenant).limits.branding_required
        return Languages(
            site_id,
            {
                language: self._surround(site_id, language, spoken, stored[language], branding)
                for language in spoken
            },
        )

    def _surround(
        self,
        site_id: uuid.UUID,
        language: str,
        spoken: list[str],
        stored: dict[str, Any],
        branding: bool,
    ) -> Surround:
        theme = self._product.themes.get(stored["theme"])
        root = language_root(spoken[0], language)
        site = {
            "title": stored["title"],
            "tagline": stored["tagline"],
            "language": language,
            "direction": "rtl" if language.partition("-")[0].lower() in _RIGHT_TO_LEFT else "ltr",
            "root": root,
            "languages": [
                {"tag": tag, "url": _home(spoken[0], tag), "active": tag == language}
                for tag in (spoken if len(spoken) > 1 else ())
            ],
            "branding": branding,
            "footer": Markup(stored["footer"]),  # noqa: S704 - sanitised when it was stored
            **theme.settings(stored["theme_settings"]),
        }
        feeds = "\n".join(feed_links(root, stored["title"]))
        settings = stored["theme_settings"]
        return Surround(site_id, language, root, theme, site, stored["menus"], feeds, settings)


def _home(first: str, language: str) -> str:
    """The way to a home page for somebody who chose its language: it is not asked for again."""
    root = language_root(first, language)
    return f"/?lang={language}" if root == "/" else root


def _addresses(menu: list[dict[str, Any]]) -> Iterator[str]:
    for item in menu:
        yield item["url"]
        yield from _addresses(item["items"])


def _entries(menu: list[dict[str, Any]], section: str) -> list[dict[str, Any]]:
    return [
        {
            "title": item["title"],
            "url": item["url"],
            "active": item["url"] == section,
            # Not "items": in a template, that would be the dictionary's own.
            "below": _entries(item["items"], section),
        }
        for item in menu
    ]
