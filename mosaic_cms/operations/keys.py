"""API keys of a tenant: made, listed and revoked."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated

from pydantic import Field

from mosaic_cms.actions import Instant, Model, Part, action
from mosaic_cms.identity.keys import Key, Wish
from mosaic_cms.operations.giving import Patterns, SiteKey, require_known, require_sites
from mosaic_cms.rights import Permission, Role
from mosaic_cms.scope import TenantScope


class CreateKey(Model):
    """A key, and how far it reaches: never further than who makes it."""

    name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
    role: Role
    #: Patterns of the actions that it is for, as in ``pages.*``; empty for all.
    actions: Patterns = ()
    #: Keys of the sites that it is for; empty for the whole tenant.
    sites: Annotated[tuple[SiteKey, ...], Field(max_length=200)] = ()
    #: From when on it counts no more; None for never.
    expires_at: Instant | None = None


class EveryKey(Part):
    """The keys of the tenant, those that are older than one."""

    after: uuid.UUID | None = None


class OneKey(Model):
    """A key, by its id."""

    id: uuid.UUID


class KeyView(Model):
    """A key without what is secret about it.

    Attributes:
        prefix: how it begins, by which people tell keys apart.
        created_by: the actor who made it.
        used_at: the last time, exact to about a minute; used_from: from which network address.
    """

    id: uuid.UUID
    prefix: str
    name: str
    role: Role
    actions: tuple[str, ...]
    sites: tuple[str, ...]
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    used_at: datetime | None
    used_from: str


class MadeKey(KeyView):
    """A new key. ``key`` is shown this once: nobody can find it out again."""

    key: str


@action("keys.create", needs=Permission("create", "keys"), http="POST /keys")
async def create_key(scope: TenantScope, command: CreateKey) -> MadeKey:
    """Makes an API key, and shows it once."""
    require_known(scope, command.actions)
    await require_sites(scope, command.sites)
    wish = Wish(
        command.name,
        command.role,
        tuple(dict.fromkeys(command.actions)),
        tuple(sorted(set(command.sites))),
        command.expires_at,
    )
    keys = scope.product.identity.keys
    key, text = await keys.create(scope.tenant.tenant_id, wish, scope.actor)
    return MadeKey(**_view(key).model_dump(), key=text)


@action("keys.list", needs=Permission("read", "keys"), effect="read", http="GET /keys", cursor="id")
async def list_keys(scope: TenantScope, command: EveryKey) -> list[KeyView]:
    """Lists the API keys, also those that count no more, the newest first."""
    keys = scope.product.identity.keys
    found = await keys.list(scope.tenant.tenant_id, command.after, command.limit)
    return [_view(key) for key in found]


@action("keys.revoke", needs=Permission("delete", "keys"), http="DELETE /keys/{id}", suspended=True)
async def revoke_key(scope: TenantScope, command: OneKey) -> KeyView:
    """Has an API key count no more."""
    keys = scope.product.identity.keys
    return _view(await keys.revoke(scope.tenant.tenant_id, command.id, scope.actor))


def _view(key: Key) -> KeyView:
    used_at, used_from = key.used or (None, "")
    return KeyView(
        id=key.id,
        prefix=key.prefix,
        name=key.wish.name,
        role=key.wish.role,
        actions=key.wish.actions,
        sites=key.wish.sites,
        created_by=key.created_by,
        created_at=key.created_at,
        expires_at=key.wish.expires_at,
        revoked_at=key.revoked_at,
        used_at=used_at,
        used_from=used_from,
    )
