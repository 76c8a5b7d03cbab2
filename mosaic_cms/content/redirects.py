"""Redirects: those that editors write, and those that pages leave behind when they move, and lists
of a tag when that is renamed.

A redirect never leads to another one. To a page it leads by ``page:<id>``, so it goes along
wherever the page moves; to what else there is, by a path or an address.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.content.models import Page, Redirect, Site
from mosaic_cms.content.paths import RESERVED_SEGMENT, normalise_path
from mosaic_cms.content.references import in_chunks
from mosaic_core.errors import Conflict, InvalidInput, NotFound

_MOST_TARGET = 2_000
_PAGE = re.compile(r"page:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}([?#]\S*)?")


def split_target(target: str) -> tuple[str, str]:
    """Where a target leads, and its query and fragment: they stay with it."""
    if target.startswith(("https://", "http://")):
        return target, ""
    at = re.search("[?#]|$", target)
    assert at is not None
    return target[: at.start()], target[at.start() :]


def check_source(source: str) -> str:
    """An address to redirect, in its one form.

    Raises:
        InvalidInput: no page could have it, or it is the home page's.
    """
    path = normalise_path(source) if "?" not in source and "#" not in source else None
    if path is None or path == "/" or path.startswith(f"/{RESERVED_SEGMENT}/"):
        raise InvalidInput(
            f"{source[:80]!r} cannot be redirected.",
            hint="Write a path such as '/old/', without a query; '/' is the home page's.",
        )
    return path


def check_target(target: str) -> str:
    """Where a redirect may lead, in its one form: ``page:<id>``, a path, or an http(s) address.

    Raises:
        InvalidInput: it is none of them.
    """
    plain = target.isprintable() and " " not in target and len(target) <= _MOST_TARGET
    if plain and (target.startswith(("https://", "http://")) or _PAGE.fullmatch(target)):
        return target
    place, rest = split_target(target) if plain else ("", "")
    path = normalise_path(place) if not place.startswith("//") and "\\" not in place else None
    if path is None:
        raise InvalidInput(
            f"{target[:80]!r} is no target of a redirect.",
            hint="Write a path such as '/new/', or an address that begins with https://.",
        )
    return path + rest


class Redirects:
    """The redirects of a site that concern some addresses, inside a write."""

    def __init__(
        self, session: AsyncSession, site: Site, rows: Iterable[Redirect], pages: Mapping[str, str]
    ) -> None:
        self._session = session
        self._site = site
        self._rows = {row.source: row for row in rows}
        #: ``page:<id>`` of each page, by its path.
        self._pages = pages
        self._known = set(pages.values())

    @classmethod
    async def of(
        cls, session: AsyncSession, site: Site, rules: Iterable[tuple[str, str]]
    ) -> Redirects:
        """Those that (source, target) pairs have to do with."""
        pairs = list(rules)
        sources = {source for source, _ in pairs}
        places = sources | {split_target(target)[0] for _, target in pairs}
        return cls(
            session,
            site,
            await _concerning(session, site, places, sources),
            await _pages_at(session, site, places),
        )

    @property
    def sources(self) -> list[str]:
        """The addresses of all that are at hand: those that a change may have concerned."""
        return list(self._rows)

    def there(self, source: str) -> Redirect | None:
        """The redirect from an address."""
        return self._rows.get(source)

    def put(self, source: str, target: str, *, beside_pages: bool = False) -> bool:
        """Redirects an address; both are in their one form. Whether anything became different.

        Args:
            beside_pages: it may be a page's address: it leads on while no page shows there.

        Raises:
            Conflict: a page has the address.
            InvalidInput: it would lead in a circle, or to a page that is not there.
        """
        if source in self._pages and not beside_pages:
            raise Conflict(
                f"{source!r} is the address of a page: visitors see that page, and a redirect from "
                f"there would never be followed.",
                hint="Move or delete the page first, or redirect another address.",
            )
        end = self._end(source, target)
        row = self._rows.get(source)
        if row is not None and (row.target, row.automatic) == (end, False):
            return False
        if row is None:
            row = Redirect(site_id=self._site.id, source=source, target=end, automatic=False)
            self._session.add(row)
            self._rows[source] = row
        else:
            row.target, row.automatic = end, False
        self._straighten(source, end)
        return True

    async def drop(self, source: str) -> None:
        """Takes a redirect away.

        Raises:
            NotFound: there is none.
        """
        row = self._rows.pop(source, None)
        if row is None:
            raise NotFound(
                f"Nothing is redirected from {source!r}.",
                hint="'mosaic redirect list' shows all redirects.",
            )
        await self._session.delete(row)

    def _end(self, source: str, target: str) -> str:
        """Where a target leads in the end; those that are there lead to their ends already."""
        place, rest = split_target(target)
        if place.startswith("page:"):
            if place not in self._known:
                raise InvalidInput(f"There is no {place!r} on this site.", hint="Use its path.")
            end = target
        elif place in self._pages:
            end = self._pages[place] + rest
        elif place in self._rows and place != source:
            end = _joined(self._rows[place].target, rest)
        else:
            end = target
        if split_target(end)[0] in {source, self._pages.get(source)}:
            way = f"{source} → {target}" + ("" if place == source else f" → {source}")
            raise InvalidInput(
                f"A redirect from {source!r} to {target[:80]!r} leads in a circle: {way[:300]}.",
                hint="Let it lead to a page.",
            )
        return end

    def _straighten(self, source: str, end: str) -> None:
        """Has those that led here lead to the end at once."""
        for row in self._rows.values():
            place, rest = split_target(row.target)
            if place == source:
                row.target = _joined(end, rest)


def _joined(end: str, rest: str) -> str:
    """An end with the query or fragment of what led to it, unless it has its own."""
    return end if split_target(end)[1] or end.startswith("http") else end + rest


async def leave_redirects(
    session: AsyncSession,
    site: Site,
    left: Mapping[str, uuid.UUID],
    taken: Collection[str],
) -> None:
    """Has the addresses that pages left lead to them.

    A redirect names its page and not the page's address, so that there are never chains. One that
    an editor wrote stays; one whose address a page has now goes, when it came about by itself.

    Args:
        left: old addresses, with the page that had each.
        taken: addresses that pages have now.
    """
    await _lead_on(session, site, {x: f"page:{page_id}" for x, page_id in left.items()}, taken)


async def leave_listings(session: AsyncSession, site: Site, left: Mapping[str, str]) -> None:
    """Has the addresses of lists of a tag or category lead to those that they have now, as
    :func:`leave_redirects` does it for pages. Visitors follow them while nothing is listed at the
    old ones.

    Args:
        left: old addresses, with the new one of each.
    """
    changed = {old: new for old, new in left.items() if old != new}
    await _lead_on(session, site, changed, changed.values())


async def _lead_on(
    session: AsyncSession, site: Site, left: Mapping[str, str], taken: Collection[str]
) -> None:
    places = {*left, *taken}
    rows = list(await _concerning(session, site, places, set(left)))
    there = {row.source: row for row in rows if row.source in places}
    for source, row in there.items():
        if source in taken and row.automatic:
            await session.delete(row)
    for source, target in left.items():
        for row in rows:
            place, rest = split_target(row.target)
            if place == source and row.source != source:
                row.target = target + rest
        kept = there.get(source)
        if source in taken:
            continue
        if kept is None:
            session.add(Redirect(site_id=site.id, source=source, target=target, automatic=True))
        elif kept.automatic:
            kept.target = target
    await session.flush()


async def forget_page(session: AsyncSession, page: Page) -> None:
    """Prepares the redirects to a page for its deletion: those that came about by themselves go;
    one that an editor wrote leads to the address that the page had, in case another gets it."""
    path = page.known_path
    rows = await session.scalars(
        select(Redirect).where(
            Redirect.site_id == page.site_id, Redirect.target.startswith(f"page:{page.id}")
        )
    )
    for row in rows:
        if row.automatic or row.source == path:
            await session.delete(row)
        else:
            row.target = path + split_target(row.target)[1]
    await session.flush()


async def _concerning(
    session: AsyncSession, site: Site, places: Collection[str], targets: Collection[str]
) -> list[Redirect]:
    """The redirects from some addresses, and those to some (with whatever query or fragment)."""
    found: dict[uuid.UUID, Redirect] = {}
    query = select(Redirect).where(Redirect.site_id == site.id)
    for chunk in in_chunks(places):
        for row in await session.scalars(query.where(Redirect.source.in_(chunk))):
            found[row.id] = row
    if targets:
        wanted = set(targets)
        led = select(Redirect.id, Redirect.target).where(
            Redirect.site_id == site.id, Redirect.target.startswith("/")
        )
        ids = [
            key
            for key, target in await session.execute(led)
            if split_target(target)[0] in wanted and key not in found
        ]
        for some in in_chunks(ids):
            for row in await session.scalars(query.where(Redirect.id.in_(some))):
                found[row.id] = row
    return list(found.values())


async def _pages_at(session: AsyncSession, site: Site, places: Collection[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    columns = select(Page.path, Page.id).where(Page.site_id == site.id, Page.binned_at.is_(None))
    ids = [uuid.UUID(place[5:]) for place in places if place.startswith("page:")]
    for some in in_chunks(ids):
        rows = await session.execute(columns.where(Page.id.in_(some)))
        found |= {path: f"page:{page_id}" for path, page_id in rows}
    for chunk in in_chunks([place for place in places if place.startswith("/")]):
        rows = await session.execute(columns.where(Page.path.in_(chunk)))
        found |= {path: f"page:{page_id}" for path, page_id in rows}
    return found
