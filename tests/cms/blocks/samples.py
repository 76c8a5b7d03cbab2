"""A sample of every block type of MOSAIC's own, as pages keep them."""

from __future__ import annotations

from typing import Any

from mosaic_cms.blocks.registry import BlockTypes
from mosaic_cms.blocks.rendering import Around, BlockRenderer
from mosaic_cms.blocks.standard import STANDARD
from mosaic_cms.content.items import Item
from mosaic_cms.content.markup import Markup, Picture
from mosaic_cms.themes import Theme

PAGE_ID = "0198c1f2-0000-7000-8000-000000000001"
MEDIA_ID = "0198c1f2-0000-7000-8000-0000000000aa"
FILM_ID = "0198c1f2-0000-7000-8000-0000000000bb"
SHARED_ID = "0198c1f2-0000-7000-8000-0000000000cc"
GONE = "0198c1f2-0000-7000-8000-00000000dead"
PICTURE = {"media": f"media:{MEDIA_ID}", "alt": "Tiles on a wall"}
NOW = {
    "title": "A page",
    "summary": "",
    "url": "/visit/",
    "date": None,
    "author": "",
    "tags": (),
    "image": None,
    "language": "en",
    "root": "/",
}

SAMPLES: dict[str, dict[str, Any]] = {
    "rich_text": {
        "text": f'<h2>Clay</h2><p>Some <strong>words</strong> and a <a href="page:{PAGE_ID}">link'
        f'</a>.</p><ul><li>one</li></ul><p><img src="media:{MEDIA_ID}" alt="A jug"></p>'
    },
    "markdown": {"text": f"# Glaze\n\nWith **weight** and [a way](page:{PAGE_ID}).\n\n- one\n"},
    "heading": {"text": "A heading", "level": 3, "anchor": "here"},
    "quote": {
        "text": "First words.\n\nThen more.",
        "author": "Evliya",
        "source": "The Book of Travels",
        "link": "https://travel.example/book",
    },
    "callout": {"kind": "warning", "heading": "Mind the step", "text": "It is **steep**."},
    "code": {"code": "def f(x: int) -> str:\n    return 'a' < x\n", "language": "python"},
    "table": {
        "caption": "Hours",
        "header_row": True,
        "header_column": True,
        "rows": [["Day", "From", "To"], ["Monday", "**9**", "17"], ["- 5", "# x", "a_b"]],
    },
    "image": {**PICTURE, "caption": "On the wall", "link": "/tiles/", "width": "wide"},
    "gallery": {
        "heading": "Room by room",
        "pictures": [PICTURE, {**PICTURE, "caption": "Again"}],
    },
    "video": {"label": "The kiln", "address": "https://youtu.be/aBcDeFgHiJk", "caption": "1950"},
    "embed": {
        "label": "Where we are",
        "address": "https://www.openstreetmap.org/#map=15/40.4290/29.7211",
        "text": "By the lake.",
    },
    "hero": {
        "heading": "Tiles that make one picture",
        "text": "Five hundred years.\n\nAnd a day.",
        "picture": PICTURE,
        "actions": [
            {"label": "Visit", "link": f"page:{PAGE_ID}"},
            {"label": "Read", "link": "https://read.example/", "style": "secondary"},
        ],
    },
    "cards": {
        "heading": "What we do",
        "items": [
            {"title": "Clay", "text": "Dug here.", "link": f"page:{PAGE_ID}", "picture": PICTURE},
            {"title": "Glaze"},
        ],
    },
    "columns": {
        "layout": "8-4",
        "columns": [
            [
                {"id": "in-1", "type": "markdown", "version": 1, "data": {"text": "Left"}},
                {"id": "in-2", "type": "heading", "version": 1, "data": {"text": "Below"}},
            ],
            [{"id": "in-3", "type": "markdown", "version": 1, "data": {"text": "Right"}}],
        ],
    },
    "accordion": {
        "heading": "Questions",
        "items": [{"title": "Why?", "text": "Because *so*.", "open": True}],
    },
    "button": {"label": "Press", "link": "mailto:a@b.example", "style": "secondary"},
    "divider": {},
    "form": {
        "heading": "Write to us",
        "text": "We answer.",
        "fields": [
            {"key": "name", "label": "Name", "required": True},
            {"key": "mail", "kind": "email", "label": "Mail", "help": "For the answer alone."},
            {"key": "text", "kind": "long_text", "label": "Text"},
            {"key": "many", "kind": "number", "label": "How many"},
            {"key": "day", "kind": "date", "label": "Day"},
            {"key": "which", "kind": "choice", "label": "Which", "choices": ["One", "Two"]},
            {"key": "news", "kind": "checkbox", "label": "News"},
            {"key": "ok", "kind": "consent", "label": "You may keep this"},
        ],
        "button": "Off it goes",
        "success": "Thank you.",
        "notify": "house@museum.example",
    },
    "page_list": {"heading": "News", "source": "tag", "tag": "clay", "style": "cards"},
    "shared": {"reference": f"shared:{SHARED_ID}"},
    "html": {"html": '<div class="note">By <abbr title="hand">h.</abbr></div>'},
}
#: What the page list shows.
LISTED = (
    Item(None, "One & all", "/one/", "Its summary"),  # type: ignore[arg-type]
    Item(None, "Two", "/two/", tags=("clay",)),  # type: ignore[arg-type]
)


class Resolver:
    """Knows one page and two files."""

    def link(self, target: str) -> str | None:
        known = {
            f"page:{PAGE_ID}": "/visit/hours/",
            f"media:{MEDIA_ID}": "/-/media/d/tiles.jpg",
            f"media:{FILM_ID}": "/-/media/d/film.mp4",
        }
        if target.startswith(("page:", "media:")):
            head, mark, fragment = target.partition("#")
            return known[head] + mark + fragment if head in known else None
        return target

    def picture(self, target: str) -> Picture | None:
        if target == f"media:{MEDIA_ID}":
            return Picture("/-/media/d/tiles.jpg", 1200, 800)
        return None if target.startswith("media:") else Picture(target, None, None)


def stored(name: str, data: dict[str, Any] | None = None, /, **changes: Any) -> dict[str, Any]:
    """A stored block of a type: its sample, with changes, or other data."""
    given = {**SAMPLES[name], **changes} if data is None else data
    return {"id": f"the-{name}", "type": name, "version": 1, "data": given}


def render(
    theme: Theme, *blocks: dict[str, Any], types: BlockTypes | None = None, **around: Any
) -> str:
    """Blocks in a theme; of MOSAIC's own types unless there are others."""
    renderer = BlockRenderer(types or BlockTypes(STANDARD), Markup())
    context = {
        "resolver": Resolver(),
        "page": NOW,
        "lists": {"the-page_list": LISTED},
        "shared": {SHARED_ID: [stored("heading", {"text": "Everywhere the same"})]},
    }
    return str(renderer.render(blocks, theme, Around(**{**context, **around})))
