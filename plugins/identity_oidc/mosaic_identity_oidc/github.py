"""GitHub, which has OAuth and no OpenID Connect: its API says who somebody is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mosaic_core.errors import IdentityMisconfigured
from mosaic_core.identity import Begun, Vouched
from mosaic_core.mail import one_line
from mosaic_identity_oidc.coming_back import Coming, code_of, require_tokens
from mosaic_identity_oidc.plugin import WaySettings
from mosaic_identity_oidc.tokens import tampered
from mosaic_identity_oidc.web import Web

SERVER, _API = "https://github.com", "https://api.github.com"
_SCOPES = ("read:user", "user:email")
_WHAT = "What GitHub says of somebody"


class GitHub:
    """Signs in with GitHub, or an Enterprise Server. Its address is the issuer, and the number that
    it gives a user the subject: their name may be somebody else's tomorrow."""

    def __init__(self, way: str, settings: WaySettings, web: Web) -> None:
        self._way = way
        self.server = (settings.server or SERVER).rstrip("/")
        self._api = _API if self.server == SERVER else f"{self.server}/api/v3"
        self._client_id = settings.client_id
        secret = settings.client_secret
        self._secret = "" if secret is None else secret.get_secret_value()
        self._scopes = dict.fromkeys((*_SCOPES, *settings.scopes))
        self._web = web

    async def examine(self) -> None:
        """Looks whether its API is there."""
        answer = await self._web.get(f"{self._api}/meta", "GitHub's API")
        if answer.status not in {200, 401, 403, 404}:
            raise IdentityMisconfigured(f"GitHub's API at {self._api} answers {answer.status}.")

    async def begin(self, callback: str) -> Begun:
        endpoint = self._web.require_usable(
            f"{self.server}/login/oauth/authorize", "The server of GitHub"
        )
        coming = Coming.new(self._way, callback)
        return coming.begun(endpoint, client_id=self._client_id, scope=" ".join(self._scopes))

    async def complete(self, begun: Begun, answer: Mapping[str, str]) -> Vouched:
        coming = Coming.again(self._way, begun, answer)
        form = {
            "client_id": self._client_id,
            "client_secret": self._secret,
            "code": code_of(answer),
            "redirect_uri": coming.callback,
            "code_verifier": coming.verifier,
        }
        endpoint = f"{self.server}/login/oauth/access_token"
        given = await self._web.post(endpoint, "The token of GitHub", form, {})
        token = require_tokens(given, self.server).get("access_token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise tampered("there is no token in it")
        user = await self._asked("user", token)
        number = user.get("id") if isinstance(user, dict) else None
        if type(number) is not int:
            raise tampered("it does not say who it is")
        email, verified = _primary(await self._asked("user/emails?per_page=100", token))
        name = str(user.get("name") or user.get("login") or "")
        return Vouched(self.server, str(number), email, verified, one_line(name, 100))

    async def _asked(self, path: str, token: str) -> Any:
        headers = {
            "authorization": f"Bearer {token}",
            "accept": "application/vnd.github+json",
            "x-github-api-version": "2022-11-28",
        }
        answer = await self._web.get(f"{self._api}/{path}", _WHAT, headers)
        if answer.status == 200:
            return answer.content
        if path == "user":
            raise IdentityMisconfigured(f"{_WHAT} is not to be had: it answers {answer.status}.")
        return []  # who did not grant their addresses has none


def _primary(listed: Any) -> tuple[str, bool]:
    """The primary address, and whether it is verified."""
    for entry in listed if isinstance(listed, list) else ():
        if isinstance(entry, dict) and entry.get("primary") is True:
            address = entry.get("email")
            if isinstance(address, str) and len(address) <= 320:
                return address, entry.get("verified") is True
    return "", False
