"""What belongs to pages without being one: comments, categories and tags."""

from __future__ import annotations

from collections.abc import Container, Iterator

from mosaic_cms.importing.report import Report
from mosaic_cms.importing.wordpress.dom import plain
from mosaic_cms.importing.wordpress.export import Export
from mosaic_cms.importing.wordpress.model import WordPressComment, WordPressTerm
from mosaic_cms.importing.wordpress.records import RawComment

_GONE = frozenset({"spam", "trash", "post-trashed"})


def read_comments(
    export: Export, pages: Container[str], name: str, report: Report
) -> tuple[WordPressComment, ...]:
    """The comments on the pages of these sources. Addresses of visitors' machines are not kept."""
    kept: list[WordPressComment] = []
    refused = 0
    for item in export.items.values():
        source = f"wp:{item.id}"
        for raw in item.comments:
            if raw.status in _GONE or source not in pages:
                refused += 1
            else:
                kept.append(_comment(raw, source))
    if refused:
        report.note(
            name, f"{refused} comments are spam, in the bin, or on nothing that is taken; left out"
        )
    return tuple(kept)


def read_terms(export: Export) -> tuple[WordPressTerm, ...]:
    """The terms of all taxonomies but menus, with their hierarchy."""
    return tuple(_terms(export))


def _comment(raw: RawComment, source: str) -> WordPressComment:
    return WordPressComment(
        id=raw.id,
        page=source,
        parent=raw.parent or None,
        author=plain(raw.author),
        email=raw.email,
        url=raw.url if raw.url.startswith(("http://", "https://")) else "",
        date=raw.date,
        text=raw.text,
        approved=raw.status == "1",
        kind=raw.kind,
    )


def _terms(export: Export) -> Iterator[WordPressTerm]:
    for term in export.terms:
        if term.taxonomy != "nav_menu":
            name, words = plain(term.name), plain(term.description)
            yield WordPressTerm(term.taxonomy, term.slug, name, term.parent or None, words)
