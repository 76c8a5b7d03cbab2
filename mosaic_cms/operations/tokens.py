"""Bearer tokens: getting them, renewing them, ending them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from mosaic_cms.actions import Model, action
from mosaic_cms.identity.acting import account_of
from mosaic_cms.identity.bearer import Tokens
from mosaic_cms.operations.giving import Patterns, require_known
from mosaic_cms.rights import END_OWN, SELF, Permission
from mosaic_cms.scope import PlatformScope
from mosaic_core.errors import Denied

Token = Annotated[SecretStr, Field(max_length=200)]


class CreateTokens(Model):
    """For which tenant, by its slug, and for which actions; empty for all that one may do."""

    tenant: Annotated[str, Field(max_length=100)]
    actions: Patterns = ()


class RenewTokens(Model):
    """The refresh token, which is used up."""

    refresh_token: Token


class RevokeTokens(Model):
    """A refresh token, with which all that came of the same sign-in ends; without one, all of
    one's tokens."""

    refresh_token: Token | None = None


class TokensView(Model):
    """Tokens as OAuth names them (RFC 6749, 5.1). Each refresh token counts once."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the name of a type
    #: Seconds.
    expires_in: int
    refresh_token: str
    #: Patterns of the actions that they are for, with spaces between; empty for all.
    scope: str


class Revoked(Model):
    """How many sign-ins ended."""

    ended: int


@action("tokens.create", needs=Permission("create", SELF), http="POST /tokens")
async def create_tokens(scope: PlatformScope, command: CreateTokens) -> TokensView:
    """Makes a bearer token for one of one's tenants, and the token that renews it."""
    require_known(scope, command.actions)
    account_id = account_of(scope.actor)
    if scope.actor.scopes is not None:  # else who has a token for a while has one for ever
        raise Denied("A token makes no other ones.", hint="Renew it, or sign in.")
    match = scope.product.platform.directory.tenant_of_slug(command.tenant)
    if match is None:  # in the words for one that is somebody else's
        raise Denied("You do not belong to this tenant.")
    bearer = scope.product.identity.bearer
    actions = tuple(dict.fromkeys(command.actions))
    return _view(await bearer.issue(account_id, match.tenant_id, actions, scope.actor))


@action("tokens.refresh", needs=Permission("update", "tokens"), http="POST /tokens/refresh")
async def refresh_tokens(scope: PlatformScope, command: RenewTokens) -> TokensView:
    """Makes new tokens for a refresh token. One that comes twice ends all of its sign-in."""
    token = command.refresh_token.get_secret_value()
    return _view(await scope.product.identity.bearer.renew(token, scope.actor))


@action("tokens.revoke", needs=END_OWN, http="POST /tokens/revoke")
async def revoke_tokens(scope: PlatformScope, command: RevokeTokens) -> Revoked:
    """Ends a sign-in by token, or all of one's own."""
    restricted = scope.actor.scopes is not None and bool(
        scope.actor.scopes.refusal(scope.action, None)
    )
    if command.refresh_token is None and restricted:
        raise Denied(
            "This token is not for ending all of them.", hint="Send the refresh token to end it."
        )
    token = None if command.refresh_token is None else command.refresh_token.get_secret_value()
    bearer = scope.product.identity.bearer
    return Revoked(ended=await bearer.revoke(account_of(scope.actor), token, scope.actor))


def _view(tokens: Tokens) -> TokensView:
    return TokensView(
        access_token=tokens.access,
        expires_in=tokens.seconds,
        refresh_token=tokens.refresh,
        scope=" ".join(tokens.actions),
    )
