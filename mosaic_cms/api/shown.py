"""What a request shows of who sends it: a token, a key, a session's cookie; and what is wrong with
it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from mosaic_cms.api import cookies
from mosaic_cms.api.cookies import SESSION
from mosaic_cms.identity.identity import Identity
from mosaic_cms.identity.key_format import is_key
from mosaic_cms.identity.principal import Principal
from mosaic_core.errors import Unauthenticated

KEY_HEADER = "x-api-key"


class BadCookie(Unauthenticated):
    """A session's cookie that was not made here."""

    code = "bad-cookie"


class SessionEnded(Unauthenticated):
    """A cookie of a session that is no more."""

    code = "session-ended"


class Shown:
    """Reads it."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    async def of(self, request: Request) -> list[Principal]:
        """Everybody that a request shows to be, the most particular first.

        Raises:
            Unauthenticated: one of them it is not; it says why.
        """
        found: list[Principal] = []
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        if scheme and scheme.lower() != "bearer":
            raise Unauthenticated(
                f"The scheme {scheme[:20]!r} is not known here.", hint="Send 'Bearer' and a token."
            )
        text = text.strip()
        if text.startswith("mosaic_"):
            found.append(await self._by_key(text))
        elif scheme:
            found.append(await self._by_token(text))
        key = request.headers.get(KEY_HEADER)
        if key is not None:
            found.append(await self._by_key(key.strip()))
        cookie = request.cookies.get(SESSION)
        session = await self._identity.sessions.find(cookie) if cookie is not None else None
        if session is not None:  # one that has ended is as good as none: signing in comes with it
            found.append(session)
        if len({principal.id for principal in found if principal.kind == "key"}) > 1:
            raise Unauthenticated("Two keys were shown.", hint="Send one.")
        return found

    def flaw(self, request: Request, shown: list[Principal]) -> Unauthenticated | None:
        """What is wrong with a session's cookie that shows nobody."""
        cookie = request.cookies.get(SESSION)
        if cookie is None or any(one.by == "session" for one in shown):
            return None
        why = self._identity.sessions.flaw(cookie)
        if why is None:
            return SessionEnded(
                "The session has ended: somebody ended it, or it was not used for too long.",
                hint="Sign in again; the cookie is to be forgotten.",
            )
        return BadCookie(
            f"The cookie {SESSION} was not made here: {why}.",
            hint="Forget it, and sign in.",
        )

    async def _by_key(self, text: str) -> Principal:
        """Whose API key it is, or Unauthenticated, saying what is wrong with it."""
        principal = await self._identity.keys.find(text)
        if principal is None and not is_key(text):
            raise Unauthenticated(
                "The API key is none: it is malformed, or its checksum is wrong.",
                hint="Send the whole of it, as it was shown when it was made.",
            )
        if principal is None:
            raise Unauthenticated(
                "The API key is not known: it was revoked, or has expired.",
                hint="Ask for another key.",
            )
        return principal

    async def _by_token(self, text: str) -> Principal:
        """Whose bearer token it is, or Unauthenticated, saying what is wrong with it."""
        principal = await self._identity.bearer.verify(text)
        if principal is None:
            flaw = self._identity.bearer.flaw(text)
            raise Unauthenticated(f"The bearer token {flaw}.", hint="Renew it, or sign in again.")
        return principal


def flaw_of(request: Request) -> Unauthenticated | None:
    """What is wrong with the session's cookie of a request whose caller was looked for."""
    flaw: Unauthenticated | None = getattr(request.state, "flaw", None)
    return flaw


def require_good_cookie(request: Request) -> None:
    """Refuses what was not made here; a session that has ended is as good as none, since signing in
    comes with it.

    Raises:
        BadCookie: saying what is wrong.
    """
    flaw = flaw_of(request)
    if isinstance(flaw, BadCookie):
        raise flaw


def forget_bad(request: Request, response: Response) -> Response:
    """Has a browser keep a cookie no more that signs nobody in, unless it gets another."""
    if flaw_of(request) is not None and "set-cookie" not in response.headers:
        cookies.forget(response, SESSION)
    return response
