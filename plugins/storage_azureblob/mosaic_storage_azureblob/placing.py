"""How a blob comes to be the file of a key: in one step, and with its bytes counted.

What is larger than one request is put together as a draft beside the files. The service then copies
it into its place by itself (Put Block From URL), and one last request makes it visible.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.storage.blob import BlobBlock, BlobProperties, BlobSasPermissions
from azure.storage.blob.aio import BlobClient, ContainerClient

from mosaic_core.errors import Conflict
from mosaic_core.storage import FileInfo
from mosaic_storage_azureblob.errors import code_of, translated
from mosaic_storage_azureblob.layout import Space
from mosaic_storage_azureblob.ledger import Ledger, Settling

T = TypeVar("T")
#: Sends a blob to its place under a condition, with metadata; returns what the service answered.
Send = Callable[[BlobClient, dict[str, Any], dict[str, str]], Awaitable[dict[str, Any]]]

DRAFTS = "drafts/"
_DRAFT = re.compile(r"([0-9a-f]{8})-[0-9a-f]{32}", re.ASCII)
_MOST_TRIES = 10
#: Bytes that the service copies at one request, so that none takes as long as the timeout.
_SLICE = 64 * 1024 * 1024
#: In a blob's metadata: the digest of its content, which write made it, and of which upload.
DIGEST, WRITE, UPLOAD = "sha256", "mosaicwrite", "mosaicupload"


async def put_in_place(
    space: Space,
    ledger: Ledger,
    key: str,
    *,
    size: int,
    digest: str,
    send: Send,
    claim: str | None = None,
) -> FileInfo:
    """Makes a blob the file of a key, whoever else does so at the same time.

    Args:
        claim: the upload whose bytes are counted already.
    """
    async with ledger.turn(key):
        return await _put(space, ledger, key, size, digest, send, claim)


async def _put(
    space: Space,
    ledger: Ledger,
    key: str,
    size: int,
    digest: str,
    send: Send,
    claim: str | None,
) -> FileInfo:
    target, mine = space.file(key), uuid.uuid4().hex
    metadata = {DIGEST: digest, WRITE: mine} | ({UPLOAD: claim} if claim else {})
    for tries in range(_MOST_TRIES):
        old = await _look(target, key, tries)
        condition: dict[str, Any] = {"match_condition": MatchConditions.IfMissing}
        if old is not None:
            condition = {"etag": old.etag, "match_condition": MatchConditions.IfNotModified}
        if old is not None and claim is not None and _made_of(old, claim, digest):
            # Whoever made it was stopped before its bytes were a file's. They go on to count in
            # full, as what it replaced is not known any more; the next sweep counts anew.
            await ledger.settle(claim, size)
            return FileInfo(key, size, digest, old.last_modified)
        replaced = 0 if old is None else int(old.size)
        counted = (
            ledger.claimed(size, replaced=replaced)
            if claim is None
            else ledger.placing(claim, replaced=replaced)
        )
        async with counted as settling:
            modified = await _sent(space, target, key, send, condition, metadata, settling)
            if modified is not None:
                settling.difference = size - replaced
        if modified is not None:
            return FileInfo(key, size, digest, modified)
    raise _busy(key)


def _made_of(blob: BlobProperties, upload_id: str, digest: str) -> bool:
    """Whether a blob was made of an upload as it is now."""
    return bool(blob.metadata.get(UPLOAD) == upload_id and blob.metadata.get(DIGEST) == digest)


async def _sent(
    space: Space,
    target: BlobClient,
    key: str,
    send: Send,
    condition: dict[str, Any],
    metadata: dict[str, str],
    settling: Settling,
) -> Any:
    """When the blob was made; None when somebody else was first, and it is worth another try."""
    settling.known = False
    with translated(key):
        try:
            answer = await made(space, target, lambda: send(target, condition, metadata))
            modified = answer["last_modified"]
        except (ResourceModifiedError, ResourceExistsError, HttpResponseError) as error:
            others = isinstance(error, ResourceModifiedError | ResourceExistsError)
            if not others and code_of(error) != "InvalidBlockList":
                # A fault of the service's own may have come after it was carried out.
                settling.known = error.status_code is not None and error.status_code < 500
                raise
            # It may have been this very write, whose first answer was lost.
            found = await find(target, key)
            ours = found is not None and found.metadata.get(WRITE) == metadata[WRITE]
            modified = found.last_modified if found is not None and ours else None
    settling.known = True
    return modified


async def take_away(space: Space, ledger: Ledger, key: str) -> None:
    """Removes the blob of a key; nothing where there is none."""
    async with ledger.turn(key):
        await _take(space.file(key), ledger, key)


async def _take(target: BlobClient, ledger: Ledger, key: str) -> None:
    for tries in range(_MOST_TRIES):
        old = await _look(target, key, tries)
        if old is None:
            return
        async with ledger.claimed(0) as settling:
            settling.known = False
            with translated(key):
                try:
                    await target.delete_blob(
                        etag=old.etag, match_condition=MatchConditions.IfNotModified
                    )
                except ResourceModifiedError:  # it was replaced meanwhile
                    settling.known = True
                    continue
                except ResourceNotFoundError:  # by another, or by this request's first attempt
                    return
            settling.known, settling.difference = True, -int(old.size)
        return
    raise _busy(key)


async def _look(target: BlobClient, key: str, tries: int) -> BlobProperties | None:
    """What is there, before the so-manieth try to change it: each further one after a random pause,
    as another process was first."""
    if tries:
        await asyncio.sleep(random.uniform(0, 0.1 * tries))  # noqa: S311
    return await find(target, key)


def _busy(key: str) -> Conflict:
    return Conflict(f"Too many write {key!r} at once.", hint="Do it again.")


def copying(source: BlobClient, space: Space, size: int) -> Send:
    """Sends what another blob of the account has, without its coming here."""

    async def send(
        target: BlobClient, condition: dict[str, Any], metadata: dict[str, str]
    ) -> dict[str, Any]:
        readable = BlobSasPermissions(read=True)
        url = await space.account.signed(source, readable, timedelta(hours=1))
        blocks = []
        for number, start in enumerate(range(0, size, _SLICE)):
            # Not the names of a write that goes on beside this one.
            block = f"{metadata[WRITE][:16]}{number:08d}"
            await target.stage_block_from_url(
                block, url, source_offset=start, source_length=min(_SLICE, size - start)
            )
            blocks.append(BlobBlock(block_id=block))
        return await target.commit_block_list(blocks, metadata=metadata, **condition)

    return send


def sending(content: bytes) -> Send:
    """Sends content that fits into one request."""

    async def send(
        target: BlobClient, condition: dict[str, Any], metadata: dict[str, str]
    ) -> dict[str, Any]:
        return await target.upload_blob(content, overwrite=True, metadata=metadata, **condition)

    return send


# Drafts


def new_draft() -> str:
    """A name for a draft, which says when it was begun."""
    return f"{int(time.time()):08x}-{uuid.uuid4().hex}"


def begun_at(draft: str) -> int | None:
    """When a draft was begun, in seconds; None of what is no draft's name."""
    found = _DRAFT.fullmatch(draft)
    return None if found is None else int(found[1], 16)


