"""Sessions: browsers in which somebody is signed in.

A cookie is ``<id>.<secret>.<signature>``. The signature tells what the platform made from what it
did not, before anything is looked up; the database has a digest of the secret only. What was found
is kept until anything changes here or elsewhere, so a session that was ended counts no more within
``freshness``.
"""

from __future__ import annotations

import hmac
import re
import secrets as random
import unicodedata
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import CursorResult, delete, select, update

from mosaic_cms.identity import refresh
from mosaic_cms.identity.principal import Principal
from mosaic_cms.identity.secrets import Secrets, digest_of
from mosaic_cms.identity.session_uses import RARELY, SessionUses
from mosaic_cms.identity.store import IdentityStore, Kept
from mosaic_cms.identity.tables import Account, Membership, SessionRow
from mosaic_core.errors import Denied, NotFound
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
    remembered: bool
    seen_at: datetime
    expires_at: datetime


class Sessions:
    """Starts, finds and ends sessions."""

    def __init__(
        self,
        store: IdentityStore,
        secrets: Secrets,
        settings: IdentitySettings,
        uses: SessionUses,
    ) -> None:
        self._store = store
        #: When they were used last.
        self.uses = uses
        self._secrets = secrets
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
        """Begins a session in the write that signs in; expired ones are removed.

        Args:
            remembered: it lasts longer, and the browser keeps it when it is closed.
            instead_of: the session that the same browser had, which ends: what somebody may have
                planted there is of no use to them.
        """
        session_id, secret = new_id(), random.token_urlsafe(24)
        if instead_of is not None:
            await write.session.execute(delete(SessionRow).where(SessionRow.id == instead_of))
        over = SessionRow.expires_at <= write.at - RARELY  # a row may not have the last use
        await write.session.execute(delete(SessionRow).where(over))
        lasts = self._lasts(remembered)
        write.session.add(
            SessionRow(
                id=session_id,
                digest=digest_of(secret),
                account_id=account_id,
                tenant_id=None,
                remembered=remembered,
                created_at=write.at,
                seen_at=write.at,
                expires_at=write.at + lasts,
                address=_plain(address, _ADDRESS),
                agent=_plain(agent, _AGENT),
            )
        )
        body = f"{session_id.hex}.{secret}"
        cookie = f"{body}.{self._secrets.signature('session', body)}"
        return Started(session_id, cookie, lasts if remembered else None)

    async def find(self, cookie: str) -> Principal | None:
        """Who is signed in with a cookie's value; None when nobody is, whatever the value is. Using
        a session makes it last from now on."""
        await self._store.refresh()
        now = datetime.now(UTC)
        known = self._kept.get(cookie)
        if known is None or known.expires_at <= now:
            known = await self._look_up(cookie, now)
            if known is None:
                return None
        if now - known.seen_at >= _NOTED:
            known.seen_at, known.expires_at = now, now + self._lasts(known.remembered)
            assert known.principal.session_id is not None
            await self.uses.note(known.principal.session_id, now, known.expires_at)
        return known.principal

    def is_ours(self, cookie: str) -> bool:
        """Whether the platform made a cookie's value, whatever became of its session."""
        body, _, signature = cookie.rpartition(".")
        well_formed = _COOKIE.fullmatch(cookie) is not None
        return well_formed and self._secrets.signed("session", body, signature)

    async def of(self, account_id: uuid.UUID) -> list[SessionRow]:
        """The sessions of an account, the one that was used last first."""
        now = datetime.now(UTC)
        async with self._store.session() as session:
            rows = await session.scalars(
                select(SessionRow)
                .where(SessionRow.account_id == account_id)
                .where(SessionRow.expires_at > now - RARELY)
            )
            found = list(rows)
        used = await self.uses.last(row.id for row in found)
        for row in found:
            self._use(row, used.get(row.id, row.seen_at))
        found = [row for row in found if row.expires_at > now]
        return sorted(found, key=lambda row: (row.seen_at, row.id), reverse=True)

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
            await write.session.execute(
                update(SessionRow)
                .where(SessionRow.id == session_id, SessionRow.account_id == account_id)
                .values(tenant_id=tenant_id)
            )

        await self._store.write(fn, actor=actor, action="sessions.choose")

    async def end(
        self, account_id: uuid.UUID, session_id: uuid.UUID, *, actor: str, action: str
    ) -> None:
        """Ends one of an account's sessions.

        Raises:
            NotFound: the account has no such session, whoever else may have it.
        """

        async def fn(write: Write) -> bool:
            ended = await write.session.execute(
                delete(SessionRow).where(
                    SessionRow.id == session_id, SessionRow.account_id == account_id
                )
            )
            return _changed(ended) > 0

        if not await self._store.write(fn, actor=actor, action=action):
            raise NotFound(f"There is no session {session_id}.", hint="It may have ended already.")

    async def end_all(
        self, write: Write, account_id: uuid.UUID, *, but: uuid.UUID | None = None
    ) -> int:
        """Ends an account's sessions in a write, all or all but one, and its bearer tokens, which
        came of such ones; how many sessions there were."""
        await refresh.end_all(write, account_id)
        query = delete(SessionRow).where(SessionRow.account_id == account_id)
        if but is not None:
            query = query.where(SessionRow.id != but)
        return _changed(await write.session.execute(query))

    def _lasts(self, remembered: bool) -> timedelta:
        return self._long if remembered else self._short

    def _use(self, row: SessionRow, at: datetime) -> None:
        """Has a row that was read know of a use that it may not have yet."""
        row.seen_at = max(row.seen_at, at)
        row.expires_at = max(row.expires_at, row.seen_at + self._lasts(row.remembered))

    async def _look_up(self, cookie: str, now: datetime) -> _Known | None:
        if not self.is_ours(cookie):
            return None
        session_id, secret, _ = cookie.split(".")

        async def look() -> _Known | None:
            async with self._store.session() as session:
                row = await session.scalar(
                    select(SessionRow)
                    .join(Account, Account.id == SessionRow.account_id)
                    .where(SessionRow.id == uuid.UUID(session_id), Account.active)
                )
                if row is None or not hmac.compare_digest(row.digest, digest_of(secret)):
                    return None
                tenant_id = row.tenant_id
                member = (tenant_id, row.account_id)
                if tenant_id is not None and await session.get(Membership, member) is None:
                    tenant_id = None  # who does not belong there any more works nowhere
            principal = Principal(
                "account", "session", row.account_id, tenant_id, session_id=row.id
            )
            self._use(row, (await self.uses.last([row.id])).get(row.id, row.seen_at))
            return _Known(principal, row.remembered, row.seen_at, row.expires_at)

        known = await self._kept.look_up(cookie, look)
        return known if known is not None and known.expires_at > now else None


def _changed(result: Any) -> int:
    assert isinstance(result, CursorResult)
    return int(result.rowcount)


def _plain(text: str, most: int) -> str:
    """The beginning of what somebody sent, without what cannot be kept or shown."""
    shown = (" " if unicodedata.category(sign)[0] == "C" else sign for sign in text[:most])
    return "".join(shown).strip()
