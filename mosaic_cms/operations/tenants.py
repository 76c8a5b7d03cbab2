"""Tenants: making them, listing them, suspending them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from mosaic_cms.actions import Model, action
from mosaic_cms.conditions import Conditions
from mosaic_cms.content.lines import is_line
from mosaic_cms.content.models import Site
from mosaic_cms.content.tree import first_page, with_body
from mosaic_cms.rights import Permission
from mosaic_cms.scope import PlatformScope
from mosaic_cms.traffic import BANDWIDTH
from mosaic_core.directory import TenantRecord, require_foreign
from mosaic_core.errors import Conflict, InvalidHost, InvalidInput
from mosaic_core.head import Write
from mosaic_core.resolution import normalise_host
from mosaic_core.tenants import TenantContext, TenantStatus
from mosaic_core.types import new_id

#: The key of a tenant's first site.
MAIN_SITE = "main"


def _name(given: str) -> str:
    name = given.strip()
    if not is_line(name):
        raise ValueError("it is no line of words")
    return name


#: What a tenant is called among people.
TenantName = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_name)]
Language = Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
#: Notes more of a tenant of this id, in the write that makes it known.
Beside = Callable[[Write, str], Awaitable[None]]


class CreateTenant(Model):
    """A new tenant with one site. Without ``home``, the site has no pages yet."""

    slug: str
    name: TenantName
    tier: str | None = None
    language: Language = "en"
    theme: str = "iznik"
    home: bool = True
    #: Custom domains; the tier must allow them.
    domains: tuple[str, ...] = ()


class NamedTenant(Model):
    """A tenant, by its slug."""

    slug: str


class SuspendTenant(Model):
    """How far a tenant is suspended, and why, in words for its visitors."""

    slug: str
    reason: Annotated[str, Field(max_length=500)] = ""
    status: Literal["read-only", "closed"] = "read-only"


class Nothing(Model):
    """No input."""


class TenantView(Model):
    """A tenant as operators see it; of one alone, also the bytes that it has stored, and those that
    it served in this month."""

    tenant_id: str
    slug: str
    name: str
    tier: str
    status: str
    reason: str
    host: str
    domains: tuple[str, ...] = ()
    revision: str = ""
    created_at: datetime | None = None
    stored: int | None = None
    served: int | None = None


@action("tenants.create", needs=Permission("create", "tenants"), http="POST /tenants")
async def create_tenant(scope: PlatformScope, command: CreateTenant) -> TenantView:
    """Makes a tenant with a site, and a published home page."""
    return await make_tenant(scope, command)


async def make_tenant(
    scope: PlatformScope, command: CreateTenant, beside: Beside | None = None
) -> TenantView:
    """Makes a tenant, with what is noted beside it or not at all."""
    product, platform = scope.product, scope.product.platform
    tenant = TenantContext(
        new_id().hex, command.slug, command.name, command.tier or _default_tier(scope)
    )
    if command.theme not in product.themes:
        raise InvalidInput(f"There is no theme {command.theme!r}.", hint="Install its plugin.")
    domains = _domains(scope, tenant, command.domains)

    async def first(write: Write) -> None:
        site = Site(
            id=new_id(),
            key=MAIN_SITE,
            position=0,
            title=command.name,
            tagline="",
            language=command.language,
            languages=[],
            time_zone="UTC",
            theme=command.theme,
            theme_settings={},
            footer="",
        )
        write.session.add(site)
        if not command.home:
            await product.projection.place_site(write.session, site, first=True)
            return
        regions = with_body({}, _WELCOME)
        home = first_page(write, site, title=command.name, layout="home", regions=regions)
        await product.publisher.open_site(write, site, home)

    needing = await product.kept.needing(tenant)

    async def noted(write: Write) -> None:
        await needing(write)
        if beside is not None:
            await beside(write, tenant.tenant_id)

    await platform.create(tenant, first, actor=str(scope.actor), domains=domains, beside=noted)
    return tenant_view(scope, tenant, domains)


@action("tenants.list", needs=Permission("read", "tenants"), effect="read", http="GET /tenants")
async def list_tenants(scope: PlatformScope, command: Nothing) -> list[TenantView]:
    """Every tenant, by slug."""
    return [_record(scope, found) for found in await scope.product.platform.directory.records()]


@action(
    "tenants.show", needs=Permission("read", "tenants"), effect="read", http="GET /tenants/{slug}"
)
async def show_tenant(scope: PlatformScope, command: NamedTenant) -> TenantView:
    """One tenant."""
    directory = scope.product.platform.directory
    records = await directory.records()
    tenant = directory.named(command.slug)
    view = next(
        _record(scope, found) for found in records if found.tenant.tenant_id == tenant.tenant_id
    )
    stored = await scope.product.platform.storage(tenant).usage(tenant)
    served = await scope.product.ledger.used(tenant.tenant_id, BANDWIDTH)
    return view.model_copy(update={"stored": stored, "served": served})


@action(
    "tenants.suspend", needs=Permission("update", "tenants"), http="POST /tenants/{slug}/suspend"
)
async def suspend_tenant(scope: PlatformScope, command: SuspendTenant) -> TenantView:
    """Makes a tenant read-only, or closes it."""
    return await _set_status(scope, command.slug, TenantStatus(command.status), command.reason)


@action("tenants.resume", needs=Permission("update", "tenants"), http="POST /tenants/{slug}/resume")
async def resume_tenant(scope: PlatformScope, command: NamedTenant) -> TenantView:
    """Opens a suspended tenant again."""
    return await _set_status(scope, command.slug, TenantStatus.ACTIVE, "")


def _domains(
    scope: PlatformScope, tenant: TenantContext, given: tuple[str, ...]
) -> tuple[str, ...]:
    """A new tenant's domains in their one form, as far as can be said before it is made."""
    platform = scope.product.platform
    if given and not platform.tier(tenant).limits.custom_domains:
        raise Conflict(
            f"The {tenant.tier} tier has no custom domains.", hint="Choose another tier."
        )
    try:
        domains = tuple(dict.fromkeys(normalise_host(domain) for domain in given))
    except InvalidHost as error:
        raise InvalidInput(
            f"One of {', '.join(map(repr, given))} is no domain.",
            hint="Give a name such as 'www.example.com'.",
        ) from error
    for domain in domains:
        if platform.directory.tenant_of_domain(domain) is not None:
            raise Conflict(f"The domain {domain} is in use.", hint="Check the spelling.")
        require_foreign(domain, platform.directory.platform_domain)
    return domains


