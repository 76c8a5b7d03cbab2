"""Fills an empty database: `python -m likesite.seed <pages.json>`.

The file holds `site_name`, `section` and `pages` as prepare.py writes them.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

import django


def seed(source: dict[str, Any]) -> None:
    """Builds the tree: home, below it the menu's pages and the section, below that the rest."""
    from wagtail.models import Page, Site

    from likesite.models import ContentPage

    Site.objects.all().delete()
    for welcome in Page.objects.filter(depth=2):
        welcome.delete()
    root = Page.objects.get(depth=1)  # read now: the deletion changed its count of children
    home = root.add_child(instance=_page(ContentPage, source["home"]))
    section = home.add_child(instance=_page(ContentPage, source["section"]))
    made = {}
    for entry in source["pages"]:
        parent = section if entry["in_section"] else home
        made[entry["slug"]] = parent.add_child(instance=_page(ContentPage, entry))
    Site.objects.create(
        hostname="localhost", root_page=home, site_name=source["site_name"], is_default_site=True
    )
    # Bodies come second: their links name pages by the id that each one has only now.
    ids = {slug: page.pk for slug, page in made.items()}
    for page, entry in (
        (home, source["home"]),
        (section, source["section"]),
        *((made[entry["slug"]], entry) for entry in source["pages"]),
    ):
        page.body = [(kind, _linked(kind, value, ids)) for kind, value in entry["blocks"]]
        page.save_revision().publish()


def _page(model: Any, entry: dict[str, Any]) -> Any:
    return model(
        title=entry["title"],
        slug=entry["slug"],
        summary=entry["summary"],
        search_description=entry["summary"],
        show_in_menus=entry["in_menu"],
        body=[],
    )


def _linked(kind: str, value: str, ids: dict[str, int]) -> Any:
    from wagtail.rich_text import RichText

    if kind != "rich_text":
        return value
    return RichText(
        re.sub(
            r'<a href="page:([^"]+)">',
            lambda link: f'<a linktype="page" id="{ids[link[1]]}">',
            value,
        )
    )


if __name__ == "__main__":
    django.setup()
    seed(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
