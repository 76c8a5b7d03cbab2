"""The themes of other versions of the deployment: pages that were rendered in them are shown in
them, until they are rendered again."""

from __future__ import annotations

import asyncio
import logging
import time
import zlib
from collections.abc import Awaitable, Callable
from zipfile import BadZipFile

from mosaic_cms.theme_assets import Asset
from mosaic_cms.theme_files import unpack
from mosaic_cms.themes import Theme, Themes
from mosaic_core.directory.theme_sets import SEEN, ThemeSets
from mosaic_core.errors import ConfigurationError
from mosaic_core.head import Write
from mosaic_core.tenants import TenantContext

_log = logging.getLogger("mosaic.themes")
#: Seconds after which it is noted again that this process has its themes.
_NOTED = SEEN.total_seconds() / 2


class KeptThemes:
    """Keeps what this process renders pages in, and finds what others rendered them in.

    Args:
        sets: where themes are kept.
        themes: those of this process.
    """

    def __init__(self, sets: ThemeSets, themes: Themes) -> None:
        self._sets = sets
        self._own = themes
        #: Themes of other sets by name and revision, by the key of their set.
        self._others: dict[str, dict[tuple[str, str], Theme]] = {}
        self._turn = asyncio.Lock()
        self._noted_until = 0.0

    @property
    def key(self) -> str:
        """The set of this process."""
        return self._own.key

    # What is noted

    async def keep(self, *, serving: bool = False) -> None:
        """Keeps the themes of this process; ``serving``, when it is a server that starts."""
        if serving or time.monotonic() >= self._noted_until:
            await self._sets.keep(self.key, self._own.revisions, self._own.packed, serving=serving)
            self._noted_until = time.monotonic() + _NOTED

    async def need(self, tenant: TenantContext) -> None:
        """Notes, inside a write to a tenant, that visitors see what this process rendered."""
        await self.keep()
        await self._sets.need(tenant.tenant_id, self.key)

    async def needing(self, tenant: TenantContext) -> Callable[[Write], Awaitable[None]]:
        """What notes it of a tenant that is being made."""
        await self.keep()
        return self._sets.needing(tenant.tenant_id, self.key)

    # What is found

    async def find(self, name: str, revision: str) -> Theme | None:
        """A theme as it was at a revision; None when nobody kept it."""
        own = self._own.get(name)
        if (own.name, own.revision) == (name, revision):
            return own
        return self._among((name, revision)) or await self._looked((name, revision))

    async def asset(self, name: str) -> Asset | None:
        """An asset of any set, by its hashed name."""
        found = self._own.assets.get(name) or self._asset_among(name)
        if found is None:
            await self._look()
            found = self._asset_among(name)
        return found

    def _among(self, wanted: tuple[str, str]) -> Theme | None:
        return next((x[wanted] for x in self._others.values() if wanted in x), None)

    async def _looked(self, wanted: tuple[str, str]) -> Theme | None:
        await self._look()
        return self._among(wanted)

    def _asset_among(self, name: str) -> Asset | None:
        for themes in self._others.values():
            for theme in themes.values():
                if name in theme.assets:
                    return theme.assets[name]
        return None

    async def _look(self) -> None:
        """Loads the sets that others have kept meanwhile, and lets go of those dropped."""
        async with self._turn:
            there = await self._sets.revisions()
            for key in self._others.keys() - there.keys():
                del self._others[key]
            for key in there.keys() - self._others.keys() - {self.key}:
                content = await self._sets.content(key)
                if content is not None:
                    self._others[key] = await asyncio.to_thread(_loaded, there[key], content)


def _loaded(revisions: dict[str, str], content: bytes) -> dict[tuple[str, str], Theme]:
    """The themes of a set by name and revision; without those that cannot be read here."""
    found: dict[tuple[str, str], Theme] = {}
    try:
        folders, common = unpack(content)
        for name, revision in revisions.items():
            found[name, revision] = Theme(name, folders[name], common, kept=revision)
    except (KeyError, ValueError, BadZipFile, zlib.error, ConfigurationError) as error:
        _log.error("kept themes cannot be read: %s: %s", type(error).__name__, error)
    return found
