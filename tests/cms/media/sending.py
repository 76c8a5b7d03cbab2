"""Sending files to a library."""

from __future__ import annotations

from typing import Any

from mosaic_cms.incoming import Incoming
from tests.cms.deployment import Deployment


async def send(
    deployment: Deployment,
    content: bytes,
    name: str = "kiln.jpg",
    slug: str = "aurora",
    **said: Any,
) -> Any:
    """Uploads a file in one stream."""
    incoming = Incoming.of(content)
    return await deployment.do("media.upload", slug, content=incoming, name=name, **said)


async def send_in_parts(deployment: Deployment, upload: Any, content: bytes, *numbers: int) -> None:
    """Sends parts of an upload that was begun; all that are missing, without numbers."""
    for number in numbers or upload.missing:
        start = (number - 1) * upload.part_size
        part = Incoming.of(content[start : start + upload.part_size])
        await deployment.do("media.send_part", upload=upload.id, number=number, content=part)


async def stored(deployment: Deployment, slug: str = "aurora") -> list[str]:
    """The keys of all objects of a tenant."""
    tenant = deployment.scope(slug).tenant
    storage = deployment.product.platform.storage(tenant)
    return [info.key async for info in storage.list(tenant)]
