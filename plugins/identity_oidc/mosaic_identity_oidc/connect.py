"""OpenID Connect: the authorization code flow with PKCE, from one issuer."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus

from mosaic_core.errors import IdentityMisconfigured
from mosaic_core.identity import Begun, Vouched
from mosaic_core.mail import one_line
from mosaic_identity_oidc.coming_back import Coming, code_of, require_tokens
from mosaic_identity_oidc.issuers import Issuer, Issuers
from mosaic_identity_oidc.parties import Party
from mosaic_identity_oidc.tokens import claims_of, tampered

_SCOPES = ("openid", "email", "profile")
_YES = frozenset({"true", "1"})


class OpenIDConnect:
    """Signs in with an issuer.

    Args:
        way: what tells it from others.
    """

    def __init__(self, way: str, party: Party, issuers: Issuers) -> None:
        self._way = way
        self._party = party
        self._issuers = issuers

    async def examine(self) -> None:
        """Looks whether the issuer is there, and is it."""
        await self._issuers.find(self._party, fresh=True)

    async def begin(self, callback: str) -> Begun:
        issuer = await self._issuers.find(self._party)
        coming = Coming.new(self._way, callback)
        scopes = dict.fromkeys((*_SCOPES, *self._party.scopes))
        return coming.begun(
            issuer.metadata.authorization_endpoint,
            client_id=self._party.client_id,
            scope=" ".join(scopes),
            nonce=coming.nonce,
        )

    async def complete(self, begun: Begun, answer: Mapping[str, str]) -> Vouched:
        coming = Coming.again(self._way, begun, answer)
        issuer = await self._issuers.find(self._party)
        self._require_from(issuer, answer)
        tokens = await self._tokens(issuer, code_of(answer), coming)
        claims = await claims_of(
            tokens.get("id_token"), self._party, issuer, self._issuers, coming.nonce
        )
        about = claims
        if not _address(claims) and issuer.metadata.userinfo_endpoint is not None:
            about = claims | await self._userinfo(issuer, tokens, claims["sub"])
        return Vouched(
            issuer=str(claims["iss"]),
            subject=str(claims["sub"]),
            email=_address(about),
            email_verified=self._is_verified(about),
            name=one_line(str(about.get("name") or ""), 100),
        )

    def _require_from(self, issuer: Issuer, answer: Mapping[str, str]) -> None:
        """An answer says which issuer it is from, if the issuer says that it does (RFC 9207)."""
        told = answer.get("iss")
        if told is None and issuer.metadata.authorization_response_iss_parameter_supported:
            raise tampered("it does not say from whom it is")
        if told is not None and not self._party.is_issuer(told):
            raise tampered("it is from another issuer")

    async def _tokens(self, issuer: Issuer, code: str, coming: Coming) -> dict[str, Any]:
        party, metadata = self._party, issuer.metadata
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": coming.callback,
            "code_verifier": coming.verifier,
        }
        headers = {}
        if not party.client_secret:
            form["client_id"] = party.client_id
        elif "client_secret_basic" in metadata.token_endpoint_auth_methods_supported:
            # Each part as in a form, before they are put together (RFC 6749, 2.3.1).
            pair = f"{quote_plus(party.client_id)}:{quote_plus(party.client_secret)}"
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form |= {"client_id": party.client_id, "client_secret": party.client_secret}
        web = self._issuers.web(party)
        answer = await web.post(metadata.token_endpoint, "The token of the issuer", form, headers)
        return require_tokens(answer, party.issuer)

    async def _userinfo(
        self, issuer: Issuer, tokens: dict[str, Any], subject: object
    ) -> dict[str, Any]:
        """What the issuer says of somebody only when it is asked (OpenID Connect Core, 5.3)."""
        endpoint, token = issuer.metadata.userinfo_endpoint, tokens.get("access_token")
        if (
            endpoint is None
            or not isinstance(token, str)
            or not (token.isascii() and token.isprintable())
        ):
            return {}
        headers = {"authorization": f"Bearer {token}"}
        web = self._issuers.web(self._party)
        answer = await web.get(endpoint, "What the issuer says of somebody", headers)
        if answer.status != 200:
            raise IdentityMisconfigured(
                f"The issuer {self._party.issuer} does not say who somebody is "
                f"(the answer is {answer.status})."
            )
        if answer.object.get("sub") != subject:
            raise tampered("it is about somebody else")
        known = ("email", "emails", "email_verified", "xms_edov", "name")
        return {name: answer.object[name] for name in known if name in answer.object}

    def _is_verified(self, claims: Mapping[str, Any]) -> bool:
        if self._party.addresses_verified:
            return True
        names = ("xms_edov",) if self._party.by_directory else ("email_verified", "xms_edov")
        # Some write the truth as text, and Microsoft as a number.
        return any(str(claims.get(name)).lower() in _YES for name in names)


def _address(claims: Mapping[str, Any]) -> str:
    """An address; Azure AD B2C has a list."""
    found = claims.get("email")
    if found is None and isinstance(claims.get("emails"), list) and claims["emails"]:
        found = claims["emails"][0]
    return found if isinstance(found, str) and len(found) <= 320 else ""
