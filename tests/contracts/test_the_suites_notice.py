"""The contract suites fail what breaks the contract: each fault here is noticed by a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from mosaic_tenancy_sqlite.plugin import mosaic_persistence

from mosaic_core.errors import FileMissing, InvalidKey, MosaicError
from mosaic_core.host_resolvers import CustomDomain, Subdomain
from mosaic_core.persistence import Persistence
from mosaic_core.provider import NoSettings, PlatformServices, Provider
from mosaic_core.resolution import TenantMatch
from mosaic_core.storage import FileInfo, Storage, Swept
from mosaic_core.tenants import TenantContext
from mosaic_core.testing import isolation
from mosaic_core.testing.contract import Contract
from mosaic_core.testing.fakes import MemoryStorage
from mosaic_core.testing.isolation import (
    check_persistence_isolation,
    check_storage_isolation,
    methods_of,
)
from mosaic_core.testing.persistence import PersistenceContract
from mosaic_core.testing.resolution import DOMAINS, SLUGS, ResolverContract
from mosaic_core.testing.services import PLATFORM_DOMAIN, make_services, make_tenant
from mosaic_core.testing.storage import StorageContract


def suite_tests(suite: type[Contract[Any]]) -> list[str]:
    return [name for name in dir(suite) if name.startswith("test_")]


def parameters_of(test: Any) -> list[dict[str, Any]]:
    """What a test is parametrized with; nothing, once, where it is not."""
    for mark in getattr(test, "pytestmark", ()):
        names, cases = mark.args
        return [dict(zip(names, case.values, strict=True)) for case in cases]
    return [{}]


def failing(suite: type[Contract[Any]], folder: Path) -> set[str]:
    """The tests of a suite that fail, each run as pytest runs it."""
    failed = set()
    for name in suite_tests(suite):
        try:
            for number, given in enumerate(parameters_of(getattr(suite, name))):
                place = folder / name / str(number)
                place.mkdir(parents=True)
                getattr(suite(), name)(suite.provider.name, place, **given)
        except (Exception, pytest.fail.Exception):
            failed.add(name.removeprefix("test_"))
    return failed


def provided(make: Callable[[PlatformServices], Any]) -> Provider[Any]:
    @asynccontextmanager
    async def opened(settings: NoSettings, services: PlatformServices) -> AsyncIterator[Any]:
        yield make(services)

    return Provider(name="faulty", settings=NoSettings, open=opened)


# Storage


class OneForAll(MemoryStorage):
    """Forgets whose files they are."""

    def _of(self, tenant: TenantContext) -> dict[str, Any]:
        return next(iter(self._files.values()), {})


class AnyKey(MemoryStorage):
    """Takes a key as it comes."""

    async def stat(self, tenant: TenantContext, key: str) -> FileInfo:
        try:
            return await super().stat(tenant, key)
        except InvalidKey as error:
            raise FileMissing("no such file") from error


class TooEarly(MemoryStorage):
    """Shows what is not complete."""

    async def write(
        self, tenant: TenantContext, key: str, chunks: AsyncIterable[bytes], **announced: Any
    ) -> FileInfo:
        async def seen() -> AsyncIterator[bytes]:
            got = b""
            async for chunk in chunks:
                got += chunk
                await super(TooEarly, self).write(tenant, key, _once(got))
                yield chunk

        return await super().write(tenant, key, seen(), **announced)


class Believing(MemoryStorage):
    """Does not look whether what was announced came."""

    async def write(
        self, tenant: TenantContext, key: str, chunks: AsyncIterable[bytes], **announced: Any
    ) -> FileInfo:
        return await super().write(tenant, key, chunks)


class OffByOne(MemoryStorage):
    """Takes the end of a range for a part of it."""

    def read(
        self, tenant: TenantContext, key: str, *, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        return super().read(tenant, key, start=start, end=None if end is None else end + 1)


class Unordered(MemoryStorage):
    """Lists as it likes."""

    async def list(self, tenant: TenantContext, prefix: str = "") -> AsyncIterator[FileInfo]:
        found = super().list(tenant, prefix)
        for info in reversed([info async for info in found]):
            yield info


class Strict(MemoryStorage):
    """Makes an error of deleting what is gone."""

    async def delete(self, tenant: TenantContext, key: str) -> None:
        await self.stat(tenant, key)
        await super().delete(tenant, key)


class Boundless(MemoryStorage):
    """Knows no limit."""

    def __init__(self, tiers: Any) -> None:
        super().__init__({})


class Hasty(MemoryStorage):
    """Looks for room when an upload begins, and not when it ends."""

    def _require_room(self, tenant: TenantContext, key: str, size: int) -> None:
        if size <= 1_000:
            super()._require_room(tenant, key, size)


class Shared(MemoryStorage):
    """A copy that is the same file."""

    async def copy(self, tenant: TenantContext, source: str, target: str) -> FileInfo:
        files = self._of(tenant)
        files[target] = self._file(tenant, source)
        return files[target].info


class Hoarding(MemoryStorage):
    """Drops nothing."""

    async def drop(self, tenant: TenantContext) -> None:
        pass


class Trusting(MemoryStorage):
    """Makes a file of whatever parts have come."""

    async def finish_upload(self, tenant: TenantContext, upload_id: str) -> FileInfo:
        begun = self._upload(tenant, upload_id)
        await self.abort_upload(tenant, upload_id)
        content = b"".join(begun.parts[number] for number in sorted(begun.parts))
        return self._put(tenant, begun.upload.key, content)


class InOrder(MemoryStorage):
    """Puts parts one after another as they come."""

    async def write_part(
        self, tenant: TenantContext, upload_id: str, number: int, chunks: AsyncIterable[bytes]
    ) -> None:
        number = len(self._upload(tenant, upload_id).parts) + 1
        await super().write_part(tenant, upload_id, number, chunks)


class Forgetful(MemoryStorage):
    """Counts an upload when it is finished, and not before."""

    def _counted(self, tenant: TenantContext) -> int:
        return sum(file.info.size for file in self._of(tenant).values())


class Impatient(MemoryStorage):
    """Sweeps away what still goes on."""

    async def sweep(self, tenant: TenantContext, **given: Any) -> Swept:
        return await super().sweep(tenant, older_than=timedelta(0))


class Generous(MemoryStorage):
    """Gives a lease to whoever asks."""

    @asynccontextmanager
    async def lease(self, tenant: TenantContext, key: str) -> AsyncIterator[bool]:
        async with super().lease(tenant, key):
            yield True


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


STORAGE_FAULTS: dict[type[MemoryStorage], str] = {
    OneForAll: "no_tenant_reaches_another_s_files",
    AnyKey: "a_hostile_key_is_refused_everywhere_and_it_is_said_why",
    TooEarly: "a_file_is_visible_only_when_it_is_complete",
    Believing: "a_file_that_is_not_as_announced_is_refused",
    OffByOne: "a_range_has_its_start_and_not_its_end",
    Unordered: "a_list_is_in_the_order_of_keys_and_below_its_prefix",
    Strict: "deleting_what_is_gone_is_no_error",
    Boundless: "the_tier_s_limit_is_kept",
    Hasty: "writers_at_one_time_keep_the_limit",
    Shared: "a_copy_is_a_file_of_its_own",
    Hoarding: "dropping_leaves_nothing_and_a_new_beginning",
    Trusting: "what_is_not_whole_or_not_as_announced_is_not_made_and_can_be_mended",
    InOrder: "parts_in_any_order_and_twice_make_the_file",
    Forgetful: "uploads_count_from_their_beginning",
    Impatient: "a_sweep_removes_what_nobody_finished_and_nothing_else",
    Generous: "of_many_at_once_one_has_the_lease",
}


@pytest.mark.parametrize("fault", STORAGE_FAULTS)
def test_a_faulty_storage_fails(fault: type[MemoryStorage], tmp_path: Path) -> None:
    class Suite(StorageContract):
        provider = provided(lambda services: fault(services.tiers))

    assert STORAGE_FAULTS[fault] in failing(Suite, tmp_path)


def test_a_faultless_storage_fails_nothing(tmp_path: Path) -> None:
    class Suite(StorageContract):
        provider = provided(lambda services: MemoryStorage(services.tiers))

    assert len(suite_tests(Suite)) > 25
    assert failing(Suite, tmp_path) == set()


# Resolvers


class Guessing(Subdomain):
    """Takes any last label before the domain for the slug."""

    def resolve(self, host: str) -> TenantMatch | None:
        return self._hosts.tenant_of_slug(host.removesuffix(self._suffix).rpartition(".")[2])


class Remembering(CustomDomain):
    """Keeps what it found once."""

    def __init__(self, hosts: Any) -> None:
        super().__init__(hosts)
        self._seen: dict[str, TenantMatch | None] = {}

    def resolve(self, host: str) -> TenantMatch | None:
        if host not in self._seen:
            self._seen[host] = super().resolve(host)
        return self._seen[host]


class Inventing(CustomDomain):
    """Makes a tenant's id of the host."""

    def resolve(self, host: str) -> TenantMatch | None:
        return super().resolve(host) or TenantMatch(host.partition(".")[0])


