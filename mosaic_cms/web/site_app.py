"""The ASGI application for visitors: host → page cache → delivery."""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from urllib.parse import quote

from mosaic_cms.content.references import MEDIA_PREFIX
from mosaic_cms.media.signed import SIGNED_PREFIX
from mosaic_cms.product import Product
from mosaic_cms.theme_assets import ASSET_PREFIX
from mosaic_cms.web.delivery import Delivery
from mosaic_cms.web.files import FileRequest, Files
from mosaic_cms.web.hosts import Hosts, SiteHandle
from mosaic_cms.web.page_cache import PageCache
from mosaic_cms.web.platform_pages import PlatformPages
from mosaic_cms.web.responses import (
    STRICT,
    Encodings,
    Finished,
    Message,
    Receive,
    Scope,
    Send,
    html,
    redirect,
    send_finished,
)
from mosaic_core.errors import InvalidHost, MosaicError, UnknownHost
from mosaic_core.tenants import TenantStatus

_log = logging.getLogger("mosaic.web")
READY_PATH = "/-/ready"
_STRICT_LINE = b": ".join(STRICT) + b"\r\n"
#: The one query under which pages are kept: that of listings.
_NUMBERED = re.compile(rb"page=[1-9]\d{0,3}")
#: What stands for itself in a query (RFC 3986, section 3.4).
_IN_QUERIES = "%-._~!$&'()*+,;=:@/?"