async def _set_status(
    scope: PlatformScope, slug: str, status: TenantStatus, reason: str
) -> TenantView:
    directory = scope.product.platform.directory
    tenant = await directory.change(
        directory.named(slug).tenant_id,
        actor=str(scope.actor),
        action=scope.action,
        write_id=(scope.actor.conditions or Conditions()).next_id(),
        status=str(status),
        reason=reason,
    )
    return tenant_view(scope, tenant)


def _default_tier(scope: PlatformScope) -> str:
    return scope.product.platform.settings.platform.default_tier


def _record(scope: PlatformScope, found: TenantRecord) -> TenantView:
    view = tenant_view(scope, found.tenant, found.domains)
    return view.model_copy(update={"revision": found.revision, "created_at": found.created_at})


def tenant_view(
    scope: PlatformScope, tenant: TenantContext, domains: tuple[str, ...] = ()
) -> TenantView:
    """A tenant as operators see it."""
    domain = scope.product.platform.settings.platform.domain
    return TenantView(
        tenant_id=tenant.tenant_id,
        slug=tenant.slug,
        name=tenant.name,
        tier=tenant.tier,
        status=str(tenant.status),
        reason=tenant.reason,
        host=f"{tenant.slug}.{domain}",
        domains=domains,
    )


_WELCOME = "This site is open. This is its first page: edit it, or import a folder of Markdown.\n"