class Stumbling(CustomDomain):
    """Does not expect a host without a dot."""

    def resolve(self, host: str) -> TenantMatch | None:
        _, rest = host.split(".", 1)
        return super().resolve(host) if rest else None


RESOLVER_FAULTS: dict[type[Any], str] = {
    Guessing: "it_finds_no_tenant_for_a_host_that_is_like_one",
    Remembering: "it_learns_at_once_that_a_tenant_went_and_came_back",
    Inventing: "every_match_is_a_tenant_of_the_directory",
    Stumbling: "odd_hosts_are_unknown_and_no_error",
}


@pytest.mark.parametrize("fault", RESOLVER_FAULTS)
def test_a_faulty_resolver_fails(fault: type[Any], tmp_path: Path) -> None:
    class Suite(ResolverContract):
        provider = provided(lambda services: fault(services.hosts))
        finds: ClassVar[Mapping[str, TenantMatch]] = (
            {f"{slug}.{PLATFORM_DOMAIN}": match for slug, match in SLUGS.items()}
            if issubclass(fault, Subdomain)
            else DOMAINS
        )

    assert RESOLVER_FAULTS[fault] in failing(Suite, tmp_path)


# Persistence


class Around:
    """The real strategy, with something changed on the way."""

    def __init__(self, inner: Persistence) -> None:
        self.inner = inner
        self.capabilities = inner.capabilities

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class Overwriting(Around):
    """Provisions over what is there."""

    async def provision(self, tenant: TenantContext, rows: Any = ()) -> None:
        await self.inner.drop(tenant)
        await self.inner.provision(tenant, rows)


