"""Old addresses of pages that were imported: they lead to the new ones."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence

from sqlalchemy import select

from mosaic_cms.content.made_paths import held_for
from mosaic_cms.content.models import Page, Redirect
from mosaic_cms.content.paths import normalise_path
from mosaic_cms.content.tree import find_site
from mosaic_cms.scope import TenantScope
from mosaic_core.head import Write


async def lead_to_pages(
    scope: TenantScope,
    site_key: str | None,
    pages: Mapping[str, uuid.UUID],
    addresses: Sequence[tuple[str, str]],
) -> list[tuple[str, str]]:
    """Makes redirects of ``(address, source of a page)``; a page's own address is none.

    Returns those that are left as they were, by source: what somebody has set stays.
    """

    async def fn(write: Write) -> list[tuple[str, str]]:
        session = write.session
        site = await find_site(session, site_key)
        rows = await session.scalars(select(Redirect).where(Redirect.site_id == site.id))
        there = {row.source: row for row in rows}
        taken = set(await session.scalars(select(Page.path).where(Page.site_id == site.id)))
        own = {f"page:{page_id}" for page_id in pages.values()} | taken
        changed = False
        kept: list[tuple[str, str]] = []
        for address, source in addresses:
            path, target = normalise_path(address), f"page:{pages[source]}"
            if path is None or path in taken or await session.get(Page, pages[source]) is None:
                continue
            held = held_for(path, [site.language, *site.languages])
            if held is not None:
                kept.append((source, f"{path} does not lead to it: the site keeps that for {held}"))
                continue
            row = there.get(path)
            if row is None:
                row = Redirect(site_id=site.id, source=path, target=target, automatic=False)
                there[path] = row
                session.add(row)
            elif row.target == target and not row.automatic:
                continue
            elif row.automatic or row.target in own:
                row.target, row.automatic = target, False
            else:
                kept.append((source, f"the redirect {path} leads to {row.target}, and stays so"))
                continue
            changed = True
        if changed:
            await session.flush()
            await scope.product.publisher.place_around(session, site)
        return kept

    return await scope.write(fn)
