"""Bundles: all of a tenant as one file, and a tenant made of one. A bundle is checked without any
deployment, by ``mosaic bundle verify``.

What reads and writes them is imported by the first one: most processes never see any.
"""

from __future__ import annotations

import dataclasses
import uuid
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, SecretStr
from sqlalchemy import func, select

from mosaic_cms.actions import Model, action
from mosaic_cms.content.models import Site
from mosaic_cms.operations.site_life import RenderSites, render_sites
from mosaic_cms.pictures.picture import made_in
from mosaic_cms.rights import SERVER_FILES, Permission
from mosaic_cms.scope import PlatformScope, TenantScope
from mosaic_cms.unfinished import give_up, scratch_of
from mosaic_core.directory import Lease, Work, slug_taken
from mosaic_core.directory.imports import Wish
from mosaic_core.errors import Conflict, InvalidInput, QuotaExceeded
from mosaic_core.tenants import TenantContext, check_slug

if TYPE_CHECKING:
    from mosaic_core import bundle


class ExportTenant(Model):
    """A tenant, and the file on this machine that is made of it."""

    file: Path
    #: age public keys; with any, the bundle is encrypted for them.
    recipients: tuple[Annotated[str, Field(max_length=3000)], ...] = ()
    #: Replaces a file that is there.
    force: bool = False


class ImportTenant(Model):
    """A bundle on this machine, and the tenant that it becomes."""

    file: Path
    #: The tenant's slug and name; those of the bundle when left out.
    slug: str | None = None
    name: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    #: Its tier; that of the bundle, where there is one of that name, when left out.
    tier: str | None = None
    #: The age identity that unlocks an encrypted bundle.
    identity: SecretStr | None = None


class BundleReport(Model):
    """What is in a bundle.

    Attributes:
        rows: of each table.
        size: bytes of all stored files.
        missing: keys of files that were deleted while it was written.
    """

    path: str
    bundle_id: uuid.UUID
    slug: str
    revision: str
    version: int
    digest: str
    rows: dict[str, int]
    changes: int
    files: int
    size: int
    missing: tuple[str, ...] = ()


class ImportedTenant(Model):
    """The tenant that a bundle became."""

    tenant_id: str
    slug: str
    name: str
    tier: str
    host: str
    #: Pages that visitors see, rendered here.
    pages: int
    bundle: BundleReport


@action("tenants.export", needs=Permission("create", SERVER_FILES), effect="read")
async def export_tenant(scope: TenantScope, command: ExportTenant) -> BundleReport:
    """Writes all of a tenant into a bundle: its content with all versions, its change log, and its
    files."""
    from mosaic_core import bundle

    platform = scope.product.platform
    home = await platform.at_home(scope.tenant)
    source = bundle.Source(
        tenant=home,
        persistence=platform.persistence(home),
        storage=platform.storage(home),
        schema=platform.schema,
        made_by=f"MOSAIC {version('mosaic-cms')}",
        leaves_out=lambda key: made_in(key) is not None,
    )
    done = await bundle.export(
        source,
        command.file,
        recipients=command.recipients,
        force=command.force,
        progress=scope.progress,
    )
    return BundleReport(
        **_facts(command.file, done.manifest),
        rows=done.rows,
        changes=done.changes,
        files=done.files,
        size=done.size,
        missing=tuple(done.missing),
    )


@action("tenants.import", needs=Permission("create", SERVER_FILES))
async def import_tenant(scope: PlatformScope, command: ImportTenant) -> ImportedTenant:
    """Makes a new tenant of a bundle; nobody sees it before it is whole and rendered. Members,
    domains, keys and plans are the platform's, and no part of a bundle."""
    from mosaic_core import bundle

    platform = scope.product.platform
    identity = command.identity.get_secret_value() if command.identity else None
    manifest = await bundle.manifest_of(command.file, identity=identity)
    wish = _wish(scope, command, manifest)
    directory, holder = platform.directory, str(scope.actor)
    tenant = await directory.imports.begin(wish, actor=holder)
    async with directory.leases.held(tenant, Work.IMPORT, holder=holder, patient=True) as lease:
        await directory.refresh(now=True)
        _wish(scope, command, manifest)  # somebody else may have been faster
        try:
            return await _import(scope, command, lease, identity)
        except Exception:
            await give_up(platform, lease)
            raise


