"""The REST face as an ASGI application: every action with a shape, under ``/api/v1``."""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Iterable
from functools import partial

from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from mosaic_cms.api import answers, cookies, once, problems, requests
from mosaic_cms.api.about import JWKS, PREFIX, SAFETY, About
from mosaic_cms.api.account_pages import AccountPages
from mosaic_cms.api.browsers import Browsers
from mosaic_cms.api.callers import CSRF_HEADER, Caller, Callers, scope_of
from mosaic_cms.api.cors import Cors
from mosaic_cms.api.matching import Matching
from mosaic_cms.api.plugin_routes import PluginRoutes
from mosaic_cms.api.problems import HttpError
from mosaic_cms.api.shapes import Shape, shapes_of
from mosaic_cms.api.shown import flaw_of, forget_bad, require_good_cookie
from mosaic_cms.conditions import Conditions
from mosaic_cms.content.tree import UnknownPage, UnknownSite
from mosaic_cms.ledger import Entry
from mosaic_cms.limits import Admission
from mosaic_cms.product import Product
from mosaic_cms.web.platform_pages import PlatformPages
from mosaic_cms.web.responses import STRICT
from mosaic_core.errors import (
    Denied,
    InvalidHost,
    InvalidInput,
    MosaicError,
    RequestError,
    TenantError,
    Unauthenticated,
)

_log = logging.getLogger("mosaic.api")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
_VERSIONS = frozenset({"1", "v1", "1.0"})
_SHOW = "Show who you are: a token, a key or a session."


class Api:
    """Answers requests below ``/api/v1``, for the public keys of tokens, and plugins' own."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._callers = Callers(product)
        self._once = once.Once(product)
        self._cors = Cors(product)
        self.shapes = shapes_of(product.actions)
        self._matching = Matching(product, self.shapes)
        pages = PlatformPages(product.platform.settings.platform.name)
        self.plugins = PluginRoutes(product, self._callers, self._refused)
        self._app = Starlette(
            routes=[
                *About(product, self.shapes).routes(),
                *self._routes(),
                *Browsers(product, self._callers, pages, self._failed).routes(PREFIX),
                *AccountPages(product, self._callers, pages, self._failed).routes(),
                *self.plugins.routes(),
            ],
            exception_handlers={HTTPException: _unrouted},
        )
        # A path is what it is: elsewhere there is nothing, and nobody is sent to a host by its
        # name in a header.
        self._app.router.redirect_slashes = False

    def takes(self, scope: Scope) -> bool:
        """Whether a request is for the API, on whichever host, or for a page of one's account, on
        the platform's own."""
        path = scope["path"]
        if path.startswith(f"{PREFIX}/") or path in {PREFIX, JWKS} or self.plugins.are_at(path):
            return True
        try:
            return AccountPages.are_at(path) and self._callers.is_home(Request(scope))
        except InvalidHost:
            return False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Matched as it came, so that a parameter can have an encoded slash in it.
        raw = scope.get("raw_path") or scope["path"].encode()
        asked = dict(scope, path=raw.partition(b"?")[0].decode("latin-1"), root_path="")
        safely = _strictly(send) if self._callers.is_secure(scope) else send
        await self._app(asked, receive, safely)

    def _routes(self) -> list[Route]:
        by_path: dict[str, dict[str, Shape]] = {}
        for shape in self.shapes:
            by_path.setdefault(shape.path, {})[shape.method] = shape
        return [
            # All methods: what is a path of its own is no parameter of another, whatever is asked.
            Route(PREFIX + path, partial(self._endpoint, shapes), methods=_METHODS)
            for path, shapes in by_path.items()
        ]

    async def _endpoint(self, shapes: dict[str, Shape], request: Request) -> Response:
        if request.method == "OPTIONS":
            return await self._preflight(request, _allowed(shapes))
        shape = shapes.get("GET" if request.method == "HEAD" else request.method)
        if shape is None:
            raise HTTPException(405, headers={"Allow": _allowed(shapes)})
        caller: Caller | None = None
        try:
            _require_version(request)
            caller = await self._callers.of(request)
            require_good_cookie(request)
            response = await self._answer(request, shape, caller)
        except (UnknownSite, UnknownPage) as error:
            response = self._problem(request, _in_its_place(shape, error))
        except HttpError as error:
            self._note(request, shape, caller, error)
            response = self._problem(request, error)
        except Exception as error:  # noqa: BLE001 - a caller gets a reference, the log the cause
            known = caller is None or caller.principal is not None
            response = self._refused(request, error, known)
        _tell_limits(response, request)
        if caller is not None and caller.principal is not None and caller.principal.by == "session":
            response.headers[CSRF_HEADER] = self._callers.csrf_token(caller.principal)
        await self._open(request, response)
        forget_bad(request, response)
        response.headers["content-version"] = "1"
        return _safe(response)

    async def _preflight(self, request: Request, methods: str) -> Response:
        try:
            return _safe(await self._cors.preflight(request, methods))
        except Exception as error:  # noqa: BLE001 - the log has the cause
            return _safe(self._failed(request, error))

    async def _open(self, request: Request, response: Response) -> None:
        """Lets another page read an answer, where it can be known that it may; what was done is
        answered either way."""
        try:
            await self._cors.allow(request, response)
        except Exception as error:  # noqa: BLE001 - the log has the cause
            self._failed(request, error)

    async def _answer(self, request: Request, shape: Shape, caller: Caller) -> Response:
        try:
            given, face = await requests.input_of(request, shape, caller.site)
        except InvalidInput as error:
            self._product.actions.require(shape.action.name, caller.actor)
            self._note(request, shape, caller, error)
            raise
        if not shape.writes:
            scope = scope_of(self._product, shape.action, caller)
            result = await self._product.actions.perform(shape.action.name, scope, given)
            if shape.downloads:
                return answers.download(request, result)
            return answers.response(request, shape, answers.shaped(shape, result, face))
        conditions = Conditions()
        key = request.headers.get("idempotency-key")
        run = partial(self._write, request, shape, caller, given, face, conditions)
        if key is None:
            return await run()
        where = caller.tenant.tenant_id if caller.tenant else ""
        conditions.key = once.key_of(key, _who(caller), where)
        # An answer that was kept may have what is for nobody any more, or not with this token.
        scope = scope_of(self._product, shape.action, caller)
        await self._product.actions.require_allowed(shape.action.name, scope, given)
        asked = "\0".join((request.method, request.scope["path"], str(request.query_params)))
        sent = getattr(request.state, "body", b"")
        if shape.incoming is not None:  # it is not read yet, and may be long
            sent = request.headers.get("content-length", "").encode()
        body = hashlib.sha256(sent).digest()
        seconds = shape.action.seconds or self._product.platform.settings.rates.seconds
        return await self._once.answer(conditions.key, asked.encode() + body, run, seconds=seconds)

    async def _write(
        self,
        request: Request,
        shape: Shape,
        caller: Caller,
        given: BaseModel,
        face: dict[str, str],
        conditions: Conditions,
    ) -> Response:
        await self._matching.begin(request, caller, given, conditions)
        scope = scope_of(self._product, shape.action, caller, conditions)
        result = await self._product.actions.perform(shape.action.name, scope, given)
        response = answers.response(request, shape, answers.shaped(shape, result, face))
        cookies.set_for(response, request, result)
        return response

    # Errors

    def _note(
        self, request: Request, shape: Shape, caller: Caller | None, error: RequestError
    ) -> None:
        """What does not come as far as being performed: :meth:`Actions.perform` notes the rest."""
        tenant_id = caller.tenant.tenant_id if caller and caller.tenant else None
        who = str(caller.actor) if caller else "visitor"
        address = caller.actor.address if caller else self._callers.address_of(request)
        self._product.ledger.note(
            Entry(tenant_id, who, shape.action.name, "refused", error.code, address)
        )

    def _problem(self, request: Request, error: MosaicError) -> Response:
        reference = ""
        if not isinstance(error, RequestError | TenantError) and error.status >= 500:
            reference = secrets.token_hex(6)
            _log.error("%s %s: %s", reference, error.code, error)
        return problems.answer(error, request.scope["path"], reference)

    def _refused(self, request: Request, error: Exception, known: bool) -> Response:
        """The same; who is not known may show who they are."""
        if isinstance(error, Denied) and not known:
            error = flaw_of(request) or Unauthenticated(error.message, hint=_SHOW)
        return self._failed(request, error)

    def _failed(self, request: Request, error: Exception) -> Response:
        if isinstance(error, MosaicError):
            return self._problem(request, error)
        reference = secrets.token_hex(6)
        _log.error("%s", reference, exc_info=error)
        return problems.answer(MosaicError("It failed."), request.scope["path"], reference)


