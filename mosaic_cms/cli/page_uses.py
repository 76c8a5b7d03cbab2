"""``mosaic page uses``."""

from __future__ import annotations

from typing import Annotated

import typer

from mosaic_cms.cli.running import AsJson, SiteOption, perform_at, print_json, show_table


def uses(
    path: Annotated[
        str, typer.Argument(help="A page's path, or page:<id>, media:<id>, shared:<id>.")
    ],
    site: SiteOption,
    as_json: AsJson = False,
) -> None:
    """Show where a page, a file or a shared block is used."""
    views = perform_at("references.of", site, {"target": path}, as_json=as_json)
    if as_json:
        print_json(views)
        return
    rows = [
        (v.path or v.source, v.title, v.state + (", in the bin" if v.binned else ""), within)
        for v in views
        for within in [", ".join(v.within)]
    ]
    show_table(f"used in {len(rows)} places", ("where", "title", "in", "blocks"), rows)
