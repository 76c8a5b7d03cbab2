"""One request for something of a site, and what answers it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

from markupsafe import escape
from sqlalchemy import Select

from mosaic_cms.content.head_tags import ORIGIN, encoded
from mosaic_cms.networks import neighbourhood
from mosaic_cms.product import Product
from mosaic_cms.web.hosts import SiteHandle
from mosaic_cms.web.responses import Finished, Headers
from mosaic_cms.web.surround import Languages, Surround
from mosaic_core.errors import ConfigurationError

_log = logging.getLogger("mosaic.web")
#: A response, and whether it is the same for everybody who asks for this path.
Made = tuple[Finished, bool]
_MOST_FIELDS = 20


@dataclass(frozen=True)
class Visit:
    """A request for a path of a site.

    Attributes:
        asked: the path as it was asked for; ``path`` is its one form.
        query: as it was sent.
        client: the address that it comes from.
        cdn: seconds for which a CDN may keep a page.
    """

    product: Product
    handle: SiteHandle
    site: Languages
    surround: Surround
    asked: str
    path: str
    query: bytes
    client: str
    cdn: int

    @property
    def visitor(self) -> str:
        """Whom the rate limits know the visitor as."""
        return neighbourhood(self.client)

    @property
    def below(self) -> str:
        """The path below its language's home page, without slashes at its ends."""
        return self.path.removeprefix(self.surround.root).strip("/")

    @cached_property
    def fields(self) -> dict[str, str]:
        """The query; the first value of each name counts."""
        text = self.query.decode("ascii", "replace")
        try:
            pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
        except ValueError:  # it has more of them than anything here asks for
            return {}
        return dict(reversed(pairs))

    async def around(self, language: str, theme: str, revision: str) -> Visit:
        """The same, with what surrounds a page in this language that was rendered in this theme."""
        surround = self.site.of(language)
        made_in = (theme, revision)
        if made_in == (surround.theme.name, surround.theme.revision):
            return replace(self, surround=surround)
        if self.product.themes.revisions.get(theme) != revision:
            self.product.renewal.visit(self.handle.tenant)
        found = await self.product.kept.find(*made_in)
        if found is None:
            _log.warning("%s: nobody kept the theme %r that it was made in", self.path, theme)
            return replace(self, surround=surround)
        other = surround.made_for(found)
        try:
            other.shell(self.path)
        except ConfigurationError as error:  # it was written for another version of this code
            _log.warning("%s: what it was made in does not work here: %s", self.path, error)
            return replace(self, surround=surround)
        return replace(self, surround=other)

    async def rows(self, query: Select[Any], **parameters: Any) -> Sequence[tuple[Any, ...]]:
        """The rows of a constant query on the projection; ``site_id`` is this site's."""
        tenant = self.handle.tenant
        persistence = self.product.platform.persistence(tenant)
        return await persistence.published(
            tenant, query, {"site_id": self.site.site_id, **parameters}
        )

    def absolute(self, path: str) -> str:
        """The whole address of a path."""
        return self.handle.origin + encoded(path)

    def whole(self, head: str) -> str:
        """The tags of a head, with this site's host in its addresses."""
        return head.replace(ORIGIN, self.handle.origin)

    def description(self, title: str) -> str:
        """The tag that tells search engines what a page is about that the site makes itself."""
        site = self.surround.site
        about = f"{title} – {site['title']}" + (f": {site['tagline']}" if site["tagline"] else "")
        return f'<meta name="description" content="{escape(about)}">'

    def kept(self, *tags: str) -> Headers:
        """The headers of what a CDN may keep, until something that it is filed under changes."""
        filed = (
            f"tenant-{self.handle.tenant.tenant_id}",
            f"site-{self.site.site_id.hex}",
            *tags,
        )
        cache = f"public, max-age=0, must-revalidate, s-maxage={self.cdn}"
        return [
            (b"cache-control", cache.encode()),
            (b"surrogate-key", " ".join(filed).encode()),
        ]

    def file(self, content_type: str, text: str) -> Made:
        """A document that is no page, the same for everybody."""
        headers = [*self.kept(), (b"content-language", self.surround.language.encode())]
        return Finished(200, f"{content_type}; charset=utf-8", text.encode(), headers), True

    def page(
        self,
        *,
        title: str,
        main: str,
        head: str,
        layout: str,
        status: int = 200,
        headers: Headers | None = None,
    ) -> Finished:
        """A page in the site's shell; without headers, nobody may keep it."""
        body = self.surround.document(
            self.path,
            title=title,
            head=self.whole(head),
            kind=f"layout-{layout}",
            main=main,
        )
        told = [(b"cache-control", b"no-store")] if headers is None else headers
        spoken = (b"content-language", self.surround.language.encode())
        return Finished(status, "text/html; charset=utf-8", body, [*told, spoken])
