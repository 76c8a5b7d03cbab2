"""A browser that signs in by an issuer's word: it is sent there, and comes back.

What it gets are redirects and cookies, and a page when something went wrong; what is done are the
actions ``sign_in.begin`` and ``sign_in.complete``. The address that it comes back to is a GET that
writes: it is guarded by the cookie that the browser was sent away with, and not by a token.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from mosaic_cms.api import cookies
from mosaic_cms.api.account_forms import SECOND_STEP
from mosaic_cms.api.account_pages import ACCOUNT
from mosaic_cms.api.callers import Callers
from mosaic_cms.api.problems import HttpError
from mosaic_cms.identity.ways import SSO
from mosaic_cms.product import Product
from mosaic_cms.web.platform_pages import PlatformPages
from mosaic_core.errors import IdentityError, MosaicError, RequestError

_MOST_PARAMETERS = 20
_SAFETY = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class Browsers:
    """Takes browsers there and back.

    Args:
        failed: what a program gets for an error; it is logged, if it has to be.
    """

    def __init__(
        self,
        product: Product,
        callers: Callers,
        pages: PlatformPages,
        failed: Callable[[Request, Exception], Response],
    ) -> None:
        self._product = product
        self._callers = callers
        self._failed = failed
        self._pages = pages

    def routes(self, prefix: str) -> list[Route]:
        """Two for the ways of the deployment, two for those of tenants."""
        at = f"{prefix}/sign-in"
        return [
            Route(f"{at}/sso/{{tenant}}", self._answered(self._begin)),
            Route(f"{at}/sso/{{tenant}}/callback", self._answered(self._complete)),
            Route(f"{at}/{{way}}", self._answered(self._begin)),
            Route(f"{at}/{{way}}/callback", self._answered(self._complete)),
        ]

    def _answered(self, work: Any) -> Any:
        async def endpoint(request: Request) -> Response:
            if request.method != "GET":  # a HEAD would do what nobody sees
                raise HTTPException(405, headers={"Allow": "GET"})
            try:
                response: Response = await work(request)
            except Exception as error:  # noqa: BLE001 - the log has the cause
                response = self._failed(request, error)
                if "text/html" in request.headers.get("accept", ""):
                    response = self._page(error, response)
            for name, value in _SAFETY.items():
                response.headers.setdefault(name, value)
            return response

        return endpoint

    async def _begin(self, request: Request) -> Response:
        way, asked = _way(request), _query(request)
        if not self._callers.is_home(request):
            # The cookie has to be where the browser comes back to.
            home = self._product.identity.ways.address(way)
            return RedirectResponse(f"{home}?{urlencode(asked)}" if asked else home, 303)
        sent = await self._perform(request, "sign_in.begin", {**asked, "way": way})
        response = RedirectResponse(sent.address, 303)
        cookies.set_for(response, request, sent)
        return response

    async def _complete(self, request: Request) -> Response:
        given = {
            "way": _way(request),
            "sealed": request.cookies.get(cookies.AWAY, "")[:8_000],
            "answer": _query(request),
        }
        back = await self._perform(request, "sign_in.complete", given)
        target = back.return_to
        if back.pending is not None:
            target = f"{ACCOUNT}{SECOND_STEP}?{urlencode({'return_to': target})}"
        response = RedirectResponse(target, 303)
        cookies.forget(response, cookies.AWAY)
        cookies.set_for(response, request, back)
        if back.pending is not None:
            cookies.put_pending(response, back.pending)
        return response

    async def _perform(self, request: Request, name: str, given: dict[str, Any]) -> Any:
        caller = await self._callers.of(request)
        scope = self._product.platform_scope(caller.actor, None, caller.admission)
        return await self._product.actions.perform(name, scope, given)

    def _page(self, error: Exception, told: Response) -> Response:
        """The same for a person. What is the operator's to mend is told without its details."""
        message, hint = "This cannot be done at the moment. It has been noted.", "Try again later."
        if isinstance(error, RequestError | IdentityError) and told.status_code < 500:
            message, hint = error.message, error.hint
        elif isinstance(error, MosaicError) and told.status_code == 503:
            message = "Whoever vouches for you cannot be asked at the moment."
        body = self._pages.not_signed_in(told.status_code, message, hint).body
        headers = {k: v for k, v in told.headers.items() if k in {"retry-after"}}
        return HTMLResponse(body, told.status_code, headers)


def _way(request: Request) -> str:
    tenant = request.path_params.get("tenant")
    return str(request.path_params["way"]) if tenant is None else f"{SSO}{tenant}"


def _query(request: Request) -> dict[str, str]:
    """The query; nothing in it comes twice (RFC 6749, 3.1)."""
    raw = request.scope.get("query_string", b"").decode("latin-1")
    try:
        pairs = parse_qsl(
            raw, keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS
        )
    except ValueError as error:  # too many, or no UTF-8
        raise HttpError(400, "bad-request", "The query cannot be read.") from error
    found = dict(pairs)
    if len(found) < len(pairs):
        raise HttpError(400, "bad-request", "Something is in the query twice.")
    return found
