"""Signing in and out."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated

from pydantic import Field, SecretStr

from mosaic_cms.actions import Model, action
from mosaic_cms.identity.sessions import Started
from mosaic_cms.identity.sign_in import Pending
from mosaic_cms.identity.tables import Account
from mosaic_cms.operations.own import Code, Email, Password, Token, own_account
from mosaic_cms.operations.tenants import Nothing
from mosaic_cms.rights import SELF, Permission
from mosaic_cms.scope import PlatformScope
from mosaic_core.errors import Denied
from mosaic_core.head import Write

ANYBODY = Permission("create", "sessions")
_END_OWN = Permission("delete", SELF)


class SignIn(Model):
    """Who wants to sign in. ``remember`` keeps them signed in when the browser is closed."""

    email: Email
    password: Password
    remember: bool = False


class SecondStep(Model):
    """What the first step answered, and a code: of the app, or one for recovery. Without
    ``pending``, a face takes it from a cookie."""

    pending: Token | None = None
    code: Code


class SignedIn(Model):
    """A session, or the first of two steps: then there is ``pending``, and nothing else.

    Attributes:
        cookie: what the browser shows from now on. A face puts it into a cookie; it is in no dump.
        max_age: seconds for which the browser keeps it; None until it is closed.
        pending: what :func:`second_step` takes.
    """

    account_id: uuid.UUID | None = None
    session_id: uuid.UUID | None = None
    name: str = ""
    cookie: Annotated[SecretStr | None, Field(exclude=True)] = None
    max_age: Annotated[int | None, Field(exclude=True)] = None
    pending: str | None = None

    @classmethod
    def to(cls, account: Account, started: Started) -> SignedIn:
        """In to an account."""
        return cls(
            account_id=account.id,
            session_id=started.id,
            name=account.name,
            cookie=SecretStr(started.cookie),
            max_age=int(started.lasts.total_seconds()) if started.lasts is not None else None,
        )


class OneSession(Model):
    """A session, by its id."""

    id: uuid.UUID


class ChooseTenant(Model):
    """A tenant that one belongs to, by its slug; None for none."""

    tenant: Annotated[str, Field(max_length=100)] | None


class Chosen(Model):
    """The tenant in which the session works."""

    tenant_id: str | None


class SessionView(Model):
    """A browser in which one is signed in. ``current`` is the one that asks."""

    id: uuid.UUID
    address: str
    agent: str
    remembered: bool
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    current: bool


class Ended(Model):
    """How many sessions ended; None when they did and what keeps them could not be asked."""

    count: int | None


@action("sessions.create", needs=ANYBODY, http="POST /sessions")
async def create(scope: PlatformScope, command: SignIn) -> SignedIn:
    """Signs in with an address and a password; with a second factor, that is the first step."""
    found = await scope.product.identity.sign_in.with_password(
        command.email,
        command.password.get_secret_value(),
        remembered=command.remember,
        asker=scope.actor,
    )
    if isinstance(found, Pending):
        return SignedIn(pending=found.value)
    return SignedIn.to(*found)


@action("sessions.second_step", needs=ANYBODY, http="POST /sessions/second-step")
async def second_step(scope: PlatformScope, command: SecondStep) -> SignedIn:
    """Ends a sign-in with a code."""
    pending = "" if command.pending is None else command.pending.get_secret_value()
    return SignedIn.to(
        *await scope.product.identity.sign_in.with_code(
            pending, command.code.get_secret_value(), scope.actor
        )
    )


@action("sessions.list", needs=Permission("read", SELF), effect="read", http="GET /sessions")
async def list_own(scope: PlatformScope, command: Nothing) -> list[SessionView]:
    """Where one is signed in, the session that was used last first."""
    rows = await scope.product.identity.sessions.of(own_account(scope))
    return [
        SessionView(
            id=row.id,
            address=row.address,
            agent=row.agent,
            remembered=row.remembered,
            created_at=row.created_at,
            seen_at=row.seen_at,
            expires_at=row.expires_at,
            current=row.id == scope.actor.session,
        )
        for row in rows
    ]


@action("sessions.choose", needs=Permission("update", SELF), http="PUT /sessions/tenant")
async def choose(scope: PlatformScope, command: ChooseTenant) -> Chosen:
    """Says in which of one's tenants one works from now on, in this browser."""
    account_id, session_id = own_account(scope), scope.actor.session
    if session_id is None:
        raise Denied("What is asked for in no session works in none.", hint="Sign in.")
    tenant_id = None
    if command.tenant is not None:
        match = scope.product.platform.directory.tenant_of_slug(command.tenant)
        # A tenant that is not there is as one that is somebody else's.
        tenant_id = match.tenant_id if match is not None else ""
    sessions = scope.product.identity.sessions
    await sessions.choose(account_id, session_id, tenant_id, actor=str(scope.actor))
    return Chosen(tenant_id=tenant_id)


@action("sessions.end", needs=_END_OWN, http="DELETE /sessions/{id}")
async def end(scope: PlatformScope, command: OneSession) -> Ended:
    """Signs out, in one browser."""
    await scope.product.identity.sessions.end(
        own_account(scope), command.id, actor=str(scope.actor), action=scope.action
    )
    return Ended(count=1)


@action("sessions.end_others", needs=_END_OWN, http="DELETE /sessions")
async def end_others(scope: PlatformScope, command: Nothing) -> Ended:
    """Signs out in every other browser."""
    identity, account_id = scope.product.identity, own_account(scope)

    async def fn(write: Write) -> int | None:
        return await identity.sessions.end_all(write, account_id, but=scope.actor.session)

    ended = await identity.store.write(fn, actor=str(scope.actor), action=scope.action)
    return Ended(count=ended)
