"""The isolation harness: two tenants of one provider, and every way to reach for the other's.

Each check has one step for each method of its contract, and fails when a method has none: a method
that comes later cannot be forgotten here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select

from mosaic_core.errors import FileMissing
from mosaic_core.head import TENANT, Writer
from mosaic_core.persistence import Persistence
from mosaic_core.search import SearchQuery
from mosaic_core.storage import Storage
from mosaic_core.tenants import TenantContext
from mosaic_core.testing.tables import (
    ALL_SHELVES,
    ROOM,
    SHELF_AT,
    Shelf,
    Toy,
    put_leaflet,
    put_shelf,
    put_toy,
)

Step = Callable[[], Awaitable[Any]]


def methods_of(contract: type) -> set[str]:
    """The methods that a contract's ``Protocol`` names."""
    return {name for name, value in vars(contract).items() if callable(value) and name[:1] != "_"}


async def _each(contract: type, steps: Mapping[str, Step], secret: str) -> None:
    """Takes every step; nothing that comes back may contain the secret."""
    missing = methods_of(contract) - set(steps)
    assert not missing, f"the isolation harness has no step for {contract.__name__} {missing}"
    for name, step in steps.items():
        answer = await step()
        assert secret not in repr(answer), f"{name} of one tenant gave away another's"


async def check_storage_isolation(
    storage: Storage, ours: TenantContext, theirs: TenantContext
) -> None:
    """No call in the name of ``ours`` reads, counts, changes or removes a file of ``theirs``.

    Raises:
        AssertionError: naming the method that reached across.
    """
    secret = f"secret-{theirs.tenant_id}"

    async def chunks(text: str) -> Any:
        yield text.encode()

    async def all_of(tenant: TenantContext) -> dict[str, str]:
        found = {}
        async for info in storage.list(tenant):
            found[info.key] = "".join([c.decode() async for c in storage.read(tenant, info.key)])
        return found

    await storage.write(theirs, "same.txt", chunks(secret))
    await storage.write(theirs, f"{secret}.txt", chunks(secret))
    before = await all_of(theirs)
    assert before == {"same.txt": secret, f"{secret}.txt": secret}
    begun = await storage.begin_upload(theirs, f"{secret}.bin", size=len(secret))
    await storage.write_part(theirs, begun.id, 1, chunks(secret))
    under_way, counted = await storage.find_upload(theirs, begun.id), await storage.usage(theirs)

    async def read() -> list[bytes]:
        with pytest.raises(FileMissing):
            _ = [chunk async for chunk in storage.read(ours, f"{secret}.txt")]
        return [chunk async for chunk in storage.read(ours, "same.txt")]

    async def stat() -> object:
        with pytest.raises(FileMissing):
            await storage.stat(ours, f"{secret}.txt")
        return await storage.stat(ours, "same.txt")

    async def copy() -> object:
        with pytest.raises(FileMissing):
            await storage.copy(ours, f"{secret}.txt", "mine.txt")
        return await storage.copy(ours, "same.txt", "copy.txt")

    async def usage() -> None:
        assert await storage.usage(ours) == 2 * len("ours")

    async def delete() -> None:
        await storage.delete(ours, f"{secret}.txt")
        await storage.delete(ours, "same.txt")

    async def not_ours(call: Callable[[str], Awaitable[object]]) -> None:
        with pytest.raises(FileMissing):
            await call(begun.id)

    async def place() -> str:
        found = storage.place(ours)
        assert found != storage.place(theirs), "place gives two tenants the same one"
        return found

    async def lease() -> None:
        async with storage.lease(theirs, "same.txt"), storage.lease(ours, "same.txt") as granted:
            assert granted, "a lease of one tenant is in another's way"

    def signed_url() -> Awaitable[str | None]:
        return storage.signed_url(ours, "same.txt", expires_in=timedelta(seconds=9))

    def part(upload_id: str) -> Awaitable[object]:
        return storage.write_part(ours, upload_id, 1, chunks("ours"))

    def part_url(upload_id: str) -> Awaitable[object]:
        return storage.signed_part_url(ours, upload_id, 1, expires_in=timedelta(seconds=9))

    steps: dict[str, Step] = {
        "write": lambda: storage.write(ours, "same.txt", chunks("ours")),
        "read": read,
        "stat": stat,
        "copy": copy,
        "list": lambda: all_of(ours),
        "usage": usage,
        "place": place,
        "lease": lease,
        "delete": delete,
        "begin_upload": lambda: storage.begin_upload(ours, "same.bin", size=4),
        "find_upload": lambda: not_ours(partial(storage.find_upload, ours)),
        "write_part": lambda: not_ours(part),
        "finish_upload": lambda: not_ours(partial(storage.finish_upload, ours)),
        "abort_upload": lambda: storage.abort_upload(ours, begun.id),
        "signed_url": signed_url,
        "signed_part_url": lambda: not_ours(part_url),
        "sweep": lambda: storage.sweep(ours, older_than=timedelta(0)),
        "drop": lambda: storage.drop(ours),
    }
    await _each(Storage, steps, secret)
    assert await all_of(theirs) == before, "another tenant's files were changed"
    found = await storage.find_upload(theirs, begun.id), await storage.usage(theirs)
    assert found == (under_way, counted), "another tenant's upload was changed"
    await storage.finish_upload(theirs, begun.id)