def _in_its_place(shape: Shape, error: UnknownSite | UnknownPage) -> MosaicError:
    """What an address names and is not there is not found; what a body names is wrong in it."""
    if not shape.has_body or any(name in shape.in_path for name in error.fields):
        return error
    where = next((name for name in error.fields if name in shape.in_body), "")
    return InvalidInput(error.message, hint=error.hint, problems=((where, error.message),))


def _allowed(shapes: Iterable[str]) -> str:
    methods = {*shapes, "OPTIONS"}
    return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))


def _who(caller: Caller) -> str:
    """Whose keys are the same: somebody's, with what lets them do the same."""
    shown = caller.principal
    if shown is None:
        return f"visitor:{caller.actor.address}"
    return f"{caller.actor} by {shown.by} {shown.scopes}"


def _require_version(request: Request) -> None:
    wanted = request.headers.get("accept-version")
    if wanted is not None and wanted.strip().lower() not in _VERSIONS:
        raise HttpError(
            406,
            "no-such-version",
            f"There is no version {wanted[:20]!r} of this API.",
            hint="Send 1, or nothing.",
        )


def _strictly(send: Send) -> Send:
    """Has whoever came by https come by nothing else from now on (RFC 6797)."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), STRICT]
        await send(message)

    return sending


def _safe(response: Response) -> Response:
    for name, value in SAFETY.items():
        response.headers.setdefault(name, value)
    return response


def _tell_limits(response: Response, request: Request) -> None:
    """What is left, as the draft of the IETF has it (draft-ietf-httpapi-ratelimit-headers)."""
    admission: Admission | None = getattr(request.state, "admission", None)
    left = None if admission is None else admission.allowance
    if left is not None:
        response.headers["ratelimit-policy"] = f'"{left.name}";q={left.limit};w=60'
        response.headers["ratelimit"] = f'"{left.name}";r={left.remaining};t={left.reset}'


async def _unrouted(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code == 405:
        problem = HttpError(
            405,
            "method-not-allowed",
            f"{request.method[:20]} is not allowed here.",
            hint=f"Allowed: {headers.get('Allow', '')}.",
            headers=headers,
        )
    else:
        problem = HttpError(
            404,
            "not-found",
            "There is nothing at this address.",
            hint=f"{PREFIX}/openapi.json says what there is.",
        )
    return _safe(problems.answer(problem, request.scope["path"]))
