"""Bearer tokens: JWTs that live for minutes (RFC 9068), and the refresh tokens that get new ones.

A token says whose it is, for which tenant, and for which actions. What it may do is not in it: that
is the membership's, so a change of role counts at once. A token ends with its family.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from mosaic_cms.identity import refresh
from mosaic_cms.identity.principal import Principal
from mosaic_cms.identity.refresh import Family, Refusal
from mosaic_cms.identity.secrets import digest_of
from mosaic_cms.identity.signing import ALGORITHM, SigningKeys
from mosaic_cms.identity.store import IdentityStore, Kept
from mosaic_cms.identity.tables import Account, Membership
from mosaic_cms.rights import Scopes
from mosaic_cms.scope import Actor
from mosaic_core.errors import Denied, Unauthenticated
from mosaic_core.head import Write
from mosaic_core.settings import IdentitySettings
from mosaic_core.types import new_id

#: The type in a token's header (RFC 9068, 2.1), so that no other kind of JWT passes for one.
_TYPE = "at+jwt"
#: Characters of a token at most; ours have some 700.
_LONGEST = 4_096


@dataclass(frozen=True, slots=True)
class Tokens:
    """A bearer token, the one that renews it, and for how many seconds the first is good."""

    access: str
    refresh: str
    seconds: int
    actions: tuple[str, ...]
    tenant_id: str


@dataclass(frozen=True, slots=True)
class _Read:
    """What a token says. ``expires`` is in seconds since the epoch."""

    principal: Principal
    family: uuid.UUID
    expires: float


class Bearer:
    """Issues, renews and verifies.

    Args:
        issuer: the platform's origin, which tokens name as who made them.
    """

    def __init__(
        self, store: IdentityStore, keys: SigningKeys, settings: IdentitySettings, issuer: str
    ) -> None:
        self._store = store
        self.keys = keys
        self._lifetime = timedelta(minutes=settings.token_minutes)
        self._renewable = timedelta(days=settings.refresh_days)
        self.issuer = issuer
        self.audience = f"{issuer}/api"
        #: What tokens said whose signature was good. That does not change; whether they count does.
        self._read: Kept[bytes, _Read] = Kept()
        self._alive: Kept[uuid.UUID, bool] = store.keep(Kept())

    async def issue(
        self, account_id: uuid.UUID, tenant_id: str, actions: tuple[str, ...], by: Actor
    ) -> Tokens:
        """The first tokens of a family.

        Args:
            actions: patterns of the actions that they are for; empty for all.

        Raises:
            Denied: the account does not belong to the tenant.
        """
        await self.keys.current()

        async def fn(write: Write) -> tuple[Family, bool]:
            account = await write.session.get(Account, account_id)
            member = await write.session.get(Membership, (tenant_id, account_id))
            if account is None or not account.active or member is None:
                raise Denied("You do not belong to this tenant.")
            return await refresh.begin(write, account_id, tenant_id, actions, self._renewable)

        made, _ = await self._store.write(
            fn, actor=by, action="tokens.create", kept=lambda made: made[1]
        )
        return await self._tokens(made)

    async def renew(self, token: str, by: Actor) -> Tokens:
        """New tokens for a refresh token, which is used up.

        Raises:
            Unauthenticated: it is none, has expired, or has come before; then its family is over.
        """
        await self.keys.current()
        outcome = await self._store.write(
            lambda write: refresh.renew(write, token, self._renewable),
            actor=by,
            action="tokens.refresh",
            kept=lambda outcome: outcome is Refusal.ENDED,
        )
        if isinstance(outcome, Refusal):
            raise Unauthenticated(
                "This refresh token does not count any more.", hint="Sign in again."
            )
        return await self._tokens(outcome)

    async def revoke(self, account_id: uuid.UUID, token: str | None, by: Actor) -> int:
        """Ends the family of an account's refresh token, or all families of the account; how many
        they were. What is no token of theirs ends nothing."""
        if token is None:
            return await self._store.write(
                lambda write: refresh.end_all(write, account_id),
                actor=by,
                action="tokens.revoke",
            )
        return await self._store.write(
            lambda write: refresh.end_of(write, account_id, token),
            actor=by,
            action="tokens.revoke",
        )

    async def jwks(self) -> dict[str, Any]:
        """The keys by which others can verify a token, as a JWK set."""
        return await self.keys.published()

    async def verify(self, text: str) -> Principal | None:
        """Whose token this is; None when it is none that counts now."""
        if len(text) > _LONGEST:
            return None
        await self._store.refresh()
        digest = digest_of(text)
        read = self._read.get(digest)
        if read is None:
            read = await self._parsed(text)
            if read is None:
                return None
            self._read.put(digest, read)
        if time.time() >= read.expires:
            return None
        if self._alive.get(read.family) is None and not await self._is_alive(read.family):
            return None
        return read.principal

    def flaw(self, text: str) -> str:
        """Why a token that was just looked at does not count."""
        read = self._read.get(digest_of(text)) if len(text) <= _LONGEST else None
        if read is None:
            return "is none: it is malformed, or was not signed here, or for something else"
        return "has expired" if time.time() >= read.expires else "does not count any more"

    async def _is_alive(self, family: uuid.UUID) -> bool:
        async def look() -> bool | None:
            async with self._store.session() as session:
                return await refresh.is_alive(session, family) or None

        return await self._alive.look_up(family, look) or False

    async def _parsed(self, text: str) -> _Read | None:
        """What a token says, when it is signed with a key of ours and made for this."""
        from joserfc import jws, jwt
        from joserfc.errors import JoseError

        try:
            header = jws.extract_compact(text.encode("ascii")).headers()
            if header.get("alg") != ALGORITHM or header.get("typ") != _TYPE:
                return None
            key = await self.keys.find(str(header.get("kid")))
            if key is None:
                return None
            claims = jwt.decode(text, key, algorithms=[ALGORITHM]).claims
        except (JoseError, ValueError):
            return None
        if claims.get("iss") != self.issuer or claims.get("aud") != self.audience:
            return None
        principal = Principal(
            kind="account",
            by="token",
            id=uuid.UUID(claims["sub"]),
            tenant_id=claims["TenantId"],
            scopes=Scopes(actions=tuple(claims["scope"].split())),
        )
        return _Read(principal, uuid.UUID(claims["sid"]), claims["exp"])

    async def _tokens(self, made: Family) -> Tokens:
        from joserfc import jwt

        kid, key = await self.keys.current()
        now = int(datetime.now(UTC).timestamp())
        seconds = int(self._lifetime.total_seconds())
        claims = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": str(made.account_id),
            "TenantId": made.tenant_id,
            "scope": " ".join(made.actions),
            "iat": now,
            "exp": now + seconds,
            "jti": str(new_id()),
            "sid": str(made.family),
        }
        header = {"alg": ALGORITHM, "typ": _TYPE, "kid": kid}
        access = jwt.encode(header, claims, key, algorithms=[ALGORITHM])
        return Tokens(access, made.token, seconds, made.actions, made.tenant_id)
