"""``mosaic doctor --remove-strays``: removing databases of no tenant."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import typer

from mosaic_cms.cli.running import operator, print_json, run, say, show_table

if TYPE_CHECKING:
    from mosaic_cms.product import Product
    from mosaic_cms.strays import Found


def remove_strays(*, as_json: bool, yes: bool) -> None:
    """Shows what there is, asks, and removes what is nobody's; ends with 1 when something stays.
    For programs, nothing is removed unless they say ``yes``."""
    found = run(_find, as_json=as_json)
    goes = [one for one in found if not one.refusal]
    if not as_json and found:
        rows = [(*_told(one), "stays" if one.refusal else "goes") for one in found]
        show_table(f"{len(found)} strays", ("where", "what it is", ""), rows)
    if goes and not yes and not as_json:
        typer.confirm(f"Remove {len(goes)} of them for good?", abort=True, err=True)
    left, removed = found, list["Found"]()
    if goes and (yes or not as_json):
        left = run(lambda product: _remove(product, found), as_json=as_json)
        staying = {_told(one)[0] for one in left}
        removed = [one for one in goes if _told(one)[0] not in staying]
    if as_json:
        problems = [dataclasses.asdict(one.problem) for one in left]
        print_json({"removed": [_told(one)[0] for one in removed], "left": problems})
    elif left:
        rows = [(*_told(one), one.problem.mend) for one in left]
        show_table(f"{len(left)} stay", ("where", "why", "what to do"), rows)
    if not as_json and (removed or not left):
        say(f"[green]✓[/] {len(removed)} strays are removed." if removed else "There are none.")
    if left:
        raise typer.Exit(1)


def _told(one: Found) -> tuple[str, str]:
    return one.problem.subject, one.problem.what


async def _find(product: Product) -> list[Found]:
    from mosaic_cms.strays import find

    return await find(product.platform)


async def _remove(product: Product, found: list[Found]) -> list[Found]:
    """Removes what may be removed; returns the others, and those that stay after all."""
    from mosaic_cms.strays import remove

    left = []
    for one in found:
        if why := await remove(product.platform, one, actor=str(operator())):
            left.append(dataclasses.replace(one, refusal=why))
    return left
