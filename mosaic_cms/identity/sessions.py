"""Sessions: browsers in which somebody is signed in.

A cookie is ``<id>.<secret>.<signature>``. The signature tells what the platform made from what it
did not, before anything is looked up; whatever keeps sessions has a digest of the secret only. What
was found is kept in memory until anything changes here or elsewhere, so a session that was ended
counts no more within ``freshness``.
"""

from __future__ import annotations

import hmac
import re
import secrets as random
import unicodedata
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from mosaic_cms.identity import refresh
from mosaic_cms.identity.principal import Principal
from mosaic_cms.identity.secrets import Secrets, digest_of
from mosaic_cms.identity.session_store import Session, SessionStore
from mosaic_cms.identity.store import IdentityStore, Kept
from mosaic_cms.identity.tables import Account, Membership
from mosaic_core.errors import CacheUnavailable, Denied, NotFound
from mosaic_core.head import Write
from mosaic_core.settings import IdentitySettings
from mosaic_core.types import new_id

#: How often it is noted that a session is in use. One that was ended by nobody lasts as long as
#: was promised, give or take this.
_NOTED = timedelta(minutes=5)
_COOKIE = re.compile(r"[0-9a-f]{32}\.[A-Za-z0-9_-]{32}\.[A-Za-z0-9_-]{22}", re.ASCII)
#: Characters that are kept of an address and of what a browser calls itself.
_ADDRESS, _AGENT = 64, 200


@dataclass(frozen=True, slots=True)
class Started:
    """A session that has begun.

    Attributes:
        cookie: what the browser shows from now on; it is nowhere else.
        lasts: for how long the browser is to keep it; None until it is closed.
    """

    id: uuid.UUID
    cookie: str
    lasts: timedelta | None


@dataclass(slots=True)
class _Known:
    """A session that was looked up."""

    principal: Principal
    session: Session


