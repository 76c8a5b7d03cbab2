"""Visitors get the same, byte for byte, whichever database their site is in."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import urlsplit

from mosaic_cms.demo import fill_tenant, sites_folder
from tests.cms.deployment import Deployment
from tests.cms.moves.moving import Ground, move

HOST = "aurora.mosaic.test"
#: What no sitemap names.
OTHERS = (
    *("/feed.xml", "/atom.xml", "/feed.json", "/sitemap.xml", "/robots.txt", "/nowhere/"),
    *("/search/", "/search/?q=light", "/search/?q=ligth", "/archive/"),
)


async def seen(deployment: Deployment) -> dict[str, tuple[int, bytes]]:
    """All that visitors find by following links and the sitemap."""
    waiting, found = [*OTHERS, "/"], dict[str, tuple[int, bytes]]()
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        answer = await deployment.get(path, HOST)
        found[path] = (answer.status_code, answer.content)
        links = re.findall(r'href="(/(?!-/)[^"#]*)"', answer.text)
        there = re.findall(r"<loc>([^<]*)</loc>", answer.text)
        waiting += [*links, *(urlsplit(address).path for address in there)]
    return found


def linked(document: bytes) -> list[bytes]:
    return sorted(re.findall(rb'href="([^"]*)"', document))


def test_a_site_is_the_same_in_a_file_in_a_schema_and_in_a_database(ground: Ground) -> None:
    async def main() -> None:
        await ground.make()
        async with ground.opened() as deployment:
            await deployment.rule("tenants.delete", slug="aurora")
            await deployment.rule("tenants.remove", slug="aurora", confirm="aurora")
            folder = sites_folder() / "demo" / "tenants" / "nightshift"
            await deployment.rule("tenants.create", slug="aurora", name="Aurora", tier="file")
            await fill_tenant(deployment.product, "aurora", folder)
            before = await seen(deployment)
            assert len(before) > 60
            assert {status for status, _ in before.values()} == {200, 404}
            for tier in ("schema", "database", "file"):
                await move(deployment, tier)
                after = await seen(deployment)
                assert after.keys() == before.keys()
                for path, answer in before.items():
                    if "?q=" in path:  # each database ranks in its own way
                        assert linked(after[path][1]) == linked(answer[1]), (tier, path)
                    else:
                        assert after[path] == answer, (tier, path)

    asyncio.run(main())
