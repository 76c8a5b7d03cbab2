"""Which tenant a host leads to: looked up in memory."""

from __future__ import annotations

from collections.abc import Sequence, Set
from datetime import UTC, datetime
from typing import Any

from mosaic_core.errors import NotFound
from mosaic_core.resolution import TenantMatch
from mosaic_core.tenants import TenantContext, TenantStatus

_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class Lookups:
    """Tenants by their ids, slugs and domains, as far as they were learned of.

    Args:
        platform_domain: every tenant has ``<slug>.<platform_domain>``.
    """

    def __init__(self, platform_domain: str) -> None:
        self._domain = platform_domain
        self._tenants: dict[str, TenantContext] = {}
        self._slugs: dict[str, TenantMatch] = {}
        self._domains: dict[str, TenantMatch] = {}
        self._domains_of: dict[TenantMatch, dict[str, datetime]] = {}
        #: Slugs that tenants had, and until when they are kept for them.
        self._former: dict[str, tuple[str, datetime]] = {}
        #: Moves whenever anything that is looked up here may have changed.
        self.generation = 0

    def learn(
        self, tenants: Sequence[TenantContext], domains: Sequence[Any], former: Sequence[Any]
    ) -> None:
        """Takes what is different from what was known.

        Args:
            domains: host, tenant, site, whether it is active and since when; all of a tenant that
                changed.
            former: a slug, whose it was, and until when it is kept for them; all of a tenant that
                changed.
        """
        known = set()
        for tenant in tenants:  # first, since one may have taken another's slug
            before = self._tenants.pop(tenant.tenant_id, None)
            if before is not None:
                self._slugs.pop(before.slug, None)
                known.add(tenant.tenant_id)
        if known:
            self._forget(known)
        for tenant in tenants:
            if tenant.status is not TenantStatus.DELETED:
                self._tenants[tenant.tenant_id] = tenant
                self._slugs[tenant.slug] = TenantMatch(tenant.tenant_id)
        for host, tenant_id, site, active, since in domains:
            self._drop_domain(host)
            if active:
                match = self._domains[host] = TenantMatch(tenant_id, site)
                self._domains_of.setdefault(match, {})[host] = since
        self._former |= {slug: (tenant_id, until) for slug, tenant_id, until in former}
        if tenants or domains or former:
            self.generation += 1

    def _forget(self, tenant_ids: Set[str]) -> None:
        """Forgets the domains and former slugs of some tenants: a removed one has none, and nothing
        says so but that they are not there."""
        for host in [x for x, match in self._domains.items() if match.tenant_id in tenant_ids]:
            self._drop_domain(host)
        for slug in [x for x, (whose, _) in self._former.items() if whose in tenant_ids]:
            del self._former[slug]

    def _drop_domain(self, host: str) -> None:
        had = self._domains.pop(host, None)
        if had is not None:
            self._domains_of[had].pop(host)

    @property
    def platform_domain(self) -> str:
        return self._domain

    def tenant_of_domain(self, host: str) -> TenantMatch | None:
        return self._domains.get(host)

    def tenant_of_slug(self, slug: str) -> TenantMatch | None:
        return self._slugs.get(slug)

    def domain_of(self, match: TenantMatch) -> str | None:
        """The first of a site's custom domains."""
        found = self._domains_of.get(match)
        return min(found, key=lambda host: (found[host], host)) if found else None

    def host_of(self, match: TenantMatch) -> str:
        """The host by which a site is known: its first custom domain, or its subdomain."""
        return self.domain_of(match) or f"{self._tenants[match.tenant_id].slug}.{self._domain}"

    def renamed(self, host: str) -> str | None:
        """The host by which a tenant is known now, for the subdomain that it had before."""
        slug = host.removesuffix(f".{self._domain}")
        tenant_id = self._former_owner(slug) if slug != host else None
        tenant = self._tenants.get(tenant_id) if tenant_id is not None else None
        return None if tenant is None else self.host_of(TenantMatch(tenant.tenant_id))

    def _former_owner(self, slug: str) -> str | None:
        """Whose slug it was, while it is kept for them."""
        tenant_id, until = self._former.get(slug, ("", _LONG_AGO))
        return tenant_id if datetime.now(UTC) < until and slug not in self._slugs else None

    def tenant(self, tenant_id: str) -> TenantContext | None:
        """The tenant with this id, deleted ones excepted."""
        return self._tenants.get(tenant_id)

    def named(self, slug: str) -> TenantContext:
        """The tenant with this slug.

        Raises:
            NotFound: there is none.
        """
        match = self._slugs.get(slug)
        if match is None:
            raise NotFound(
                f"There is no tenant {slug!r}.", hint="'mosaic tenant list' shows those there are."
            )
        return self._tenants[match.tenant_id]

    def __len__(self) -> int:
        return len(self._tenants)
