"""A folder of Markdown into a site, by way of the :class:`Writer`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from mosaic_cms.blocks.stored import blocks_in
from mosaic_cms.content.tree import find_site
from mosaic_cms.importing.blocks import BlockReader, by_region, resolved
from mosaic_cms.importing.description import describe_site, surround_site
from mosaic_cms.importing.folder import SourceFolder, SourcePage
from mosaic_cms.importing.identity import with_ids
from mosaic_cms.importing.references import resolve_references
from mosaic_cms.importing.writing import Incoming, Writer


def is_ours(source: str) -> bool:
    """Whether a page came from a folder of Markdown."""
    return not source.startswith("wp:")


async def write_folder(writer: Writer, found: SourceFolder) -> None:
    """Writes all of a folder; what cannot be is in the writer's report."""
    reader = BlockReader()
    described = found.described
    sources = [page.source for page in found.pages]
    home = next((page.source for page in found.pages if page.path == "/"), "")
    await writer.begin(sources, ours=is_ours, home=home)
    if described is not None:
        await describe_site(writer, described)
    said = {entry.file: entry for entry in described.media} if described is not None else {}
    await writer.store(found.media, said)
    languages = await _languages(writer)

    unread: dict[tuple[str, str], None] = {}  # a write may be made again

    def refer(text: str) -> str:
        return resolve_references(text, writer.pages, writer.media)

    def content(page: SourcePage, before: Mapping[str, Any]) -> dict[str, Any]:
        regions = dict(before)
        read = reader.read(page.body, refer)
        unread.update({(page.source, why): None for _, why in read.problems})
        for region, blocks in by_region(read.blocks).items():
            taken = {
                block["id"]
                for name in regions
                if name != region
                for block in blocks_in(regions[name])
            }
            regions[region] = with_ids(blocks, before.get(region) or [], page.source, taken)
        return {
            "title": page.title,
            "summary": page.summary,
            "layout": page.layout,
            "details": page_details(page, refer(page.image) if page.image else None)
            | resolved(page.details, refer),
            "regions": regions,
        }

    now = datetime.now(UTC)
    await writer.write(
        [
            Incoming(
                source=page.source,
                parent=page.parent,
                slug=page.slug,
                position=page.position,
                draft=page.draft or not _is_time(page, found, now),
                made=lambda before, page=page: content(page, before),  # type: ignore[misc]
                language=_language(writer, page, languages),
                translates=page.translates,
            )
            for page in found.pages
        ]
    )
    for source, why in unread:
        writer.report.problem(source, why)
    if described is not None:
        await surround_site(writer, described)
    for page in found.pages:
        if not page.draft:
            await _schedule(writer, page, found, now)
    await writer.redirect([(alias, page.source) for page in found.pages for alias in page.aliases])


def _starts(page: SourcePage, found: SourceFolder) -> datetime | None:
    return page.starts or (page.date if found.withholds else None)


def _is_time(page: SourcePage, found: SourceFolder, now: datetime) -> bool:
    starts = _starts(page, found)
    return (starts is None or starts <= now) and (page.ends is None or page.ends > now)


async def _schedule(writer: Writer, page: SourcePage, found: SourceFolder, now: datetime) -> None:
    """What its generator would show from some day on, or until then, is published and taken away
    on that day."""
    starts = _starts(page, found)
    if page.ends is not None and page.ends <= now:
        writer.report.note(page.source, f"it was to be shown until {page.ends}; it is a draft")
        return
    if starts is not None and starts > now:
        writer.report.understood(page.source, f"it is to be shown from {starts} on")
        await writer.schedule(page.source, starts)
    if page.ends is not None:
        writer.report.understood(page.source, f"it is to be shown until {page.ends}")
        await writer.schedule(page.source, page.ends, "unpublish")


async def _languages(writer: Writer) -> frozenset[str]:
    async with writer.scope.read() as session:
        site = await find_site(session, writer.site)
        return frozenset({site.language, *site.languages})


def _language(writer: Writer, page: SourcePage, languages: frozenset[str]) -> str | None:
    if page.language is None or page.language in languages:
        return page.language
    writer.report.problem(
        page.source,
        f"language: the site has no {page.language!r}; add it with 'mosaic site set --languages', "
        "then import again",
    )
    return None


def page_details(page: SourcePage, image: str | None) -> dict[str, Any]:
    """What a page keeps beside its title, summary and text."""
    details: dict[str, Any] = {
        "author": page.author,
        "tags": list(page.tags),
        "categories": list(page.categories),
        "date": page.date.isoformat() if page.date else None,
        "image": image,
        "image_alt": page.image_alt,
        "extra": page.extra,
    }
    return {name: value for name, value in details.items() if value}
