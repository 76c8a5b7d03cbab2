"""What issuers say of themselves: their endpoints and their keys, kept for a while."""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from joserfc import jwk
from joserfc.errors import JoseError
from pydantic import BaseModel, ConfigDict, ValidationError

from mosaic_core.errors import IdentityMisconfigured, IdentityTampered
from mosaic_core.mail import one_line
from mosaic_identity_oidc.parties import Party
from mosaic_identity_oidc.web import Web

#: Issuers that are kept, keys of one, and bits of an RSA key at least (RFC 7518, 3.3).
_MOST, _KEYS, _RSA = 500, 100, 2_048
_ABOUT = "The description of the issuer"


class Metadata(BaseModel):
    """OpenID Connect Discovery, 3: what is used of it."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    token_endpoint_auth_methods_supported: list[str] = ["client_secret_basic"]
    code_challenge_methods_supported: list[str] | None = None
    #: RFC 9207.
    authorization_response_iss_parameter_supported: bool = False


@dataclass(slots=True)
class Issuer:
    """An issuer that has described itself; times are of the monotonic clock."""

    metadata: Metadata
    described_at: float
    keys: list[jwk.Key] = field(default_factory=list)
    fetched_at: float = float("-inf")
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Issuers:
    """Finds issuers and their keys.

    Args:
        web: asks the deployment's own issuers; own: asks those of tenants.
        keep: seconds for which what was fetched is taken as it is.
        refetch: seconds after which keys are fetched again, at the soonest.
    """

    def __init__(
        self,
        web: Web,
        own: Web,
        *,
        keep: float,
        refetch: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._web, self._own = web, own
        self._keep, self._refetch = keep, refetch
        self._clock = clock
        self._known: dict[tuple[str, bool], Issuer] = {}

    def web(self, party: Party) -> Web:
        """What asks this one."""
        return self._own if party.own else self._web

    async def find(self, party: Party, *, fresh: bool = False) -> Issuer:
        """An issuer as it describes itself.

        Raises:
            IdentityUnavailable: it cannot be reached.
            IdentityMisconfigured: it is none, another, or does without PKCE.
        """
        key = (party.description, party.own)
        known = self._known.get(key)
        if known is None or fresh or self._clock() - known.described_at > self._keep:
            metadata = await self._described(party)
            if len(self._known) >= _MOST:
                self._known.clear()
            if known is None or known.metadata.jwks_uri != metadata.jwks_uri:
                known = Issuer(metadata, self._clock())
            known.metadata, known.described_at = metadata, self._clock()
            self._known[key] = known
        if known.metadata.issuer != party.issuer:
            raise IdentityMisconfigured(
                f"The issuer calls itself {one_line(known.metadata.issuer, 200)!r}, "
                f"not {party.issuer!r}.",
                hint="Name it exactly as it does, to the last slash.",
            )
        return known

    async def key(self, party: Party, issuer: Issuer, kid: str | None, kind: str) -> jwk.Key:
        """The key that a token names. One that is not known may be new: then all are fetched again,
        at most every few seconds.

        Args:
            kid: its id; None for the only one that the issuer has of this kind.
            kind: RSA, EC or OKP.

        Raises:
            IdentityTampered: the issuer has no such key.
        """
        if self._clock() - issuer.fetched_at > self._keep:
            await self._fetch(party, issuer, self._keep)
        found = _chosen(issuer.keys, kid, kind)
        if found is None:
            await self._fetch(party, issuer, self._refetch)
            found = _chosen(issuer.keys, kid, kind)
        if found is None:
            raise IdentityTampered(
                "What came back is signed with a key that the issuer does not have.",
                hint="Begin again.",
            )
        return found

    async def _fetch(self, party: Party, issuer: Issuer, age: float) -> None:
        """Fetches the keys, unless those there are are no older than that."""
        async with issuer.turn:
            if self._clock() - issuer.fetched_at <= age:
                return
            answer = await self.web(party).get(issuer.metadata.jwks_uri, "The keys of the issuer")
            listed = answer.object.get("keys")
            if answer.status != 200 or not isinstance(listed, list):
                raise IdentityMisconfigured(
                    f"The keys of the issuer {party.issuer} are none ({answer.status}).",
                    hint="Its jwks_uri has to lead to a JWK set (RFC 7517).",
                )
            issuer.keys = [key for data in listed[:_KEYS] if (key := _imported(data)) is not None]
            issuer.fetched_at = self._clock()

    async def _described(self, party: Party) -> Metadata:
        web = self.web(party)
        answer = await web.get(party.description, _ABOUT)
        if answer.status != 200:
            raise IdentityMisconfigured(
                f"{_ABOUT} {party.issuer} is not there ({answer.status}).",
                hint=f"It has to be at {party.description}.",
            )
        try:
            found = Metadata.model_validate(answer.content)
        except ValidationError as error:
            wrong = ", ".join(
                dict.fromkeys(str(item["loc"][0]) for item in error.errors() if item["loc"])
            )
            raise IdentityMisconfigured(
                f"{_ABOUT} {party.issuer} lacks {wrong or 'everything'}.",
                hint="It has to be as OpenID Connect Discovery says, section 3.",
            ) from error
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"):
            address = getattr(found, name)
            if address is not None:
                web.require_usable(address, f"The {name} of {party.issuer}")
        methods = found.code_challenge_methods_supported
        if methods is not None and "S256" not in methods:
            raise IdentityMisconfigured(
                f"The issuer {party.issuer} does not do PKCE with S256.",
                hint="Switch it on there (RFC 7636).",
            )
        return found


def _chosen(keys: list[jwk.Key], kid: str | None, kind: str) -> jwk.Key | None:
    fitting = [key for key in keys if key.key_type == kind]
    if kid is None:
        return fitting[0] if len(fitting) == 1 else None
    return next((key for key in fitting if key.kid == kid), None)


def _imported(data: Any) -> jwk.Key | None:
    """A public key that signs; None for one that does something else, or that nobody should use."""
    if not isinstance(data, dict) or data.get("kty") not in {"RSA", "EC", "OKP"}:
        return None
    if data.get("use", "sig") != "sig" or "d" in data:
        return None
    try:
        if data["kty"] == "RSA" and _bits(data["n"]) < _RSA:
            return None
        return jwk.import_key(data)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _bits(number: str) -> int:
    padded = number + "=" * (-len(number) % 4)
    try:
        return int.from_bytes(base64.urlsafe_b64decode(padded)).bit_length()
    except binascii.Error:
        return 0
