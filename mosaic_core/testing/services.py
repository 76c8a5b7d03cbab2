"""What the contract suites open a provider with: tenants, hosts, tiers and a few tables."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ByteSize

from mosaic_core.database import TenantSchema
from mosaic_core.provider import PlatformServices
from mosaic_core.resolution import HostDirectory, TenantMatch
from mosaic_core.tenants import Limits, TenantContext, Tier
from mosaic_core.testing.tables import toy_schema

#: A tier without limits, and one with room for this many bytes of files.
ROOMY, SMALL = "roomy", "small"
SMALL_FILES = 100_000

PLATFORM_DOMAIN = "mosaic.example"


class MemoryHosts:
    """A :class:`~mosaic_core.resolution.HostDirectory` for tests; change its two dictionaries."""

    def __init__(
        self,
        slugs: Mapping[str, TenantMatch] | None = None,
        domains: Mapping[str, TenantMatch] | None = None,
    ) -> None:
        self.slugs = dict(slugs or {})
        self.domains = dict(domains or {})

    @property
    def platform_domain(self) -> str:
        return PLATFORM_DOMAIN

    def tenant_of_domain(self, host: str) -> TenantMatch | None:
        return self.domains.get(host)

    def tenant_of_slug(self, slug: str) -> TenantMatch | None:
        return self.slugs.get(slug)


def make_services(
    data_dir: Path,
    *,
    provider: str = "tested",
    schema: TenantSchema | None = None,
    hosts: HostDirectory | None = None,
) -> PlatformServices:
    """Services with the tiers ``roomy`` and ``small``, which ``provider`` serves.

    Args:
        data_dir: an existing folder.
        schema: the tables of tenants; by default the kernel's and the toys.
    """
    small = Limits(files=ByteSize(SMALL_FILES))
    return PlatformServices(
        data_dir=data_dir,
        hosts=hosts or MemoryHosts(),
        schema=schema or toy_schema(),
        tiers={
            ROOMY: Tier(persistence=provider, storage=provider),
            SMALL: Tier(persistence=provider, storage=provider, limits=small),
        },
    )


def make_tenant(**values: Any) -> TenantContext:
    """A tenant with an id and a slug of its own, on the tier ``roomy`` unless it is given."""
    tenant_id = values.pop("tenant_id", uuid.uuid4().hex)
    given = {"slug": f"t-{tenant_id[:12]}", "name": "A tenant", "tier": ROOMY} | values
    return TenantContext(tenant_id, **given)
