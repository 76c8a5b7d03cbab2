"""Accounts, what they sign in with, and where they belong; in the platform database.

No row has a secret that somebody can sign in with: of what others keep there is a digest, and what
has to be read back is sealed with the platform's secret. What people sign in with is in tables that
the change log does not follow: it has that a password was changed, when and by whom, and no image
from which anybody could guess it later.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from mosaic_core import types
from mosaic_core.database import PlatformBase, derived

#: Bytes of a passkey's id (Web Authentication, section 4, "Credential ID").
LONGEST_CREDENTIAL = 1023
_ACCOUNT = "platform.accounts.id"
_TENANT = "platform.tenants.tenant_id"


class IdentityState(PlatformBase):
    """One row, which says when anything was changed last that is kept in memory."""

    __tablename__ = "identity_state"
    __table_args__ = ({"sqlite_strict": True, "info": derived()},)

    only: Mapped[int] = mapped_column(types.Integer(), primary_key=True, autoincrement=False)
    #: The directory's version.
    version: Mapped[int] = mapped_column(types.Integer())


class Account(PlatformBase):
    """A person. ``email`` is in the form of ``check_address``; ``email_key`` is how it is found."""

    __tablename__ = "accounts"
    __table_args__ = ({"sqlite_strict": True},)

    id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True)
    email: Mapped[str] = mapped_column(types.Text(254))
    email_key: Mapped[str] = mapped_column(types.Text(254), unique=True)
    name: Mapped[str] = mapped_column(types.Text(100))
    #: When it was shown that the address is theirs.
    verified_at: Mapped[datetime | None] = mapped_column(types.UTCDateTime())
    active: Mapped[bool] = mapped_column(types.Boolean())
    created_at: Mapped[datetime] = mapped_column(types.UTCDateTime())


class Credentials(PlatformBase):
    """What an account signs in with, passkeys excepted. Each account has one row."""

    __tablename__ = "credentials"
    __table_args__ = ({"sqlite_strict": True, "info": derived()},)

    account_id: Mapped[uuid.UUID] = mapped_column(
        types.Uuid(), ForeignKey(_ACCOUNT), primary_key=True
    )
    #: An argon2id hash; None for who signs in otherwise only.
    password: Mapped[str | None] = mapped_column(types.Text(200))
    #: The sealed secret of a second factor, and from when on it is asked for.
    totp: Mapped[bytes | None] = mapped_column(types.Bytes())
    totp_since: Mapped[datetime | None] = mapped_column(types.UTCDateTime())
    #: The last time step whose code was used: no code counts twice (RFC 6238, 5.2).
    totp_used: Mapped[int] = mapped_column(types.Integer())


class RecoveryCode(PlatformBase):
    """Signs in once in the place of a second factor that was lost; the row is gone then."""

    __tablename__ = "recovery_codes"
    __table_args__ = ({"sqlite_strict": True, "info": derived()},)

    digest: Mapped[bytes] = mapped_column(types.Bytes(32), primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), ForeignKey(_ACCOUNT), index=True)


class Passkey(PlatformBase):
    """A WebAuthn credential."""

    __tablename__ = "passkeys"
    __table_args__ = ({"sqlite_strict": True, "info": derived()},)

    credential_id: Mapped[bytes] = mapped_column(types.Bytes(LONGEST_CREDENTIAL), primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), ForeignKey(_ACCOUNT), index=True)
    name: Mapped[str] = mapped_column(types.Text(100))
    public_key: Mapped[bytes] = mapped_column(types.Bytes())
    sign_count: Mapped[int] = mapped_column(types.Integer())
    created_at: Mapped[datetime] = mapped_column(types.UTCDateTime())
    used_at: Mapped[datetime | None] = mapped_column(types.UTCDateTime())


class ExternalIdentity(PlatformBase):
    """Says that another party knows an account, by the party's own name for it."""

    __tablename__ = "external_identities"
    __table_args__ = ({"sqlite_strict": True},)

    issuer: Mapped[str] = mapped_column(types.Text(300), primary_key=True)
    subject: Mapped[str] = mapped_column(types.Text(255), primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), ForeignKey(_ACCOUNT), index=True)
    #: As the party had it when the two were linked.
    email: Mapped[str] = mapped_column(types.Text(254))
    created_at: Mapped[datetime] = mapped_column(types.UTCDateTime())


