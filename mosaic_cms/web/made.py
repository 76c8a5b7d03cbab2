"""What a site has beside its pages, found by its address.

===================================================  ================================
``/robots.txt`` ``/sitemap.xml`` ``/sitemap-1.xml``  :mod:`mosaic_cms.web.sitemap`
``…/feed.xml`` ``…/atom.xml`` ``…/feed.json``        :mod:`mosaic_cms.web.feeds`
``/tags/…/`` ``/categories/…/`` ``/authors/…/``      :mod:`mosaic_cms.web.listings`
``/archive/…/``                                      :mod:`mosaic_cms.web.listings`
``/search/``                                         :mod:`mosaic_cms.web.search_page`
===================================================  ================================

All but the first line are below the root of each language too. Everything comes from the
projection. Which of these addresses no page can have says :mod:`mosaic_cms.content.made_paths`.
"""

from __future__ import annotations

from mosaic_cms.content.made_paths import FEEDS, LISTINGS, ROBOTS, SEARCH, SITEMAPS
from mosaic_cms.web import feeds, listings, sitemap
from mosaic_cms.web.search_page import SearchPage
from mosaic_cms.web.visit import Made, Visit


class MadePages:
    """Makes them. A page of the site with the same path comes first: that is asked for before."""

    def __init__(self) -> None:
        self._search = SearchPage()

    async def answer(self, visit: Visit) -> Made | str | None:
        """The response; or the address that it has, when it was asked for by another writing of
        it; None where nothing is."""
        below = visit.below
        name = below.rpartition("/")[2]
        address, made = visit.path.rstrip("/"), None
        if name in FEEDS:
            made = await feeds.answer(visit, name)
        elif visit.surround.root == "/" and below == ROBOTS:
            made = sitemap.robots(visit)
        elif visit.surround.root == "/" and SITEMAPS.fullmatch(below):
            made = await sitemap.answer(visit, below)
        else:
            address = visit.path
            if below == SEARCH:
                made = await self._search.answer(visit)
            elif below.partition("/")[0] in LISTINGS:
                made = await listings.answer(visit)
        return address if made is not None and visit.asked != address else made
