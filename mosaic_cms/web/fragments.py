"""Pieces of pages that no theme has to know: they stand where a page's own content does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader
from markupsafe import Markup

from mosaic_cms.content.items import Item
from mosaic_cms.pictures.tag import hasten
from mosaic_cms.strict_templates import strict
from mosaic_cms.web.surround import Surround
from mosaic_cms.web.words import words

_ENVIRONMENT = strict(FileSystemLoader(Path(__file__).parent / "templates"))


def fragment(name: str, language: str, **context: Any) -> Markup:
    """A piece from ``templates/<name>.html``, with the words of a language."""
    text = _ENVIRONMENT.get_template(f"{name}.html").render(words=words(language), **context)
    return Markup(text)  # noqa: S704 - the templates escape


def in_layout(
    surround: Surround,
    layout: str,
    *,
    title: str,
    url: str,
    body: Markup,
    summary: str = "",
    children: list[Item] | None = None,
    pagination: dict[str, Any] | None = None,
    trail: bool = True,
) -> str:
    """A page of the theme that is in no tree: what goes into the shell's main slot."""
    page = {
        "title": title,
        "summary": summary,
        "url": url,
        "date": None,
        "author": "",
        "tags": (),
        "image": None,
        "language": surround.language,
        "root": surround.root,
    }
    home = Item(surround.site_id, surround.site["title"], surround.root)
    main = surround.theme.render(
        layout if layout in surround.theme.layouts else "page",
        page=page,
        body=body,
        regions={"main": body},
        breadcrumbs=[home] if trail else [],
        children=children or [],
        previous=None,
        next=None,
        pagination=pagination,
    )
    return hasten(main)
