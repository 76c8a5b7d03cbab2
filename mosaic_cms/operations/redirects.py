"""Redirects: old addresses and where they lead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.actions import Model, action
from mosaic_cms.content.models import Page, Redirect, Site
from mosaic_cms.content.placing import place_redirects
from mosaic_cms.content.published import PublishedPage, PublishedRedirect
from mosaic_cms.content.redirects import Redirects, check_source, check_target, split_target
from mosaic_cms.content.references import in_chunks, page_ids
from mosaic_cms.content.tree import find_site
from mosaic_cms.importing.redirect_file import RedirectRow, read_redirects
from mosaic_cms.rights import Permission
from mosaic_cms.scope import TenantScope
from mosaic_core.errors import Conflict, InvalidInput
from mosaic_core.head import Write

#: Redirects in one write.
_BATCH = 1_000


class RedirectView(Model):
    """A redirect, and where it leads now; visitors follow it while it is ``shown``: while something
    is there, and no page has the address that it leads from."""

    source: str
    target: str
    #: The page's path, for one to a page; of one in the bin, that which it had.
    leads_to: str
    #: It came about when a page, or the list of a tag, got another address.
    automatic: bool
    shown: bool


class SiteRedirects(Model):
    """A site; and whether only those are meant that came about by themselves, or the others."""

    site: str | None = None
    automatic: bool | None = None


class SetRedirect(Model):
    """An old address; and a path, ``page:<id>`` or http(s) address that it leads to."""

    source: str
    target: str
    site: str | None = None


class RemoveRedirect(Model):
    """An address that is redirected."""

    source: str
    site: str | None = None


class ImportRedirects(Model):
    """A CSV file's name and content: ``source,target``, one a line."""

    name: str = "redirects.csv"
    content: Annotated[bytes, Field(max_length=20_000_000)]
    site: str | None = None


class RedirectLine(Model):
    """A line of the report; ``line`` counts from 1."""

    source: str
    line: int | None
    level: Literal["understood", "note", "problem"]
    message: str


class RedirectReport(Model):
    """What became of a file of redirects. A second run finds everything unchanged."""

    set: int
    unchanged: int
    lines: tuple[RedirectLine, ...]

    @property
    def problems(self) -> int:
        return sum(line.level == "problem" for line in self.lines)


@action(
    "redirects.list", needs=Permission("read", "redirects"), effect="read", http="GET /redirects"
)
async def list_redirects(scope: TenantScope, command: SiteRedirects) -> list[RedirectView]:
    """The redirects of a site, by source.

    One from the address where its page is now, which waits
    for the page to move, is left out."""
    async with scope.read() as session:
        site = await find_site(session, command.site)
        rows = await session.scalars(
            select(Redirect).where(Redirect.site_id == site.id).order_by(Redirect.source)
        )
        views = await _views(session, site, list(rows))
        return [
            view
            for view in views
            if command.automatic in (None, view.automatic) and view.leads_to != view.source
        ]


@action("redirects.set", needs=Permission("update", "redirects"), http="PUT /redirects")
async def set_redirect(scope: TenantScope, command: SetRedirect) -> RedirectView:
    """Redirects an address; what leads to it leads on to the same end."""
    source, target = check_source(command.source), check_target(command.target)

    async def fn(write: Write) -> RedirectView:
        site = await find_site(write.session, command.site)
        redirects = await Redirects.of(write.session, site, [(source, target)])
        redirects.put(source, target)
        await write.session.flush()
        await place_redirects(write.session, site, redirects.sources)
        row = redirects.there(source)
        assert row is not None
        return (await _views(write.session, site, [row]))[0]

    return await scope.write(fn)


@action("redirects.remove", needs=Permission("update", "redirects"), http="DELETE /redirects")
async def remove_redirect(scope: TenantScope, command: RemoveRedirect) -> RedirectView:
    """Takes a redirect away."""
    source = check_source(command.source)

    async def fn(write: Write) -> RedirectView:
        site = await find_site(write.session, command.site)
        redirects = await Redirects.of(write.session, site, [(source, source)])
        row = redirects.there(source)
        view = (await _views(write.session, site, [row]))[0] if row is not None else None
        await redirects.drop(source)
        await write.session.flush()
        await place_redirects(write.session, site, [source])
        assert view is not None
        return view

    return await scope.write(fn)


@action("redirects.import", needs=Permission("update", "redirects"), http="POST /redirects/import")
async def import_redirects(scope: TenantScope, command: ImportRedirects) -> RedirectReport:
    """Sets the redirects of a CSV file, and reports line by line what cannot be used."""
    async with scope.read() as session:
        site = await find_site(session, command.site)
        paths = select(Page.path).where(Page.site_id == site.id, Page.binned_at.is_(None))
        pages = frozenset(await session.scalars(paths))
    found = read_redirects(command.name, command.content, pages)
    lines = [
        RedirectLine(source=x.source, line=x.line, level=x.level, message=x.message)
        for x in found.report.lines
    ]
    different = 0
    for start in range(0, len(found.rows), _BATCH):
        batch = found.rows[start : start + _BATCH]
        count, problems = await scope.write(
            lambda write, batch=batch: _put(write, command, batch)  # type: ignore[misc]
        )
        different += count
        lines += problems
        scope.progress("redirects", start + len(batch), len(found.rows))
    refused = sum(line.level == "problem" for line in lines) - len(found.report.problems)
    return RedirectReport(
        set=different, unchanged=len(found.rows) - different - refused, lines=tuple(lines)
    )


async def _put(
    write: Write, command: ImportRedirects, rows: Sequence[RedirectRow]
) -> tuple[int, list[RedirectLine]]:
    """Sets some redirects; returns how many are different now, and a line for each that cannot be
    used."""
    site = await find_site(write.session, command.site)
    redirects = await Redirects.of(write.session, site, [(row.source, row.target) for row in rows])
    count = 0
    lines: list[RedirectLine] = []
    for row in rows:
        try:
            count += redirects.put(row.source, row.target)
        except (Conflict, InvalidInput) as error:
            lines.append(
                RedirectLine(
                    source=command.name,
                    line=row.line,
                    level="problem",
                    message=f"{error.message.rstrip('.')}; left out",
                )
            )
    await write.session.flush()
    await place_redirects(write.session, site, redirects.sources)
    return count, lines


async def _views(session: AsyncSession, site: Site, rows: Sequence[Redirect]) -> list[RedirectView]:
    """Redirects as editors see them."""
    places = {split_target(row.target)[0] for row in rows}
    paths: dict[str, str] = {}
    for ids in in_chunks(page_ids(places)):
        pages = await session.execute(select(Page.id, Page.known_path).where(Page.id.in_(ids)))
        paths |= {f"page:{page_id}": path for page_id, path in pages}
    shown: set[str] = set()
    for sources in in_chunks([row.source for row in rows]):
        placed = select(PublishedRedirect.source).where(
            PublishedRedirect.site_id == site.id, PublishedRedirect.source.in_(sources)
        )
        shown |= set(await session.scalars(placed))
        taken = select(PublishedPage.path).where(
            PublishedPage.site_id == site.id, PublishedPage.path.in_(sources)
        )
        shown -= set(await session.scalars(taken))
    views = []
    for row in rows:
        place, rest = split_target(row.target)
        views.append(
            RedirectView(
                source=row.source,
                target=row.target,
                leads_to=paths.get(place, place) + rest,
                automatic=row.automatic,
                shown=row.source in shown,
            )
        )
    return views
