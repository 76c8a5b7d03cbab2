"""The tier's limit: clear when it is reached, and deleting always gets below it again."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import select

from mosaic_core.errors import DiskFull, QuotaExceeded
from mosaic_core.head import TENANT, Write, first_rows
from mosaic_core.head import log as change_log
from tests.core.head.toys import Box, Toys, a_box, nothing_leaks, opened, toy_tenant

LIMIT, RESERVE = 1_000_000, 300_000


async def _fill_up(toys: Toys, name: str = "box", *, reserve: bool = False) -> QuotaExceeded:
    for n in range(100):
        try:
            await toys.add(a_box(f"{name}-{n}", note="x" * 20_000), reserve=reserve)
        except QuotaExceeded as error:
            return error
    raise AssertionError("the limit is none")


async def _delete_all(toys: Toys) -> None:
    async def fn(write: Write) -> None:
        for row in await write.session.scalars(select(Box)):
            await write.session.refresh(row, ["things"])
            await write.session.delete(row)

    await toys.write(fn, reserve=True)


def test_the_limit_is_named_and_what_was_written_before_stays(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path, limit=LIMIT, reserve=RESERVE) as files:
            toys = Toys(files, toy_tenant())
            await files.provision(toys.tenant)
            error = await _fill_up(toys)
            assert "toy-1" in error.message
            assert "free" in error.message
            assert "Delete something" in error.hint
            assert not error.transient
            count = len((await toys.content())["boxes"])
            assert (await toys.head()).version == count > 10
            used = await files.size(toys.tenant)
            assert LIMIT * 0.8 < used <= LIMIT
            assert f"({used / 1e6:.1f} of 1.0 MB are in use)" in error.message
            await toys.whole()
            other = Toys(files, toy_tenant(2))
            await files.provision(other.tenant)
            assert await other.count_up() == 1

    with nothing_leaks():
        asyncio.run(main())


def test_deleting_works_at_the_limit_and_compacting_gives_the_room_back(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path, limit=LIMIT, reserve=RESERVE) as files:
            toys = Toys(files, toy_tenant())
            await files.provision(toys.tenant)
            await _fill_up(toys)
            full = await files.size(toys.tenant)
            await _delete_all(toys)
            version = (await toys.head()).version
            await toys.write(lambda write: change_log.compact(write, TENANT, version), reserve=True)
            await toys.verify()
            await files.compact(toys.tenant)
            assert toys.path.stat().st_size < full / 2
            assert await files.size(toys.tenant) < full / 2
            await toys.add(a_box("again", note="x" * 20_000))
            await toys.verify()
            assert set((await toys.content())["boxes"]) == {"again"}

    with nothing_leaks():
        asyncio.run(main())


def test_the_reserve_ends_too(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path, limit=LIMIT, reserve=RESERVE) as files:
            toys = Toys(files, toy_tenant())
            await files.provision(toys.tenant)
            await _fill_up(toys)
            await _fill_up(toys, "more", reserve=True)
            assert LIMIT < await files.size(toys.tenant) <= LIMIT + RESERVE
            await toys.whole()
            with pytest.raises(QuotaExceeded, match=r"1\.3 of 1\.0 MB"):
                await toys.add(a_box("large", note="x" * 20_000))

    asyncio.run(main())


def test_a_full_disk_is_no_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the changes stand: the file itself, or its log."""

    def disk(pages: int) -> SimpleNamespace:
        return SimpleNamespace(f_bavail=pages, f_frsize=4096)

    async def main() -> None:
        async with opened(tmp_path, limit=LIMIT, reserve=RESERVE) as files:
            toys = Toys(files, toy_tenant())
            await files.provision(toys.tenant)
            for n in range(10):
                await toys.add(a_box(f"box-{n}", note="x" * 20_000))
            large = [a_box(f"more-{n}", note="x" * 20_000) for n in range(100)]
            monkeypatch.setattr(os, "statvfs", lambda path: disk(70))
            with pytest.raises(DiskFull):
                await toys.add(*large)
            monkeypatch.setattr(os, "statvfs", lambda path: disk(200))
            with pytest.raises(QuotaExceeded):
                await toys.add(*large)

    asyncio.run(main())


def test_one_write_beyond_the_limit_is_undone_as_a_whole(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path, limit=LIMIT, reserve=RESERVE) as files:
            toys = Toys(files, toy_tenant())
            await files.provision(toys.tenant)
            with pytest.raises(QuotaExceeded):
                await toys.add(*(a_box(f"box-{n}", note="x" * 20_000) for n in range(100)))
            assert await toys.content() == {}
            assert (await toys.head()).version == 0
            assert await toys.add(a_box()) == 1

    with nothing_leaks():
        asyncio.run(main())


def test_a_first_content_beyond_the_limit_makes_no_tenant(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path, limit=LIMIT, reserve=RESERVE) as files:
            tenant = toy_tenant()

            async def fn(write: Write) -> None:
                write.session.add_all(a_box(f"box-{n}", note="x" * 20_000) for n in range(100))

            rows = await first_rows(tenant, fn, actor="a", action="b")
            with pytest.raises(QuotaExceeded):
                await files.provision(tenant, rows)
            assert [p.suffix for p in (tmp_path / "tenants").iterdir()] in ([], [".lock"])
            await files.provision(tenant)
            assert await Toys(files, tenant).count_up() == 1

    with nothing_leaks():
        asyncio.run(main())
