"""Signing in by an issuer's word, and what one's own account is linked to."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field, SecretStr

from mosaic_cms.actions import Model, action
from mosaic_cms.identity.federation import Away
from mosaic_cms.identity.linking import id_of
from mosaic_cms.identity.sign_in import Pending
from mosaic_cms.operations.own import CHANGE_OWN, READ_OWN, Done, Password, own_account
from mosaic_cms.operations.sessions import ANYBODY, SignedIn
from mosaic_cms.operations.tenants import Nothing
from mosaic_cms.scope import PlatformScope

WayName = Annotated[str, Field(max_length=100)]
ReturnTo = Annotated[str, Field(max_length=500)]
Answer = Annotated[
    dict[Annotated[str, Field(max_length=100)], Annotated[str, Field(max_length=10_000)]],
    Field(max_length=20),
]


class WhichWays(Model):
    """What everybody is offered; with a tenant's slug, also what its own people are."""

    tenant: Annotated[str | None, Field(max_length=100)] = None


class WayView(Model):
    """A way to sign in. ``address`` is where a browser begins; it takes ``return_to``, a path."""

    name: str
    title: str
    address: str


class BeginSignIn(Model):
    """A way, the path to which the browser gets in the end, and whether it stays signed in when it
    is closed."""

    way: WayName
    return_to: ReturnTo = "/"
    remember: bool = False


class Sent(Model):
    """Where the browser goes. ``sealed`` is what it brings back: a face puts it into a cookie; it
    is in no dump."""

    address: str
    sealed: Annotated[SecretStr, Field(exclude=True)]

    @classmethod
    def of(cls, away: Away) -> Sent:
        return cls(address=away.address, sealed=SecretStr(away.cookie))


class CompleteSignIn(Model):
    """A way, what the browser brought back sealed, and the query with which it came."""

    way: WayName
    sealed: Annotated[SecretStr, Field(max_length=8_000)]
    answer: Answer


class CameBack(SignedIn):
    """A session or the first of two steps, as for a password; or, when it was to link an account,
    ``linked`` and nothing of that. ``return_to`` is a path."""

    return_to: str
    linked: bool = False


class BeginLink(Model):
    """A way, and the account's password; who has none has to have signed in just now."""

    way: WayName
    password: Password | None = None
    return_to: ReturnTo = "/"


class LinkView(Model):
    """That an issuer's word signs in to the account.

    Attributes:
        title: of the way; empty when it is not offered any more, or by a tenant to its own people.
        email: as the issuer had it, if that counted as verified.
    """

    id: str
    issuer: str
    title: str
    email: str
    created_at: datetime


class RemoveLink(Model):
    """A link by its id, and the account's password, as for making one."""

    id: Annotated[str, Field(max_length=64)]
    password: Password | None = None


@action("sign_in.ways", needs=ANYBODY, effect="read", http="GET /sign-in/providers")
async def ways(scope: PlatformScope, command: WhichWays) -> list[WayView]:
    """Lists the ways to sign in that somebody else vouches for."""
    found = scope.product.identity.ways
    views = [
        WayView(name=way.name, title=way.title, address=found.address(way.name))
        for way in found.offered()
    ]
    own = None if command.tenant is None else await found.of_tenant(command.tenant)
    if own is not None:
        views.append(WayView(name=own.name, title=own.title, address=found.address(own.name)))
    return views


@action("sign_in.begin", needs=ANYBODY, effect="read")
async def begin(scope: PlatformScope, command: BeginSignIn) -> Sent:
    """Sends a browser to who vouches for somebody. Nothing is written."""
    away = await scope.product.identity.federation.begin(
        command.way, return_to=command.return_to, remember=command.remember
    )
    return Sent.of(away)


@action("sign_in.complete", needs=ANYBODY)
async def complete(scope: PlatformScope, command: CompleteSignIn) -> CameBack:
    """Signs in who came back, or links their account."""
    back = await scope.product.identity.federation.complete(
        command.way, command.sealed.get_secret_value(), command.answer, scope.actor
    )
    if back.outcome is None:
        return CameBack(return_to=back.return_to, linked=True)
    if isinstance(back.outcome, Pending):
        return CameBack(return_to=back.return_to, pending=back.outcome.value)
    signed = SignedIn.to(*back.outcome)
    return CameBack(return_to=back.return_to, **dict(signed))


@action("identities.begin", needs=CHANGE_OWN, http="POST /account/identities")
async def begin_link(scope: PlatformScope, command: BeginLink) -> Sent:
    """Sends the browser to an issuer whose word is to sign in to one's account from now on."""
    identity, account_id = scope.product.identity, own_account(scope)
    await identity.accounts.require_present(account_id, _secret(command.password), scope.actor)
    away = await identity.federation.begin(
        command.way, return_to=command.return_to, account_id=account_id
    )
    return Sent.of(away)


@action("identities.list", needs=READ_OWN, effect="read", http="GET /account/identities")
async def list_links(scope: PlatformScope, command: Nothing) -> list[LinkView]:
    """Who vouches for one, the oldest first."""
    identity = scope.product.identity
    offered = identity.ways.offered()
    return [
        LinkView(
            id=id_of(row),
            issuer=row.issuer,
            title=next((way.title for way in offered if way.trusts(row.issuer)), ""),
            email=row.email,
            created_at=row.created_at,
        )
        for row in await identity.links.of(own_account(scope))
    ]


@action("identities.remove", needs=CHANGE_OWN, http="POST /account/identities/{id}/remove")
async def remove_link(scope: PlatformScope, command: RemoveLink) -> Done:
    """Has an issuer's word sign in no more; the last thing that signs in stays."""
    identity, account_id = scope.product.identity, own_account(scope)
    await identity.accounts.require_present(account_id, _secret(command.password), scope.actor)
    await identity.links.remove(account_id, command.id, scope.actor)
    return Done()


def _secret(password: SecretStr | None) -> str | None:
    return None if password is None else password.get_secret_value()
