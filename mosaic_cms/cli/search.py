"""``mosaic search``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mosaic_cms.cli.running import AsJson, SiteOption, perform_at, print_json, say

if TYPE_CHECKING:
    from mosaic_cms.operations.search import Piece


def search(
    words: Annotated[list[str], typer.Argument(help="What is looked for; all of it must occur.")],
    site: SiteOption,
    language: Annotated[str | None, typer.Option(help="The language; the site's own.")] = None,
    limit: Annotated[int, typer.Option(help="How many hits are shown.")] = 10,
    offset: Annotated[int, typer.Option(help="How many of the best are passed over.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Find published pages by their words, as the visitors of a site do."""
    given = {"words": " ".join(words), "language": language, "limit": limit, "offset": offset}
    found = perform_at("content.search", site, given, as_json=as_json)
    if as_json:
        print_json(found)
        return
    for word, others in found.instead.items():
        say(f"[yellow]![/] {_plain(word)} occurs nowhere; this is {_plain(', '.join(others))}.")
    for hit in found.items:
        say(f"[bold blue]{_plain(hit.path)}[/]  {_marked(hit.title)}")
        say(f"  {_marked(hit.excerpt)}")
    more = "more than " if found.more else ""
    say(f"{more}{found.total} pages found" if found.total != 1 else "1 page found")


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(" ".join(text.split()))


def _marked(pieces: list[Piece]) -> str:
    """A text with what was looked for in it made bold."""
    from rich.markup import escape

    shown = [(escape(piece.text.replace("\n", " ")), piece.found) for piece in pieces]
    return "".join(f"[bold yellow]{text}[/]" if found else text for text, found in shown)
