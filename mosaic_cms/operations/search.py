"""Searching what a site has published, as its visitors do."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mosaic_cms.actions import Model, action
from mosaic_cms.operations.published import find_published
from mosaic_cms.rights import Permission
from mosaic_cms.scope import TenantScope
from mosaic_core.search import MOST_HITS, MOST_SKIPPED, SearchQuery, segments


class SearchPages(Model):
    """Words that are looked for on a site, in one language; None is the site's own."""

    #: All of them must occur; the last one may be the beginning of a word.
    words: Annotated[str, Field(max_length=200)]
    site: str | None = None
    language: Annotated[str, Field(max_length=35)] | None = None
    #: Hits of one answer, and how many of the best are passed over.
    limit: Annotated[int, Field(ge=1, le=MOST_HITS)] = 10
    offset: Annotated[int, Field(ge=0, le=MOST_SKIPPED)] = 0


class Piece(Model):
    """A piece of a text; ``found`` where it is what was looked for."""

    text: str
    found: bool


class Hit(Model):
    """A published page that was found, with an excerpt; both are plain text, in pieces."""

    path: str
    title: list[Piece]
    excerpt: list[Piece]


class Found(Model):
    """What was found, the best first."""

    items: list[Hit]
    #: How many pages there are, exact unless there are ``more``.
    total: int
    more: bool
    #: For each word that occurs nowhere, the words that were looked for instead.
    instead: dict[str, list[str]]


@action(
    "content.search",
    needs=Permission("read", "published"),
    effect="read",
    http="GET /content/search",
)
async def search_pages(scope: TenantScope, command: SearchPages) -> Found:
    """Finds published pages by their words, as the search of the site does."""
    platform = scope.product.platform
    site_id, own = await find_published(scope, command.site)
    home = await platform.at_home(scope.tenant)
    query = SearchQuery(
        command.words, (site_id, command.language or own), command.limit, command.offset
    )
    results = await platform.persistence(home).search(home, query)
    return Found(
        items=[
            Hit(path=hit.key[1], title=_pieces(hit.title), excerpt=_pieces(hit.snippet))
            for hit in results.hits
        ],
        total=results.total,
        more=results.more,
        instead={word: list(found) for word, found in results.instead.items()},
    )


def _pieces(text: str) -> list[Piece]:
    return [Piece(text=piece, found=found) for piece, found in segments(text)]
