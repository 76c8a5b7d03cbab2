"""API keys: how programs act in a tenant.

A key has a role of its own, never more than its maker has. When the maker is removed, or has less
than the key from then on, the key is revoked: whoever made it may still know it. While the maker's
account is closed, it does not count.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.identity.acting import authority, giver_may, key_roles, revoke_key
from mosaic_cms.identity.key_format import is_key, make_key
from mosaic_cms.identity.key_uses import KeyUses
from mosaic_cms.identity.principal import Principal
from mosaic_cms.identity.recorded import record
from mosaic_cms.identity.roles import require, require_within
from mosaic_cms.identity.secrets import digest_of
from mosaic_cms.identity.store import IdentityStore, Kept
from mosaic_cms.identity.tables import ApiKey, KeyUse
from mosaic_cms.rights import Permission, Role, Scopes
from mosaic_cms.scope import Actor
from mosaic_core.errors import Conflict, Denied, InvalidInput, NotFound
from mosaic_core.head import Write
from mosaic_core.types import new_id

#: Keys of one tenant that count at one time.
MOST = 100
#: For how long a key is still listed that counts no more.
_LISTED = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Wish:
    """A key that is to be made; ``actions`` and ``sites`` are empty for all."""

    name: str
    role: Role
    actions: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """A key without what is secret about it."""

    id: uuid.UUID
    prefix: str
    wish: Wish
    created_by: str
    created_at: datetime
    revoked_at: datetime | None
    used: tuple[datetime, str] | None = None


@dataclass(frozen=True, slots=True)
class _Valid:
    principal: Principal
    expires_at: datetime | None


class Keys:
    """The API keys of every tenant."""

    def __init__(self, store: IdentityStore) -> None:
        self._store = store
        self._valid: Kept[bytes, _Valid] = store.keep(Kept())
        self.uses = KeyUses(store)

    async def find(self, text: str) -> Principal | None:
        """Whose key this is; None when it is none that counts now, as of ``freshness`` ago."""
        if not is_key(text):
            return None
        await self._store.refresh()
        digest = digest_of(text)
        found = self._valid.get(digest)
        if found is None:
            found = await self._valid.look_up(digest, lambda: self._look(digest))
        if found is None or (found.expires_at and found.expires_at <= datetime.now(UTC)):
            return None
        return found.principal

    async def _look(self, digest: bytes) -> _Valid | None:
        async with self._store.session() as session:
            row = await session.scalar(select(ApiKey).where(ApiKey.digest == digest))
            if (
                row is None
                or row.revoked_at is not None
                or not await giver_may(session, row.created_by)
            ):
                return None
        principal = Principal(
            kind="key",
            by="key",
            id=row.id,
            tenant_id=row.tenant_id,
            role=Role(row.role),
            scopes=Scopes(tuple(row.actions), tuple(row.sites)),
        )
        return _Valid(principal, row.expires_at)

    async def list(
        self, tenant_id: str, after: uuid.UUID | None = None, most: int | None = None
    ) -> list[Key]:
        """The keys of a tenant, the newest first, also those that count no more; some of those that
        are older than one."""
        query = select(ApiKey).where(ApiKey.tenant_id == tenant_id)
        if after is not None:
            query = query.where(ApiKey.id < after)
        async with self._store.session() as session:
            rows = (await session.scalars(query.order_by(ApiKey.id.desc()).limit(most))).all()
        uses = await self.uses.last([row.id for row in rows])
        return [_key(row, uses.get(row.id)) for row in rows]

    async def create(self, tenant_id: str, wish: Wish, by: Actor) -> tuple[Key, str]:
        """Makes a key; it is returned once, and never shown again.

        Raises:
            Denied: it would be more than ``by`` has, or ``by`` is a key or a restricted token.
            Conflict: the tenant has as many as it may.
        """
        text, prefix = make_key()
        if by.kind == "key" or by.scopes not in (None, Scopes()):
            raise Denied("Neither a key nor a restricted token makes keys.", hint="Sign in.")
        if wish.role is Role.OWNER and wish.sites:
            raise InvalidInput("Nobody is Owner of a site alone.", hint="Make it an Admin's key.")
        if wish.expires_at is not None and wish.expires_at <= datetime.now(UTC):
            raise InvalidInput("The key would have expired already.", hint="Name a later time.")

        async def fn(write: Write) -> ApiKey:
            own = await authority(write.session, by, tenant_id)
            require(str(by), own, Permission("create", "keys"))
            row = ApiKey(
                id=new_id(),
                digest=digest_of(text),
                tenant_id=tenant_id,
                name=wish.name,
                prefix=prefix,
                role=wish.role.value,
                actions=list(wish.actions),
                sites=list(wish.sites),
                created_by=str(by),
                created_at=write.at,
                expires_at=wish.expires_at,
                revoked_at=None,
            )
            require_within(key_roles(row), own)
            await _make_room(write, tenant_id)
            write.session.add(row)
            await record(write, tenant_id, f"the key {row.name} ({prefix}…) made", by.address)
            return row

        row = await self._store.write(fn, actor=by, action="keys.create", kept=False)
        return _key(row, None), text

    async def revoke(self, tenant_id: str, key_id: uuid.UUID, by: Actor) -> Key:
        """Ends a key, at once here and within ``freshness`` elsewhere.

        Raises:
            NotFound: the tenant has no such key.
        """

        async def fn(write: Write) -> ApiKey:
            own = await authority(write.session, by, tenant_id)
            require(str(by), own, Permission("delete", "keys"))
            row = await write.session.get(ApiKey, key_id)
            if row is None or row.tenant_id != tenant_id:
                raise NotFound(f"There is no key {key_id}.", hint="List the keys to see them.")
            if row.revoked_at is None:
                await revoke_key(write, row)
            return row

        row = await self._store.write(fn, actor=by, action="keys.revoke")
        return _key(row, (await self.uses.last([row.id])).get(row.id))


async def _make_room(write: Write, tenant_id: str) -> None:
    """Removes those that have long counted no more; Conflict when too many do."""
    session: AsyncSession = write.session
    rows = await session.scalars(select(ApiKey).where(ApiKey.tenant_id == tenant_id))
    count = 0
    for row in rows.all():
        ended = row.revoked_at or row.expires_at
        if ended is not None and ended < write.at - _LISTED:
            await session.execute(delete(KeyUse).where(KeyUse.key_id == row.id))
            await session.delete(row)
        elif ended is None or ended > write.at:
            count += 1
    if count >= MOST:
        raise Conflict(f"The tenant has {MOST} keys.", hint="Revoke one that is not needed.")


def _key(row: ApiKey, used: tuple[datetime, str] | None) -> Key:
    wish = Wish(row.name, Role(row.role), tuple(row.actions), tuple(row.sites), row.expires_at)
    return Key(row.id, row.prefix, wish, row.created_by, row.created_at, row.revoked_at, used)
