"""What a hook returns, and what a plugin is given when it is opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr

from mosaic_core.database import TenantSchema
from mosaic_core.resolution import HostDirectory
from mosaic_core.tenants import Tier

P = TypeVar("P")


def _digits(value: Any) -> Any:
    return str(value) if type(value) is int else value


#: Texts and secrets in a plugin's settings. The environment's values are read as JSON, and a
#: password or an id may be a number there.
Word = Annotated[str, BeforeValidator(_digits)]
Secret = Annotated[SecretStr, BeforeValidator(_digits)]


class NoSettings(BaseModel):
    """For a plugin that has nothing to configure."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class PlatformServices:
    """What the platform gives to a plugin when it opens it."""

    #: The deployment's data folder; it exists.
    data_dir: Path
    #: Host lookups in memory.
    hosts: HostDirectory
    #: The tenant tables and their migrations.
    schema: TenantSchema
    #: The configured tiers, for their limits.
    tiers: Mapping[str, Tier]


@dataclass(frozen=True, slots=True)
class Provider(Generic[P]):
    """A declaration: what configuration selects by ``name``, and how it is opened.

    ``settings`` is validated by the core from ``[plugins.<plugin name>]``. ``open`` is where an SDK
    is imported and connections are made; leaving its context closes them.
    """

    name: str
    settings: type[BaseModel]
    open: Callable[[Any, PlatformServices], AbstractAsyncContextManager[P]]
