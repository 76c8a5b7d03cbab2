"""What is read at an address of the storage's own counts in what a tenant served, though it does
not pass the platform."""

from __future__ import annotations

import asyncio

import httpx

from tests.azurite import Azurite
from tests.cms.deployment import Deployments, deployed, settings_for
from tests.cms.media.sending import send

CONTENT = b"words\n" * 20_000


def test_each_address_that_is_given_counts_as_the_file_read_once(
    deployments: Deployments, azurite: Azurite
) -> None:
    async def main() -> None:
        settings = settings_for(
            deployments.copy(),
            platform={"plugins": ["host_resolvers", "tenancy_sqlite", "storage_azureblob"]},
            plugins={"storage_azureblob": azurite.settings("shared")},
            tiers={"open": {"persistence": "tenancy_sqlite", "storage": "storage_azureblob"}},
        )
        async with deployed(settings) as deployment, httpx.AsyncClient() as reader:
            media = (await send(deployment, CONTENT, "words.txt")).media
            assert (await deployment.do("media.usage")).served == 0
            for times in (1, 2):
                given = await deployment.do("media.address", media=media.reference)
                assert given.address.startswith("http://127.0.0.1:")
                assert (await reader.get(given.address)).content == CONTENT
                assert (await deployment.do("media.usage")).served == times * len(CONTENT)
            await deployment.product.ledger.flush()
            view = await deployment.rule("tenants.show", slug="aurora")
            assert view.served == 2 * len(CONTENT), "the month has it"
            assert (await deployment.do("media.usage", "bread")).served == 0

    asyncio.run(main())
