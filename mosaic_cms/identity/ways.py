"""The ways to sign in by an issuer's word: those of the deployment, and those of tenants."""

from __future__ import annotations

from dataclasses import dataclass

from mosaic_cms.identity.domains import Domains
from mosaic_cms.identity.tenant_issuers import TenantIssuers
from mosaic_core.errors import NotFound
from mosaic_core.identity import IdentityProvider, SignInWay, Way
from mosaic_core.platform import Platform
from mosaic_core.tenants import TenantContext, TenantStatus

#: How the ways of tenants begin; their slug comes after it.
SSO = "sso/"
#: Below it are the addresses of all of them.
PATH = "/api/v1/sign-in"


@dataclass(frozen=True, slots=True)
class Chosen:
    """A way that somebody has chosen.

    Attributes:
        name: as in its address.
        callback: the address to which the browser comes back.
        second_factor: no other is asked for.
        tenant_id: whose own it is; None for one of the deployment.
        domains: below which addresses count, of a tenant's own.
    """

    name: str
    title: str
    issuer: str
    provider: IdentityProvider
    way: Way
    callback: str
    second_factor: bool = False
    tenant_id: str | None = None
    domains: tuple[str, ...] = ()


class Ways:
    """Lists and finds them."""

    def __init__(self, platform: Platform, issuers: TenantIssuers, domains: Domains) -> None:
        self._platform = platform
        self._issuers = issuers
        self._domains = domains
        self._origin = platform.origin(platform.settings.platform.domain)

    def address(self, name: str) -> str:
        """Where a browser begins."""
        return f"{self._origin}{PATH}/{name}"

    def callback(self, name: str) -> str:
        """Where it comes back: the address that the issuer has to know."""
        return f"{self.address(name)}/callback"

    def offered(self) -> list[SignInWay]:
        """The deployment's, in the order of configuration."""
        return [way for provider in self._platform.identity.values() for way in provider.ways]

    async def find(self, name: str) -> Chosen:
        """A way by its name.

        Raises:
            NotFound: there is none, or none any more.
        """
        if name.startswith(SSO):
            found = await self.of_tenant(name.removeprefix(SSO))
            if found is None:
                raise _unknown(name)
            return found
        provider = self._platform.ways.get(name)
        if provider is None:
            raise _unknown(name)
        way = next(way for way in provider.ways if way.name == name)
        return Chosen(
            name, way.title, way.issuer, provider, name, self.callback(name), way.second_factor
        )

    async def of_tenant(self, slug: str) -> Chosen | None:
        """A tenant's own way; None when it has none, is closed, or its tier does not include it.
        Nobody learns which."""
        tenant = self.tenant(slug)
        row = None if tenant is None else await self._issuers.show(tenant.tenant_id)
        if tenant is None or row is None:
            return None
        name, own = f"{SSO}{slug}", self._issuers.opened(row)
        return Chosen(
            name,
            row.title,
            row.issuer,
            self._issuers.provider(),
            own,
            self.callback(name),
            tenant_id=tenant.tenant_id,
            domains=tuple(row.domains),
        )

    def tenant(self, slug: str) -> TenantContext | None:
        """A tenant whose people may sign in with an issuer of its own."""
        directory = self._platform.directory
        match = directory.tenant_of_slug(slug)
        tenant = None if match is None else directory.tenant(match.tenant_id)
        if tenant is None or tenant.status is TenantStatus.CLOSED:
            return None
        return tenant if self._platform.tier(tenant).limits.own_issuer else None

    async def vouches(self, chosen: Chosen, host: str) -> bool:
        """Whether a way may say whose an address at a host is."""
        if chosen.tenant_id is None:
            return True
        return await self._domains.covers(chosen.tenant_id, host, chosen.domains)


def _unknown(name: str) -> NotFound:
    return NotFound(
        f"There is no way to sign in called {name[:80]!r}.",
        hint=f"GET {PATH}/providers says which there are.",
    )