async def _import(
    scope: PlatformScope, command: ImportTenant, lease: Lease, identity: str | None
) -> ImportedTenant:
    from mosaic_core import bundle

    platform, tenant = scope.product.platform, lease.tenant
    imports = platform.directory.imports
    target = bundle.Target(
        tenant=tenant,
        persistence=platform.persistence(tenant),
        storage=platform.storage(tenant),
        schema=platform.schema,
        scratch=scratch_of(platform, tenant),
        require=lambda: imports.require(lease),
    )
    done = await bundle.load(target, command.file, identity=identity, progress=scope.progress)
    await _require_sites_fit(scope, tenant)
    own = scope.product.scope(tenant, scope.actor).during("tenants.import")
    rendered = await render_sites(dataclasses.replace(own, progress=scope.progress), RenderSites())
    # What is scheduled, the tenant alone knows; whoever sees it finds that noted.
    await scope.product.reminders.compare(tenant, mend=True)
    await platform.directory.add(
        tenant,
        platform.schema.history.current,
        actor=str(scope.actor),
        beside=lambda write: imports.end(write, lease),
    )
    return ImportedTenant(
        tenant_id=tenant.tenant_id,
        slug=tenant.slug,
        name=tenant.name,
        tier=tenant.tier,
        host=f"{tenant.slug}.{platform.directory.platform_domain}",
        pages=rendered.pages,
        bundle=report_of(command.file, done.manifest, done.seal),
    )


def report_of(path: Path, manifest: bundle.Manifest, seal: bundle.Seal) -> BundleReport:
    """What a whole bundle has in it."""
    return BundleReport(
        **_facts(path, manifest),
        rows=seal.rows,
        changes=seal.changes,
        files=seal.files,
        size=seal.size,
    )


def _facts(path: Path, manifest: bundle.Manifest) -> dict[str, object]:
    return {
        "path": str(path),
        "bundle_id": manifest.bundle_id,
        "slug": manifest.tenant.slug,
        "revision": manifest.revision,
        "version": manifest.head.version,
        "digest": manifest.head.digest,
    }


def _wish(scope: PlatformScope, command: ImportTenant, manifest: bundle.Manifest) -> Wish:
    """What a bundle is to become.

    Raises:
        InvalidInput: the slug is none, or there is no such tier.
        ConfigurationError: what the tier needs is not selected.
        Conflict: the slug is taken.
    """
    platform = scope.product.platform
    slug, tiers = check_slug(command.slug or manifest.tenant.slug), platform.settings.tiers
    if platform.directory.tenant_of_slug(slug) is not None:
        taken = slug_taken(slug)
        raise Conflict(taken.message, hint="Import it under another one, with --as.")
    tier = command.tier or manifest.tenant.tier
    if tier not in tiers:
        raise InvalidInput(
            f"There is no tier {tier!r}.", hint=f"Choose one of {', '.join(sorted(tiers))}."
        )
    wish = Wish(manifest.bundle_id, slug, command.name or manifest.tenant.name, tier)
    nobody = TenantContext("", wish.slug, wish.name, wish.tier)
    platform.persistence(nobody), platform.storage(nobody)
    return wish


async def _require_sites_fit(scope: PlatformScope, tenant: TenantContext) -> None:
    platform = scope.product.platform
    most = platform.tier(tenant).limits.sites
    async with platform.persistence(tenant).session(tenant) as session:
        sites = await session.scalar(select(func.count()).select_from(Site)) or 0
    if most is not None and sites > most:
        raise QuotaExceeded(
            f"The bundle has {sites} sites; the {tenant.tier} tier has room for {most}.",
            hint="Choose another tier.",
        )
