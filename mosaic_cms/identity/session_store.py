"""Where sessions are kept: the contract of a store, and what a session is there.

The platform database keeps them unless configuration chooses the cache that instances share. Who
ends sessions writes it to the platform database either way, in the write that it belongs to.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from mosaic_core.head import Write

#: Seconds between two writes of what a store has noted: what a killed process takes with it.
EVERY = 60.0


@dataclass(frozen=True, slots=True)
class Session:
    """A browser in which an account is signed in.

    Attributes:
        digest: that of the secret in its cookie.
        tenant_id: the tenant that the account works in.
        began: the version of the platform database at which it began; 0 where nobody asks.
        seen_at, expires_at: when it was used last, and until when it lasts unless it is used.
        address, agent: where it was signed in, for its owner to recognise.
    """

    id: uuid.UUID
    digest: bytes
    account_id: uuid.UUID
    tenant_id: str | None
    remembered: bool
    began: int
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    address: str
    agent: str


class SessionStore(Protocol):
    """Keeps sessions. Each question may raise ``CacheUnavailable`` where that is a cache; nothing
    that ends sessions does."""

    async def begin(self, write: Write, session: Session) -> None:
        """Keeps a session from the commit of a write on. Expired ones are removed."""
        ...

    async def find(self, session_id: uuid.UUID) -> Session | None:
        """A session that was not ended; it may have expired."""
        ...

    async def of(self, account_id: uuid.UUID) -> list[Session]:
        """The sessions of an account that were not ended; some may have expired."""
        ...

    async def use(self, session: Session) -> bool:
        """Notes when a session was used last and until when it lasts now; False when it is known
        not to be there any more."""
        ...

    async def choose(
        self, write: Write, account_id: uuid.UUID, session_id: uuid.UUID, tenant_id: str | None
    ) -> None:
        """Has a session of an account work in a tenant, in a write that has what is kept in memory
        forgotten."""
        ...

    async def end(self, write: Write, session_id: uuid.UUID, of: uuid.UUID | None = None) -> bool:
        """Ends a session in a write, if it is an account's (``of``) or whoever's; False when it is
        known not to be there."""
        ...

    async def end_all(
        self, write: Write, account_id: uuid.UUID, but: uuid.UUID | None
    ) -> int | None:
        """Ends an account's sessions in a write, all or all but one: how many there were, or None
        when that cannot be known now."""
        ...

    async def flush(self) -> None:
        """Writes what was noted; what cannot be written stays noted."""
        ...
