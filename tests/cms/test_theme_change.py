"""A site gets another theme while visitors read it: each page is whole, the old or the new."""

from __future__ import annotations

import asyncio
import random
import re

from tests.cms.deployment import Deployment, Deployments, opened
from tests.cms.projection import projected, rebuilt

#: Where each theme leaves its mark: in its shell, and in what it puts around a page's own text.
SHELL = {"iznik": "data-palette=", "folio": "data-accent="}
BODY = {"iznik": 'class="prose wrap"', "folio": 'class="prose set"'}
_SHEET = re.compile(r'<link rel="stylesheet" href="([^"]+)"')
PATHS = [f"/page-{n}/" for n in range(60)]


def theme_of(text: str) -> str:
    """The theme of a page, which is whole."""
    shells = [theme for theme, mark in SHELL.items() if mark in text]
    bodies = [theme for theme, mark in BODY.items() if mark in text]
    assert shells == bodies, text
    (theme,) = shells
    return theme


async def styled_by(deployment: Deployment, text: str) -> set[bytes]:
    """What is in the style sheets of a page: they are there."""
    found = [await deployment.get(address) for address in _SHEET.findall(text)]
    assert {answer.status_code for answer in found} == {200}
    return {answer.content for answer in found}


def test_visitors_see_whole_pages_while_a_site_gets_another_theme(
    deployments: Deployments,
) -> None:
    async def scenario(here: Deployment) -> None:
        for path in PATHS:
            await here.do("pages.create", slug=path.strip("/"), title=path, body=f"Of {path}.")
            await here.do("pages.publish", path=path)
        themes = here.product.themes
        sheets = {
            name: {asset.content for asset in themes.get(name).assets.values()} for name in SHELL
        }
        seen: dict[str, list[str]] = {path: [] for path in PATHS}
        changed = asyncio.Event()

        async def visit(worker: Deployment, seed: int) -> None:
            chance = random.Random(seed)
            while not changed.is_set():
                path = chance.choice(PATHS)
                answer = await worker.get(path)
                assert answer.status_code == 200, answer.text
                theme = theme_of(answer.text)
                assert f"Of {path}." in answer.text
                assert await styled_by(worker, answer.text) <= sheets[theme]
                seen[path].append(theme)
                await asyncio.sleep(0.001)

        async def change() -> None:
            for theme in ("folio", "iznik", "folio"):
                await here.do("sites.configure", theme=theme)
            changed.set()

        async with opened(deployments.root) as there, asyncio.TaskGroup() as group:
            for number in range(6):
                group.create_task(visit((here, there)[number % 2], number))
            group.create_task(change())
        both = [theme for found in seen.values() for theme in found]
        assert set(both) == {"iznik", "folio"}
        assert {theme_of((await here.get(path)).text) for path in PATHS} == {"folio"}
        assert await projected(here, "aurora") == await rebuilt(here, "aurora")

    deployments(scenario)
