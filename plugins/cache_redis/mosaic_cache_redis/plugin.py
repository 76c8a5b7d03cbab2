"""What the plugin declares."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from mosaic_core.cache import Cache
from mosaic_core.hooks import hookimpl
from mosaic_core.provider import PlatformServices, Provider, Secret, Word

HOOK_API = ">=1,<2"
_SCHEMES = ("redis://", "rediss://", "unix://")


class RedisSettings(BaseModel):
    """``[plugins.cache_redis]``."""

    # What is wrong is told without what was given: it may be the password.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    #: ``rediss://`` with TLS, ``redis://`` without, or ``unix://`` and the path of a socket.
    url: str
    #: The number of the database on the server.
    database: Annotated[int, Field(ge=0, le=1_000)] = 0
    username: Word | None = None
    password: Secret | None = None
    #: Certificates to trust instead of the system's; PEM, relative to the data folder.
    ca_file: Path | None = None
    #: What all keys and channels begin with: deployments that share a server need one each.
    prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9:._-]{1,60}$")] = "mosaic:"
    #: Seconds after which an answer is not waited for any longer, tried once more and all.
    timeout: Annotated[float, Field(gt=0, le=10)] = 0.5
    #: Connections at one time, in each process; one of them listens.
    connections: Annotated[int, Field(ge=2, le=1000)] = 20

    @field_validator("url")
    @classmethod
    def _safe(cls, value: str) -> str:
        parts = urlsplit(value)
        if f"{parts.scheme}://" not in _SCHEMES:
            raise ValueError(f"begin it with one of {', '.join(_SCHEMES)}")
        if "@" in value or parts.query:
            raise ValueError("username, password and database are settings of their own")
        if parts.scheme == "unix" and not parts.path.strip("/"):
            raise ValueError("name the socket, as in unix:///run/redis/redis.sock")
        if parts.scheme != "unix" and (not parts.hostname or parts.port == 0):
            raise ValueError("name the server, as in rediss://cache.example.com:6380")
        if parts.scheme != "unix" and parts.path.strip("/"):
            raise ValueError("the number of the database is a setting of its own")
        return value

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if self.ca_file is not None and not self.url.startswith("rediss://"):
            raise ValueError("ca_file is for rediss://: without TLS there is no certificate")
        return self


@asynccontextmanager
async def open_redis(settings: RedisSettings, services: PlatformServices) -> AsyncIterator[Cache]:
    from mosaic_cache_redis.server import RedisCache

    cache = RedisCache(settings, services.data_dir)
    try:
        yield cache
    finally:
        await cache.close()


@hookimpl
def mosaic_cache() -> Provider[Cache]:
    return Provider(name="cache_redis", settings=RedisSettings, open=open_redis)
