"""What becomes of tenants: another slug, deleting them, having them back, what is left of them."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

from mosaic_cms.actions import Model, action
from mosaic_cms.conditions import Conditions
from mosaic_cms.operations.site_life import RenderSites, render_sites
from mosaic_cms.operations.tenants import NamedTenant, Nothing, TenantView, tenant_view
from mosaic_cms.rights import Permission
from mosaic_cms.scope import Actor, PlatformScope, TenantScope
from mosaic_core.directory import Lease, Work
from mosaic_core.directory.deletions import Deletion, has_begun
from mosaic_core.errors import ConfigurationError, Conflict, DatabaseMissing, InvalidInput
from mosaic_core.moves import Step
from mosaic_core.platform import Platform
from mosaic_core.storage import Storage
from mosaic_core.tenants import TenantContext, TenantStatus


class MoveAddress(Model):
    """A tenant, and the slug that it gets."""

    slug: str
    new: str


class Surely(Model):
    """What is to go is named a second time."""

    slug: str
    confirm: str


class ThisSurely(Model):
    """The slug of the tenant that one works in, so that it is no other that goes."""

    confirm: str


class WhichCertificate(Model):
    """A tenant that was removed, by its id."""

    tenant_id: str


class DeletedTenant(Model):
    """A tenant that was deleted.

    Attributes:
        due: when all of it is removed.
        begun: its removal has, and it cannot be had back.
    """

    tenant_id: str
    slug: str
    name: str
    at: datetime
    by: str
    due: datetime
    begun: bool


class Certificate(Model):
    """What was removed of a tenant: what there was, counted before, and what the platform had of
    it."""

    content: dict[str, Any]


@action("tenants.rename", needs=Permission("update", "tenants"), http="POST /tenants/{slug}/rename")
async def rename_tenant(scope: PlatformScope, command: MoveAddress) -> TenantView:
    """Gives a tenant another slug. For 90 days, its old address leads to the new one."""
    platform = scope.product.platform
    tenant = platform.directory.named(command.slug)
    await _require_found(platform, tenant, command.new)
    for move in await platform.moving.moves.keeping(tenant.tenant_id):
        if not move.step.ended:
            raise Conflict(
                f"{tenant.slug!r} is on its way to the {move.to_tier} tier.",
                hint="Wait until it has come there: 'mosaic tenant move-status' shows it.",
            )
        left = dataclasses.replace(tenant, tier=move.to_tier, epoch=move.to_epoch)
        if move.step is Step.DONE:
            left = dataclasses.replace(tenant, tier=move.from_tier, epoch=move.from_epoch)
        await _require_found(platform, left, command.new)
    renamed = await platform.directory.rename(
        tenant.tenant_id,
        command.new,
        actor=str(scope.actor),
        write_id=(scope.actor.conditions or Conditions()).next_id(),
    )
    return tenant_view(scope, renamed)


async def _require_found(platform: Platform, home: TenantContext, slug: str) -> None:
    """A database or files that are named by the slug in the configuration would not be found any
    more: not those that the tenant lives in, nor those that it left and that are to be removed.

    Raises:
        Conflict: so it would be.
    """
    _require_files_stay(platform.storage(home), home, dataclasses.replace(home, slug=slug))
    persistence = platform.persistence(home)
    try:
        await persistence.head(home)
    except DatabaseMissing:
        return  # nor is it now
    try:
        await persistence.head(dataclasses.replace(home, slug=slug))
    except DatabaseMissing as error:
        raise Conflict(
            f"Its database would not be found as {slug!r}: {error.message}",
            hint="Name it under the new slug in the configuration first.",
        ) from error


def _require_files_stay(storage: Storage, tenant: TenantContext, renamed: TenantContext) -> None:
    """Raises Conflict where files are looked for by a slug, and would not be found any more."""
    try:
        stays = storage.place(renamed) == storage.place(tenant)
    except ConfigurationError:  # nothing is configured under the new slug
        stays = False
    if not stays:
        raise Conflict(
            f"Its files would not be found as {renamed.slug!r}: the configuration of the storage "
            f"names their place by the slug {tenant.slug!r}.",
            hint=f"Name it by the id {tenant.tenant_id!r} there first.",
        )


@action("tenants.delete", needs=Permission("delete", "tenants"), http="DELETE /tenants/{slug}")
async def delete_tenant(scope: PlatformScope, command: NamedTenant) -> DeletedTenant:
    """Deletes a tenant: nobody sees it any more. For 30 days it can be had back, then all of it is
    removed."""
    tenant = scope.product.platform.directory.named(command.slug)
    return await _delete(scope, tenant, scope.actor)


@action(
    "tenant.delete",
    needs=Permission("delete", "tenant"),
    http="DELETE /tenant",
    suspended=True,
)
async def delete_this_tenant(scope: TenantScope, command: ThisSurely) -> DeletedTenant:
    """Deletes the tenant that one works in, with all its sites. For 30 days, those who run this
    installation can have it back."""
    _require_same(scope.tenant.slug, command.confirm)
    return await _delete(scope, scope.tenant, scope.actor)


@action("tenants.deleted", needs=Permission("read", "tenants"), effect="read", http="GET /deleted")
async def deleted_tenants(scope: PlatformScope, command: Nothing) -> list[DeletedTenant]:
    """Lists the tenants that were deleted and are not removed yet."""
    pending = await scope.product.platform.directory.deletions.pending()
    return [_view(deletion) for deletion in pending]


@action(
    "tenants.recover", needs=Permission("update", "tenants"), http="POST /deleted/{slug}/recover"
)
async def recover_tenant(scope: PlatformScope, command: NamedTenant) -> TenantView:
    """Has a deleted tenant back as it was, at the current revision."""
    product, directory = scope.product, scope.product.platform.directory
    actor = str(scope.actor)
    deletion = await directory.deletions.named(command.slug)
    held = directory.leases.held(deletion.tenant, Work.DELETION, holder=actor, patient=True)
    async with held as lease:
        deletion = await directory.deletions.again(deletion)
        if deletion.found is not None:
            raise has_begun(deletion)
        await directory.deletions.recover(
            deletion,
            lease,
            actor=actor,
            revision=await _made_ready(scope, deletion, lease),
            # What was noted of its pages elsewhere is forgotten while it is deleted.
            beside=directory.theme_sets.preferring(deletion.tenant.tenant_id, product.kept.key),
        )
    return tenant_view(scope, directory.named(command.slug))


async def _made_ready(scope: PlatformScope, deletion: Deletion, lease: Lease) -> str:
    """Brings a tenant that nobody sees to the current revision, with its pages and what the
    platform notes about it; returns the revision. It may be done again after a kill."""
    product, platform = scope.product, scope.product.platform
    tenant = dataclasses.replace(deletion.tenant, status=deletion.status)
    persistence, history = platform.persistence(tenant), platform.schema.history
    revision = await persistence.revision(tenant)
    if history.own(revision) != history.current:
        # Behind a fence that a killed process put up, nothing is migrated.
        await platform.moving.settle(tenant, lease, actor=str(scope.actor))
        await persistence.migrate(tenant)
        platform.heads.forget(tenant.tenant_id)
        if history.renders(revision) and tenant.status is TenantStatus.ACTIVE:
            own = product.scope(tenant, scope.actor).during("tenants.recover")
            await render_sites(own, RenderSites())
    await product.reminders.compare(tenant, mend=True)
    return history.current


@action("tenants.remove", needs=Permission("delete", "tenants"), http="POST /deleted/{slug}/remove")
async def remove_tenant(scope: PlatformScope, command: Surely) -> Certificate:
    """Removes a deleted tenant now, for good: its databases, its files, and what the platform has
    of it."""
    _require_same(command.slug, command.confirm)
    deletions = scope.product.platform.directory.deletions
    deletion = await deletions.named(command.slug)
    await deletions.hasten(deletion, actor=str(scope.actor))
    return Certificate(content=await scope.product.remover.remove(deletion, patient=True))


@action(
    "tenants.certificate",
    needs=Permission("read", "tenants"),
    effect="read",
    http="GET /removed/{tenant_id}",
)
async def certificates(scope: PlatformScope, command: WhichCertificate) -> list[Certificate]:
    """What was removed of a tenant."""
    deletions = scope.product.platform.directory.deletions
    found = await deletions.certificates(command.tenant_id)
    return [Certificate(content=content) for content in found]


async def _delete(
    scope: PlatformScope | TenantScope, tenant: TenantContext, actor: Actor
) -> DeletedTenant:
    directory = scope.product.platform.directory
    async with directory.leases.held(tenant, Work.DELETION, holder=str(actor)) as lease:
        deletion = await directory.deletions.mark(tenant, lease, actor=str(actor))
    return _view(deletion)


def _require_same(slug: str, confirm: str) -> None:
    if confirm != slug:
        raise InvalidInput(
            f"{confirm[:80]!r} is not what is to go.", hint="Confirm it with the tenant's slug."
        )


def _view(deletion: Deletion) -> DeletedTenant:
    tenant = deletion.tenant
    return DeletedTenant(
        tenant_id=tenant.tenant_id,
        slug=tenant.slug,
        name=tenant.name,
        at=deletion.at,
        by=deletion.actor,
        due=deletion.due,
        begun=deletion.found is not None,
    )
