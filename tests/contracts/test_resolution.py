"""Every resolver that ships keeps the resolver contract, and so does the fake."""

from mosaic_core.host_resolvers import mosaic_tenant_resolvers
from mosaic_core.resolution import TenantMatch
from mosaic_core.testing.fakes import table_resolver
from mosaic_core.testing.resolution import DOMAINS, SLUGS, ResolverContract
from mosaic_core.testing.services import PLATFORM_DOMAIN

CUSTOM_DOMAIN, SUBDOMAIN = mosaic_tenant_resolvers()


class TestCustomDomain(ResolverContract):
    provider = CUSTOM_DOMAIN
    finds = DOMAINS


class TestSubdomain(ResolverContract):
    provider = SUBDOMAIN
    finds = {f"{slug}.{PLATFORM_DOMAIN}": match for slug, match in SLUGS.items()}


class TestTable(ResolverContract):
    provider = table_resolver()
    settings = {"hosts": {"museum.example": "aurora", "late.example": "not-yet-there"}}
    finds = {"museum.example": TenantMatch("id-aurora")}
