"""``mosaic why``: whether somebody may do something, and why."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from mosaic_cms.cli.running import AsJson, print_json, run, say

if TYPE_CHECKING:
    from mosaic_cms.product import Product
    from mosaic_cms.rights import Decision
    from mosaic_cms.scope import Actor

Who = Annotated[
    str,
    typer.Argument(help="An account's address, how a key begins, a role, 'visitor' or 'operator'."),
]


def why(
    actor: Who,
    action: Annotated[str, typer.Argument(help="The action, as in pages.publish.")],
    tenant: Annotated[str | None, typer.Option("--tenant", "-t", help="The tenant's slug.")] = None,
    site: Annotated[str | None, typer.Option("--site", "-s", help="The key of a site.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say whether somebody may do something, and why."""

    async def work(product: Product) -> Decision:
        found = product.actions.get(action)
        who = await _who(product, actor, tenant)
        return who.may(found.needs, found.name, site)

    decision = run(work, as_json=as_json)
    if as_json:
        print_json({"allowed": decision.allowed, "reason": decision.reason})
    else:
        say(f"{'[green]✓ yes[/]' if decision.allowed else '[red]✗ no[/]'}  {decision.reason}")


async def _who(product: Product, text: str, tenant: str | None) -> Actor:
    """The actor that somebody means.

    Raises:
        NotFound: there is no such account, key or tenant.
        InvalidInput: it is not said of which tenant.
    """
    from mosaic_cms.identity.principal import Principal
    from mosaic_cms.rights import Role
    from mosaic_cms.scope import Actor
    from mosaic_core.errors import InvalidInput

    if text in {"visitor", "operator"}:
        return Actor(text)
    if text in set(Role):
        return Actor("account", f"any {text}", Role(text))
    identity, tenant_id = product.identity, None
    if tenant is not None:
        tenant_id = product.platform.directory.named(tenant).tenant_id
    if "@" in text:
        account, _ = await identity.account_admin.find(text)
        return await identity.actor_for(Principal("account", "session", account.id), tenant_id)
    if tenant_id is None:
        raise InvalidInput(
            f"{text!r} may be how a key begins; it is not said of which tenant.",
            hint="Add --tenant and its slug.",
        )
    return await _key(product, text, tenant_id)


async def _key(product: Product, text: str, tenant_id: str) -> Actor:
    from mosaic_cms.rights import Scopes
    from mosaic_cms.scope import Actor
    from mosaic_core.errors import NotFound

    keys = await product.identity.keys.list(tenant_id)
    for key in keys:
        # A whole key is as good as how it begins; it is not looked up, and not told.
        if text.startswith(key.prefix):
            expires = key.wish.expires_at
            ended = key.revoked_at is not None or (expires and expires <= datetime.now(UTC))
            role = None if ended else key.wish.role
            scopes = Scopes(key.wish.actions, key.wish.sites)
            return Actor("key", f"{key.prefix} ({key.wish.name})", role, (), scopes)
    raise NotFound(
        f"The tenant has no key that begins with {text[:15]!r}.", hint="See 'mosaic key list'."
    )
