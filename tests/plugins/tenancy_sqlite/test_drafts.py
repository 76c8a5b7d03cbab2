"""A tenant's file while it is being made: each write of its first content is applied or undone."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from mosaic_core.errors import QuotaExceeded
from mosaic_core.head import TENANT, Write, Writer
from tests.core.head.toys import Box, Toys, a_box, nothing_leaks, opened, toy_tenant


class _Refused(Exception):
    pass


async def _put(writer: Writer, name: str, *, note: str = "", fails: bool = False) -> None:
    async def fn(write: Write) -> None:
        write.session.add(a_box(name, note=note))
        await write.session.flush()
        if fails:
            raise _Refused

    await writer.write(fn, actor="tester", action="fill")


async def _names(toys: Toys) -> list[str]:
    async with toys.files.session(toys.tenant) as session:
        return sorted(await session.scalars(select(Box.id)))


def test_a_write_that_fails_leaves_nothing_in_the_draft(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path) as files:
            toys = Toys(files, toy_tenant())

            async def fill(begin: Any) -> None:
                writer = Writer(TENANT, toys.tenant.tenant_id, begin)
                await _put(writer, "first")
                with pytest.raises(_Refused):
                    await _put(writer, "second", fails=True)
                await _put(writer, "third")

            await files.provision(toys.tenant, fill)
            assert await _names(toys) == ["first", "third"]
            assert (await toys.head()).version == 2
            assert await toys.whole()
            assert await files.check(toys.tenant) == []

    with nothing_leaks():
        asyncio.run(main())


def test_a_session_that_is_left_is_undone_though_the_file_stays_open(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path) as files:
            toys = Toys(files, toy_tenant())

            async def fill(begin: Any) -> None:
                async with begin(reserve=False) as session:
                    await session.execute(select(Box.id))
                    result = await session.stream(select(TENANT.head.c.version))
                    await result.fetchone()  # and no further
                await _put(Writer(TENANT, toys.tenant.tenant_id, begin), "only")

            await files.provision(toys.tenant, fill)
            assert await _names(toys) == ["only"]
            assert sorted(path.suffix for path in toys.path.parent.iterdir()) == [
                ".db",
                ".db-shm",
                ".db-wal",
                ".lock",
            ]

    with nothing_leaks():
        asyncio.run(main())


def test_a_draft_keeps_to_its_tier_s_limit(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path, limit=1_000_000) as files:
            toys = Toys(files, toy_tenant())

            async def fill(begin: Any) -> None:
                writer = Writer(TENANT, toys.tenant.tenant_id, begin)
                with pytest.raises(QuotaExceeded):
                    await _put(writer, "large", note="x" * 1_200_000)
                await _put(writer, "small")

            await files.provision(toys.tenant, fill)
            assert await _names(toys) == ["small"]

    with nothing_leaks():
        asyncio.run(main())
