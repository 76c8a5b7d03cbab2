"""The keys that sign bearer tokens: made when they are needed, replaced every week.

A key's successor is made and published a day before it signs, so that who keeps the published
keys has it in time. The private one is sealed with the platform's secret; with another secret, the
keys of the old one count no more, and neither do the tokens that they signed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from mosaic_cms.identity.secrets import Secrets
from mosaic_cms.identity.store import IdentityStore, Kept
from mosaic_cms.identity.tables import SigningKey
from mosaic_core.errors import ConfigurationError
from mosaic_core.head import Write

if TYPE_CHECKING:
    from joserfc.jwk import OKPKey

#: EdDSA on the curve Ed25519, by its one fully specified name (RFC 9864).
ALGORITHM = "Ed25519"
#: For how long a key signs, and how long before the end its successor is made.
SIGNS, EARLY = timedelta(days=7), timedelta(days=1)
#: For how long after that its tokens may live, at most (``token_minutes``), and a little more.
_OUTLIVES = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class _Key:
    kid: str
    key: OKPKey
    signs_until: datetime

    @property
    def published_until(self) -> datetime:
        return self.signs_until + _OUTLIVES


class SigningKeys:
    """The keys that count now.

    Args:
        secrets: opens what the private keys are sealed with.
    """

    def __init__(self, store: IdentityStore, secrets: Secrets) -> None:
        self._store = store
        self._secrets = secrets
        self._kept: Kept[str, tuple[_Key, ...]] = store.keep(Kept())

    async def current(self) -> tuple[str, OKPKey]:
        """The key that signs now, after its id; one is made when there is none."""
        now = datetime.now(UTC)
        signing = [key for key in await self._all() if key.signs_until > now]
        if not signing or signing[-1].signs_until - now < EARLY:
            await self._store.write(self._make, actor="system", action="signing_keys.make")
            signing = [key for key in await self._all() if key.signs_until > now]
        return signing[0].kid, signing[0].key

    async def find(self, kid: str) -> OKPKey | None:
        """A published key."""
        now = datetime.now(UTC)
        keys = (
            key.key for key in await self._all() if key.kid == kid and now < key.published_until
        )
        return next(keys, None)

    async def published(self) -> dict[str, Any]:
        """The public keys as a JWK set (RFC 7517, 5)."""
        now = datetime.now(UTC)
        about = {"alg": ALGORITHM, "use": "sig"}
        return {
            "keys": [
                {**key.key.as_dict(private=False), **about, "kid": key.kid}
                for key in await self._all()
                if now < key.published_until
            ]
        }

    async def _all(self) -> tuple[_Key, ...]:
        """Those that can be unsealed, the oldest first."""
        await self._store.refresh()
        kept = self._kept.get("all")
        if kept is not None:
            return kept

        async def look() -> tuple[_Key, ...] | None:
            async with self._store.session() as session:
                rows = await session.scalars(select(SigningKey).order_by(SigningKey.signs_until))
                return tuple(self._opened(rows.all())) or None

        return await self._kept.look_up("all", look) or ()

    def _opened(self, rows: Sequence[SigningKey]) -> list[_Key]:
        from joserfc.jwk import OKPKey

        opened = []
        for row in rows:
            try:
                content = self._secrets.unseal(row.private)
            except ConfigurationError:  # it was sealed with another secret
                continue
            opened.append(_Key(row.kid, OKPKey.import_key(json.loads(content)), row.signs_until))
        return opened

    async def _make(self, write: Write) -> None:
        """Makes the next key, unless another process just did; removes those that count no more."""
        from joserfc.jwk import OKPKey

        rows = (await write.session.scalars(select(SigningKey))).all()
        last = max((key.signs_until for key in self._opened(rows)), default=write.at)
        for row in rows:
            if row.signs_until + _OUTLIVES < write.at:
                await write.session.delete(row)
        if last - write.at >= EARLY:
            return
        key = OKPKey.generate_key("Ed25519")
        private = json.dumps(key.as_dict(private=True)).encode()
        write.session.add(
            SigningKey(
                kid=key.thumbprint(),
                public=key.as_dict(private=False),
                private=self._secrets.seal(private),
                created_at=write.at,
                signs_until=max(last, write.at) + SIGNS,
            )
        )
