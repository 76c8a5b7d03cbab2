"""Where the storage has addresses of its own, files are sent and read there: what comes is looked
at all the same, and what is read counts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from mosaic_core.errors import InvalidInput
from tests.azurite import Azurite
from tests.cms.deployment import Deployment, Deployments, deployed, settings_for
from tests.cms.media.sending import send, stored
from tests.cms.pictures.files import photograph

TEXT = b"words\n" * 20_000
Scenario = Callable[[Deployment, httpx.AsyncClient], Awaitable[None]]


@pytest.fixture
def cloud(deployments: Deployments, azurite: Azurite) -> Callable[[Scenario], None]:
    """Runs a scenario where files are kept in blob storage, with somebody who reads and sends
    there."""

    async def main(scenario: Scenario) -> None:
        settings = settings_for(
            deployments.copy(),
            platform={"plugins": ["host_resolvers", "tenancy_sqlite", "storage_azureblob"]},
            plugins={"storage_azureblob": azurite.settings("shared")},
            tiers={"open": {"persistence": "tenancy_sqlite", "storage": "storage_azureblob"}},
        )
        async with deployed(settings) as deployment, httpx.AsyncClient() as client:
            await scenario(deployment, client)

    return lambda scenario: asyncio.run(main(scenario))


async def sent_there(
    deployment: Deployment, client: httpx.AsyncClient, content: bytes, name: str
) -> Any:
    """A file that was begun here, and all of whose parts were sent to the storage."""
    upload = await deployment.do("media.begin_upload", name=name, size=len(content))
    assert upload.direct
    assert upload.parts > 1
    for number in upload.missing:
        start = (number - 1) * upload.part_size
        given = await deployment.do("media.part_address", upload=upload.id, number=number)
        part = content[start : start + upload.part_size]
        assert (await client.put(given.address, content=part)).status_code == 201
    return upload


def test_a_picture_whose_parts_were_sent_to_the_storage_is_in_the_library(
    cloud: Callable[[Scenario], None],
) -> None:
    async def scenario(deployment: Deployment, client: httpx.AsyncClient) -> None:
        content = photograph()
        upload = await sent_there(deployment, client, content, "../kiln.png")
        assert await deployment.do("media.list") == []
        done = await deployment.do("media.finish_upload", upload=upload.id)
        assert (done.media.name, done.media.width, done.media.height) == ("kiln.jpg", 1200, 800)
        assert (await deployment.get(done.media.url)).content == content

    cloud(scenario)


def test_what_was_sent_to_the_storage_and_is_not_let_in_leaves_nothing(
    cloud: Callable[[Scenario], None],
) -> None:
    async def scenario(deployment: Deployment, client: httpx.AsyncClient) -> None:
        # All tests have the same tenant in one emulator.
        before, counted = await stored(deployment), (await deployment.do("media.usage")).stored
        upload = await sent_there(deployment, client, b"MZ\x90\0" * 40_000, "kiln.png")
        with pytest.raises(InvalidInput, match="a program for Windows"):
            await deployment.do("media.finish_upload", upload=upload.id)
        assert await deployment.do("media.list") == []
        assert await stored(deployment) == before
        assert (await deployment.do("media.usage")).stored == counted

    cloud(scenario)


def test_each_address_that_is_given_counts_as_the_file_read_once(
    cloud: Callable[[Scenario], None],
) -> None:
    async def scenario(deployment: Deployment, client: httpx.AsyncClient) -> None:
        media = (await send(deployment, TEXT, "words.txt")).media
        assert (await deployment.do("media.usage")).served == 0
        for times in (1, 2):
            given = await deployment.do("media.address", media=media.reference)
            assert given.address.startswith("http://127.0.0.1:")
            assert (await client.get(given.address)).content == TEXT
            assert (await deployment.do("media.usage")).served == times * len(TEXT)
        await deployment.product.ledger.flush()
        view = await deployment.rule("tenants.show", slug="aurora")
        assert view.served == 2 * len(TEXT), "the month has it"
        assert (await deployment.do("media.usage", "bread")).served == 0

    cloud(scenario)
