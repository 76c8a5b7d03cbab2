"""The storage contract: files below a tenant's prefix.

A *key* is a relative path in Unicode NFC with ``/`` between its segments (``gallery/img1.jpg``). It
cannot leave the tenant's prefix: :func:`normalise_key` is the one gate, and every implementation
calls it.

A file comes in one stream (:meth:`Storage.write`) or in numbered parts
(:meth:`Storage.begin_upload` and what follows), which any process may take, in any order and again.
Either way nothing of it is seen before all of it is there and is what was announced.
"""

from __future__ import annotations

import unicodedata
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, Self, runtime_checkable

from mosaic_core.errors import InvalidInput, InvalidKey
from mosaic_core.tenants import TenantContext

#: How long what was begun and not finished is left alone, unless a sweep is told otherwise.
PATIENCE = timedelta(days=1)
#: How long a lease outlives the process that had it, at most.
LEASE = timedelta(seconds=15)
#: Parts that a file may come in: as many blocks as Azure puts together (Put Block List, REST
#: reference). Every storage has the same bound, so that a file that one takes can move to another.
MOST_PARTS = 50_000
_MAX_KEY = 512
_MAX_SEGMENT = 180
#: Names that Windows keeps for devices, refused so that a key means one thing everywhere (Naming
#: Files, Win32 reference).
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"}
    | {f"{port}{n}" for port in ("com", "lpt") for n in "0123456789¹²³"}
)

#: Kinds of characters that nobody sees: control, surrogate, format, ends of lines and paragraphs.
_UNSEEN = frozenset({"Cc", "Cs", "Cf", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A stored file: ``size`` in bytes, ``digest`` as the hex SHA-256 of its content."""

    key: str
    size: int
    digest: str
    modified: datetime


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that comes in parts, numbered from 1.

    Each part has ``part_size`` bytes, the last one what is left of ``size``. ``digest`` is the hex
    SHA-256 that was announced, if any, and ``present`` the numbers of the parts that are there.
    """

    id: str
    key: str
    size: int
    digest: str | None
    part_size: int
    present: tuple[int, ...] = ()

    @classmethod
    def begun(cls, id: str, key: str, size: int, digest: str | None, part_size: int) -> Self:
        """A new one, of which nothing has come.

        Raises:
            InvalidInput: ``size`` is negative, or it would have more than ``MOST_PARTS`` parts.
        """
        if size < 0:
            raise InvalidInput(f"{key!r} cannot have {size} bytes.")
        upload = cls(id, key, size, digest, part_size)
        if upload.parts > MOST_PARTS:
            raise InvalidInput(
                f"{key!r} cannot have {size:,} bytes.",
                hint=f"A file has at most {MOST_PARTS:,} parts of {part_size:,} bytes here.",
            )
        return upload

    @property
    def parts(self) -> int:
        """How many there are when all are there; none of a file of no bytes."""
        return -(-self.size // self.part_size)

    @property
    def missing(self) -> tuple[int, ...]:
        """The numbers of the parts that have not come yet."""
        there = set(self.present)
        return tuple(n for n in range(1, self.parts + 1) if n not in there)

    def length(self, number: int) -> int:
        """The bytes of one part.

        Raises:
            InvalidInput: there is no part of this number.
        """
        if not 1 <= number <= self.parts:
            raise InvalidInput(
                f"{self.key!r} has no part {number}.",
                hint=f"Its parts have the numbers 1 to {self.parts}.",
            )
        return min(self.part_size, self.size - (number - 1) * self.part_size)


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep removed: beginnings of files that nobody finished, and their bytes."""

    removed: int = 0
    bytes: int = 0


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
        """Bytes that count towards the tenant's limit: its files, and what uploads that are under
        way have announced.

        After a crash it may be more than that until the next sweep; it is never less.
        """
        ...

    async def drop(self, tenant: TenantContext) -> None:
        """Removes every file of the tenant, and every upload."""
        ...

    def place(self, tenant: TenantContext) -> str:
        """Where the tenant's files are, in a text that nobody else's place has: two tiers for which
        it is the same share them."""
        ...

    def lease(self, tenant: TenantContext, key: str) -> AbstractAsyncContextManager[bool]:
        """Whether the caller is the one who makes the file of a key now: True for one at a time, in
        any process, and for others False, at once.

        For what is made when it is first asked for, so that it is made once. It keeps nobody from
        writing, and counts nowhere. It ends with its context, and within :data:`LEASE` when its
        process dies.

        Raises:
            InvalidKey: see :func:`normalise_key`.
        """
        ...

    async def begin_upload(
        self, tenant: TenantContext, key: str, *, size: int, digest: str | None = None
    ) -> Upload:
        """Begins a file of ``size`` bytes that comes in parts; they are counted from now on.

        Raises:
            QuotaExceeded: the tier's limit for files.
            InvalidKey: see :func:`normalise_key`.
            InvalidInput: ``size`` is negative, or more than ``MOST_PARTS`` parts have.
        """
        ...

    async def find_upload(self, tenant: TenantContext, upload_id: str) -> Upload:
        """An upload that is under way, to go on with it.

        Raises:
            FileMissing: there is no such upload (any more).
        """
        ...

    async def write_part(
        self, tenant: TenantContext, upload_id: str, number: int, chunks: AsyncIterable[bytes]
    ) -> None:
        """Stores a part, replacing one of the same number; there only when it is complete.

        Raises:
            FileMissing: there is no such upload (any more).
            FileMismatch: it has not as many bytes as this part has.
            InvalidInput: there is no part of this number.
        """
        ...

    async def finish_upload(self, tenant: TenantContext, upload_id: str) -> FileInfo:
        """Makes the file of an upload, replacing one of the same key; the upload is over then.

        Raises:
            FileMissing: there is no such upload (any more).
            FileMismatch: parts are missing, or it is not what was announced; the upload goes on,
                and its parts can be sent again.
            Conflict, QuotaExceeded: as for :meth:`write`.
        """
        ...

    async def abort_upload(self, tenant: TenantContext, upload_id: str) -> None:
        """Ends an upload and removes its parts; ending what is over is no error."""
        ...

    async def signed_url(
        self,
        tenant: TenantContext,
        key: str,
        *,
        expires_in: timedelta,
        name: str | None = None,
        content_type: str | None = None,
    ) -> str | None:
        """An address at which whoever has it may read the file (``GET``) until it expires, saved as
        ``name`` and said to be of ``content_type`` where they are given.

        None where the storage has no addresses of its own: then the product serves the file. It
        is not looked whether there is such a file.

        Raises:
            InvalidKey: see :func:`normalise_key`.
        """
        ...

    async def signed_part_url(
        self, tenant: TenantContext, upload_id: str, number: int, *, expires_in: timedelta
    ) -> str | None:
        """An address to which whoever has it may send (``PUT``) a part of an upload until it
        expires, instead of :meth:`write_part`.

        None where the storage has no addresses of its own. What is sent there is checked when the
        upload is finished.

        Raises:
            FileMissing: there is no such upload (any more).
            FileMismatch: far more was sent already than was announced.
            InvalidInput: there is no part of this number.
        """
        ...

    async def sweep(self, tenant: TenantContext, *, older_than: timedelta = PATIENCE) -> Swept:
        """Removes what was begun longer ago than ``older_than`` and never finished, and counts the
        tenant's bytes anew. Whatever is younger goes on."""
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
    plain = text.isascii() and text.isprintable()
    if "\\" in text or not (plain or all(unicodedata.category(c) not in _UNSEEN for c in text)):
        raise InvalidKey(f"The key {_shown(text)} has a character that no file name may have.")
    for segment in text.split("/"):
        if segment in {"", ".", ".."}:
            raise InvalidKey(
                f"The key {_shown(text)} has an empty, '.' or '..' segment.",
                hint="Use a relative path such as 'gallery/img1.jpg'.",
            )
        if len(segment.encode()) > _MAX_SEGMENT:
            raise InvalidKey(f"The name {_shown(segment)} has more than {_MAX_SEGMENT} bytes.")
        if segment[-1] in ". ":
            raise InvalidKey(f"The name {_shown(segment)} ends in a dot or a space.")
        if _stem(segment) in _DEVICES:
            raise InvalidKey(f"The name {_shown(segment)} is that of a device on Windows.")
    return text


def _stem(segment: str) -> str:
    """What Windows looks at to find a device: neither suffix, nor spaces, nor case count."""
    return segment.partition(".")[0].rstrip(" ").lower()


def _shown(text: str) -> str:
    return repr(text[:80].encode("unicode_escape").decode("ascii"))
