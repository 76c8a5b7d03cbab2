"""What of a tenant another tier has no room for, and what is different there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.actions import Model
from mosaic_cms.content.models import Media, MediaVersion, Site
from mosaic_cms.identity.federation_tables import TenantIssuer
from mosaic_cms.platform_tables import NetworkList
from mosaic_core.directory import DomainRow
from mosaic_core.errors import Conflict
from mosaic_core.head import Write
from mosaic_core.tenants import Limits, TenantContext

if TYPE_CHECKING:
    from mosaic_core.platform import Platform

#: What there is of something, how much fits (None is all), and what to do when it does not.
_Size = tuple[str, int, int | None, str]


class Misfit(Model):
    """Something of a tenant that a tier has no room for.

    Attributes:
        what: sites, database, files, file, domains, sign-in or networks.
        has: how many there are, or bytes; ``most`` that fit.
    """

    what: str
    has: int
    most: int
    mend: str


class TierFit:
    """Implements :class:`mosaic_core.moves.Fit` for what the product keeps."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def misfits(self, tenant: TenantContext, tier: str) -> tuple[Misfit, ...]:
        """What of a tenant a tier has no room for, before it moves there."""
        limits, platform = self._limits(tier), self._platform
        database = await platform.persistence(tenant).size(tenant)
        files = await platform.storage(tenant).usage(tenant)
        sizes: list[_Size] = [
            ("database", database, limits.database, "Delete something and compact it."),
            ("files", files, limits.files, "Delete some files for good."),
        ]
        return tuple(_beyond([*sizes, *await self._counts(tenant, limits)]))

    async def require(self, tenant: TenantContext, tier: str) -> None:
        _require(tenant.slug, tier, await self._counts(tenant, self._limits(tier)))

    async def require_at_switch(self, write: Write, tenant_id: str, tier: str) -> None:
        known = self._platform.directory.tenant(tenant_id)
        slug = tenant_id if known is None else known.slug
        _require(slug, tier, await _of_platform(write.session, tenant_id, self._limits(tier)))

    def changes(self, tenant: TenantContext, tier: str) -> tuple[str, ...]:
        """What is different on a tier and keeps nobody from moving there."""
        return tuple(_changes(self._platform.tier(tenant).limits, self._limits(tier)))

    def _limits(self, tier: str) -> Limits:
        return self._platform.settings.tiers[tier].limits

    async def _counts(self, tenant: TenantContext, limits: Limits) -> list[_Size]:
        async with self._platform.read(tenant) as session:
            sites = await session.scalar(select(func.count()).select_from(Site)) or 0
            newest = await session.scalar(select(func.max(Media.size))) or 0
            earlier = await session.scalar(select(func.max(MediaVersion.size))) or 0
        async with self._platform.directory.database.session() as session:
            others = await _of_platform(session, tenant.tenant_id, limits)
        largest = max(newest, earlier)
        return [
            ("sites", sites, limits.sites, "Remove a site."),
            ("file", largest, limits.file, "Delete the largest files for good."),
            *others,
        ]


def require_none(slug: str, tier: str, misfits: tuple[Misfit, ...]) -> None:
    """Raises Conflict when a tier has no room for something of a tenant."""
    if misfits:
        told = "; ".join(f"{one.what}: {one.has:,}, and {one.most:,} fit" for one in misfits)
        raise Conflict(
            f"{slug!r} does not fit the {tier} tier: {told}.",
            hint=f"{misfits[0].mend} 'mosaic tenant move --dry-run' looks again.",
        )


def _require(slug: str, tier: str, sizes: Iterable[_Size]) -> None:
    require_none(slug, tier, tuple(_beyond(sizes)))


def _beyond(sizes: Iterable[_Size]) -> Iterator[Misfit]:
    for what, has, most, mend in sizes:
        if most is not None and has > int(most):
            yield Misfit(what=what, has=has, most=int(most), mend=mend)


async def _of_platform(session: AsyncSession, tenant_id: str, limits: Limits) -> list[_Size]:
    """What the platform database has of a tenant, as far as a tier limits it."""

    async def count(table: type[DomainRow | TenantIssuer | NetworkList]) -> int:
        mine = select(func.count()).select_from(table).where(table.tenant_id == tenant_id)
        if table is DomainRow:
            mine = mine.where(DomainRow.active)
        return await session.scalar(mine) or 0

    def most(allowed: bool) -> int | None:
        return None if allowed else 0

    issuers, lists = await count(TenantIssuer), await count(NetworkList)
    return [
        ("domains", await count(DomainRow), most(limits.custom_domains), "Remove its domains."),
        ("sign-in", issuers, most(limits.own_issuer), "Remove its own issuer."),
        ("networks", lists, most(limits.network_lists), "Take its lists of networks away."),
    ]


def _changes(here: Limits, there: Limits) -> Iterator[str]:
    if there.branding_required and not here.branding_required:
        yield "Its pages show the platform's name."
    if here.branding_required and not there.branding_required:
        yield "Its pages need not show the platform's name."
    for what, one, other in (
        ("requests to the API a month", here.api_requests_per_month, there.api_requests_per_month),
        ("bytes served a month", here.bandwidth_per_month, there.bandwidth_per_month),
    ):
        if one != other:
            yield f"{_number(other)} {what}, where it had {_number(one)}."


def _number(limit: int | None) -> str:
    return "Any number of" if limit is None else f"{int(limit):,}"
