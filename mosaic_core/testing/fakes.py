"""Stand-ins that keep the contracts: files and mails in memory, and hosts from a table."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict

from mosaic_core.cache import Cache
from mosaic_core.errors import FileMismatch, FileMissing, MailError, QuotaExceeded
from mosaic_core.mail import Mail, Mailer
from mosaic_core.memory_cache import MemoryCache
from mosaic_core.provider import NoSettings, PlatformServices, Provider
from mosaic_core.resolution import HostDirectory, TenantMatch, TenantResolver
from mosaic_core.storage import FileInfo, Storage, normalise_key
from mosaic_core.tenants import TenantContext, Tier

_CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True)
class _File:
    info: FileInfo
    content: bytes


class MemoryStorage:
    """Implements :class:`mosaic_core.storage.Storage` for tests; gone with the process."""

    def __init__(self, tiers: Mapping[str, Tier] | None = None) -> None:
        self._tiers = tiers or {}
        self._files: dict[str, dict[str, _File]] = {}

    async def write(
        self,
        tenant: TenantContext,
        key: str,
        chunks: AsyncIterable[bytes],
        *,
        size: int | None = None,
        digest: str | None = None,
    ) -> FileInfo:
        key = normalise_key(key)
        received = bytearray()
        async for chunk in chunks:
            received += chunk
            self._require_room(tenant, key, len(received))
        content = bytes(received)
        found = hashlib.sha256(content).hexdigest()
        if size not in (None, len(content)) or digest not in (None, found):
            raise FileMismatch(
                f"{key!r} was announced with {size} bytes and the digest {digest}; "
                f"{len(content)} bytes with {found} came.",
                hint="Send it again.",
            )
        self._require_room(tenant, key, len(content))
        info = FileInfo(key, len(content), found, datetime.now(UTC))
        self._files.setdefault(tenant.blob_storage_prefix, {})[key] = _File(info, content)
        return info

    async def read(
        self, tenant: TenantContext, key: str, *, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        content = self._file(tenant, key).content[start:end]
        for at in range(0, len(content), _CHUNK):
            yield content[at : at + _CHUNK]

    async def stat(self, tenant: TenantContext, key: str) -> FileInfo:
        return self._file(tenant, key).info

    async def delete(self, tenant: TenantContext, key: str) -> None:
        self._of(tenant).pop(normalise_key(key), None)

    async def copy(self, tenant: TenantContext, source: str, target: str) -> FileInfo:
        self._file(tenant, source)
        return await self.write(tenant, target, self.read(tenant, source))

    async def list(self, tenant: TenantContext, prefix: str = "") -> AsyncIterator[FileInfo]:
        prefix = unicodedata.normalize("NFC", prefix)
        for key, file in sorted(self._of(tenant).items()):
            if key.startswith(prefix):
                yield file.info

    async def usage(self, tenant: TenantContext) -> int:
        return sum(file.info.size for file in self._of(tenant).values())

    async def drop(self, tenant: TenantContext) -> None:
        self._files.pop(tenant.blob_storage_prefix, None)

    def _of(self, tenant: TenantContext) -> dict[str, _File]:
        return self._files.get(tenant.blob_storage_prefix, {})

    def _file(self, tenant: TenantContext, key: str) -> _File:
        file = self._of(tenant).get(normalise_key(key))
        if file is None:
            raise FileMissing(f"There is no file {key!r}.")
        return file

    def _require_room(self, tenant: TenantContext, key: str, size: int) -> None:
        tier = self._tiers.get(tenant.tier)
        if tier is None or tier.limits.files is None:
            return
        others = sum(file.info.size for k, file in self._of(tenant).items() if k != key)
        if others + size > tier.limits.files:
            raise QuotaExceeded(
                f"The files of {tenant.slug!r} are at the {tenant.tier} tier's limit.",
                hint="Delete some, or move up a tier.",
            )


class TableSettings(BaseModel):
    """``hosts`` maps a normalised host to the slug of its tenant."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hosts: dict[str, str]


class TableResolver:
    """Implements :class:`mosaic_core.resolution.TenantResolver` from a table of hosts."""

    def __init__(self, table: Mapping[str, str], hosts: HostDirectory) -> None:
        self._table = table
        self._hosts = hosts

    def resolve(self, host: str) -> TenantMatch | None:
        slug = self._table.get(host)
        return None if slug is None else self._hosts.tenant_of_slug(slug)


class MemoryMailer:
    """Implements :class:`mosaic_core.mail.Mailer` for tests: what was sent is in ``sent``.

    Args:
        failing: says of a mail what goes wrong with it; None for nothing.
    """

    def __init__(self, failing: Callable[[Mail], MailError | None] | None = None) -> None:
        self.sent: list[Mail] = []
        self.failing = failing

    async def send(self, mail: Mail) -> None:
        error = self.failing(mail) if self.failing is not None else None
        if error is not None:
            raise error
        self.sent.append(mail)


@asynccontextmanager
async def _open_memory(settings: NoSettings, services: PlatformServices) -> AsyncIterator[Storage]:
    yield MemoryStorage(services.tiers)


@asynccontextmanager
async def _open_table(
    settings: TableSettings, services: PlatformServices
) -> AsyncIterator[TenantResolver]:
    yield TableResolver(settings.hosts, services.hosts)


def memory_storage() -> Provider[Storage]:
    """Declares :class:`MemoryStorage`, as a plugin's hook would."""
    return Provider(name="memory", settings=NoSettings, open=_open_memory)


def table_resolver() -> Provider[TenantResolver]:
    """Declares :class:`TableResolver`, as a plugin's hook would."""
    return Provider(name="table", settings=TableSettings, open=_open_table)


def memory_cache() -> Provider[Cache]:
    """Declares :class:`~mosaic_core.memory_cache.MemoryCache`, as a plugin's hook would."""

    @asynccontextmanager
    async def opened(settings: NoSettings, services: PlatformServices) -> AsyncIterator[Cache]:
        yield MemoryCache()

    return Provider(name="memory", settings=NoSettings, open=opened)


def memory_mailer(mailer: MemoryMailer | None = None) -> Provider[Mailer]:
    """Declares :class:`MemoryMailer`, as a plugin's hook would; a given one is what is opened."""

    @asynccontextmanager
    async def opened(settings: NoSettings, services: PlatformServices) -> AsyncIterator[Mailer]:
        yield mailer or MemoryMailer()

    return Provider(name="memory", settings=NoSettings, open=opened)