class SiteApp:
    """Serves every tenant's sites. What a visitor gets is the same for all visitors."""

    def __init__(self, product: Product) -> None:
        serve = product.platform.settings.serve
        self._directory = product.platform.directory
        self._heads = product.platform.heads
        self._homes = product.platform.homes
        self._trusts_proxies = bool(product.platform.settings.platform.proxies)
        self._hosts = Hosts(product.platform)
        self._networks = product.networks
        self._traffic = product.ledger.traffic
        self._throttle = product.throttle
        self._cdn_seconds = serve.cdn_seconds
        self._delivery = Delivery(product, serve.cdn_seconds)
        self._files = Files(product)
        self._pages = PlatformPages(product.platform.settings.platform.name)
        self._encodings = Encodings()
        self.cache = PageCache(serve.page_cache)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        found = self._kept(scope, headers)
        if found is None:
            await self._answer(scope, headers, receive, send)
            return
        tenant_id, finished = found
        start, body = finished.answer(*self._asked(headers))
        self._traffic.count(tenant_id, len(body["body"]))
        if scope.get("scheme") == "https":
            start = {**start, "headers": [*start["headers"], STRICT]}
        await send(start)
        await send(body)

    def kept(self, scope: Scope) -> tuple[bytes, bytes] | None:
        """The response to a request whose page is in the cache, as :meth:`Finished.wire` has it;
        None when there is more to do than to look there."""
        headers = dict(scope["headers"])
        found = self._kept(scope, headers)
        if found is None:
            return None
        tenant_id, finished = found
        head, body = finished.wire(*self._asked(headers))
        self._traffic.count(tenant_id, len(body))
        if scope.get("scheme") == "https":
            head += _STRICT_LINE
        return head, body

    def _kept(self, scope: Scope, headers: dict[bytes, bytes]) -> tuple[str, Finished] | None:
        """A page that is in the cache, and whose it is."""
        # Kept short: every line here is paid by every visitor.
        now = time.monotonic()
        if scope["method"] != "GET" or now >= self._directory.until or self._trusts_proxies:
            return None
        handle = self._hosts.known(headers.get(b"host", b""))
        if handle is None:
            return None
        tenant = handle.tenant
        if now >= handle.head.until and not self._heads.glance(tenant):
            return None
        if tenant.status is TenantStatus.CLOSED or len(headers) != len(scope["headers"]):
            return None
        if b"content-length" in headers or b"transfer-encoding" in headers:
            return None
        if self._networks.of(tenant.tenant_id) is not None:
            return None
        if tenant.tenant_id in self._throttle.slow:
            return None
        key = (tenant.tenant_id, handle.origin, scope["path"])
        finished = self.cache.get(key, handle.head.published)
        if finished is None or (finished.by_query and scope["query_string"]):
            return None
        return tenant.tenant_id, finished

    def _asked(self, headers: dict[bytes, bytes]) -> tuple[str, bytes | None]:
        """The encoding that a visitor takes, and what there is of theirs to compare with."""
        encoding = self._encodings.choose(headers.get(b"accept-encoding", b""))
        return encoding, headers.get(b"if-none-match")

    async def _answer(
        self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        """Everything else: a page that is cold or stale, a file, a form, or a refusal."""
        sent = _Sent(send)
        sent.strict = self._hosts.scheme_of(scope, headers) == "https"
        handle, host = None, b""
        try:
            finished: Finished | None = None
            reads = scope["method"] in {"GET", "HEAD"}
            if reads or scope["method"] == "POST":
                await self._directory.refresh()
                if scope["path"] == READY_PATH:
                    finished = html(200, "ready\n") if reads else _not_allowed()
                else:
                    host = self._hosts.host_of(scope, headers)
                    handle = self._hosts.find(host, self._hosts.scheme_of(scope, headers))
                    await self._networks.refresh()
                    lists = self._networks.of(handle.tenant.tenant_id)
                    if lists is not None:
                        sent.private = True
                    crowded = self._throttle.is_crowded(handle.tenant.tenant_id)
                    if handle.tenant.tenant_id in self._throttle.slow and not crowded:
                        sent.pace = partial(self._throttle.pace, handle.tenant.tenant_id)
                    if lists is not None and lists.refuse(self._hosts.client_of(scope, headers)):
                        finished = self._pages.refused()
                    elif crowded:
                        finished = self._pages.unavailable("More visit this site than it can take.")
                    elif reads:
                        finished = await self._find(handle, scope, headers, sent)
                    else:
                        finished = await self._take(handle, host, scope, headers, receive)
            else:
                finished = _not_allowed()
        except UnknownHost as error:
            finished = self._renamed(scope, headers, host) or self._refusal(error, host)
        except MosaicError as error:
            finished = self._refusal(error, host)
        except Exception as error:  # noqa: BLE001 - a visitor gets a page, the log the cause
            finished = await self._failure(handle, error)
        try:
            if finished is not None and not sent.started:
                await send_finished(
                    sent,
                    finished,
                    self._encodings.choose(headers.get(b"accept-encoding", b"")),
                    headers.get(b"if-none-match"),
                    head=scope["method"] == "HEAD",
                )
        finally:
            if handle is not None:
                self._traffic.count(handle.tenant.tenant_id, sent.size)

    async def _find(
        self, handle: SiteHandle, scope: Scope, headers: dict[bytes, bytes], sent: _Sent
    ) -> Finished | None:
        tenant, path = handle.tenant, scope["path"]
        if tenant.status is TenantStatus.CLOSED:
            return self._pages.closed(tenant.reason)
        if path.startswith(ASSET_PREFIX):
            asset = await self._files.asset(path)
            if asset is not None:
                return asset
        handle = await self._at_home(handle)
        if path.startswith(MEDIA_PREFIX):
            head = scope["method"] == "HEAD"
            if await self._files.media(FileRequest(handle, path, headers, sent, head)):
                return None
        if path.startswith(SIGNED_PREFIX):
            head = scope["method"] == "HEAD"
            await self._files.signed(FileRequest(handle, path, headers, sent, head))
            return None
        published = handle.head.published
        query = scope.get("query_string", b"")
        # What is asked for by its path alone is found without coming here. No path begins like the
        # names of the others, which are not the same for everybody who asks for the path.
        key = (tenant.tenant_id, handle.origin, path)
        finished = self.cache.get(key, published)
        if finished is None and path == "/":  # not kept as such where it is negotiated
            accepted = headers.get(b"accept-language", b"")
            elsewhere, negotiates = await self._delivery.negotiate(handle, path, query, accepted)
            if elsewhere is not None:
                return elsewhere
            if negotiates:
                key = (tenant.tenant_id, handle.origin, "?negotiated")
                finished = self.cache.get(key, published)
        client = self._hosts.client_of(scope, headers)
        make = partial(self._delivery.deliver, handle, path)
        if finished is None:
            finished = await self.cache.make(key, published, partial(make, b"", client))
        # A query that changes nothing, as those that say whose link was followed, costs nothing.
        if not query or not finished.by_query:
            return finished
        if not _NUMBERED.fullmatch(query):
            finished, _ = await make(query, client)
            return finished
        key = (tenant.tenant_id, handle.origin, f"?{query.decode('latin-1')} {path}")
        return self.cache.get(key, published) or await self.cache.make(
            key, published, partial(make, query, client)
        )

    async def _at_home(self, handle: SiteHandle) -> SiteHandle:
        """The site where its tenant lives, which is looked at when that was long ago."""
        await self._heads.look(handle.tenant)
        home = self._homes.of(handle.tenant)
        return handle if home is handle.tenant else replace(handle, tenant=home)

    async def _take(
        self,
        handle: SiteHandle,
        host: bytes,
        scope: Scope,
        headers: dict[bytes, bytes],
        receive: Receive,
    ) -> Finished:
        """A form that was posted to a page that shows one; anything else is not read."""
        if handle.tenant.status is TenantStatus.CLOSED:
            return self._pages.closed(handle.tenant.reason)
        handle = await self._at_home(handle)
        client = self._hosts.client_of(scope, headers)
        query = scope.get("query_string", b"")
        found = await self._delivery.form(handle, scope["path"], query, client)
        if found is None:
            return _not_allowed()
        visit, forms = found
        return await forms.post(visit, host, headers, receive)

    def _renamed(self, scope: Scope, headers: dict[bytes, bytes], host: bytes) -> Finished | None:
        """Leads from the subdomain that a tenant had to where it is now."""
        scheme = self._hosts.scheme_of(scope, headers)
        origin = self._hosts.renamed(host, scheme)
        if origin is None:
            return None
        query = quote(scope.get("query_string", b""), safe=_IN_QUERIES)
        target = f"{origin}{quote(scope['path'])}{'?' if query else ''}{query}"
        return redirect(308, target, seconds=self._cdn_seconds)

    def _refusal(self, error: MosaicError, host: bytes) -> Finished:
        if isinstance(error, UnknownHost):
            return self._pages.unknown_host(host.decode("utf-8", "replace")[:253])
        if isinstance(error, InvalidHost):
            return self._pages.bad_request(error.message)
        reference = _reference()
        _log.error("%s %s: %s", reference, error.code, error)
        return self._pages.unavailable(f"Reference: {reference}")

    async def _failure(self, handle: SiteHandle | None, error: Exception) -> Finished:
        reference = _reference()
        _log.error("%s", reference, exc_info=error)
        if handle is not None:
            try:
                themed = await self._delivery.failure(handle, reference)
            except Exception:  # noqa: BLE001 - then the platform's own page
                _log.exception("%s: the theme's own page failed too", reference)
            else:
                if themed is not None:
                    return themed
        return self._pages.error(reference)


class _Sent:
    """Remembers whether a response has begun: then nothing else can be sent. Counts its bytes."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False
        #: What is not for every network is kept by no cache on its way.
        self.private = False
        #: Whether it goes by https.
        self.strict = False
        self.size = 0
        #: Waits until so many bytes may go out.
        self.pace: Callable[[int], Awaitable[None]] | None = None

    async def __call__(self, message: Message) -> None:
        if self.pace is not None:
            await self.pace(len(message.get("body", b"")))
        self.started = True
        if self.private and message["type"] == "http.response.start":
            others = [pair for pair in message["headers"] if pair[0] != b"cache-control"]
            message = {**message, "headers": [*others, (b"cache-control", b"private, no-cache")]}
        if self.strict and message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], STRICT]}
        await self._send(message)
        self.size += len(message.get("body", b""))


def _reference() -> str:
    """What a visitor can quote and an operator can find in the log."""
    return secrets.token_hex(6)


def _not_allowed() -> Finished:
    return Finished(
        405,
        "text/plain; charset=utf-8",
        b"A page is read with GET or HEAD.\n",
        [(b"allow", b"GET, HEAD"), (b"cache-control", b"no-store"), (b"connection", b"close")],
    )
