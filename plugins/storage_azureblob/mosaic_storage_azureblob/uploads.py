"""Files that come in parts: an upload is a claim in the ledger and a draft with a block for each
part."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import AsyncIterable
from datetime import timedelta
from urllib.parse import quote

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobBlock, BlobSasPermissions
from azure.storage.blob.aio import BlobClient

from mosaic_core.errors import FileMismatch, FileMissing
from mosaic_core.storage import FileInfo, Swept, Upload
from mosaic_storage_azureblob import leases
from mosaic_storage_azureblob.errors import translated
from mosaic_storage_azureblob.layout import Space
from mosaic_storage_azureblob.ledger import Claim, Ledger
from mosaic_storage_azureblob.placing import (
    DRAFTS,
    begun_at,
    block_of,
    copying,
    discard,
    made,
    new_draft,
    put_in_place,
)


async def begin(ledger: Ledger, key: str, size: int, digest: str | None, part_size: int) -> Upload:
    """A new upload, whose bytes count from now on."""
    upload = Upload.begun(new_draft(), key, size, digest, part_size)
    await ledger.begin(
        upload.id,
        Claim(size=size, since=time.time(), key=key, digest=digest, part_size=part_size),
    )
    return upload


async def find(space: Space, ledger: Ledger, upload_id: str) -> Upload:
    """An upload with the parts that are there."""
    upload = await _noted(ledger, upload_id)
    lengths = await _lengths(space, upload)
    present = sorted(n for n in range(1, upload.parts + 1) if block_of(n) in lengths)
    return Upload(
        upload.id, upload.key, upload.size, upload.digest, upload.part_size, tuple(present)
    )


async def write_part(
    space: Space, ledger: Ledger, upload_id: str, number: int, chunks: AsyncIterable[bytes]
) -> None:
    """Sends a part as a block when all of it is here."""
    upload = await _noted(ledger, upload_id)
    length, content = upload.length(number), bytearray()
    async for chunk in chunks:
        content += chunk
        if len(content) > length:
            break
    if len(content) != length:
        raise _wrong(upload, number, len(content))
    blob = _draft(space, upload.id)
    with translated(upload.key):
        await made(space, blob, lambda: blob.stage_block(block_of(number), bytes(content)))


async def finish(space: Space, ledger: Ledger, upload_id: str) -> FileInfo:
    """Puts the blocks together, reads all of it to see whether it is what was announced, and has
    the service copy it into its place."""
    upload = await find(space, ledger, upload_id)
    if upload.missing:
        raise FileMismatch(
            f"{upload.key!r} is not complete: {len(upload.missing)} of {upload.parts} parts are "
            f"missing, the first of them is number {upload.missing[0]}.",
            hint="Send them, then finish it again.",
        )
    lengths = await _lengths(space, upload)
    for number in range(1, upload.parts + 1):
        if lengths.get(block_of(number)) != upload.length(number):
            raise _wrong(upload, number, lengths.get(block_of(number), 0))
    blob = _draft(space, upload.id)
    blocks = [BlobBlock(block_id=block_of(n)) for n in range(1, upload.parts + 1)]
    with translated(upload.key):
        await made(space, blob, lambda: blob.commit_block_list(blocks))
    digest = await digest_of(blob, upload.key)
    if upload.digest not in (None, digest):
        raise FileMismatch(
            f"{upload.key!r} is not the file that was announced: its digest is {digest} "
            f"(announced: {upload.digest}).",
            hint="Send the parts that differ again, or end the upload.",
        )
    info = await put_in_place(
        space,
        ledger,
        upload.key,
        size=upload.size,
        digest=digest,
        send=copying(blob, space, upload.size),
        claim=upload.id,
    )
    await discard(space, upload.id)
    return info


async def abort(space: Space, ledger: Ledger, upload_id: str) -> None:
    """Ends an upload; nothing where there is none."""
    known = begun_at(upload_id) is not None and upload_id in (await ledger.read()).claims
    if known and await ledger.end(upload_id):
        await discard(space, upload_id)


async def signed_part(
    space: Space, ledger: Ledger, upload_id: str, number: int, expires_in: timedelta
) -> str:
    """The address to which a part is sent (Put Block, REST reference).

    It takes any number of bytes, as no signature says how many: so there is none for an upload of
    which far more is there than was announced.
    """
    upload = await _noted(ledger, upload_id)
    upload.length(number)
    lengths = await _lengths(space, upload)
    lengths.pop(block_of(number), None)  # it may be sent again
    if _too_much(lengths, upload.size, upload.part_size):
        raise FileMismatch(
            f"More has come of {upload.key!r} than its {upload.size:,} bytes.",
            hint="End the upload, and begin it anew.",
        )
    blob = _draft(space, upload.id)
    # Its container is there since the upload was begun: the ledger is in it.
    may = BlobSasPermissions(create=True, write=True)
    url = await space.account.signed(blob, may, expires_in)
    block = base64.b64encode(block_of(number).encode()).decode()
    return f"{url}&comp=block&blockid={quote(block, '')}"


async def sweep(space: Space, ledger: Ledger, before: float) -> Swept:
    """Removes what was begun before an instant and not finished, uploads of which far more has come
    than was announced, and leases of processes that are gone."""
    removed, size = set(await ledger.sweep(before)), 0
    under_way = (await ledger.read()).claims
    drafts = space.container(space.home).list_blobs(
        space.beginning_aside(DRAFTS), include=["uncommittedblobs"]
    )
    try:
        with translated(DRAFTS):
            names = [space.name_aside(blob.name).removeprefix(DRAFTS) async for blob in drafts]
    except FileMissing:  # not even the container is there
        names = []
    for name in names:
        since, claim = begun_at(name), under_way.get(name)
        if since is None or (claim is None and since > before):
            continue
        lengths = await _blocks(_draft(space, name), name)
        if claim is None or _too_much(lengths, claim.size, claim.part_size):
            await ledger.end(name)
            await discard(space, name)
            size += sum(lengths.values())
            removed.add(name)
    return Swept(len(removed) + await leases.clear(space), size)


async def digest_of(blob: BlobClient, key: str) -> str:
    """The hex SHA-256 of what a blob has, read in pieces."""
    found = hashlib.sha256()
    with translated(key):
        async for chunk in (await blob.download_blob()).chunks():
            found.update(chunk)
    return found.hexdigest()


async def _noted(ledger: Ledger, upload_id: str) -> Upload:
    claim = None
    if begun_at(upload_id) is not None:
        claim = (await ledger.read()).claims.get(upload_id)
    if claim is None or claim.key is None:
        raise FileMissing("There is no such upload.", hint="Begin it anew.")
    return Upload(upload_id, claim.key, claim.size, claim.digest, claim.part_size)


async def _lengths(space: Space, upload: Upload) -> dict[str, int]:
    return await _blocks(_draft(space, upload.id), upload.key)


async def _blocks(blob: BlobClient, what: str) -> dict[str, int]:
    """The bytes of each block, by its id; a block that was sent again counts as it is now."""
    with translated(what):
        try:
            committed, uncommitted = await blob.get_block_list("all")
        except ResourceNotFoundError:
            return {}
    return {block.id: int(block.size) for block in [*committed, *uncommitted]}


def _too_much(lengths: dict[str, int], announced: int, part_size: int) -> bool:
    """Whether the blocks of a draft are more than somebody sends by mistake."""
    return sum(lengths.values()) > announced + part_size


def _draft(space: Space, upload_id: str) -> BlobClient:
    return space.aside(f"{DRAFTS}{upload_id}")


def _wrong(upload: Upload, number: int, came: int) -> FileMismatch:
    length = upload.length(number)
    return FileMismatch(
        f"Part {number} of {upload.key!r} has {length} bytes; "
        f"{'more' if came > length else came} came.",
        hint="Send it again.",
    )