def block_of(number: int) -> str:
    """The id of the block that is a part of a draft; all have one length, as the service asks."""
    return f"{number:08d}"


async def discard(space: Space, draft: str) -> None:
    """Removes a draft with all its blocks and versions, if there is one."""
    with translated(draft):
        await remove(space.aside(f"{DRAFTS}{draft}"))
        home = space.container(space.home)
        await remove_versions(home, space.beginning_aside(f"{DRAFTS}{draft}"))


async def remove(blob: BlobClient) -> None:
    """Removes a blob, or the blocks of one that is not made yet; nothing where there is neither."""
    try:
        await blob.delete_blob()
    except ResourceNotFoundError as error:
        if code_of(error) == "ContainerNotFound":
            return
        # Blocks that no list names cannot be deleted; they go with the blob that a list makes.
        await blob.commit_block_list([])
        await blob.delete_blob()


async def remove_versions(container: ContainerClient, beginning: str) -> None:
    """Removes what versioning has kept of blobs whose names begin so, and that are gone or were
    replaced (List Blobs and Delete Blob, REST reference)."""
    try:
        # The whole list first: what is listed must not change on the way.
        kept = [
            (blob.name, blob.version_id)
            async for blob in container.list_blobs(beginning, include=["versions"])
            if blob.version_id and not blob.is_current_version
        ]
    except ResourceNotFoundError:  # not even the container is there
        return
    for name, version in kept:
        try:
            await container.delete_blob(name, version_id=version)
        except ResourceNotFoundError:  # a lifecycle rule was first
            continue


# What every request needs


async def find(blob: BlobClient, what: str) -> BlobProperties | None:
    """What is known of a blob; None where there is none."""
    with translated(what):
        try:
            return await blob.get_blob_properties()
        except ResourceNotFoundError:
            return None


async def made(space: Space, blob: BlobClient, call: Callable[[], Awaitable[T]]) -> T:
    """Calls again when the container had to be made first."""
    try:
        return await call()
    except HttpResponseError as error:
        if code_of(error) != "ContainerNotFound":
            raise
    await space.account.make_container(blob.container_name)
    return await call()


async def finished(work: Awaitable[T]) -> T:
    """Waits for ``work`` and is cancelled only once it has ended."""
    running = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise
