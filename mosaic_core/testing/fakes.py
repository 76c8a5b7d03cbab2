"""Stand-ins that keep the contracts: files, mails and people in memory, and hosts from a table."""

from __future__ import annotations

import hashlib
import secrets
import unicodedata
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

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
from mosaic_core.storage import PATIENCE, FileInfo, Storage, Swept, Upload, normalise_key
from mosaic_core.tenants import TenantContext, Tier

_CHUNK = 256 * 1024
#: Small, so that an upload of a few kilobytes has several parts.
_PART = 4_096


@dataclass(frozen=True, slots=True)
class _File:
    info: FileInfo
    content: bytes


@dataclass(slots=True)
class _Begun:
    upload: Upload
    parts: dict[int, bytes] = field(default_factory=dict)
    since: datetime = field(default_factory=lambda: datetime.now(UTC))


class MemoryStorage:
    """Implements :class:`mosaic_core.storage.Storage` for tests; gone with the process. It has no
    addresses of its own."""

    def __init__(self, tiers: Mapping[str, Tier] | None = None) -> None:
        self._tiers = tiers or {}
        self._files: dict[str, dict[str, _File]] = {}
        self._begun: dict[str, dict[str, _Begun]] = {}
        self._leased: set[tuple[str, str]] = set()

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
        return self._put(tenant, key, content)

    def _put(self, tenant: TenantContext, key: str, content: bytes) -> FileInfo:
        digest = hashlib.sha256(content).hexdigest()
        info = FileInfo(key, len(content), digest, datetime.now(UTC))
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
        return self._counted(tenant)

    async def drop(self, tenant: TenantContext) -> None:
        self._files.pop(tenant.blob_storage_prefix, None)
        self._begun.pop(tenant.blob_storage_prefix, None)

    def place(self, tenant: TenantContext) -> str:
        return f"memory:{id(self)}/{tenant.blob_storage_prefix}"

    @asynccontextmanager
    async def lease(self, tenant: TenantContext, key: str) -> AsyncIterator[bool]:
        lease = tenant.blob_storage_prefix, normalise_key(key)
        ours = lease not in self._leased
        self._leased.add(lease)
        try:
            yield ours
        finally:
            if ours:
                self._leased.discard(lease)

    async def begin_upload(
        self, tenant: TenantContext, key: str, *, size: int, digest: str | None = None
    ) -> Upload:
        key = normalise_key(key)
        upload = Upload.begun(uuid.uuid4().hex, key, size, digest, _PART)
        self._require_room(tenant, key, size)
        self._begun.setdefault(tenant.blob_storage_prefix, {})[upload.id] = _Begun(upload)
        return upload

    async def find_upload(self, tenant: TenantContext, upload_id: str) -> Upload:
        begun = self._upload(tenant, upload_id)
        return replace(begun.upload, present=tuple(sorted(begun.parts)))

    async def write_part(
        self, tenant: TenantContext, upload_id: str, number: int, chunks: AsyncIterable[bytes]
    ) -> None:
        length = self._upload(tenant, upload_id).upload.length(number)
        received = bytearray()
        async for chunk in chunks:
            received += chunk
            if len(received) > length:
                break
        if len(received) != length:
            raise FileMismatch(f"Part {number} has {length} bytes; others came.")
        self._upload(tenant, upload_id).parts[number] = bytes(received)

    async def finish_upload(self, tenant: TenantContext, upload_id: str) -> FileInfo:
        begun = self._upload(tenant, upload_id)
        upload = await self.find_upload(tenant, upload_id)
        content = b"".join(begun.parts[number] for number in upload.present)
        if upload.missing or upload.digest not in (None, hashlib.sha256(content).hexdigest()):
            raise FileMismatch(f"{upload.key!r} is not the file that was announced.")
        await self.abort_upload(tenant, upload_id)
        return self._put(tenant, upload.key, content)

    async def abort_upload(self, tenant: TenantContext, upload_id: str) -> None:
        self._begun.get(tenant.blob_storage_prefix, {}).pop(upload_id, None)

    async def signed_url(
        self,
        tenant: TenantContext,
        key: str,
        *,
        expires_in: timedelta,
        name: str | None = None,
        content_type: str | None = None,
    ) -> str | None:
        normalise_key(key)
        return None

    async def signed_part_url(
        self, tenant: TenantContext, upload_id: str, number: int, *, expires_in: timedelta
    ) -> str | None:
        self._upload(tenant, upload_id).upload.length(number)
        return None

    async def sweep(self, tenant: TenantContext, *, older_than: timedelta = PATIENCE) -> Swept:
        begun = self._begun.get(tenant.blob_storage_prefix, {})
        old = [b for b in begun.values() if b.since <= datetime.now(UTC) - older_than]
        for left in old:
            del begun[left.upload.id]
        return Swept(len(old), sum(len(part) for left in old for part in left.parts.values()))

    def _upload(self, tenant: TenantContext, upload_id: str) -> _Begun:
        begun = self._begun.get(tenant.blob_storage_prefix, {}).get(upload_id)
        if begun is None:
            raise FileMissing("There is no such upload.", hint="Begin it anew.")
        return begun

    def _counted(self, tenant: TenantContext) -> int:
        begun = self._begun.get(tenant.blob_storage_prefix, {}).values()
        files = sum(file.info.size for file in self._of(tenant).values())
        return files + sum(left.upload.size for left in begun)

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
        replaced = self._of(tenant).get(key)
        others = self._counted(tenant) - (replaced.info.size if replaced else 0)
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
