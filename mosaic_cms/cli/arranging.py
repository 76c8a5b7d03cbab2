"""``mosaic page move``, ``copy`` and ``reorder``."""

from __future__ import annotations

from typing import Annotated

import typer

from mosaic_cms.cli.page_shown import PagePath, show_pages, show_state
from mosaic_cms.cli.running import AsJson, SiteOption, perform_at

Parent = Annotated[str | None, typer.Option(help="The page to put it below; by default its own.")]


def move(
    path: PagePath,
    site: SiteOption,
    parent: Parent = None,
    slug: Annotated[str | None, typer.Option(help="Its new slug.")] = None,
    position: Annotated[int | None, typer.Option(help="Its place among its siblings.")] = None,
    as_json: AsJson = False,
) -> None:
    """Move a page with all below it; the old addresses lead to the new ones."""
    given = {"path": path, "parent": parent, "slug": slug, "position": position}
    show_state(perform_at("pages.move", site, given, as_json=as_json), as_json=as_json)


def copy(
    path: PagePath,
    site: SiteOption,
    parent: Parent = None,
    slug: Annotated[str | None, typer.Option(help="The copy's slug; else a free one.")] = None,
    children: Annotated[bool, typer.Option(help="Copy the pages below it too.")] = True,
    as_json: AsJson = False,
) -> None:
    """Copy a page with all below it, as drafts."""
    given = {"path": path, "parent": parent, "slug": slug, "with_children": children}
    show_pages(perform_at("pages.copy", site, given, as_json=as_json), as_json=as_json)


def reorder(
    parent: Annotated[str, typer.Argument(help="The page above them, such as /visit/.")],
    order: Annotated[list[str], typer.Argument(help="Their paths, in their new order.")],
    site: SiteOption,
    as_json: AsJson = False,
) -> None:
    """Order the pages below another one; those not named come behind."""
    given = {"parent": parent, "order": order}
    show_pages(perform_at("pages.reorder", site, given, as_json=as_json), as_json=as_json)