class Halfway(Around):
    """Shows an empty database first, and that with its rows then."""

    async def provision(self, tenant: TenantContext, rows: Any = ()) -> None:
        await self.inner.provision(tenant)
        if rows:
            await asyncio.sleep(0)
            await self.inner.drop(tenant)
            await self.inner.provision(tenant, rows)


class Unchanging(Around):
    """Keeps answers to visitors."""

    def __init__(self, inner: Persistence) -> None:
        super().__init__(inner)
        self._kept: dict[Any, Any] = {}

    async def published(self, tenant: TenantContext, query: Any, parameters: Any) -> Any:
        key = (tenant.tenant_id, query, str(parameters))
        if key not in self._kept:
            self._kept[key] = await self.inner.published(tenant, query, parameters)
        return self._kept[key]


class Mixing(Around):
    """Answers visitors of the second tenant from the first one's database."""

    def __init__(self, inner: Persistence) -> None:
        super().__init__(inner)
        self._first: dict[Any, TenantContext] = {}

    async def published(self, tenant: TenantContext, query: Any, parameters: Any) -> Any:
        home = self._first.setdefault(query, tenant)
        return await self.inner.published(home, query, parameters)


class OneHome(Around):
    """Knows one home for each tenant."""

    async def head(self, tenant: TenantContext) -> Any:
        return await self.inner.head(replace(tenant, epoch=1))


