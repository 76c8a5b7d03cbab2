"""Whose pages a browser lets read an answer (Fetch, section 3.3): those that a site names."""

from __future__ import annotations

from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import Response

from mosaic_cms.content.published import PublishedSite
from mosaic_cms.product import Product
from mosaic_cms.web.hosts import Hosts, SiteHandle
from mosaic_core.errors import RequestError
from mosaic_core.tenants import TenantContext

_SITES = select(PublishedSite.key, PublishedSite.surround).order_by(PublishedSite.position)
_REQUEST_HEADERS = (
    "accept-version, authorization, content-type, idempotency-key, if-match, if-none-match, "
    "x-api-key"
)
_RESPONSE_HEADERS = "etag, ratelimit, ratelimit-policy, retry-after, content-version"


class Cors:
    """Answers for tenants' own hosts; on the shared ones nothing is open to other pages."""

    def __init__(self, product: Product) -> None:
        self._platform = product.platform
        self._hosts = Hosts(product.platform)

    async def preflight(self, request: Request, methods: str) -> Response:
        """What a browser asks before it sends a request in the name of another page."""
        response = Response(status_code=204, headers={"allow": methods})
        origin = request.headers.get("origin")
        handle = self._handle(request)
        if origin is None or handle is None:
            return response
        if await self._open(handle.tenant, handle.site, origin, response):
            response.headers["access-control-allow-methods"] = methods
            response.headers["access-control-allow-headers"] = _REQUEST_HEADERS
            response.headers["access-control-max-age"] = "600"
        return response

    async def allow(self, request: Request, response: Response) -> None:
        """Lets the page that asked read an answer, a refusal too, when the site names it."""
        origin = request.headers.get("origin")
        handle = self._handle(request)
        if origin is None or handle is None:
            return
        if await self._open(handle.tenant, handle.site, origin, response):
            response.headers["access-control-expose-headers"] = _RESPONSE_HEADERS
            response.headers["cross-origin-resource-policy"] = "cross-origin"

    async def _open(
        self, tenant: TenantContext, site: str | None, origin: str, response: Response
    ) -> bool:
        response.headers.add_vary_header("origin")
        home = await self._platform.at_home(tenant)
        rows = await self._platform.persistence(home).published(home, _SITES, {})
        origins = next(
            (s.get("api", {}).get("origins", ()) for k, s in rows if site in {None, k}), ()
        )
        if "*" not in origins and origin not in origins:
            return False
        response.headers["access-control-allow-origin"] = "*" if "*" in origins else origin
        return True

    def _handle(self, request: Request) -> SiteHandle | None:
        headers = dict(request.scope["headers"])
        try:
            host = self._hosts.host_of(request.scope, headers)
            return self._hosts.find(host, self._hosts.scheme_of(request.scope, headers))
        except RequestError:
            return None
