"""Where things are used."""

from __future__ import annotations

from typing import Literal

from mosaic_cms.actions import Model, action
from mosaic_cms.content.paths import normalise_path
from mosaic_cms.content.references import REFERENCE
from mosaic_cms.content.tree import find_page, find_site
from mosaic_cms.content.uses import uses_of
from mosaic_cms.rights import Permission
from mosaic_cms.scope import TenantScope
from mosaic_core.errors import InvalidInput


class UsedThing(Model):
    """What is looked for: ``page:<id>``, ``media:<id>``, ``shared:<id>``, or a page's path."""

    target: str
    site: str | None = None


class UseView(Model):
    """Something that uses it.

    Attributes:
        source: ``page:<id>``, ``shared:<id>`` or ``menu:<id>``.
        path: of a page.
        state: in its draft, in what is live, or in both.
        within: block types, and fields such as ``details.image``.
        binned: the page is in the bin.
    """

    source: str
    title: str
    path: str | None
    state: Literal["draft", "live", "both"]
    within: tuple[str, ...]
    binned: bool


@action(
    "references.of",
    needs=Permission("read", "content"),
    effect="read",
    http="GET /references/{target}",
)
async def references_of(scope: TenantScope, command: UsedThing) -> list[UseView]:
    """What uses a page, a file or a shared block, and in which blocks, at the sites that one may
    read."""
    async with scope.read() as session:
        target = command.target
        if not REFERENCE.fullmatch(target):
            path = normalise_path(target)
            if path is None:
                raise InvalidInput(
                    f"{target[:80]!r} names nothing that can be used.",
                    hint="Write a page's path, or page:<id>, media:<id> or shared:<id>.",
                )
            site = await find_site(session, command.site)
            target = f"page:{(await find_page(session, site, path)).id}"
        readable = await scope.readable(session)
        return [
            UseView(
                source=use.source,
                title=use.title,
                path=use.path,
                state=use.state,
                within=use.within,
                binned=use.binned,
            )
            for use in await uses_of(session, target)
            if use.site_id in readable
        ]
