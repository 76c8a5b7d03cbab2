"""The two resolvers of a request's host: itself a plugin, selected like any other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mosaic_core.hooks import hookimpl
from mosaic_core.provider import NoSettings, PlatformServices, Provider
from mosaic_core.resolution import HostDirectory, TenantMatch, TenantResolver

HOOK_API = ">=1,<2"


class CustomDomain:
    """A domain that a tenant brought along: ``www.customer.com``."""

    def __init__(self, hosts: HostDirectory) -> None:
        self._hosts = hosts

    def resolve(self, host: str) -> TenantMatch | None:
        return self._hosts.tenant_of_domain(host)


class Subdomain:
    """``<slug>.<platform domain>``, with exactly one label before the domain."""

    def __init__(self, hosts: HostDirectory) -> None:
        self._hosts = hosts
        self._suffix = f".{hosts.platform_domain}"

    def resolve(self, host: str) -> TenantMatch | None:
        slug = host.removesuffix(self._suffix)
        if slug == host or "." in slug:
            return None
        return self._hosts.tenant_of_slug(slug)


@asynccontextmanager
async def open_custom_domain(
    settings: NoSettings, services: PlatformServices
) -> AsyncIterator[TenantResolver]:
    yield CustomDomain(services.hosts)


@asynccontextmanager
async def open_subdomain(
    settings: NoSettings, services: PlatformServices
) -> AsyncIterator[TenantResolver]:
    yield Subdomain(services.hosts)


@hookimpl
def mosaic_tenant_resolvers() -> list[Provider[TenantResolver]]:
    return [
        Provider(name="custom_domain", settings=NoSettings, open=open_custom_domain),
        Provider(name="subdomain", settings=NoSettings, open=open_subdomain),
    ]
