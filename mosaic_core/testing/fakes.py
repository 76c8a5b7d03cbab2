"""Stand-ins that keep the contracts: files, mails and people in memory, and hosts from a table."""

from __future__ import annotations

import hashlib
import secrets
import unicodedata
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict

from mosaic_core.cache import Cache
from mosaic_core.errors import (
    FileMismatch,
    FileMissing,
    IdentityRefused,
    IdentityTampered,
    MailError,
    NotFound,
    QuotaExceeded,
)
from mosaic_core.identity import Begun, IdentityProvider, OwnIssuer, SignInWay, Vouched, Way
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


class MemoryIdentity:
    """Implements :class:`mosaic_core.identity.IdentityProvider` for tests: the issuer vouches for
    ``who``, which may be another each time.

    Args:
        ways: what is offered; by default one that is called ``memory``.
    """

    ISSUER = "https://memory.example"

    def __init__(self, who: Vouched | None = None, ways: Sequence[SignInWay] = ()) -> None:
        self.who = who or Vouched(self.ISSUER, "ada", "ada@example.com", True, "Ada")
        self.ways = tuple(ways) or (SignInWay("memory", "Memory", self.ISSUER),)
        self.takes_own = True
        self._codes: dict[str, tuple[str, Vouched]] = {}

    async def begin(self, way: Way, callback: str) -> Begun:
        await self.examine(way)
        state = secrets.token_urlsafe(16)
        remembered = {"state": state, "way": _named(way), "callback": callback}
        return Begun(f"{self.ISSUER}/?state={state}", remembered)

    def answer(self, begun: Begun, *, declines: bool = False) -> dict[str, str]:
        """What a browser comes back with that went where it was sent."""
        state = begun.address.rpartition("state=")[2]
        if declines:
            return {"state": state, "error": "access_denied"}
        code = secrets.token_urlsafe(16)
        self._codes[code] = (state, self.who)
        return {"state": state, "code": code}

    async def complete(self, way: Way, begun: Begun, answer: Mapping[str, str]) -> Vouched:
        await self.examine(way)
        state = begun.remembered.get("state")
        if answer.get("state") != state or begun.remembered.get("way") != _named(way):
            raise IdentityTampered("What came back belongs to another sign-in.")
        if "error" in answer:
            raise IdentityRefused("The sign-in was declined.")
        if "code" not in answer:
            raise IdentityTampered("Nothing came back.")
        begun_with, who = self._codes.pop(answer["code"], ("", self.who))
        if begun_with != state:
            raise IdentityRefused("This answer does not count.")
        return replace(who, issuer=way.issuer) if isinstance(way, OwnIssuer) else who

    async def examine(self, way: Way) -> None:
        if not isinstance(way, OwnIssuer) and way not in {one.name for one in self.ways}:
            raise NotFound(f"There is no way to sign in called {way!r}.")


def _named(way: Way) -> str:
    return f"{way.issuer} {way.client_id}" if isinstance(way, OwnIssuer) else way


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


def memory_identity(identity: MemoryIdentity | None = None) -> Provider[IdentityProvider]:
    """Declares :class:`MemoryIdentity`, as a plugin's hook would; a given one is what is opened."""

    @asynccontextmanager
    async def opened(
        settings: NoSettings, services: PlatformServices
    ) -> AsyncIterator[IdentityProvider]:
        yield identity or MemoryIdentity()

    return Provider(name="memory", settings=NoSettings, open=opened)
