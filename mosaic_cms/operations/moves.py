"""Moving a tenant to another tier, live: see ``docs/moving.md``."""

from __future__ import annotations

import dataclasses
import uuid
from datetime import datetime

from pydantic import Field

from mosaic_cms.actions import Model, action
from mosaic_cms.fitting import Misfit, require_none
from mosaic_cms.operations.tenants import NamedTenant
from mosaic_cms.rights import Permission
from mosaic_cms.scope import PlatformScope
from mosaic_core.errors import InvalidInput, NotFound
from mosaic_core.moves import BACK, Move, Step
from mosaic_core.tenants import TenantContext


class MoveTenant(Model):
    """A tenant, and the tier that it is to move to.

    Attributes:
        dry_run: only looks whether it fits there.
        wait: the answer comes at the end of the move; else a process that serves does it.
    """

    slug: str
    tier: str
    dry_run: bool = False
    wait: bool = False


class MoveView(Model):
    """A move as it stands.

    Attributes:
        state: ``looked`` (a dry run), ``moving``, ``done``, ``going back``, or ``undone``.
        step: what is done now.
        progress: for each thing that is gone through, how many are done, and of how many.
        seconds_left: of what is gone through now, by how fast it went so far.
        pause: milliseconds for which writes waited.
        misfits: what the other tier has no room for; such a move is not begun.
        changes: what is different on the other tier and keeps nobody from moving there.
        kept_until: until when the old home is kept.
    """

    id: uuid.UUID | None = None
    slug: str
    from_tier: str
    to_tier: str
    state: str
    step: str = ""
    progress: dict[str, tuple[int, int]] = Field(default_factory=dict)
    seconds_left: float | None = None
    pause: int | None = None
    began_at: datetime | None = None
    changed_at: datetime | None = None
    kept_until: datetime | None = None
    error: str = ""
    misfits: tuple[Misfit, ...] = ()
    changes: tuple[str, ...] = ()


_MOVE, _SEE = Permission("update", "tenants"), Permission("read", "tenants")


@action("tenants.move", needs=_MOVE, http="POST /tenants/{slug}/move")
async def move_tenant(scope: PlatformScope, command: MoveTenant) -> MoveView:
    """Moves a tenant to another tier while people read and write it. What has no room there is
    looked for first."""
    platform = scope.product.platform
    await platform.directory.refresh(now=True)
    tenant = platform.directory.named(command.slug)
    tiers, fit = platform.settings.tiers, scope.product.fit
    if command.tier not in tiers:
        raise InvalidInput(
            f"There is no tier {command.tier!r}.",
            hint=f"Choose one of {', '.join(sorted(tiers))}.",
        )
    target = dataclasses.replace(tenant, tier=command.tier)
    platform.persistence(target), platform.storage(target)  # what the tier needs is selected
    going = await platform.moving.moves.of(tenant.tenant_id)
    if going is not None and not going.step.ended and going.to_tier == command.tier:
        misfits: tuple[Misfit, ...] = ()  # it was looked at when it was begun
    else:
        misfits = await fit.misfits(tenant, command.tier)
    if command.dry_run:
        return MoveView(
            slug=tenant.slug,
            from_tier=tenant.tier,
            to_tier=command.tier,
            state="looked",
            misfits=misfits,
            changes=fit.changes(tenant, command.tier),
        )
    require_none(tenant.slug, command.tier, misfits)
    actor = str(scope.actor)
    if not command.wait:
        return _view(tenant, await platform.moving.begin(tenant, command.tier, actor=actor))
    done = await platform.moving.move(tenant, command.tier, actor=actor, watch=scope.progress)
    return _view(tenant, done)


@action("tenants.move_status", needs=_SEE, effect="read", http="GET /tenants/{slug}/move")
async def show_move(scope: PlatformScope, command: NamedTenant) -> MoveView:
    """A tenant's move, or its last one."""
    directory = scope.product.platform.directory
    await directory.refresh(now=True)
    tenant = directory.named(command.slug)
    found = await scope.product.platform.moving.moves.of(tenant.tenant_id)
    if found is None:
        raise NotFound(
            f"{tenant.slug!r} has never moved.", hint="'mosaic tenant move' moves a tenant."
        )
    return _view(tenant, found)


@action("tenants.cancel_move", needs=_MOVE, http="DELETE /tenants/{slug}/move")
async def cancel_move(scope: PlatformScope, command: NamedTenant) -> MoveView:
    """Has a tenant's move undone, unless it lives in its new home already."""
    directory = scope.product.platform.directory
    await directory.refresh(now=True)
    tenant = directory.named(command.slug)
    return _view(tenant, await scope.product.platform.moving.cancel(tenant, actor=str(scope.actor)))


def _view(tenant: TenantContext, move: Move) -> MoveView:
    if move.step.ended:
        state = "done" if move.step is Step.DONE else "undone"
    else:
        state = "going back" if move.step in BACK or move.cancelled else "moving"
    facts = dict(move.progress)
    left = facts.pop("seconds_left", None)
    return MoveView(
        id=move.id,
        slug=tenant.slug,
        from_tier=move.from_tier,
        to_tier=move.to_tier,
        state=state,
        step=move.step,
        progress={what: (done, of) for what, (done, of) in facts.items()},
        seconds_left=None if move.step.ended else left,
        pause=move.pause,
        began_at=move.began_at,
        changed_at=move.changed_at,
        kept_until=move.kept_until if move.step is Step.DONE else None,
        error=move.error,
    )
