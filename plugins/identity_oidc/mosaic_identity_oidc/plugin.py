"""What the plugin declares."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from mosaic_core.hooks import hookimpl
from mosaic_core.identity import IdentityProvider
from mosaic_core.provider import PlatformServices, Provider, Secret, Word

HOOK_API = ">=1,<2"

Preset = Literal["google", "github", "microsoft", "entra_external", "azure_b2c"]
#: What each needs beside the client; a way without a preset needs its issuer.
_NEEDS: dict[str | None, tuple[str, ...]] = {
    None: ("issuer",),
    "google": (),
    "github": (),
    "microsoft": (),
    "entra_external": ("subdomain", "tenant"),
    "azure_b2c": ("subdomain", "tenant", "policy"),
}
_GUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def _read(value: Any) -> Any:
    """A table in the environment is JSON."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError("it is no JSON") from None


ShortWord = Annotated[Word, Field(min_length=1, max_length=300)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,62}$")]


class WaySettings(BaseModel):
    """``[plugins.identity_oidc.ways.<name>]``: one way to sign in."""

    # What is wrong is told without what was given: it may be the secret.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    preset: Preset | None = None
    #: What people read; by default the preset's own name.
    title: Annotated[str | None, Field(min_length=1, max_length=60)] = None
    client_id: ShortWord
    #: None for a client without one (PKCE alone), which not every issuer takes.
    client_secret: Secret | None = None
    #: Without a preset; with one, where the issuer is another than the preset says.
    issuer: Annotated[str | None, Field(max_length=300)] = None
    #: The address below which the issuer describes itself, where that is not its own.
    authority: Annotated[str | None, Field(max_length=300)] = None
    #: microsoft, entra_external, azure_b2c: the directory's id. For microsoft also ``common``
    #: (which it is by default), ``organizations`` or ``consumers``.
    tenant: Annotated[str | None, Field(pattern=rf"^({_GUID}|common|organizations|consumers)$")] = (
        None
    )
    #: entra_external, azure_b2c: what stands before ``.ciamlogin.com`` or ``.b2clogin.com``.
    subdomain: Host | None = None
    #: azure_b2c: the user flow, as in ``B2C_1_sign_in``.
    policy: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9_-]{1,100}$")] = None
    #: github: an Enterprise Server instead of github.com, as in ``https://github.example.com``.
    server: Annotated[str | None, Field(max_length=300)] = None
    #: Asked for beside ``openid email profile``.
    scopes: tuple[ShortWord, ...] = ()
    #: The issuer shows that people read the mail of every address that it has of them. For one
    #: that is your own and does not say so itself.
    addresses_verified: bool = False
    #: The issuer asks for a second factor, so that it is not asked for here again.
    second_factor: bool = False

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for name in _NEEDS[self.preset]:
            if getattr(self, name) is None:
                what = f"the preset {self.preset}" if self.preset else "a way without a preset"
                raise ValueError(f"{what} needs {name}")
        if self.preset in {"entra_external", "azure_b2c"} and "-" not in (self.tenant or ""):
            raise ValueError("tenant has to be the directory's id")
        if self.preset == "github" and self.client_secret is None:
            raise ValueError("the preset github needs client_secret")
        return self


class OIDCSettings(BaseModel):
    """``[plugins.identity_oidc]``."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    #: The ways that everybody is offered, by the names that stand in their addresses.
    ways: Annotated[dict[Name, WaySettings], BeforeValidator(_read)] = {}
    #: Whether tenants may bring issuers of their own, as far as their tier has that.
    own_issuers: bool = True
    #: Lets tenants' issuers be in the network of this machine, and without TLS on its loopback. For
    #: development only: whoever may set an issuer has this server ask whatever they like.
    internal_issuers: bool = False
    #: Certificates to trust instead of the system's; PEM, relative to the data folder.
    ca_file: Path | None = None
    #: Seconds that an issuer has for one answer.
    timeout: Annotated[float, Field(gt=0, le=60)] = 10.0
    #: Seconds for which what an issuer says of itself, and its keys, are kept.
    keep: Annotated[float, Field(ge=1, le=86_400)] = 3_600.0
    #: Seconds after which its keys are fetched again, at the soonest, for one that is not known.
    refetch: Annotated[float, Field(ge=0, le=3_600)] = 10.0


@asynccontextmanager
async def open_oidc(
    settings: OIDCSettings, services: PlatformServices
) -> AsyncIterator[IdentityProvider]:
    from mosaic_identity_oidc.opening import opened

    async with opened(settings, services) as provider:
        yield provider


@hookimpl
def mosaic_identity() -> Provider[IdentityProvider]:
    return Provider(name="identity_oidc", settings=OIDCSettings, open=open_oidc)
