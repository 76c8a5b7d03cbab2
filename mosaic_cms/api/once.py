"""``Idempotency-Key``: what is sent twice is done once, and answered alike.

The answer is kept for a day, sealed. While a request is being done, another with its key is told to
wait; one whose process was killed can be sent again after a minute, and what it had written by then
is not written twice: the ids of its writes are made from the key.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, insert, select, update
from starlette.responses import Response

from mosaic_cms.api.problems import HttpError
from mosaic_cms.platform_tables import ApiAnswer
from mosaic_cms.product import Product
from mosaic_core.errors import Conflict
from mosaic_core.head import Write

#: How long an answer is kept, and how much longer than it may take a request is taken to run.
_KEPT, _MARGIN = timedelta(days=1), timedelta(minutes=1)
#: Of an answer: these come back with it.
_HEADERS = ("content-type", "cache-control", "etag", "set-cookie")


def key_of(given: str, who: str, where: str) -> bytes:
    """What a key is known by: nobody else's key is the same.

    Raises:
        HttpError: it is none.
    """
    if not 1 <= len(given) <= 255 or not given.isascii() or not given.isprintable():
        raise HttpError(
            400,
            "bad-idempotency-key",
            "The Idempotency-Key is none.",
            hint="Send 1 to 255 printable ASCII characters, such as a UUID.",
        )
    return hashlib.sha256("\0".join((who, where, given)).encode()).digest()


class Once:
    """Keeps the answers to writes in the platform database."""

    def __init__(self, product: Product) -> None:
        self._directory = product.platform.directory
        self._identity = product.identity

    async def answer(
        self, key: bytes, request: bytes, run: Callable[[], Awaitable[Response]], *, seconds: float
    ) -> Response:
        """The answer that there is, or the one that ``run`` makes.

        Args:
            request: all that was asked; another under the same key is a mistake.
            seconds: how long it may take.

        Raises:
            HttpError: 409 while it is being done, 422 when the key was used for something else.
        """
        asked, running = hashlib.sha256(request).digest(), timedelta(seconds=seconds) + _MARGIN
        while (kept := await self._kept(key, asked, running)) is None:
            try:
                await self._begin(key, asked, running)
                break
            except Conflict:  # another request was faster
                await asyncio.sleep(0)
        if kept is not None:
            return kept
        try:
            response = await run()
        except BaseException:
            await asyncio.shield(self._forget(key))
            raise
        await asyncio.shield(self._keep(key, response))
        return response

    async def _kept(self, key: bytes, asked: bytes, running: timedelta) -> Response | None:
        async with self._directory.database.session() as session:
            found = await session.scalar(select(ApiAnswer).where(ApiAnswer.digest == key))
        if found is None or datetime.now(UTC) - found.at > _KEPT:
            return None
        if found.request != asked:
            raise HttpError(
                422,
                "idempotency-key-reused",
                "The Idempotency-Key was used for another request.",
                hint="Make a key for each request.",
            )
        if found.content is None:
            if datetime.now(UTC) - found.at > running:
                return None
            raise HttpError(
                409,
                "in-progress",
                "This request is being done.",
                hint="Ask again in a moment.",
                headers={"retry-after": "1"},
            )
        content = json.loads(self._identity.secrets.unseal(found.content))
        headers = content["headers"] | {"idempotent-replayed": "true"}
        return Response(content["body"].encode(), found.status, headers)

    async def _begin(self, key: bytes, asked: bytes, running: timedelta) -> None:
        async def fn(write: Write) -> None:
            old = write.at - running
            abandoned = (ApiAnswer.digest == key, ApiAnswer.content.is_(None), ApiAnswer.at < old)
            await write.session.execute(delete(ApiAnswer).where(*abandoned))
            await write.session.execute(delete(ApiAnswer).where(ApiAnswer.at < write.at - _KEPT))
            values = {"digest": key, "request": asked, "at": write.at, "status": 0}
            await write.session.execute(insert(ApiAnswer).values(**values))

        await self._directory.write(fn, actor="system", action="api.begin")

    async def _keep(self, key: bytes, response: Response) -> None:
        headers = {name: response.headers[name] for name in _HEADERS if name in response.headers}
        told = {"headers": headers, "body": bytes(response.body).decode()}
        content = self._identity.secrets.seal(json.dumps(told).encode())

        async def fn(write: Write) -> None:
            row = update(ApiAnswer).where(ApiAnswer.digest == key)
            await write.session.execute(row.values(status=response.status_code, content=content))

        await self._directory.write(fn, actor="system", action="api.keep")

    async def _forget(self, key: bytes) -> None:
        async def fn(write: Write) -> None:
            await write.session.execute(delete(ApiAnswer).where(ApiAnswer.digest == key))

        await self._directory.write(fn, actor="system", action="api.forget")
