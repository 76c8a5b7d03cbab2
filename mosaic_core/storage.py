"""The storage contract: files below a tenant's prefix.

A *key* is a relative path in Unicode NFC with ``/`` between its segments (``gallery/img1.jpg``). It
cannot leave the tenant's prefix: :func:`normalise_key` is the one gate, and every implementation
calls it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from mosaic_core.errors import InvalidKey
from mosaic_core.tenants import TenantContext

_MAX_KEY = 512
_MAX_SEGMENT = 180
#: Names that Windows keeps for devices, refused so that a key means one thing everywhere.
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul"}
    | {f"com{n}" for n in range(1, 10)}
    | {f"lpt{n}" for n in range(1, 10)}
)


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A stored file: ``size`` in bytes, ``digest`` as the hex SHA-256 of its content."""

    key: str
    size: int
    digest: str
    modified: datetime


@runtime_checkable
class Storage(Protocol):
    """Files of tenants. Safe to use from any number of tasks and processes."""

    async def write(
        self,
        tenant: TenantContext,
        key: str,
        chunks: AsyncIterable[bytes],
        *,
        size: int | None = None,
        digest: str | None = None,
    ) -> FileInfo:
        """Stores a file, replacing one of the same key; visible only when complete.

        An error of ``chunks`` itself is raised as it is; then nothing is stored.

        Raises:
            Conflict: the key is a folder of other keys, where the two cannot stand together.
            FileMismatch: ``size`` or ``digest`` was announced and is not what came.
            QuotaExceeded: the tier's limit for files.
            InvalidKey: see :func:`normalise_key`.
        """
        ...

    def read(
        self, tenant: TenantContext, key: str, *, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        """Streams bytes ``start`` up to but not including ``end``.

        Raises:
            FileMissing: there is no such key.
        """
        ...

    async def stat(self, tenant: TenantContext, key: str) -> FileInfo:
        """What is known of a file without reading it.

        Raises:
            FileMissing: there is no such key.
        """
        ...

    async def delete(self, tenant: TenantContext, key: str) -> None:
        """Removes a file; removing what is gone is no error."""
        ...

    async def copy(self, tenant: TenantContext, source: str, target: str) -> FileInfo:
        """Copies within a tenant."""
        ...

    def list(self, tenant: TenantContext, prefix: str = "") -> AsyncIterator[FileInfo]:
        """The files whose key begins with ``prefix`` (in any normalisation), ordered by key."""
        ...

    async def usage(self, tenant: TenantContext) -> int:
        """Bytes stored for the tenant."""
        ...

    async def drop(self, tenant: TenantContext) -> None:
        """Removes every file of the tenant."""
        ...


def normalise_key(key: str) -> str:
    """A key's one form.

    Raises:
        InvalidKey: empty, absolute or overlong keys, ``.`` and ``..`` segments, backslashes,
            control characters, names that end in a dot or space, and reserved device names.
    """
    # Not when it is longer than any: a row of combining marks takes time as its length squared.
    text = unicodedata.normalize("NFC", key) if len(key) <= 4 * _MAX_KEY else key
    if not text or len(text) > _MAX_KEY:
        raise InvalidKey(f"A key has 1 to {_MAX_KEY} characters; this one has {len(key)}.")
    if "\\" in text or any(unicodedata.category(c) in {"Cc", "Cs", "Cf"} for c in text):
        raise InvalidKey(f"The key {_shown(text)} has a character that no file name may have.")
    for segment in text.split("/"):
        if segment in {"", ".", ".."}:
            raise InvalidKey(
                f"The key {_shown(text)} has an empty, '.' or '..' segment.",
                hint="Use a relative path such as 'gallery/img1.jpg'.",
            )
        too_long = len(segment.encode()) > _MAX_SEGMENT
        if too_long or segment[-1] in ". " or _stem(segment) in _DEVICES:
            raise InvalidKey(f"The name {_shown(segment)} cannot be used for a file.")
    return text


def _stem(segment: str) -> str:
    """What Windows looks at to find a device: neither suffix, nor spaces, nor case count."""
    return segment.partition(".")[0].rstrip(" ").lower()


def _shown(text: str) -> str:
    return repr(text[:80].encode("unicode_escape").decode("ascii"))
