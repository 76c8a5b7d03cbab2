"""Who somebody has shown to be, before it is known in which tenant they act."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Literal

from mosaic_cms.rights import Role, Scopes


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who has proven who they are, and how.

    Attributes:
        kind: a person's account, or a program's key.
        by: what they showed.
        id: the account's or the key's.
        tenant_id: the tenant that what they showed names, if it does.
        role: a key's own role; an account's is that of its membership.
        scopes: what a key or a bearer token is restricted to; None for a session.
        session_id: the session in which a person is signed in.
    """

    kind: Literal["account", "key"]
    by: Literal["session", "token", "key"]
    id: uuid.UUID
    tenant_id: str | None = None
    role: Role | None = None
    scopes: Scopes | None = None
    session_id: uuid.UUID | None = None
