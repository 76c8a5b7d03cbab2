"""Bytes that come in while they are worked on: an action's input that is no JSON."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, core_schema

from mosaic_core.errors import Conflict, InvalidInput

#: The key of a validation's context under which a face gives the bytes that it has.
BODY = "body"
_CHUNK = 1024 * 1024


class Incoming:
    """Bytes that can be read once.

    Args:
        size: how many there will be, where that is known.
    """

    def __init__(self, chunks: AsyncIterable[bytes], size: int | None = None) -> None:
        self.size = size
        self._chunks: AsyncIterable[bytes] | None = chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks, self._chunks = self._chunks, None
        if chunks is None:
            raise Conflict("The content was read already.", hint="Send it again.")
        async for chunk in chunks:
            yield chunk

    @classmethod
    def of(cls, content: bytes) -> Incoming:
        """Bytes that are all there."""

        async def once() -> AsyncIterator[bytes]:
            yield content

        return cls(once(), len(content))

    @classmethod
    def of_file(cls, path: Path, start: int = 0, size: int | None = None) -> Incoming:
        """So many bytes of a file, or all from ``start`` on.

        Raises:
            InvalidInput: it cannot be read.
        """
        with _readable(path):
            whole = path.stat().st_size - start if size is None else size

        async def chunks() -> AsyncIterator[bytes]:
            with _readable(path), path.open("rb") as file:
                file.seek(start)
                left = whole
                while chunk := await asyncio.to_thread(file.read, min(left, _CHUNK)):
                    left -= len(chunk)
                    yield chunk

        return cls(chunks(), whole)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(_taken)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "format": "binary"}


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from error


def _taken(value: Any, info: ValidationInfo) -> Incoming:
    given = (info.context or {}).get(BODY, value)
    if not isinstance(given, Incoming):
        raise ValueError("send it as the body of the request")
    return given
