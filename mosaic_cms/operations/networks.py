"""The networks from which a tenant is reached."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mosaic_cms.actions import Model, action
from mosaic_cms.networks import Lists, network
from mosaic_cms.rights import Permission
from mosaic_cms.scope import TenantScope
from mosaic_core.errors import Conflict

Networks = Annotated[tuple[Annotated[str, Field(max_length=64)], ...], Field(max_length=200)]


class ShowNetworks(Model):
    """No input."""


class SetNetworks(Model):
    """Both lists, in place of those before; two empty ones let everybody in.

    Networks are in CIDR's notation; a single address is one too.
    """

    #: Where there are any, nobody comes from elsewhere.
    allow: Networks = ()
    #: Nobody comes from these, also when they are allowed.
    block: Networks = ()
    #: Also when whoever asks would be kept out themselves.
    force: bool = False


class NetworksView(Model):
    """From where the tenant is reached: its sites and what its people do."""

    allow: tuple[str, ...]
    block: tuple[str, ...]


@action("networks.show", needs=Permission("read", "settings"), effect="read", http="GET /networks")
async def show_networks(scope: TenantScope, command: ShowNetworks) -> NetworksView:
    """Shows from which networks the tenant is reached."""
    await scope.product.networks.refresh()
    return _view(scope.product.networks.of(scope.tenant.tenant_id) or Lists())


@action("networks.set", needs=Permission("update", "tenant"), http="PUT /networks")
async def set_networks(scope: TenantScope, command: SetNetworks) -> NetworksView:
    """Says from which networks the tenant is reached, and from which not."""
    lists = Lists(
        tuple(dict.fromkeys(map(network, command.allow))),
        tuple(dict.fromkeys(map(network, command.block))),
    )
    if (lists.allow or lists.block) and not scope.limits.network_lists:
        raise Conflict(
            f"The {scope.tenant.tier} tier has no lists of networks.", hint="Choose another tier."
        )
    own = scope.actor.client or scope.actor.address
    if own and not scope.actor.trusted and not command.force and lists.refuse(own):
        raise Conflict(
            f"You come from {own}, and would keep yourself out.",
            hint="Allow that network, or insist with 'force'.",
        )
    await scope.product.networks.set(
        scope.tenant.tenant_id, lists, actor=scope.actor, action=scope.action
    )
    return _view(lists)


def _view(lists: Lists) -> NetworksView:
    return NetworksView(allow=tuple(map(str, lists.allow)), block=tuple(map(str, lists.block)))