class Hasty(Around):
    """Glances once."""

    def __init__(self, inner: Persistence) -> None:
        super().__init__(inner)
        self._seen: dict[str, Any] = {}

    async def head(self, tenant: TenantContext) -> Any:
        found = await self.inner.head(tenant)
        self._seen.setdefault(tenant.tenant_id, found)
        return found

    def glance(self, tenant: TenantContext) -> Any:
        return self._seen.get(tenant.tenant_id)


class Blind(Around):
    """Sees no strays."""

    async def strays(self, known: Any) -> list[Any]:
        return []


class Suspicious(Around):
    """Takes what is known for strays, too."""

    async def strays(self, known: Any) -> Any:
        return await self.inner.strays([])


PERSISTENCE_FAULTS: dict[type[Around], str] = {
    Overwriting: "what_exists_is_not_made_again",
    Halfway: "a_database_is_seen_only_with_its_first_content",
    Unchanging: "what_is_made_again_shows_nothing_of_what_was",
    Mixing: "no_tenant_reaches_another_s_rows",
    OneHome: "a_tenant_s_next_home_is_another_database",
    Hasty: "a_glance_says_what_the_head_says_or_nothing",
    Blind: "a_database_of_no_tenant_is_named_with_how_to_remove_it",
    Suspicious: "a_database_of_no_tenant_is_named_with_how_to_remove_it",
}


def _around(fault: type[Around]) -> Provider[Any]:
    real = mosaic_persistence()

    @asynccontextmanager
    async def opened(settings: Any, services: PlatformServices) -> AsyncIterator[Any]:
        async with real.open(settings, services) as inner:
            yield fault(inner)

    return Provider(name="faulty", settings=real.settings, open=opened)


@pytest.mark.parametrize("fault", PERSISTENCE_FAULTS)
def test_a_faulty_persistence_fails(fault: type[Around], tmp_path: Path) -> None:
    class Suite(PersistenceContract):
        provider = _around(fault)

    test = f"test_{PERSISTENCE_FAULTS[fault]}"
    with pytest.raises((MosaicError, AssertionError, pytest.fail.Exception)):
        getattr(Suite(), test)("faulty", tmp_path)


def test_what_is_only_passed_through_fails_nothing(tmp_path: Path) -> None:
    class Suite(PersistenceContract):
        provider = _around(Around)

    for test in set(PERSISTENCE_FAULTS.values()):
        place = tmp_path / test
        place.mkdir()
        getattr(Suite(), f"test_{test}")("faulty", place)


# The harness


def test_the_harness_names_every_method_of_the_contracts() -> None:
    assert methods_of(Storage) == {
        "write",
        "read",
        "stat",
        "delete",
        "copy",
        "list",
        "usage",
        "drop",
        "place",
        "lease",
        "begin_upload",
        "find_upload",
        "write_part",
        "finish_upload",
        "abort_upload",
        "signed_url",
        "signed_part_url",
        "sweep",
    }
    assert {"provision", "session", "exclusive", "published", "drop"} <= methods_of(Persistence)


def test_a_method_that_the_harness_does_not_know_fails_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Larger(Storage):
        def move(self) -> None: ...

    monkeypatch.setattr(isolation, "Storage", type("S", (), vars(Storage) | {"move": Larger.move}))
    with pytest.raises(AssertionError, match=r"no step for S \{'move'\}"):
        asyncio.run(check_storage_isolation(MemoryStorage(), make_tenant(), make_tenant()))


def test_the_harness_names_the_method_that_reaches_across(tmp_path: Path) -> None:
    async def main() -> None:
        provider = _around(Mixing)
        services = make_services(tmp_path)
        async with provider.open(provider.settings(), services) as faulty:
            await check_persistence_isolation(faulty, make_tenant(), make_tenant())

    with pytest.raises(AssertionError, match="published of one tenant gave away another's"):
        asyncio.run(main())
