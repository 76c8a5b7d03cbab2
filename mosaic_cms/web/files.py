"""What is not a page: a theme's assets, stored files under their digest, and the renditions of
pictures. All immutable."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from hmac import compare_digest
from typing import NamedTuple
from urllib.parse import quote
from uuid import UUID

from sqlalchemy import bindparam, select

from mosaic_cms.content.models import Media, MediaVersion
from mosaic_cms.content.references import DIGEST_LENGTH, MEDIA_PREFIX, media_url
from mosaic_cms.media.kinds import ending_of, kind_of_type
from mosaic_cms.media.signed import read_address
from mosaic_cms.pictures.library import kind_of
from mosaic_cms.pictures.picture import RENDERED, Wanted, fits_avif, mark_of, read_place
from mosaic_cms.pictures.renditions import Source
from mosaic_cms.product import Product
from mosaic_cms.theme_assets import ASSET_PREFIX
from mosaic_cms.web.hosts import SiteHandle
from mosaic_cms.web.ranges import Part, part_of
from mosaic_cms.web.responses import Finished, Headers, Send, redirect, send_finished
from mosaic_core.errors import FileMissing

_FOREVER = [(b"cache-control", b"public, max-age=31536000, immutable")]
_PRIVATE = [(b"cache-control", b"private, no-store"), (b"x-robots-tag", b"noindex")]
_HARMLESS = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; sandbox"),
]
#: A drawing that is opened by itself has its own styles, and still nothing else.
_STYLED = [
    _HARMLESS[0],
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; sandbox"),
]
_MEDIA = Media.__table__.c
# A range, for which the index is used.
_MEDIA_QUERY = select(
    _MEDIA.id,
    _MEDIA.key,
    _MEDIA.name,
    _MEDIA.content_type,
    _MEDIA.size,
    _MEDIA.width,
    _MEDIA.height,
).where(
    _MEDIA.digest >= bindparam("digest"),
    _MEDIA.digest < bindparam("after"),
    _MEDIA.binned_at.is_(None),
)
_VERSIONS = MediaVersion.__table__.c
#: The same of contents that files had before: pages that were kept elsewhere ask for them.
_VERSION_QUERY = (
    select(
        _VERSIONS.media_id,
        _VERSIONS.key,
        _VERSIONS.name,
        _VERSIONS.content_type,
        _VERSIONS.size,
        _VERSIONS.width,
        _VERSIONS.height,
    )
    .join_from(MediaVersion.__table__, Media.__table__, _VERSIONS.media_id == _MEDIA.id)
    .where(
        _VERSIONS.digest >= bindparam("digest"),
        _VERSIONS.digest < bindparam("after"),
        _MEDIA.binned_at.is_(None),
    )
)
#: Seconds for which a CDN may say that there is no rendition.
_SECONDS = 60
#: Addresses of renditions that each process remembers as given out.
_MOST_KNOWN = 20_000


class FileRequest(NamedTuple):
    """Somebody asks for a file of a site; ``headers`` are those of the request."""

    handle: SiteHandle
    path: str
    headers: Mapping[bytes, bytes]
    send: Send
    head: bool

    async def answer(self, status: int, headers: Headers, body: bytes = b"") -> None:
        """Sends a response at once."""
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": b"" if self.head else body})

    def has(self, etag: bytes) -> bool:
        """Whether the client has this already."""
        return etag in self.headers.get(b"if-none-match", b"")


class _Row(NamedTuple):
    id: UUID
    key: str
    name: str
    content_type: str
    size: int
    width: int | None
    height: int | None

    def could_be(self, name: str) -> bool:
        """Whether the file may have had this name: one of its kind, so that nobody makes up another
        for it in a link."""
        kind = kind_of_type(self.content_type)
        return kind is not None and "/" not in name and ending_of(name) in kind.endings

    def offers(self, wanted: Wanted, mark: str) -> bool:
        """Whether a page gave out this rendition: the shape by its mark, and a size of it."""
        if self.content_type not in RENDERED or not self.width or not self.height:
            return False
        if not compare_digest(mark, mark_of(self.id, wanted.shape)):
            return False
        sizes = [s for s in wanted.shape.sizes(self.width, self.height) if s[0] == wanted.width]
        return bool(sizes) and (wanted.format == "webp" or fits_avif(sizes[0]))


class Files:
    """Serves assets from memory, stored files and renditions from the tenant's storage."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._assets: OrderedDict[str, Finished] = OrderedDict()
        #: What renditions are made of, by tenant and address: those that were asked for before, and
        #: at which version of the tenant. A later one may have the file in its bin.
        self._given: OrderedDict[tuple[str, str], tuple[Source, int]] = OrderedDict()

    async def asset(self, path: str) -> Finished | None:
        """A theme's asset by its hashed name, or one that pages of another version ask for."""
        name = path.removeprefix(ASSET_PREFIX)
        finished = self._assets.get(name)
        if finished is None:
            asset = await self._product.kept.asset(name)
            if asset is None:
                return None
            finished = Finished(200, asset.content_type, asset.content, _FOREVER)
            self._assets[name] = finished
        return finished

    async def media(self, request: FileRequest) -> bool:
        """Sends a stored file or a rendition; False when the tenant has nothing of this address."""
        digest, _, place = request.path.removeprefix(MEDIA_PREFIX).partition("/")
        if len(digest) != DIGEST_LENGTH or not (digest.isascii() and digest.isalnum()):
            return False
        named = read_place(place)
        if named is not None:
            return await self._rendition(request, digest, *named)
        row = await self._find(request, digest, lambda row: row.name == place)
        # A file may have been renamed since a page, or somebody, had its address.
        row = row or await self._find(request, digest, lambda row: row.could_be(place))
        if row is None:
            return False
        etag = f'"{digest}"'.encode()
        await self._stored(request, row.key, row.size, row.content_type, etag, _FOREVER)
        return True

    async def signed(self, request: FileRequest) -> None:
        """Sends the file that a signed address is for, or says that the address is not valid."""
        tenant = request.handle.tenant
        meant = read_address(self._product.identity.secrets, request.path, tenant)
        if meant is None:
            refused = b"This address is not valid, or not any more.\n"
            told = _described("text/plain; charset=utf-8", len(refused))
            await request.answer(403, [*told, *_PRIVATE], refused)
            return
        try:
            info = await self._product.platform.storage(tenant).stat(tenant, meant.key)
        except FileMissing:
            await request.answer(404, [*_described("text/plain", 0), *_PRIVATE])
            return
        headers = list(_PRIVATE)
        if meant.name is not None:
            saved = f"attachment; filename*=UTF-8''{quote(meant.name, '')}"
            headers.append((b"content-disposition", saved.encode()))
        kind = meant.content_type or "application/octet-stream"
        etag = f'"{info.digest[:DIGEST_LENGTH]}"'.encode()
        await self._stored(request, info.key, info.size, kind, etag, headers)

    async def _find(
        self, request: FileRequest, digest: str, fits: Callable[[_Row], bool]
    ) -> _Row | None:
        """A content with this digest that fits: what a file has, or what one had before."""
        tenant = request.handle.tenant
        persistence = self._product.platform.persistence(tenant)
        given = {"digest": digest, "after": f"{digest}g"}
        for query in (_MEDIA_QUERY, _VERSION_QUERY):
            for found in await persistence.published(tenant, query, given):
                if fits(row := _Row(*found)):
                    return row
        return None

    async def _stored(
        self,
        request: FileRequest,
        key: str,
        size: int,
        content_type: str,
        etag: bytes,
        kept: Headers,
    ) -> None:
        """Streams a stored file, or the part of it that is asked for."""
        headers = [(b"etag", etag), *kept, (b"accept-ranges", b"bytes")]
        if request.has(etag):
            await request.answer(304, headers)
            return
        part = None
        if not request.head:
            asked, if_range = (request.headers.get(name) for name in (b"range", b"if-range"))
            part = part_of(size, asked, if_range, etag)
        if part is not None and not part.length:
            told = [(b"content-range", part.told(size)), (b"content-length", b"0")]
            await request.answer(416, [*told, (b"cache-control", b"no-store"), *_HARMLESS])
            return
        shown = part or Part(0, size)
        headers += _described(content_type, shown.length)
        if part is not None:
            headers.append((b"content-range", part.told(size)))
        if request.head:
            await request.answer(200, headers)
            return
        tenant = request.handle.tenant
        end = None if part is None else part.end
        chunks = self._product.platform.storage(tenant).read(
            tenant, key, start=shown.start, end=end
        )
        first = await anext(aiter(chunks), b"")  # before a word is said: the file may be missing
        status = 200 if part is None else 206
        send = request.send
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": first, "more_body": True})
        async for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _rendition(
        self, request: FileRequest, digest: str, wanted: Wanted, mark: str
    ) -> bool:
        """Sends a rendition that a page gave out; where it cannot be made, the way to the file that
        it would be made of."""
        tenant = request.handle.tenant
        address, version = (tenant.tenant_id, request.path), request.handle.head.state.version
        source, seen = self._given.get(address, (None, -1))
        if source is None or seen != version:
            row = await self._offering(request, digest, wanted, mark)
            if row is None:
                self._given.pop(address, None)
                return False
            source = Source(row.key, row.size)
            self._given[address] = source, version
            if len(self._given) > _MOST_KNOWN:
                self._given.popitem(last=False)
        # Weak: another process may have made it with another version of the library.
        etag = f'W/"{digest}-{wanted.shape.name}-{wanted.width}-{wanted.format}"'.encode()
        headers = [(b"etag", etag), *_FOREVER]
        if request.has(etag):
            await request.answer(304, headers)
            return True
        storage = self._product.platform.storage(tenant)
        made = await self._product.renditions.get(storage, tenant, source, wanted)
        if made is not None:
            kind = kind_of(made) or "application/octet-stream"
            await request.answer(200, [*headers, *_described(kind, len(made))], made)
            return True
        self._given.pop(address, None)
        row = await self._offering(request, digest, wanted, mark)
        if row is None:  # it was deleted meanwhile
            return False
        instead = redirect(302, quote(media_url(digest, row.name)), seconds=_SECONDS)
        await send_finished(request.send, instead, "", None, head=request.head)
        return True

    async def _offering(
        self, request: FileRequest, digest: str, wanted: Wanted, mark: str
    ) -> _Row | None:
        return await self._find(request, digest, lambda row: row.offers(wanted, mark))


def _described(content_type: str, length: int) -> Headers:
    return [
        (b"content-type", content_type.encode()),
        (b"content-length", str(length).encode()),
        *(_HARMLESS if content_type != "image/svg+xml" else _STYLED),
    ]
