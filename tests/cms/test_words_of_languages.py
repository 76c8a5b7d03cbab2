"""What the site itself says to visitors, it says in the language of the page."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from tests.cms import specimens
from tests.cms.deployment import Deployment, Deployments

#: All that editors write here is made of this word.
OURS = "Qux"
#: What stands between words of the site: ours, names, numbers, signs.
BETWEEN = re.compile(rf"(?:{OURS}|MOSAIC|YouTube|OpenStreetMap|[^\w ]|[\d_])+", re.IGNORECASE)
BLOCKS: list[tuple[str, dict[str, Any]]] = [
    ("markdown", {"text": f"{OURS}[^1]\n\n| {OURS} |\n|---|\n| {OURS} |\n\n[^1]: {OURS}"}),
    *(("callout", {"kind": kind, "text": OURS}) for kind in ("note", "tip", "warning", "danger")),
    ("code", {"code": OURS}),
    ("table", {"rows": [[OURS]]}),
    ("video", {"label": OURS, "address": "https://youtu.be/aBcDeFgHiJk"}),
    (
        "embed",
        {"label": OURS, "address": "https://www.openstreetmap.org/#map=15/40.4290/29.7211"},
    ),
    ("page_list", {"heading": OURS, "source": "tag", "tag": "none"}),
    (
        "form",
        {
            "heading": OURS,
            "success": OURS,
            "fields": [
                {"key": "a", "label": OURS, "required": True},
                {"key": "b", "label": OURS, "kind": "choice", "choices": [OURS, f"{OURS} {OURS}"]},
            ],
        },
    ),
]
#: What languages call themselves, and words that English has in common with one, letter by letter.
SHARED = {"English", "Deutsch", "Français", "Türkçe", "العربية"}
SHARED |= {"Code", "Danger", "Menu", "Note", "Pages"}
#: What is asked for below the root of the language, and the theme's own page of what is missing.
PATHS = ["", "all/", "news/", "news/b/", "tags/qux/", "authors/qux/", "categories/qux/"]
PATHS += ["archive/", "archive/2025/", "archive/2025/03/", "search/", "search/?q=qux"]
PATHS += ["search/?q=4711", "4711/"]


class Said(HTMLParser):
    """The texts of a document, those that are only heard included."""

    _HEARD = frozenset({"aria-label", "alt", "title", "placeholder", "label"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: set[str] = set()
        self._silent = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent = tag in {"script", "style"}
        of_a_feed = ("rel", "alternate") in attrs
        self.texts |= {v or "" for name, v in attrs if name in self._HEARD and not of_a_feed}

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.texts.add(" ".join(data.split()))


async def filled(deployment: Deployment, theme: str, other: str) -> None:
    """A site in English and another language, with the same pages in both."""
    await deployment.do(
        "sites.configure",
        languages=[other],
        theme=theme,
        title=OURS,
        tagline=OURS,
        footer=f"{OURS}[^1]\n\n[^1]: {OURS}",
    )
    for path in ("/visit/", "/news/"):
        await deployment.do("pages.delete", path=path)
    for root in ("/", f"/{other}/"):
        home = {"title": OURS, "summary": OURS}
        if root == "/":
            await deployment.do("pages.edit", path=root, **home)
            await deployment.do("pages.publish", path=root)
        else:
            await deployment.add(root, layout="home", **home)
        regions = [
            {"id": f"{n}", "type": kind, "data": data} for n, (kind, data) in enumerate(BLOCKS)
        ]
        await deployment.add(f"{root}all/", title=OURS, regions={"main": regions})
        await deployment.add(f"{root}news/", title=OURS, layout="list")
        details = {"author": OURS, "tags": [OURS], "categories": [OURS]}
        for number, name in enumerate(("a", "b", "c")):
            dated = {**details, "date": f"2025-0{number + 1}-14"}
            given = {"title": OURS, "summary": OURS, "body": OURS, "details": dated}
            await deployment.add(f"{root}news/{name}/", layout="post", **given)
        for place in ("header", "footer", "side"):
            entry = {"title": OURS, "target": f"{root}news/", "items": []}
            items = [{**entry, "items": [entry]}]
            language = "en" if root == "/" else other
            await deployment.do("menus.set", place=place, language=language, items=items)


@pytest.mark.parametrize(
    ("theme", "other"), [("iznik", "tr"), ("folio", "de"), ("harbour", "ar"), ("iznik", "fr")]
)
def test_no_english_word_of_the_site_is_on_a_page_in_another_language(
    deployments: Deployments, theme: str, other: str
) -> None:
    async def texts(deployment: Deployment, path: str) -> set[str]:
        said = Said((await deployment.get(path)).text).texts
        return {words for text in said for part in BETWEEN.split(text) if (words := part.strip())}

    async def scenario(deployment: Deployment) -> None:
        await filled(deployment, theme, other)
        for path in PATHS:
            english = await texts(deployment, f"/{path}")
            shared = english & await texts(deployment, f"/{other}/{path}")
            assert english, path
            assert shared <= SHARED, path

    deployments(scenario)


@pytest.mark.parametrize(
    ("language", "told"),
    [("de-AT", "Diese Seite"), ("DE", "Diese Seite"), ("arn", "This page"), ("frr", "This page")],
)
@pytest.mark.parametrize("name", specimens.SHIPPED)
def test_a_theme_takes_a_language_by_its_whole_primary_tag(
    name: str, language: str, told: str
) -> None:
    assert told in specimens.document(specimens.theme(name), "404", language=language)
