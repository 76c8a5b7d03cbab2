"""What is about the API itself: its OpenAPI document, the reference to read, the keys of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from mosaic_cms.api.openapi import document
from mosaic_cms.api.reference import Reference
from mosaic_cms.api.shapes import Shape
from mosaic_cms.product import Product

PREFIX = "/api/v1"
JWKS = "/.well-known/jwks.json"
#: Headers that every answer has.
SAFETY = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
_FOR_ALL = {"cache-control": "public, max-age=300", "access-control-allow-origin": "*"}


class About:
    """Answers everybody alike; each document is made when it is asked for first."""

    def __init__(self, product: Product, shapes: Sequence[Shape]) -> None:
        self._product = product
        self._shapes = shapes

    def routes(self) -> list[Route]:
        """Where it is."""
        return [
            Route(f"{PREFIX}/openapi.json", self._openapi),
            Route(f"{PREFIX}/docs", self._docs),
            Route(JWKS, self._jwks),
        ]

    @cached_property
    def _document(self) -> dict[str, Any]:
        return document(self._shapes, self._product.platform.settings.platform.name)

    async def _openapi(self, request: Request) -> Response:
        return JSONResponse(self._document, headers=SAFETY | _FOR_ALL)

    @cached_property
    def _reference(self) -> Reference:
        return Reference(self._document)

    async def _docs(self, request: Request) -> Response:
        headers = {"cache-control": "public, max-age=300"}
        policy = f"default-src 'none'; style-src '{self._reference.style_hash}'; base-uri 'none'"
        safety = SAFETY | {"content-security-policy": f"{policy}; frame-ancestors 'none'"}
        return HTMLResponse(self._reference.html, headers=safety | headers)

    async def _jwks(self, request: Request) -> Response:
        keys = await self._product.identity.bearer.jwks()
        kind = "application/jwk-set+json"
        return JSONResponse(keys, headers=SAFETY | _FOR_ALL, media_type=kind)
