"""Sessions in the cache that instances share.

All sessions of an account are one value, which is replaced as a whole by who has seen it last, and
a second one says whose a session is. The value is sealed: who reads the cache learns nothing of
people, and who writes to it signs nobody in. What the cache loses signs people out. What it brings
back signs nobody in that was signed out: ends are in the platform database.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from mosaic_cms.identity.secrets import Secrets
from mosaic_cms.identity.session_ends import not_ended, note_end, note_end_of_all
from mosaic_cms.identity.session_rows import remove_rows
from mosaic_cms.identity.session_store import Session
from mosaic_cms.identity.store import IdentityStore
from mosaic_core.cache import Cache
from mosaic_core.errors import CacheUnavailable, ConfigurationError
from mosaic_core.head import Write

T = TypeVar("T")
_Found = dict[uuid.UUID, Session]
#: So often somebody else may change an account's sessions first.
_TRIES = 20
_SHAPE = TypeAdapter(
    list[Session], config=ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")
)


class CachedSessions:
    """Implements :class:`mosaic_cms.identity.session_store.SessionStore`.

    Args:
        cache: raises ``CacheUnavailable`` while it is away; nothing stands in for it.
        longest: that a session lasts without being used.
    """

    def __init__(
        self, store: IdentityStore, cache: Cache, secrets: Secrets, longest: timedelta
    ) -> None:
        self._store = store
        self._cache = cache
        self._secrets = secrets
        self._longest = longest

    async def begin(self, write: Write, session: Session) -> None:
        async def keep() -> None:
            await self._say_whose(session)

            def add(found: _Found) -> None:
                found[session.id] = session

            await self._change(session.account_id, add)

        self._store.afterwards(write, keep)

    async def find(self, session_id: uuid.UUID) -> Session | None:
        account_id = await self._whose(session_id)
        if account_id is None:
            return None
        return {one.id: one for one in await self.of(account_id)}.get(session_id)

    async def of(self, account_id: uuid.UUID) -> list[Session]:
        found = self._read(account_id, await self._cache.get(_key(account_id)))
        return list((await self._not_ended(account_id, found)).values())

    async def use(self, session: Session) -> bool:
        def note(found: _Found) -> bool:
            there = found.get(session.id)
            if there is not None:
                found[session.id] = replace(
                    there,
                    seen_at=max(there.seen_at, session.seen_at),
                    expires_at=max(there.expires_at, session.expires_at),
                )
            return there is not None

        await self._say_whose(session)
        return await self._change(session.account_id, note)

    async def choose(
        self, write: Write, account_id: uuid.UUID, session_id: uuid.UUID, tenant_id: str | None
    ) -> None:
        # Before the commit: whoever learns of that finds the tenant here.
        def note(found: _Found) -> None:
            if session_id in found:
                found[session_id] = replace(found[session_id], tenant_id=tenant_id)

        await self._change(account_id, note)

    async def end(self, write: Write, session_id: uuid.UUID, of: uuid.UUID | None = None) -> bool:
        account_id = of or await self._whose(session_id)
        if account_id is None:
            return False
        there = True
        with suppress(CacheUnavailable):  # then it ends without being looked for
            there = any(one.id == session_id for one in await self.of(account_id))
        if there:
            await note_end(write, account_id, session_id, self._longest)
            self._store.afterwards(write, lambda: self._tidy(account_id))
        return there

    async def end_all(
        self, write: Write, account_id: uuid.UUID, but: uuid.UUID | None
    ) -> int | None:
        count: int | None = None
        with suppress(CacheUnavailable):  # then they end without being counted
            now = datetime.now(UTC)
            living = [one for one in await self.of(account_id) if one.expires_at > now]
            count = sum(one.id != but for one in living)
        await note_end_of_all(write, account_id, but, self._longest)
        await remove_rows(write, account_id, but)  # for when the database keeps them again
        self._store.afterwards(write, lambda: self._tidy(account_id))
        return count

    async def flush(self) -> None:
        """There is nothing that was only noted."""

    async def _tidy(self, account_id: uuid.UUID) -> None:
        """Takes away what has ended already, so that nobody reads of it; it would go by itself."""
        with suppress(CacheUnavailable):
            found = self._read(account_id, await self._cache.get(_key(account_id)))
            gone = found.keys() - (await self._not_ended(account_id, found)).keys()

            def remove(found: _Found) -> None:
                for one in gone:
                    found.pop(one, None)

            if gone:
                await self._change(account_id, remove)
                await self._cache.delete(*map(_owner_key, gone))

    async def _change(self, account_id: uuid.UUID, change: Callable[[_Found], T]) -> T:
        """Changes an account's sessions; what has expired goes."""
        key = _key(account_id)
        for _ in range(_TRIES):
            seen = await self._cache.get(key)
            found = self._read(account_id, seen)
            result = change(found)
            now = datetime.now(UTC)
            kept = [one for one in found.values() if one.expires_at > now]
            content = self._secrets.seal(_SHAPE.dump_json(kept))
            seconds = self._longest.total_seconds()
            if await self._cache.swap(key, seen, content, seconds=seconds):
                return result
        raise CacheUnavailable(
            "Too much changes the sessions of one account at a time.", hint="Try again."
        )

    async def _not_ended(self, account_id: uuid.UUID, found: _Found) -> _Found:
        if not found:
            return {}
        async with self._store.session() as session:
            return {one.id: one for one in await not_ended(session, account_id, found.values())}

    async def _whose(self, session_id: uuid.UUID) -> uuid.UUID | None:
        content = await self._cache.get(_owner_key(session_id))
        return uuid.UUID(bytes=content) if content is not None and len(content) == 16 else None

    async def _say_whose(self, session: Session) -> None:
        seconds = self._longest.total_seconds()
        await self._cache.set(_owner_key(session.id), session.account_id.bytes, seconds=seconds)

    def _read(self, account_id: uuid.UUID, content: bytes | None) -> _Found:
        """An account's sessions; none when something else wrote what is there."""
        if content is None:
            return {}
        try:
            found = _SHAPE.validate_json(self._secrets.unseal(content))
        except (ConfigurationError, ValidationError):  # another secret, or another MOSAIC
            return {}
        return {one.id: one for one in found if one.account_id == account_id}


def _key(account_id: uuid.UUID) -> str:
    return f"sessions:{account_id.hex}"


def _owner_key(session_id: uuid.UUID) -> str:
    return f"session-of:{session_id.hex}"