class Sessions:
    """Starts, finds and ends sessions, whatever keeps them."""

    def __init__(
        self,
        store: IdentityStore,
        secrets: Secrets,
        settings: IdentitySettings,
        kept_in: SessionStore,
    ) -> None:
        self._store = store
        self._secrets = secrets
        self._kept_in = kept_in
        self._short = timedelta(hours=settings.session_hours)
        self._long = timedelta(days=settings.remembered_days)
        self._kept: Kept[str, _Known] = store.keep(Kept())

    async def start(
        self,
        write: Write,
        account_id: uuid.UUID,
        *,
        remembered: bool = False,
        address: str = "",
        agent: str = "",
        instead_of: uuid.UUID | None = None,
    ) -> Started:
        """Begins a session in the write that signs in.

        Args:
            remembered: it lasts longer, and the browser keeps it when it is closed.
            instead_of: the session that the same browser had, which ends: what somebody may have
                planted there is of no use to them.
        """
        session_id, secret = new_id(), random.token_urlsafe(24)
        if instead_of is not None:
            await self._kept_in.end(write, instead_of)
        session = Session(
            id=session_id,
            digest=digest_of(secret),
            account_id=account_id,
            tenant_id=None,
            remembered=remembered,
            began=write.version,
            created_at=write.at,
            seen_at=write.at,
            expires_at=write.at + self._lasts(remembered),
            address=_plain(address, _ADDRESS),
            agent=_plain(agent, _AGENT),
        )
        await self._kept_in.begin(write, session)
        body = f"{session_id.hex}.{secret}"
        cookie = f"{body}.{self._secrets.signature('session', body)}"
        return Started(session_id, cookie, self._long if remembered else None)

    async def find(self, cookie: str) -> Principal | None:
        """Who is signed in with a cookie's value; None when nobody is, whatever the value is. Using
        a session makes it last from now on."""
        await self._store.refresh()
        now = datetime.now(UTC)
        known = self._kept.get(cookie)
        if known is None or known.session.expires_at <= now:
            known = await self._look_up(cookie, now)
            if known is None:
                return None
        if now - known.session.seen_at >= _NOTED and not await self._use(known, now):
            return None
        return known.principal

    def flaw(self, cookie: str) -> str | None:
        """Why a cookie's value was not made by the platform; None when it was, whatever became of
        its session."""
        if _COOKIE.fullmatch(cookie) is None:
            return "it has not the form of one"
        body, _, signature = cookie.rpartition(".")
        return (
            None if self._secrets.signed("session", body, signature) else "its signature is wrong"
        )

    async def of(self, account_id: uuid.UUID) -> list[Session]:
        """The sessions of an account, the one that was used last first."""
        now = datetime.now(UTC)
        found = [one for one in await self._kept_in.of(account_id) if one.expires_at > now]
        return sorted(found, key=lambda one: (one.seen_at, one.id), reverse=True)

    async def choose(
        self, account_id: uuid.UUID, session_id: uuid.UUID, tenant_id: str | None, *, actor: str
    ) -> None:
        """Says in which tenant a session works from now on; None for none.

        Raises:
            Denied: the account does not belong to it, or there is no such tenant.
        """

        async def fn(write: Write) -> None:
            if tenant_id is not None:
                member = await write.session.get(Membership, (tenant_id, account_id))
                if member is None:
                    raise Denied("You do not belong to this tenant.")
            await self._kept_in.choose(write, account_id, session_id, tenant_id)

        await self._store.write(fn, actor=actor, action="sessions.choose")

    async def end(
        self, account_id: uuid.UUID, session_id: uuid.UUID, *, actor: str, action: str
    ) -> None:
        """Ends one of an account's sessions.

        Raises:
            NotFound: the account has no such session, whoever else may have it.
        """

        async def fn(write: Write) -> bool:
            return await self._kept_in.end(write, session_id, account_id)

        if not await self._store.write(fn, actor=actor, action=action):
            raise NotFound(f"There is no session {session_id}.", hint="It may have ended already.")

    async def end_all(
        self, write: Write, account_id: uuid.UUID, *, but: uuid.UUID | None = None
    ) -> int | None:
        """Ends an account's sessions in a write, all or all but one, and its bearer tokens, which
        came of such ones; how many sessions there were, if that can be known."""
        await refresh.end_all(write, account_id)
        return await self._kept_in.end_all(write, account_id, but)

    def _lasts(self, remembered: bool) -> timedelta:
        return self._long if remembered else self._short

    async def _use(self, known: _Known, now: datetime) -> bool:
        """Has a session last from now on; False when it is not there any more."""
        session = replace(
            known.session, seen_at=now, expires_at=now + self._lasts(known.session.remembered)
        )
        try:
            there = await self._kept_in.use(session)
        except CacheUnavailable:
            return True  # it has not expired yet; the next request tries again
        if there:
            known.session = session
        else:
            self._kept.clear()
        return there

    async def _look_up(self, cookie: str, now: datetime) -> _Known | None:
        if self.flaw(cookie) is not None:
            return None
        session_id, secret, _ = cookie.split(".")

        async def look() -> _Known | None:
            found = await self._kept_in.find(uuid.UUID(session_id))
            if found is None or not hmac.compare_digest(found.digest, digest_of(secret)):
                return None
            tenant_id = found.tenant_id
            async with self._store.session() as session:
                account = await session.get(Account, found.account_id)
                if account is None or not account.active:
                    return None
                member = (tenant_id, found.account_id)
                if tenant_id is not None and await session.get(Membership, member) is None:
                    tenant_id = None  # who does not belong there any more works nowhere
            principal = Principal(
                "account", "session", found.account_id, tenant_id, session_id=found.id
            )
            return _Known(principal, found)

        known = await self._kept.look_up(cookie, look)
        return known if known is not None and known.session.expires_at > now else None


def _plain(text: str, most: int) -> str:
    """The beginning of what somebody sent, without what cannot be kept or shown."""
    shown = (" " if unicodedata.category(sign)[0] == "C" else sign for sign in text[:most])
    return "".join(shown).strip()