class OneTimeToken(PlatformBase):
    """Proves once that somebody reads a mailbox. The token itself is only in the mail; the row is
    gone when it was used."""

    __tablename__ = "one_time_tokens"
    __table_args__ = ({"sqlite_strict": True, "info": derived()},)

    id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True)
    digest: Mapped[bytes] = mapped_column(types.Bytes(32), unique=True)
    #: verify (an address), reset (a password).
    purpose: Mapped[str] = mapped_column(types.Text(16))
    account_id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), ForeignKey(_ACCOUNT), index=True)
    #: The address that it was sent to.
    email: Mapped[str] = mapped_column(types.Text(254))
    created_at: Mapped[datetime] = mapped_column(types.UTCDateTime())
    expires_at: Mapped[datetime] = mapped_column(types.UTCDateTime())


class SessionRow(PlatformBase):
    """A browser in which an account is signed in. It is gone when it was ended."""

    __tablename__ = "sessions"
    __table_args__ = (Index(None, "expires_at"), {"sqlite_strict": True, "info": derived()})

    id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True)
    digest: Mapped[bytes] = mapped_column(types.Bytes(32), unique=True)
    account_id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), ForeignKey(_ACCOUNT), index=True)
    #: The tenant that the account works in.
    tenant_id: Mapped[str | None] = mapped_column(types.Text(64), ForeignKey(_TENANT))
    remembered: Mapped[bool] = mapped_column(types.Boolean())
    created_at: Mapped[datetime] = mapped_column(types.UTCDateTime())
    seen_at: Mapped[datetime] = mapped_column(types.UTCDateTime())
    expires_at: Mapped[datetime] = mapped_column(types.UTCDateTime())
    #: Where it was signed in, for its owner to recognise.
    address: Mapped[str] = mapped_column(types.Text(64))
    agent: Mapped[str] = mapped_column(types.Text(200))


class EndedSession(PlatformBase):
    """Says that a session which is not kept here has ended."""

    __tablename__ = "ended_sessions"
    __table_args__ = (Index(None, "until"), {"sqlite_strict": True, "info": derived()})

    account_id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True)
    #: When it would have expired at the latest, and the row is forgotten.
    until: Mapped[datetime] = mapped_column(types.UTCDateTime())


class SessionsEnd(PlatformBase):
    """Says that all sessions of an account have ended that began until then, wherever they are
    kept."""

    __tablename__ = "session_ends"
    __table_args__ = (Index(None, "until"), {"sqlite_strict": True, "info": derived()})

    account_id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True)
    #: The directory's version.
    version: Mapped[int] = mapped_column(types.Integer())
    #: The session that has not ended with them.
    but: Mapped[uuid.UUID | None] = mapped_column(types.Uuid())
    until: Mapped[datetime] = mapped_column(types.UTCDateTime())


class Membership(PlatformBase):
    """What an account may do in a tenant."""

    __tablename__ = "memberships"
    __table_args__ = ({"sqlite_strict": True},)

    tenant_id: Mapped[str] = mapped_column(types.Text(64), ForeignKey(_TENANT), primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(
        types.Uuid(), ForeignKey(_ACCOUNT), primary_key=True, index=True
    )
    #: In all of the tenant; None for who belongs to some of its sites only.
    role: Mapped[str | None] = mapped_column(types.Text(16))
    #: By a site's key, where the role differs.
    site_roles: Mapped[dict[str, Any]] = mapped_column(types.Json())
    joined_at: Mapped[datetime] = mapped_column(types.UTCDateTime())


class Invitation(PlatformBase):
    """Asks whoever reads a mailbox to join a tenant."""

    __tablename__ = "invitations"
    __table_args__ = (UniqueConstraint("tenant_id", "email_key"), {"sqlite_strict": True})

    id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True)
    digest: Mapped[bytes] = mapped_column(types.Bytes(32), unique=True)
    tenant_id: Mapped[str] = mapped_column(types.Text(64), ForeignKey(_TENANT))
    email: Mapped[str] = mapped_column(types.Text(254))
    email_key: Mapped[str] = mapped_column(types.Text(254))
    role: Mapped[str | None] = mapped_column(types.Text(16))
    site_roles: Mapped[dict[str, Any]] = mapped_column(types.Json())
    #: The name of who invited, as the mail says it; and the actor.
    invited_by: Mapped[str] = mapped_column(types.Text(254))
    created_by: Mapped[str] = mapped_column(types.Text(200))
    created_at: Mapped[datetime] = mapped_column(types.UTCDateTime())
    expires_at: Mapped[datetime] = mapped_column(types.UTCDateTime())


