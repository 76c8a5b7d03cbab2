"""Who asks, and for which tenant.

The tenant comes from the host, from what somebody shows to be who they are (a token, a key, a
session), and from a header. All that name one have to name the same; a header counts only for
somebody who belongs to its tenant. Whatever does not agree is refused, and noted.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from starlette.requests import Request
from starlette.types import Scope

from mosaic_cms.api.problems import HttpError
from mosaic_cms.api.shown import BadCookie, Shown
from mosaic_cms.conditions import Conditions
from mosaic_cms.declared import Action
from mosaic_cms.identity.principal import Principal
from mosaic_cms.ledger import Entry
from mosaic_cms.limits import Admission
from mosaic_cms.networks import neighbourhood
from mosaic_cms.product import Product
from mosaic_cms.scope import Actor, PlatformScope, TenantScope
from mosaic_cms.web.hosts import Hosts
from mosaic_core.errors import Denied, InvalidHost, Unauthenticated, UnknownHost
from mosaic_core.resolution import normalise_host
from mosaic_core.tenants import TenantContext

TENANT_HEADER = "x-tenant-id"
CSRF_HEADER = "x-csrf-token"
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, where, and how much more they may.

    Attributes:
        tenant: None on a shared host when nothing names one.
        site: the key of the site whose host it is; None for the tenant's first, or no host's.
    """

    actor: Actor
    tenant: TenantContext | None
    admission: Admission
    principal: Principal | None = None
    site: str | None = None


def scope_of(
    product: Product, action: Action, caller: Caller, conditions: Conditions | None = None
) -> PlatformScope | TenantScope:
    """In which a caller performs an action.

    Raises:
        HttpError: it is about a tenant, and none is named.
    """
    if action.scope is PlatformScope:
        return product.platform_scope(caller.actor, conditions, caller.admission)
    if caller.tenant is None:
        raise HttpError(
            400,
            "no-tenant",
            "It is not said which tenant this is about.",
            hint="Send X-Tenant-Id, or a token or key of the tenant.",
        )
    return product.scope(caller.tenant, caller.actor, conditions, caller.admission)


