"""What the plugin declares."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from mosaic_core.hooks import hookimpl
from mosaic_core.persistence import Persistence
from mosaic_core.provider import PlatformServices, Provider

HOOK_API = ">=1,<2"


class SchemaSettings(BaseModel):
    """``[plugins.tenancy_sqlschema]``."""

    # What is wrong is told without what was given: it may be the password.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    #: The shared database: ``postgresql://user:password@host/name``.
    url: SecretStr
    #: What the names of this deployment's schemas begin with.
    prefix: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{0,11}$")] = "tenant"
    #: Connections of each process; writes take at most half of them.
    connections: Annotated[int, Field(ge=2, le=500)] = 16
    #: Seconds to wait for one.
    wait: Annotated[float, Field(gt=0, le=300)] = 20.0
    #: Each tenant gets a role that its statements run as. The user of the URL must be allowed to
    #: make roles.
    roles: bool = False


@asynccontextmanager
async def open_schemas(
    settings: SchemaSettings, services: PlatformServices
) -> AsyncIterator[Persistence]:
    from mosaic_tenancy_sqlschema.schemas import TenantSchemas

    schemas = TenantSchemas(settings, services.schema, services.tiers)
    try:
        yield schemas
    finally:
        await schemas.close()


@hookimpl
def mosaic_persistence() -> Provider[Persistence]:
    return Provider(name="tenancy_sqlschema", settings=SchemaSettings, open=open_schemas)