class ApiKey(PlatformBase):
    """Lets a program act in a tenant. It is shown once, when it is made."""

    __tablename__ = "api_keys"
    __table_args__ = ({"sqlite_strict": True},)

    id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True)
    digest: Mapped[bytes] = mapped_column(types.Bytes(32), unique=True)
    tenant_id: Mapped[str] = mapped_column(types.Text(64), ForeignKey(_TENANT), index=True)
    name: Mapped[str] = mapped_column(types.Text(100))
    #: How it begins, by which people tell keys apart.
    prefix: Mapped[str] = mapped_column(types.Text(32))
    role: Mapped[str] = mapped_column(types.Text(16))
    #: Patterns of actions' names that it is for; empty for all that its role may do.
    actions: Mapped[list[Any]] = mapped_column(types.Json())
    #: Keys of the sites that it is for; empty for all.
    sites: Mapped[list[Any]] = mapped_column(types.Json())
    created_by: Mapped[str] = mapped_column(types.Text(200))
    created_at: Mapped[datetime] = mapped_column(types.UTCDateTime())
    expires_at: Mapped[datetime | None] = mapped_column(types.UTCDateTime())
    revoked_at: Mapped[datetime | None] = mapped_column(types.UTCDateTime())


class KeyUse(PlatformBase):
    """When an API key was used last, give or take a minute."""

    __tablename__ = "key_uses"
    __table_args__ = ({"sqlite_strict": True, "info": derived()},)

    key_id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True)
    at: Mapped[datetime] = mapped_column(types.UTCDateTime())
    address: Mapped[str] = mapped_column(types.Text(64))


class RefreshToken(PlatformBase):
    """Gets new bearer tokens, once; then its successor does. One that comes twice ends them all.
    Those of a family that was ended are gone."""

    __tablename__ = "refresh_tokens"
    __table_args__ = (Index(None, "family"), {"sqlite_strict": True})

    id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), primary_key=True)
    digest: Mapped[bytes] = mapped_column(types.Bytes(32), unique=True)
    #: Those that come from one sign-in.
    family: Mapped[uuid.UUID] = mapped_column(types.Uuid())
    account_id: Mapped[uuid.UUID] = mapped_column(types.Uuid(), ForeignKey(_ACCOUNT), index=True)
    tenant_id: Mapped[str] = mapped_column(types.Text(64), ForeignKey(_TENANT))
    scopes: Mapped[list[Any]] = mapped_column(types.Json())
    created_at: Mapped[datetime] = mapped_column(types.UTCDateTime())
    expires_at: Mapped[datetime] = mapped_column(types.UTCDateTime())
    used_at: Mapped[datetime | None] = mapped_column(types.UTCDateTime())


class SigningKey(PlatformBase):
    """Signs bearer tokens until its successor does, and is published until none of them lives."""

    __tablename__ = "signing_keys"
    __table_args__ = ({"sqlite_strict": True},)

    kid: Mapped[str] = mapped_column(types.Text(64), primary_key=True)
    #: As a JWK (RFC 7517); the private one is sealed.
    public: Mapped[dict[str, Any]] = mapped_column(types.Json())
    private: Mapped[bytes] = mapped_column(types.Bytes())
    created_at: Mapped[datetime] = mapped_column(types.UTCDateTime())
    #: Until when tokens are signed with it.
    signs_until: Mapped[datetime] = mapped_column(types.UTCDateTime())


class Attempts(PlatformBase):
    """What is remembered for a while of signing in: how often it failed, such as from one network;
    from where somebody did; which challenge was answered."""

    __tablename__ = "attempts"
    __table_args__ = (Index(None, "until"), {"sqlite_strict": True, "info": derived()})

    #: A digest of what is counted.
    key: Mapped[bytes] = mapped_column(types.Bytes(32), primary_key=True)
    failures: Mapped[int] = mapped_column(types.Integer())
    #: When it is forgotten.
    until: Mapped[datetime] = mapped_column(types.UTCDateTime())
