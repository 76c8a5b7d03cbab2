"""Issuers that tenants brought along: set up, looked at, and found for who signs in with one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select

from mosaic_cms.identity.domains import Domains, check_domain
from mosaic_cms.identity.federation_tables import TenantIssuer
from mosaic_cms.identity.recorded import record
from mosaic_cms.identity.secrets import Secrets
from mosaic_cms.identity.store import IdentityStore
from mosaic_cms.scope import Actor
from mosaic_core.errors import Conflict, IdentityError, InvalidInput, NotFound
from mosaic_core.head import Write
from mosaic_core.identity import IdentityProvider, OwnIssuer


@dataclass(frozen=True, slots=True)
class IssuerWish:
    """What a tenant's issuer is to be.

    Attributes:
        client_secret: None for the one that it has already, while issuer and client are the same;
            empty for none.
        domains: below which addresses have to be that it vouches for; each is proven.
    """

    title: str
    issuer: str
    client_id: str
    client_secret: str | None
    domains: tuple[str, ...]


class TenantIssuers:
    """One issuer for each tenant.

    Args:
        providers: what signs in by others' word; the first that takes issuers of tenants does.
    """

    def __init__(
        self,
        store: IdentityStore,
        secrets: Secrets,
        domains: Domains,
        providers: Mapping[str, IdentityProvider],
    ) -> None:
        self._store = store
        self._secrets = secrets
        self._domains = domains
        self._providers = providers

    def provider(self) -> IdentityProvider:
        """What signs in with issuers of tenants.

        Raises:
            Conflict: nothing that is selected does.
        """
        for provider in self._providers.values():
            if provider.takes_own:
                return provider
        raise Conflict(
            "No plugin that is selected here signs in with issuers of tenants.",
            hint="identity_oidc does; those who run this installation select it.",
        )

    async def show(self, tenant_id: str) -> TenantIssuer | None:
        """A tenant's issuer; None when it has none."""
        async with self._store.session() as session:
            return await session.get(TenantIssuer, tenant_id)

    async def all(self) -> list[TenantIssuer]:
        """Every tenant's."""
        async with self._store.session() as session:
            return list(await session.scalars(select(TenantIssuer)))

    def opened(self, row: TenantIssuer) -> OwnIssuer:
        """An issuer as its provider takes it.

        Raises:
            ConfigurationError: its secret was sealed with another one of the platform's.
        """
        secret = b"" if row.secret is None else self._secrets.unseal(row.secret)
        return OwnIssuer(row.issuer, row.client_id, secret.decode())

    async def set(self, tenant_id: str, wish: IssuerWish, asker: Actor) -> TenantIssuer:
        """Has a tenant's people sign in with an issuer, which is asked first whether it is there.

        Raises:
            InvalidInput: it cannot be used, or a domain is not proven; it says why.
        """
        domains = tuple(dict.fromkeys(check_domain(domain) for domain in wish.domains))
        proven = await self._domains.proven(tenant_id)
        for domain in domains:
            if domain not in proven:
                raise InvalidInput(
                    f"{domain} is not proven to be this tenant's.",
                    hint="Add it with domains.add, set the record, and have it verified.",
                    problems=(("domains", f"{domain} is not proven"),),
                )
        known = await self.show(tenant_id)
        secret = None if wish.client_secret is None else wish.client_secret.encode()
        if secret is None and known is not None and _is_same(known, wish):
            secret = self.opened(known).client_secret.encode()
        own = OwnIssuer(wish.issuer, wish.client_id, (secret or b"").decode())
        try:
            await self.provider().examine(own)
        except IdentityError as error:
            raise InvalidInput(
                f"This issuer cannot be used. {error.message}",
                hint=error.hint,
                problems=(("issuer", error.message),),
            ) from error
        sealed = self._secrets.seal(secret) if secret else None

        async def fn(write: Write) -> TenantIssuer:
            row = await write.session.get(TenantIssuer, tenant_id)
            if row is None:
                row = TenantIssuer(tenant_id=tenant_id)
                write.session.add(row)
            row.title, row.issuer, row.client_id = wish.title, wish.issuer, wish.client_id
            row.secret, row.domains, row.changed_at = sealed, list(domains), write.at
            about = f"the issuer {wish.issuer} set, for {', '.join(domains)}"
            await record(write, tenant_id, about, asker.address)
            return row

        return await self._store.write(fn, actor=asker, action="sso.set", kept=False)

    async def remove(self, tenant_id: str, asker: Actor) -> None:
        """Has nobody sign in with a tenant's issuer any more. What it was linked to stays linked.

        Raises:
            NotFound: there is none.
        """

        async def fn(write: Write) -> None:
            row = await write.session.get(TenantIssuer, tenant_id)
            if row is None:
                raise NotFound("This tenant has no issuer of its own.")
            await write.session.delete(row)
            await record(write, tenant_id, f"the issuer {row.issuer} removed", asker.address)

        await self._store.write(fn, actor=asker, action="sso.remove", kept=False)


def _is_same(known: TenantIssuer, wish: IssuerWish) -> bool:
    return (known.issuer, known.client_id) == (wish.issuer, wish.client_id)
