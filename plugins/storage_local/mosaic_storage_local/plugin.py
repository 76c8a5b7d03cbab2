"""What the plugin declares."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from mosaic_core.hooks import hookimpl
from mosaic_core.provider import PlatformServices, Provider
from mosaic_core.storage import Storage

HOOK_API = ">=1,<2"


class LocalSettings(BaseModel):
    """``[plugins.storage_local]``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: Where files are kept, relative to the data folder.
    folder: Path = Path("files")


@asynccontextmanager
async def open_local(settings: LocalSettings, services: PlatformServices) -> AsyncIterator[Storage]:
    from mosaic_storage_local.folder import LocalFolder

    yield LocalFolder(services.data_dir / settings.folder, services.tiers)


@hookimpl
def mosaic_storage() -> Provider[Storage]:
    return Provider(name="storage_local", settings=LocalSettings, open=open_local)
