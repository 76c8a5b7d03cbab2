"""What is not a page: a theme's assets, and stored files under their digest. All immutable."""

from __future__ import annotations

from collections import OrderedDict

from sqlalchemy import bindparam, select

from mosaic_cms.content.models import Media
from mosaic_cms.content.references import MEDIA_PREFIX
from mosaic_cms.product import Product
from mosaic_cms.theme_assets import ASSET_PREFIX
from mosaic_cms.web.hosts import SiteHandle
from mosaic_cms.web.responses import Finished, Send

_FOREVER = [(b"cache-control", b"public, max-age=31536000, immutable")]
_MEDIA = Media.__table__.c
_MEDIA_QUERY = select(_MEDIA.key, _MEDIA.content_type, _MEDIA.size, _MEDIA.digest).where(
    _MEDIA.digest.startswith(bindparam("digest")), _MEDIA.name == bindparam("name")
)
_DIGEST_LENGTH = 24


class Files:
    """Serves assets from memory and media from the tenant's storage."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._assets: OrderedDict[str, Finished] = OrderedDict()

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

    async def media(
        self, handle: SiteHandle, path: str, send: Send, if_none_match: bytes, *, head: bool
    ) -> bool:
        """Streams a stored file; False when the tenant has no such file."""
        digest, _, name = path.removeprefix(MEDIA_PREFIX).partition("/")
        if len(digest) != _DIGEST_LENGTH or not digest.isalnum() or not name:
            return False
        tenant, platform = handle.tenant, self._product.platform
        rows = await platform.persistence(tenant).published(
            tenant, _MEDIA_QUERY, {"digest": digest, "name": name}
        )
        if not rows:
            return False
        key, content_type, size, _ = rows[0]
        etag = f'"{digest}"'.encode()
        unchanged = etag in if_none_match
        headers = [(b"etag", etag), *_FOREVER]
        if not unchanged:
            headers += [
                (b"content-type", content_type.encode()),
                (b"content-length", str(size).encode()),
                (b"x-content-type-options", b"nosniff"),
                (b"content-security-policy", b"default-src 'none'; sandbox"),
            ]
        start = {"type": "http.response.start", "status": 304 if unchanged else 200}
        if head or unchanged:
            await send({**start, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return True
        chunks = platform.storage(tenant).read(tenant, key)
        first = await anext(aiter(chunks), b"")  # before a word is said: the file may be missing
        await send({**start, "headers": headers})
        await send({"type": "http.response.body", "body": first, "more_body": True})
        async for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        return True