class Callers:
    """Finds out who sends a request."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._directory = product.platform.directory
        self._identity = product.identity
        self._shown = Shown(product.identity)
        self._hosts = Hosts(product.platform)
        domain = product.platform.settings.platform.domain
        self._shared = frozenset({domain, f"api.{domain}", f"www.{domain}"})

    async def of(self, request: Request) -> Caller:
        """Who sends a request, let in once. What is left of their limits is then known as
        ``request.state.admission``, and what is wrong with their session's cookie as
        ``request.state.flaw``, also when this raises. Who has such a cookie is nobody by it.

        Raises:
            InvalidHost, UnknownHost: nothing is at its host.
            Unauthenticated: what they show is not valid, or not any more.
            Denied: the tenants that it names do not agree, or they do not belong to it.
            TooManyRequests: they may not now.
        """
        # Before the body is read; whatever it performs, it is in.
        admission = request.state.admission = Admission()
        await self._identity.store.refresh()
        headers = dict(request.scope["headers"])
        client = self._hosts.client_of(request.scope, headers)
        address = neighbourhood(client)
        try:
            site, named = self._by_host(request, headers)
        except (InvalidHost, UnknownHost) as error:
            self._note(address, error.code)
            raise
        try:
            shown = await self._shown.of(request)
        except Unauthenticated as error:
            self._note(address, error.code)
            await self._product.rates.admit(admission, f"unknown {address}", None)
            raise
        flaw = request.state.flaw = self._shown.flaw(request, shown)
        if isinstance(flaw, BadCookie):
            self._note(address, flaw.code)
        for one in shown:
            if one.tenant_id is not None:
                named[f"the {one.by}"] = one.tenant_id
        wanted = request.headers.get(TENANT_HEADER)
        if wanted is not None:
            named["the header X-Tenant-Id"] = wanted
        principal = shown[0] if shown else None
        agent = request.headers.get("user-agent", "")[:200]
        who = str(principal.id) if principal else address
        if len(set(named.values())) > 1:
            await self._product.rates.admit(admission, f"unknown {address}", None)
            raise self._refused(principal, named, address, "do not name the same tenant")
        tenant_id = next(iter(named.values()), None)
        tenant = self._directory.tenant(tenant_id) if tenant_id is not None else None
        if tenant is not None:  # `perform` asks too; here it is before anything is read
            await self._require_near(tenant, principal, client, admission)
        admission.counts = principal is None or principal.by != "session"
        await self._product.rates.admit(admission, who, tenant)
        if principal is None:
            if wanted is not None and "the host" not in named:
                raise flaw or Unauthenticated(
                    "A tenant is named by a header, by nobody that is known.",
                    hint="Send a token, a key or a session; the header alone proves nothing.",
                )
            actor = Actor("visitor", address=address, agent=agent, client=client)
        else:
            actor = await self._identity.actor_for(principal, tenant_id, address, agent, client)
            proven = set(named) - {"the host"}
            if proven and (tenant is None or not actor.belongs):
                raise self._refused(principal, named, address, "name a tenant that is not theirs")
            host = self._hosts.host_of(request.scope, headers)
            if not self._from_own_page(request, principal, host):
                why = "not from a page of this host that was signed in"
                self._product.ledger.note(
                    Entry(tenant_id, str(actor), "api.authenticate", "refused", why, address)
                )
                raise Denied(
                    "The request does not come from a page of this host that was signed in.",
                    hint="Send the X-CSRF-Token that the last answer had.",
                )
        return Caller(actor, tenant, admission, principal, site)

    def _note(self, address: str, reason: str) -> None:
        """That somebody showed what is nothing."""
        self._product.ledger.note(
            Entry(None, "visitor", "api.authenticate", "refused", reason, address)
        )

    async def _require_near(
        self,
        tenant: TenantContext,
        principal: Principal | None,
        client: str,
        admission: Admission,
    ) -> None:
        """Raises Denied for a network from which the tenant is not reached, whoever it is; and
        TooManyRequests when that was told too often. None of it counts as the tenant's own."""
        try:
            await self._product.networks.require(tenant.tenant_id, client)
        except Denied:
            address = neighbourhood(client)
            actor = f"{principal.kind}:{principal.id}" if principal else "visitor"
            why = "a network from which it is not reached"
            self._product.ledger.note(
                Entry(tenant.tenant_id, actor, "networks.refuse", "refused", why, address)
            )
            await self._product.rates.admit(admission, f"unknown {address}", None)
            raise

    def is_home(self, request: Request) -> bool:
        """Whether a request is for the platform's own host, where people sign in."""
        host = self.host_of(request).decode("utf-8", "surrogateescape")
        return normalise_host(host) == self._product.platform.settings.platform.domain

    def is_secure(self, scope: Scope) -> bool:
        """Whether a request came by https."""
        return self._hosts.scheme_of(scope, dict(scope["headers"])) == "https"

    def address_of(self, request: Request) -> str:
        """From where a request comes, as far as that is noted."""
        headers = dict(request.scope["headers"])
        return neighbourhood(self._hosts.client_of(request.scope, headers))

    def host_of(self, request: Request) -> bytes:
        """The host that a request was sent to, as it was written there."""
        return self._hosts.host_of(request.scope, dict(request.scope["headers"]))

    def csrf_token(self, principal: Principal) -> str:
        """What a page that was signed in sends along, so that no other page can write in its
        name."""
        return self._identity.secrets.token("csrf", str(principal.session_id))

    def _by_host(
        self, request: Request, headers: dict[bytes, bytes]
    ) -> tuple[str | None, dict[str, str]]:
        host = self._hosts.host_of(request.scope, headers)
        if normalise_host(host.decode("utf-8", "surrogateescape")) in self._shared:
            return None, {}
        handle = self._hosts.find(host, self._hosts.scheme_of(request.scope, headers))
        return handle.site, {"the host": handle.tenant.tenant_id}

    def _from_own_page(self, request: Request, principal: Principal, host: bytes) -> bool:
        """A browser sends its cookie for any page; only the platform's own may write with it."""
        if principal.by != "session" or request.method in _READS:
            return True
        origin = request.headers.get("origin")
        site = request.headers.get("sec-fetch-site", "same-origin")
        own = origin is None or origin.partition("://")[2].encode() == host
        given = request.headers.get(CSRF_HEADER, "")
        right = hmac.compare_digest(given.encode(), self.csrf_token(principal).encode())
        return own and site in {"same-origin", "none"} and right

    def _refused(
        self, principal: Principal | None, named: dict[str, str], address: str, why: str
    ) -> Denied:
        actor = f"{principal.kind}:{principal.id}" if principal else "visitor"
        sources = " and ".join(named)
        for tenant_id in set(named.values()):
            known = tenant_id if self._directory.tenant(tenant_id) else None
            self._product.ledger.note(
                Entry(known, actor, "tenant.resolve", "refused", f"{sources} {why}", address)
            )
        return Denied(
            f"{sources[0].upper()}{sources[1:]} {why}.",
            hint="Leave out what does not belong to this request.",
        )
