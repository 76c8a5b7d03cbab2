"""Pages to look at a theme with: every layout, every block type, menus of two levels."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from markupsafe import Markup as Safe

import mosaic_cms
from mosaic_cms.blocks.registry import BlockTypes
from mosaic_cms.blocks.standard import STANDARD
from mosaic_cms.blocks.templating import block_templates
from mosaic_cms.content.items import Item
from mosaic_cms.content.markup import Picture
from mosaic_cms.themes import Theme
from tests.cms.blocks.samples import NOW, SAMPLES, render, stored

FOLDER = Path(mosaic_cms.__file__).parent / "themes"
SHIPPED = ("iznik", "folio", "harbour")
LAYOUTS = ("home", "page", "post", "list")
_LONG = "Why the slow return of a red that nobody could make for three hundred years matters"


class _Image(Picture):
    """A picture of a page, with the words for those who do not see it."""

    alt = "A kiln at night"


IMAGE = _Image("/-/media/d/kiln.jpg", 1500, 1000)
#: More samples of types that look different by their settings.
MORE: tuple[tuple[str, dict[str, Any]], ...] = (
    ("hero", {"heading": "In other words", "tone": "light", "picture": None}),
    *(("callout", {"kind": kind, "heading": ""}) for kind in ("note", "tip", "danger")),
    ("button", {"style": "primary"}),
    ("page_list", {"style": "list", "heading": ""}),
    ("image", {"width": "full"}),
    ("image", {"width": "normal", "link": None}),
    ("video", {"address": None, "media": "media:0198c1f2-0000-7000-8000-0000000000bb"}),
    ("code", {"language": "", "caption": "A listing"}),
)


def theme(name: str) -> Theme:
    """A theme that ships."""
    return Theme(name, FOLDER / name, block_templates(BlockTypes(STANDARD)))


def every_block(shown: Theme) -> Safe:
    """One of each block type, and the variants of some, each with an id of its own."""
    blocks = [stored(kind) for kind in SAMPLES]
    for number, (kind, changes) in enumerate(MORE):
        block = stored(kind, **changes)
        block["id"] = f"more-{number}"
        if kind == "page_list":
            block["id"] = "the-second-list"
        blocks.append(block)
    listed = (
        Item(None, "One", "/one/", "Its summary", _day(3), ("clay", "red"), IMAGE),  # type: ignore[arg-type]
        Item(None, "Two", "/two/"),  # type: ignore[arg-type]
    )
    lists = {"the-page_list": listed, "the-second-list": listed}
    return Safe(render(shown, *blocks, lists=lists))


def site(shown: Theme, **changes: Any) -> dict[str, Any]:
    """What a shell gets as ``site``; a theme's own settings are completed."""
    facts = {
        "title": "Lakeside Kiln",
        "tagline": "A tile workshop on the eastern shore",
        "language": "en",
        "root": "/",
        "languages": [
            {"tag": "en", "url": "/", "active": True},
            {"tag": "ar", "url": "/ar/", "active": False},
        ],
        "direction": "ltr",
        "branding": True,
        "footer": Safe("<p>Kale Street 14.</p><p><a href='/visit/'>How to find us</a></p>"),
    }
    return {**facts, **shown.settings(changes), **changes}


def menus() -> dict[str, Any]:
    """Menus with a second level, one entry of which is where the visitor is."""
    below = [entry("Hours", "/visit/hours/", active=True), entry("The way here", "/visit/way/")]
    return {
        "menu": [
            entry("Home", "/"),
            entry("Visit", "/visit/", below=below),
            entry("Journal", "/journal/"),
            entry("People", "/people/", below=[entry("Press & friends", "/people/press/")]),
        ],
        "footer_menu": [entry("Privacy", "/privacy/"), entry("Contact", "/contact/", below=below)],
        "side_menu": [entry("Start here", "/docs/"), entry("The visit", "/docs/v/", below=below)],
    }


def entry(
    title: str, url: str, *, active: bool = False, below: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """An entry of a menu."""
    return {"title": title, "url": url, "active": active, "below": below or []}


def around() -> dict[str, Any]:
    """What layouts get besides the page and its body."""
    pages = tuple(
        Item(None, title, f"/{number}/", summary, date, tags, image)  # type: ignore[arg-type]
        for number, (title, summary, date, tags, image) in enumerate(
            [
                (_LONG, "Gas is cheaper.", _day(9), ("glaze", "red"), IMAGE),
                ("Two", "", None, (), None),
                ("Three", "A third.", _day(2), (), None),
            ]
        )
    )
    return {
        "breadcrumbs": (Item(None, "Kiln", "/"), Item(None, "Journal", "/journal/")),  # type: ignore[arg-type]
        "children": pages,
        "previous": pages[0],
        "next": pages[2],
        "pagination": {"number": 2, "pages": 3, "previous": "/a/", "next": "/a/?page=3"},
    }


def document(shown: Theme, layout: str, body: Safe | None = None, **changes: Any) -> str:
    """A whole page of a theme. ``changes`` are of the site; ``alone`` has nothing around it, and
    ``aside`` stands beside its text."""
    alone = changes.pop("alone", False)
    regions = {"aside": changes.pop("aside", "")}
    facts = site(shown, **changes)
    page = {
        **NOW,
        "title": _LONG,
        "summary": "" if alone else "Gas is cleaner and easier to steer. We went back to wood.",
        "date": None if alone else _day(14),
        "author": "" if alone else "Nermin Aydoğan",
        "tags": () if alone else ("kiln", "red"),
        "image": None if alone else IMAGE,
        "language": facts["language"],
        "root": "/",
    }
    beside: dict[str, Any] = around()
    if alone:
        beside = {"breadcrumbs": (), "children": (), "previous": None, "next": None}
        beside["pagination"] = None
    if layout in ("404", "500"):
        main = shown.render(layout, site=facts, path="/no/such/page/", reference="8f3a-22")
    else:
        text = every_block(shown) if body is None else body
        main = shown.render(
            layout, page=page, body=text, regions=regions | {"main": text}, **beside
        )
    none: dict[str, Any] = {"menu": [], "footer_menu": [], "side_menu": []}
    shell = shown.shell(site=facts, **(none if alone else menus()))
    kind = "error" if layout in ("404", "500") else layout
    return shell.around(
        title="A page",
        head='<meta name="description" content="x">',
        body_class=f"layout-{kind}",
        main=main,
    ).decode()


def _day(day: int) -> datetime:
    return datetime(2026, 3, day, 12, tzinfo=UTC)
