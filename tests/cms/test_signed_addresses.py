"""A signed address reads one file of one tenant, for a while."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from mosaic_cms.media.signed import SIGNED_PREFIX, address_of
from mosaic_core.errors import InvalidInput, InvalidKey, NotFound
from tests.cms.deployment import Deployment, Deployments
from tests.cms.media.sending import send

CONTENT = bytes(range(256)) * 2_000
SOON = timedelta(minutes=5)


async def signed(deployment: Deployment, key: str, **given: Any) -> str:
    """An address of a file of aurora."""
    product, tenant = deployment.product, deployment.scope().tenant
    storage = product.platform.storage(tenant)
    given = {"expires_in": SOON} | given
    return await address_of(storage, product.identity.secrets, tenant, key, **given)


async def store(deployment: Deployment, key: str) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield CONTENT

    tenant = deployment.scope().tenant
    await deployment.product.platform.storage(tenant).write(tenant, key, chunks())


def test_whoever_has_the_address_reads_the_file(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await store(deployment, "exports/häuser.zip")
        path = await signed(
            deployment, "exports/häuser.zip", name="Häuser.zip", content_type="application/zip"
        )
        answer = await deployment.get(path)
        assert (answer.status_code, answer.content) == (200, CONTENT)
        assert answer.headers["content-type"] == "application/zip"
        assert (
            answer.headers["content-disposition"] == "attachment; filename*=UTF-8''H%C3%A4user.zip"
        )
        assert answer.headers["cache-control"] == "private, no-store"
        assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
        part = await deployment.get(path, range="bytes=300-999")
        assert (part.status_code, part.content) == (206, CONTENT[300:1000])
        plain = await deployment.get(await signed(deployment, "exports/häuser.zip"))
        assert plain.headers["content-type"] == "application/octet-stream"
        assert "content-disposition" not in plain.headers
        assert (await deployment.get(await signed(deployment, "gone.zip"))).status_code == 404

    deployments(scenario)


def test_a_file_of_the_library_has_an_address_for_a_while(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        media = (await send(deployment, b"words", "Wörter.txt")).media
        given = await deployment.do("media.address", media=media.reference, minutes=30)
        assert given.address.startswith(f"https://museum.example{SIGNED_PREFIX}")
        left = given.expires_at - datetime.now(UTC)
        assert timedelta(minutes=29) < left <= timedelta(minutes=30)
        path = given.address.removeprefix("https://museum.example")
        answer = await deployment.get(path, "museum.example")
        assert (answer.status_code, answer.text) == (200, "words")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert "W%C3%B6rter.txt" in answer.headers["content-disposition"]
        with time_machine.travel(given.expires_at + timedelta(seconds=1)):
            assert (await deployment.get(path, "museum.example")).status_code == 403
        with pytest.raises(InvalidInput, match="minutes"):
            await deployment.do("media.address", media=media.reference, minutes=10_081)
        with pytest.raises(NotFound):
            await deployment.do("media.address", "bread", media=media.reference)

    deployments(scenario)


def test_it_is_valid_for_its_tenant_its_file_and_its_time_only(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await store(deployment, "a.zip")
        await store(deployment, "b.zip")
        path = await signed(deployment, "a.zip")
        text, _, signature = path.removeprefix(SIGNED_PREFIX).partition(".")
        meant = json.loads(base64.urlsafe_b64decode(text + "=="))
        forged = []
        for change in ({"key": "b.zip"}, {"until": meant["until"] + 1}, {"tenant": "other"}):
            content = json.dumps(meant | change).encode()
            forged.append(f"{base64.urlsafe_b64encode(content).decode().rstrip('=')}.{signature}")
        for wrong in (*forged, text, f"{text}.", f".{signature}", "", "é.é", "." * 5_000):
            answer = await deployment.get(SIGNED_PREFIX + wrong)
            assert answer.status_code == 403, wrong
            assert CONTENT not in answer.content
        assert (await deployment.get(path, "steel.mosaic.test")).status_code == 403
        with time_machine.travel(datetime.now(UTC) + SOON + timedelta(seconds=1)):
            assert (await deployment.get(path)).status_code == 403
        assert (await deployment.get(path)).status_code == 200

    deployments(scenario)


@pytest.mark.parametrize(
    ("key", "given", "error"),
    [
        ("../a.zip", {}, InvalidKey),
        ("a.zip", {"expires_in": timedelta(0)}, InvalidInput),
        ("a.zip", {"expires_in": timedelta(days=8)}, InvalidInput),
        ("a.zip", {"content_type": "text/html\r\nset-cookie: a=b"}, InvalidInput),
    ],
)
def test_an_address_that_cannot_be_is_not_signed(
    deployments: Deployments, key: str, given: dict[str, Any], error: type[Exception]
) -> None:
    async def scenario(deployment: Deployment) -> None:
        with pytest.raises(error):
            await signed(deployment, key, **given)

    deployments(scenario)
