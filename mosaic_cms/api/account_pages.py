"""Pages of one's own account, on the platform's own host, for a browser without scripts: to sign
in, for the second step of that, and for what the links in mails lead to.

A form performs an action like any other caller. What a program sends along in a header, so that no
other page writes in its name, is a field of the form here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from mosaic_cms.api import cookies
from mosaic_cms.api.account_forms import FORMS, INVITATION, SECOND_STEP, SIGN_IN, SIGN_OUT, Form
from mosaic_cms.api.callers import CSRF_HEADER, Caller, Callers
from mosaic_cms.api.shown import forget_bad
from mosaic_cms.identity.federation import own_path
from mosaic_cms.product import Product
from mosaic_cms.web.form_body import Unreadable, of_this_site, read_form
from mosaic_cms.web.platform_pages import PlatformPages
from mosaic_core.errors import MosaicError, RequestError, TenantError

ACCOUNT = "/account/"
_SAFETY = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    # Not to others, for the tokens in addresses; to itself, so that a form says where it is from.
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
#: What an address hands on to the form, and that to the next page.
_HANDED_ON = ("token", "return_to")
_CSRF = "csrf"


class AccountPages:
    """Shows and takes the forms.

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
        self._pages = pages
        self._failed = failed
        self._forms = {form.name: form for form in FORMS}

    @staticmethod
    def are_at(path: str) -> bool:
        """Whether a path of the platform's own host is one of theirs."""
        return path in {"/", "/account"} or path.startswith(ACCOUNT)

    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("/", self._answered(self._elsewhere)),
            Route("/account", self._answered(self._elsewhere)),
            Route(ACCOUNT, self._answered(self._home)),
            Route(f"{ACCOUNT}{{form}}", self._answered(self._form), methods=["GET", "POST"]),
        ]

    def _answered(self, work: Any) -> Any:
        async def endpoint(request: Request) -> Response:
            if not self._callers.is_home(request):
                raise HTTPException(404)
            request.state.flaw = None  # so that what is made of this request tells of it here
            try:
                response: Response = await work(request)
            except Exception as error:  # noqa: BLE001 - the log has the cause
                told = self._failed(request, error)
                message = "This cannot be done at the moment. It has been noted."
                if isinstance(error, RequestError) and told.status_code < 500:
                    message = error.message
                response = self._page(told.status_code, "It did not work", (message,))
            response.headers.update(_SAFETY)
            return forget_bad(request, response)

        return endpoint

    async def _elsewhere(self, request: Request) -> Response:
        return RedirectResponse(ACCOUNT, 303)

    async def _home(self, request: Request) -> Response:
        caller = await self._callers.of(request)
        if not _signed_in(caller):
            return await self._shown(request, caller, self._forms[SIGN_IN], {})
        account = await self._perform(caller, "accounts.show", {})
        tenants = await self._perform(caller, "tenants.mine", {})
        origin = self._product.platform.origin
        links = [(f"{origin(one.host)}/", one.name) for one in tenants]
        texts = (f"You are {account.name}, with the address {account.email}.",)
        return self._page(
            200, "You are signed in", texts, self._forms[SIGN_OUT], self._hidden(caller), links
        )

    async def _form(self, request: Request) -> Response:
        form = self._forms.get(request.path_params["form"])
        if form is None:
            return self._page(404, "There is no such page", (), links=[(ACCOUNT, "Your account")])
        if request.method == "POST":
            return await self._take(request, form)
        given = dict(request.query_params)
        if form.takes_token and form.name == "reset" and "token" not in given:
            form = self._forms["forgotten"]  # a letter that has no token leads here, too
        caller = await self._callers.of(request)
        if form.name == INVITATION and not _signed_in(caller):
            back = f"{ACCOUNT}{INVITATION}?{urlencode({'token': given.get('token', '')})}"
            return RedirectResponse(f"{ACCOUNT}{SIGN_IN}?{urlencode({'return_to': back})}", 303)
        return await self._shown(request, caller, form, given)

    async def _take(self, request: Request, form: Form) -> Response:
        headers = dict(request.scope["headers"])
        if not of_this_site(headers, self._callers.host_of(request)):
            return self._page(403, "It did not work", ("The form is not from this page.",))
        try:
            given = await read_form(headers, request.receive)
        except Unreadable as error:
            return self._page(error.status, "It did not work", ("The form cannot be read.",))
        sent = given.get(_CSRF, "").encode("ascii", "replace")
        known = [pair for pair in request.scope["headers"] if pair[0] != CSRF_HEADER.encode()]
        request = Request({**request.scope, "headers": [*known, (CSRF_HEADER.encode(), sent)]})
        caller = await self._callers.of(request)
        try:
            result = await self._perform(caller, form.action, _input(form, given, request, caller))
        except (RequestError, TenantError) as error:
            return await self._shown(request, caller, form, given, error)
        return self._done(request, form, given, result)

    def _done(
        self, request: Request, form: Form, given: Mapping[str, str], result: Any
    ) -> Response:
        back = own_path(given.get("return_to", "")) or ACCOUNT
        pending = getattr(result, "pending", None)
        if pending is not None:
            step = f"{ACCOUNT}{SECOND_STEP}?{urlencode({'return_to': back})}"
            response: Response = RedirectResponse(step, 303)
            cookies.put_pending(response, pending)
            return response
        if form.done:
            return self._page(200, form.heading, (form.done,), links=[(ACCOUNT, "Go on")])
        response = RedirectResponse(back, 303)
        cookies.set_for(response, request, result)
        if form.name == SIGN_OUT:
            cookies.forget(response, cookies.SESSION)
        return response

    async def _perform(self, caller: Caller, name: str, given: Mapping[str, Any]) -> Any:
        scope = self._product.platform_scope(caller.actor, None, caller.admission)
        return await self._product.actions.perform(name, scope, dict(given))

    # What is shown

    async def _shown(
        self,
        request: Request,
        caller: Caller,
        form: Form,
        given: Mapping[str, str],
        error: MosaicError | None = None,
    ) -> Response:
        """A form to fill in; again, with what was wrong."""
        hidden = self._hidden(caller)
        hidden |= {name: given[name] for name in _HANDED_ON if name in given}
        values = {one.name: given.get(one.name, "") for one in form.fields if not one.is_secret}
        links: list[tuple[str, str]] = []
        if form.name == SIGN_IN:
            back = {"return_to": own_path(given.get("return_to", "")) or ACCOUNT}
            for way in await self._perform(caller, "sign_in.ways", {}):
                links.append((f"{way.address}?{urlencode(back)}", f"Sign in with {way.title}"))
            links.append((f"{ACCOUNT}forgotten", "Ask for a new password"))
        wrong = () if error is None else tuple(filter(None, (error.message, error.hint)))
        status = 200 if error is None else error.status
        response = self._page(
            status, form.heading, (form.text,), form, hidden, links, values=values, wrong=wrong
        )
        retry = getattr(error, "retry_after", None)
        if retry is not None:
            response.headers["retry-after"] = str(retry)
        return response

    def _hidden(self, caller: Caller) -> dict[str, str]:
        if not _signed_in(caller):
            return {}
        assert caller.principal is not None
        return {_CSRF: self._callers.csrf_token(caller.principal)}

    def _page(
        self,
        status: int,
        heading: str,
        texts: tuple[str, ...],
        form: Form | None = None,
        hidden: Mapping[str, str] | None = None,
        links: list[tuple[str, str]] | None = None,
        **more: Any,
    ) -> Response:
        shown: dict[str, Any] = {
            "heading": heading,
            "texts": [text for text in texts if text],
            "form": form,
            "hidden": hidden or {},
            "links": links or [],
            "values": {},
            "wrong": (),
        }
        return HTMLResponse(self._pages.account(status, **{**shown, **more}).body, status)


def _signed_in(caller: Caller) -> bool:
    return caller.principal is not None and caller.principal.by == "session"


def _input(
    form: Form, given: Mapping[str, str], request: Request, caller: Caller
) -> dict[str, Any]:
    """What the action of a form takes."""
    found: dict[str, Any] = {field.name: given.get(field.name, "") for field in form.fields}
    if form.takes_token:
        found["token"] = given.get("token", "")
    if form.name == SECOND_STEP:
        found["pending"] = request.cookies.get(cookies.PENDING)
        found["code"] = "".join(found["code"].split())
    if form.name == SIGN_OUT:
        found["id"] = caller.actor.session
    return found
