"""What the plugin declares."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from mosaic_core.hooks import hookimpl
from mosaic_core.persistence import Persistence
from mosaic_core.provider import PlatformServices, Provider

HOOK_API = ">=1,<2"


class DedicatedSettings(BaseModel):
    """``[plugins.tenancy_dedicated]``."""

    # What is wrong is told without what was given: it may be the password.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    #: The server on which databases are made, as the URL of any database there; or the folder in
    #: which SQLite files are made. It may be the address of a secret in Azure Key Vault, as may
    #: those that are given.
    url: SecretStr
    #: Databases, and folders, that are there already: their URLs, by the slug of the tenant that
    #: gets it.
    given: Mapping[str, SecretStr] = {}
    #: What the names of this deployment's databases begin with.
    prefix: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{0,11}$")] = "tenant"
    #: Connections of each process to one tenant's database; writes take at most half of them. Of
    #: SQLite files, those that are read at one time, and as many that are written.
    connections: Annotated[int, Field(ge=2, le=500)] = 8
    #: Seconds to wait for one.
    wait: Annotated[float, Field(gt=0, le=300)] = 20.0
    #: Seconds after its last use in which a tenant's connections are kept.
    idle: Annotated[float, Field(gt=0, le=86_400)] = 300.0


@asynccontextmanager
async def open_databases(
    settings: DedicatedSettings, services: PlatformServices
) -> AsyncIterator[Persistence]:
    from mosaic_tenancy_dedicated import places, vault

    async with places.opened(await vault.revealed(settings), services) as databases:
        yield databases


@hookimpl
def mosaic_persistence() -> Provider[Persistence]:
    return Provider(name="tenancy_dedicated", settings=DedicatedSettings, open=open_databases)
