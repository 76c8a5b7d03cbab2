"""What an import would make of an exported folder, compared with what was exported."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mosaic_cms.content.paths import join
from mosaic_cms.exporting.pages import Leaving, same_block
from mosaic_cms.importing.blocks import BlockReader, by_region, resolved
from mosaic_cms.importing.folder import SourceFolder, read_folder
from mosaic_cms.importing.markdown import page_details
from mosaic_cms.importing.pages import SourcePage
from mosaic_cms.importing.references import resolve_references
from mosaic_cms.importing.report import Report
from mosaic_cms.importing.slugs import slug_beside


def compare(
    folder: Path, pages: Sequence[Leaving], media: Mapping[str, uuid.UUID], report: Report
) -> None:
    """Reports whatever would come back differently: nothing, as a rule."""
    found = read_folder(folder)
    for line in found.report.problems:
        report.note(line.source, f"an import would say: {line.message}")
    there = {page.source: page for page in found.pages}
    ids = {page.source: page.id for page in pages}
    comparing = _Comparing(ids, media)
    addresses = _addresses(found)
    for page in pages:
        back = there.get(page.source)
        if back is None:
            report.problem(page.source, f"an import would leave out the page {page.path}")
            continue
        names = ", ".join(comparing.differences(page, back, addresses[page.source]))
        if names:
            report.note(page.source, f"this would come back differently: {names}")
    for parent, before, after in _orders(pages, found.pages, ids):
        if before != after:
            report.note(parent, "the pages below it would come back in another order")
    used = {file.source for file in found.media}
    for source in sorted(media.keys() - used):
        report.note(source, "no page uses this file, so an import would leave it out")


class _Comparing:
    def __init__(self, ids: Mapping[str, uuid.UUID], media: Mapping[str, uuid.UUID]) -> None:
        self._ids = ids
        self._media = media
        self._reader = BlockReader()

    def differences(self, page: Leaving, back: SourcePage, path: str) -> Iterator[str]:
        parent = self._ids.get(back.parent) if back.parent else None
        translates = self._ids.get(back.translates) if back.translates else None
        for name, one, other in (
            ("its address", page.path, path),
            ("the page above it", page.parent, parent),
            ("its title", page.title, back.title),
            ("its summary", page.summary, back.summary),
            ("its layout", page.layout, back.layout),
            ("whether it is a draft", page.draft, back.draft),
            ("its language", page.language, back.language),
            ("what it translates", page.translates, translates),
            ("its old addresses", sorted(page.aliases), sorted(back.aliases)),
        ):
            if one != other:
                yield name
        details = page_details(back, self._refer(back.image) if back.image else None)
        details |= resolved(back.details, self._refer)
        for key in sorted(page.details.keys() | details.keys()):
            if (page.details.get(key) or None) != (details.get(key) or None):
                yield f"its {key}"
        regions = by_region(self._reader.read(back.body, self._refer).blocks)
        for region in sorted(page.regions.keys() | regions.keys()):
            yield from self._blocks(region, page.regions.get(region, []), regions.get(region, []))

    def _blocks(self, region: str, before: list[Any], after: list[Any]) -> Iterator[str]:
        if len(before) != len(after):
            yield f"its blocks in {region} ({len(after)} instead of {len(before)})"
            return
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            if not same_block(one, other):
                yield f"its block {region}[{number}]"

    def _refer(self, text: str) -> str:
        return resolve_references(text, self._ids, self._media)


def _addresses(folder: SourceFolder) -> dict[str, str]:
    """Where an import would put each page: not where the site has something of its own."""
    site = folder.described
    languages = [site.language, *(site.languages or ())] if site is not None else [""]
    found: dict[str, str] = {}
    for page in folder.pages:  # those above come first
        above = found[page.parent] if page.parent else None
        found[page.source] = join(above, slug_beside(page.slug, above, languages)[0])
    return found


def _orders(
    before: Sequence[Leaving], after: Sequence[SourcePage], ids: Mapping[str, uuid.UUID]
) -> Iterator[tuple[str, list[str], list[str]]]:
    """Of each parent: its pages in their order, before and after."""
    sources = {page.id: page.source for page in before}
    first: dict[str, list[str]] = {}
    for page in sorted(before, key=lambda page: (page.position, page.path)):
        above = sources.get(page.parent, ".") if page.parent else "."
        first.setdefault(above, []).append(page.source)
    second: dict[str, list[str]] = {}
    for found in after:
        if found.source in ids:
            second.setdefault(found.parent or ".", []).append(found.source)
    for parent, children in first.items():
        if sorted(children) == sorted(second.get(parent, ())):
            yield parent, children, second[parent]
