"""The cookies of the API. Each is sent to no other host, by https only, and to no script
(RFC 6265bis, 4.1.3.2)."""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response

from mosaic_cms.identity import federation, sign_in

#: A session; the first of two steps of a sign-in; one that is under way at an issuer.
SESSION = "__Host-mosaic-session"
PENDING = "__Host-mosaic-pending"
AWAY = "__Host-mosaic-sign-in"


def set_for(response: Response, request: Request, result: Any) -> None:
    """What an action's result has that goes into cookies, where no script reads it."""
    session, sealed = getattr(result, "cookie", None), getattr(result, "sealed", None)
    if isinstance(session, SecretStr):
        put(response, SESSION, session.get_secret_value(), result.max_age)
        if PENDING in request.cookies:
            forget(response, PENDING)
    if isinstance(sealed, SecretStr):
        put(response, AWAY, sealed.get_secret_value(), federation.PATIENCE)


def put_pending(response: Response, value: str) -> None:
    """The first of two steps, for the second."""
    put(response, PENDING, value, sign_in.PATIENCE)


def put(response: Response, name: str, value: str, seconds: int | None) -> None:
    """A cookie; without a time, until the browser is closed."""
    response.set_cookie(name, value, max_age=seconds, secure=True, httponly=True, samesite="lax")


def forget(response: Response, name: str) -> None:
    """Has a browser keep a cookie no more."""
    response.delete_cookie(name, secure=True, httponly=True, samesite="lax")