async def check_persistence_isolation(
    persistence: Persistence, ours: TenantContext, theirs: TenantContext
) -> None:
    """No call in the name of ``ours`` reads or changes a row of ``theirs``.

    Both are provisioned here. Sessions of both are open at one time, and the same constant queries
    run for both in turn, as a cache of connections or statements would have to mix them up.

    Raises:
        AssertionError: naming the method that reached across.
    """
    secret = f"secret-{theirs.tenant_id}"
    writers = {
        tenant.tenant_id: Writer(TENANT, tenant.tenant_id, partial(persistence.exclusive, tenant))
        for tenant in (ours, theirs)
    }

    async def everything(tenant: TenantContext) -> object:
        async with persistence.session(tenant) as session:
            toys = (await session.execute(select(Toy.name, Toy.picture))).all()
            shelves = (await session.execute(select(Shelf.path, Shelf.body))).all()
            log = (await session.execute(select(TENANT.changes.c.image))).all()
            heads = (await session.execute(select(TENANT.head.c.owner))).all()
        return toys, shelves, log, heads

    async def write(tenant: TenantContext, text: str) -> None:
        async def fn(writing: Any) -> None:
            await put_toy(writing, text)
            await put_shelf(writing, "same", text)
            await put_shelf(writing, text, text)
            await put_leaflet(writing, f"same {text}", text)

        await writers[tenant.tenant_id].write(fn, actor=text, action="isolation.check")

    await persistence.provision(theirs)
    await write(theirs, secret)
    before = await everything(theirs), await persistence.head(theirs)

    async def provision() -> object:
        await persistence.provision(ours)
        return await everything(ours)

    async def exclusive() -> object:
        await asyncio.gather(write(ours, "ours"), everything(theirs))
        async with persistence.exclusive(ours) as session:
            return (await session.execute(select(Toy.name))).all()

    async def head() -> object:
        assert (await persistence.head(ours)).version == 1
        return await persistence.head(ours)

    async def glance() -> object:
        await persistence.head(theirs)
        persistence.glance(theirs)
        return persistence.glance(ours)

    async def published() -> object:
        found: list[object] = []
        for path in ("same", secret):
            for _ in range(2):
                await persistence.published(theirs, SHELF_AT, {"path": path})
                found += await persistence.published(ours, SHELF_AT, {"path": path})
        await persistence.published(theirs, ALL_SHELVES, {})
        return found, await persistence.published(ours, ALL_SHELVES, {})

    async def search() -> object:
        found = []
        for text in (secret, "same", "secret"):
            query = SearchQuery(text, (ROOM, "en"))
            assert (await persistence.search(theirs, query)).total == 1
            found.append(await persistence.search(ours, query))
        return found

    async def session() -> object:
        async with persistence.session(theirs):
            return await everything(ours)

    async def check() -> object:
        found = await persistence.check(ours)
        assert found == []
        return found

    steps: dict[str, Step] = {
        "provision": provision,
        "exclusive": exclusive,
        "session": session,
        "head": head,
        "glance": glance,
        "published": published,
        "search": search,
        "revision": lambda: persistence.revision(ours),
        "migrate": lambda: persistence.migrate(ours),
        "compact": lambda: persistence.compact(ours),
        "size": lambda: persistence.size(ours),
        "check": check,
        "strays": lambda: persistence.strays([ours.tenant_id]),
        "drop": lambda: persistence.drop(ours),
    }
    await _each(Persistence, steps, secret)
    after = await everything(theirs), await persistence.head(theirs)
    assert after == before, "another tenant's rows were changed"
    assert await persistence.published(theirs, SHELF_AT, {"path": secret})
