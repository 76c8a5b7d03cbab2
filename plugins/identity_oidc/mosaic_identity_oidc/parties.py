"""Whom a way to sign in trusts: the presets, and what their addresses are."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from mosaic_core.errors import IdentityMisconfigured
from mosaic_core.identity import ISSUER, OwnIssuer
from mosaic_identity_oidc.plugin import WaySettings

#: Stands in the issuer of Microsoft's shared authorities for the directory of who signs in.
_DIRECTORY = "{tenantid}"
_GUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_TITLES = {
    "google": "Google",
    "github": "GitHub",
    "microsoft": "Microsoft",
    "entra_external": "Microsoft Entra",
    "azure_b2c": "Azure AD B2C",
}
#: Directory that stands for personal accounts in Microsoft's issuer.
_CONSUMERS = "9188040d-6c67-4c5b-b112-36a304b66dad"


@dataclass(frozen=True, slots=True)
class Party:
    """An issuer of OpenID Connect, and what it knows this deployment by.

    Attributes:
        issuer: exactly as it calls itself.
        authority: the address below which it describes itself, where that is another.
        own: a tenant brought it along.
        addresses_verified: all its addresses count as verified.
        by_directory: one issuer for each directory (Microsoft), whose administrators write what
            they like into most claims: an address counts by ``xms_edov`` alone.
    """

    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    authority: str = ""
    scopes: tuple[str, ...] = ()
    own: bool = False
    addresses_verified: bool = False
    by_directory: bool = False

    @property
    def description(self) -> str:
        """Where it describes itself (OpenID Connect Discovery, 4)."""
        return f"{(self.authority or self.issuer).rstrip('/')}/.well-known/openid-configuration"

    def is_issuer(self, issuer: str, directory: object = None) -> bool:
        """Whether this is how it calls itself.

        Args:
            directory: the one of who signs in; None for any.
        """
        if not self.by_directory:
            return issuer == self.issuer
        before, _, after = self.issuer.partition(_DIRECTORY)
        match = re.fullmatch(f"{re.escape(before)}({_GUID}){re.escape(after)}", issuer)
        return match is not None and directory in {None, match[1]}

    @classmethod
    def of_tenant(cls, own: OwnIssuer) -> Party:
        """An issuer that a tenant brought along."""
        if not own.client_id or not own.issuer or len(own.issuer) > ISSUER:
            raise IdentityMisconfigured("An issuer needs an address and a client's id.")
        return cls(own.issuer, own.client_id, own.client_secret, own=True)

    @classmethod
    def of(cls, settings: WaySettings) -> Party:
        """The issuer of a way that is offered to everybody."""
        issuer, authority = _PRESETS[settings.preset or ""](settings)
        secret = settings.client_secret
        return cls(
            settings.issuer or issuer,
            settings.client_id,
            "" if secret is None else secret.get_secret_value(),
            settings.authority or authority,
            settings.scopes,
            addresses_verified=settings.addresses_verified,
            by_directory=_DIRECTORY in (settings.issuer or issuer),
        )


def title_of(name: str, settings: WaySettings) -> str:
    """What people read."""
    return settings.title or _TITLES.get(settings.preset or "", name.replace("_", " ").title())


def _microsoft(settings: WaySettings) -> tuple[str, str]:
    tenant = settings.tenant or "common"
    base = "https://login.microsoftonline.com"
    directory = {"common": _DIRECTORY, "organizations": _DIRECTORY, "consumers": _CONSUMERS}
    return f"{base}/{directory.get(tenant, tenant)}/v2.0", f"{base}/{tenant}/v2.0"


def _entra_external(settings: WaySettings) -> tuple[str, str]:
    tenant = settings.tenant
    issuer = f"https://{tenant}.ciamlogin.com/{tenant}/v2.0"
    return issuer, f"https://{settings.subdomain}.ciamlogin.com/{tenant}/v2.0"


def _azure_b2c(settings: WaySettings) -> tuple[str, str]:
    base = f"https://{settings.subdomain}.b2clogin.com"
    directory = f"{settings.subdomain}.onmicrosoft.com"
    return f"{base}/{settings.tenant}/v2.0/", f"{base}/{directory}/{settings.policy}/v2.0"


_PRESETS = {
    "": lambda settings: (settings.issuer or "", ""),
    "google": lambda settings: ("https://accounts.google.com", ""),
    "microsoft": _microsoft,
    "entra_external": _entra_external,
    "azure_b2c": _azure_b2c,
}
