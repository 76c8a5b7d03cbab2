"""Stored blocks are brought forward in bulk: nothing looks different, and nothing is lost."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from mosaic_cms.blocks.base import Block, Words
from mosaic_cms.content.models import Page, PageVersion, SharedBlock
from tests.cms.deployment import Deployment, Deployments, opened
from tests.cms.plugs import plugins_with
from tests.cms.projection import projected


def release(number: int, template: Path) -> type[Block]:
    """A plugin's block type as its releases have it, the one after the other."""

    class First(Block):
        """A plaque."""

        name = "plaque"
        title = "Plaque"
        text: Words = ""

    class Second(Block):
        """A plaque."""

        name = "plaque"
        title = "Plaque"
        version = 2
        upgrades = {1: lambda data: {"words": data["text"]}}
        words: Words = ""

    kind: type[Block] = (First, Second)[number - 1]
    field = ("text", "words")[number - 1]
    template.write_text(f"<p>{{{{ block.{field} }}}}</p>", "utf-8")
    kind.template = template
    return kind


def plaque(text: str) -> dict[str, Any]:
    return {"type": "plaque", "version": 1, "data": {"text": text}}


async def stored(deployment: Deployment, kind: Any, *columns: Any) -> list[Any]:
    async with deployment.scope().read() as session:
        return list(await session.execute(select(*columns).order_by(kind.id)))


def test_what_is_stored_comes_forward_and_nothing_looks_different(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def before(deployment: Deployment) -> dict[str, str]:
        regions = {"main": [plaque("Seen.")]}
        await deployment.add("/live/", regions=regions)
        await deployment.add("/draft/", publish=False, regions={"main": [plaque("Unseen.")]})
        await deployment.add("/changed/", regions=regions)
        await deployment.do("pages.edit", path="/changed/", regions={"main": [plaque("Newer.")]})
        broken = {"type": "plaque", "version": 1, "data": {"texxt": "Lost?"}}
        await deployment.add("/broken/", publish=False, regions={"main": [broken]})
        block = await deployment.do("shared.create", name="Plaques", blocks=[plaque("Shared.")])
        await deployment.do("shared.publish", id=block.id)
        return await states(deployment)

    async def states(deployment: Deployment) -> dict[str, str]:
        return {page.path: page.state for page in await deployment.do("pages.list")}

    async def after(deployment: Deployment, known: dict[str, str]) -> None:
        versions = await stored(deployment, PageVersion, PageVersion.id, PageVersion.regions)
        seen = (await deployment.get("/live/")).text
        shown = await projected(deployment, "aurora")
        done = await deployment.do("blocks.upgrade")
        assert done.changed == 4
        assert [(one.where, one.what) for one in done.left] == [
            ("/broken/", "its 'plaque' of version 1")
        ]
        pages = await stored(deployment, Page, Page.path, Page.regions)
        found = {path: regions["main"][0]["data"] for path, regions in pages if "main" in regions}
        assert found["/live/"] == {"words": "Seen."}
        assert found["/draft/"] == {"words": "Unseen."}
        assert found["/changed/"] == {"words": "Newer."}
        assert found["/broken/"] == {"texxt": "Lost?"}
        ((blocks, live),) = await stored(
            deployment, SharedBlock, SharedBlock.blocks, SharedBlock.live
        )
        assert blocks == live
        assert blocks[0]["data"] == {"words": "Shared."}
        # For people, nothing is different: not what is published, nor what once was.
        assert await states(deployment) == known
        assert (await deployment.get("/live/")).text == seen
        now = await stored(deployment, PageVersion, PageVersion.id, PageVersion.regions)
        assert [one for one in now if one in versions] == versions
        assert await projected(deployment, "aurora") == shown
        tenant = deployment.scope().tenant
        persistence = deployment.product.platform.persistence(tenant)
        head = await persistence.head(tenant)
        assert (await deployment.do("blocks.upgrade")).changed == 0
        assert await persistence.head(tenant) == head

    template = tmp_path / "plaque.html"

    async def main() -> None:
        root = deployments.copy()
        first = plugins_with(monkeypatch, plaques={"mosaic_blocks": lambda: [release(1, template)]})
        async with opened(root, plugins=first) as deployment:
            known = await before(deployment)
        second = plugins_with(
            monkeypatch, plaques={"mosaic_blocks": lambda: [release(2, template)]}
        )
        async with opened(root, plugins=second) as deployment:
            await after(deployment, known)

    asyncio.run(main())
