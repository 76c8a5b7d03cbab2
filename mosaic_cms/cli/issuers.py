"""What ``mosaic doctor`` says of signing in by others' word: whether the issuers are there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mosaic_core.errors import MosaicError
from mosaic_core.problem import Problem

if TYPE_CHECKING:
    from mosaic_cms.identity.federation_tables import TenantIssuer
    from mosaic_cms.product import Product

#: Issuers that are asked at one time.
_AT_ONCE = 8


async def examine_sign_ins(product: Product) -> list[Problem]:
    """Asks each issuer, those of tenants too."""
    room = asyncio.Semaphore(_AT_ONCE)
    rows = await product.identity.tenant_issuers.all()

    async def asked(way: str) -> list[Problem]:
        try:
            async with room:
                await product.platform.ways[way].examine(way)
        except MosaicError as error:
            return [Problem(f"sign-in {way}", error.message, error.hint)]
        return []

    async def of_tenant(row: TenantIssuer) -> list[Problem]:
        async with room:
            return await _examine_own(product, row)

    found = await asyncio.gather(*map(asked, product.platform.ways), *map(of_tenant, rows))
    return [problem for problems in found for problem in problems]


async def _examine_own(product: Product, row: TenantIssuer) -> list[Problem]:
    identity = product.identity
    tenant = product.platform.directory.tenant(row.tenant_id)
    if tenant is None:
        return []
    where = f"single sign-on of {tenant.slug}"
    if not product.platform.tier(tenant).limits.own_issuer:
        what = f"The {tenant.tier} tier has none; nobody signs in with it."
        return [Problem(where, what, f"'mosaic sso remove -t {tenant.slug}', or a higher tier.")]
    proven = await identity.domains.proven(row.tenant_id)
    problems = [
        Problem(
            where,
            f"{domain} is not proven; its addresses link no account.",
            f"Set its record, then 'mosaic domain verify {domain} -t {tenant.slug}'.",
        )
        for domain in row.domains
        if domain not in proven
    ]
    try:
        await identity.tenant_issuers.provider().examine(identity.tenant_issuers.opened(row))
    except MosaicError as error:
        problems.append(Problem(where, error.message, error.hint))
    return problems
