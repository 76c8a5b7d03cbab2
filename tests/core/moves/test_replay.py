"""A copy gets whatever happened to its tenant: any row, in any order, or erased."""

from __future__ import annotations

import asyncio
import tempfile
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, update

from mosaic_core.errors import Conflict, DatabaseDamaged, LeaseLost
from mosaic_core.head import TENANT, Write, first_head
from mosaic_core.head import log as change_log
from mosaic_core.head.outbox import acknowledge, enqueue
from mosaic_core.head.retention import erase
from mosaic_core.moves.copying import copy_rows
from mosaic_core.moves.home import Home
from mosaic_core.moves.replay import catch_up
from mosaic_core.moves.rows import differing_at, rows_at, together
from mosaic_core.persistence import HeadStatus, Rows
from mosaic_core.testing.fakes import MemoryStorage
from tests.core.head.toys import (
    Box,
    Pair,
    Shown,
    Thing,
    ToyBase,
    Toys,
    Word,
    a_box,
    opened,
    toy_schema,
    toy_tenant,
)

SCHEMA = toy_schema()


async def _allowed() -> None:
    """Whoever asks has the lease."""


async def _told(what: str, done: int, of: int) -> None:
    """Nobody watches."""


class Two:
    """A tenant's old home, with its writer, and its next one."""

    def __init__(self, toys: Toys) -> None:
        self.toys = toys
        storage = MemoryStorage()
        self.source = Home(toys.tenant, toys.files, storage, _allowed)
        self.target = Home(replace(toys.tenant, epoch=2), toys.files, storage, _allowed)

    async def begin(self) -> None:
        head = first_head(self.toys.tenant.tenant_id, 2) | {"status": HeadStatus.FENCED}
        await self.toys.files.provision(self.target.tenant, [Rows(TENANT.head, [head])])
        await self.source.set_status(HeadStatus.FOLLOWED, before=[HeadStatus.OPEN])
        await copy_rows(self.source, self.target, SCHEMA, _told)

    async def level(self) -> int:
        return await catch_up(self.source, self.target, SCHEMA, _told)

    async def rows(self, home: Home) -> dict[str, Any]:
        found: dict[str, Any] = {}
        async with home.session() as session:
            for table in ToyBase.metadata.sorted_tables:
                rows = await session.execute(select(table).order_by(*table.primary_key.columns))
                found[table.name] = [dict(row) for row in rows.mappings()]
        for name in ("status", "epoch"):
            del found["head"][0][name]
        return found

    async def assert_level(self) -> None:
        await self.level()
        assert await self.rows(self.target) == await self.rows(self.source)


@asynccontextmanager
async def two(folder: Path) -> AsyncIterator[Two]:
    async with opened(folder) as files:
        toys = Toys(files, toy_tenant())
        await files.provision(toys.tenant)
        yield Two(toys)


def with_two(folder: Path, scenario: Any) -> None:
    async def main() -> None:
        async with two(folder) as made:
            await made.toys.add(a_box(), Thing(box_id="a", name="one"), Thing(box_id="a", name="2"))
            await made.begin()
            await scenario(made)

    asyncio.run(main())


def test_rows_that_swap_what_is_unique_are_carried_over_at_once(tmp_path: Path) -> None:
    async def scenario(made: Two) -> None:
        def rename(old: str, new: str) -> Any:
            async def fn(write: Write) -> None:
                thing = await write.session.scalar(select(Thing).where(Thing.name == old))
                assert thing is not None
                thing.name = new

            return fn

        for old, new in (("one", "x"), ("2", "one"), ("x", "2")):
            await made.toys.write(rename(old, new))
        assert await made.level() == 3
        await made.assert_level()

    with_two(tmp_path, scenario)


def test_what_points_to_each_other_comes_and_goes_in_any_order(tmp_path: Path) -> None:
    async def scenario(made: Two) -> None:
        await made.toys.add(
            a_box("b"), Thing(box_id="b", name="three"), Pair(left="ü", right=-2, value="p")
        )

        async def away(write: Write) -> None:
            await write.session.delete(await write.session.get_one(Box, "a"))

        await made.toys.write(away)
        await made.assert_level()

    with_two(tmp_path, scenario)


def test_derived_rows_are_carried_over_whoever_changes_them(tmp_path: Path) -> None:
    async def scenario(made: Two) -> None:
        await made.toys.add(Shown(path="/", text="a"), Word(word="w" * 100, n=1))
        await made.assert_level()

        async def by_statements(write: Write) -> None:
            await write.session.execute(insert(Shown).values(path="/b", text="b"))
            await write.session.execute(update(Shown).where(Shown.path == "/").values(text="c"))
            await write.session.execute(delete(Word))

        await made.toys.write(by_statements)
        told = {(r.entity, r.entity_id) for r in await made.toys.log() if r.operation == "derive"}
        assert told >= {("shown", '["/b"]'), ("shown", '["/"]'), ("words", "")}
        await made.assert_level()
        assert [row["path"] for row in (await made.rows(made.target))["shown"]] == ["/", "/b"]

    with_two(tmp_path, scenario)


def test_a_derived_row_whose_key_is_changed_is_carried_over_under_its_new_one(
    tmp_path: Path,
) -> None:
    async def scenario(made: Two) -> None:
        await made.toys.add(Shown(path="/", text="a"))
        await made.level()

        async def rename(write: Write) -> None:
            (await write.session.get_one(Shown, "/")).path = "/b"

        await made.toys.write(rename)
        await made.assert_level()
        assert [row["path"] for row in (await made.rows(made.target))["shown"]] == ["/b"]

    with_two(tmp_path, scenario)


def test_the_log_says_of_derived_rows_only_while_a_move_follows(tmp_path: Path) -> None:
    async def main() -> None:
        async with two(tmp_path) as made:
            await made.toys.add(a_box(), Shown(path="/", text="before"))
            await made.begin()
            await made.toys.add(a_box("b"), Shown(path="/b", text="meanwhile"))
            await made.source.set_status(HeadStatus.OPEN, before=[HeadStatus.FOLLOWED])
            await made.toys.add(a_box("c"), Shown(path="/c", text="after"))
            told = [(row.entity, row.entity_id) for row in await made.toys.log()]
            assert told == [("boxes", "a"), ("boxes", "b"), ("shown", '["/b"]'), ("boxes", "c")]
            await made.toys.whole()

    asyncio.run(main())


def test_what_was_erased_from_the_log_is_erased_in_the_copy(tmp_path: Path) -> None:
    async def scenario(made: Two) -> None:
        async def save(write: Write) -> None:
            (await write.session.get_one(Box, "a")).count += 1

        await made.toys.write(save, action="autosave", coalesce=True)
        await made.assert_level()
        await made.toys.write(save, action="autosave", coalesce=True)
        await made.assert_level()
        erased = [row["image"] is None for row in (await made.rows(made.target))["changes"]]
        assert erased == [False, False, False, True, False]

    with_two(tmp_path, scenario)


def test_what_was_deleted_for_good_meanwhile_is_erased_from_the_log_of_the_copy(
    tmp_path: Path,
) -> None:
    async def scenario(made: Two) -> None:
        async def purge(write: Write) -> None:
            box = await write.session.get_one(Box, "a")
            await write.session.refresh(box, ["things"])
            await write.session.delete(box)
            await erase(write, TENANT, "boxes", ["a"])

        await made.toys.count_up()
        await made.level()
        await made.toys.count_up()
        await made.toys.write(purge)
        await made.assert_level()
        log = (await made.rows(made.target))["changes"]
        assert not [row for row in log if row["entity_id"] == "a" and row["image"] is not None]
        async with made.target.session() as session:
            await change_log.verify(session, TENANT)

    with_two(tmp_path, scenario)


def test_a_log_that_a_move_follows_is_not_compacted(tmp_path: Path) -> None:
    """It alone says which rows are gone."""

    async def scenario(made: Two) -> None:
        for _ in range(3):
            await made.toys.count_up()
        compact = lambda write: change_log.compact(write, TENANT, 3)  # noqa: E731
        assert await made.toys.write(compact) == 0
        await made.assert_level()
        await made.source.set_status(HeadStatus.OPEN, before=[HeadStatus.FOLLOWED])
        assert await made.toys.write(compact) > 0

    with_two(tmp_path, scenario)


def test_messages_of_the_outbox_go_with_the_tenant(tmp_path: Path) -> None:
    async def scenario(made: Two) -> None:
        async def put(write: Write) -> uuid.UUID:
            await enqueue(write, TENANT, "mail", {"to": "a"})
            return await enqueue(write, TENANT, "mail", {"to": "b"})

        second = await made.toys.write(put)
        await made.assert_level()
        await made.toys.write(lambda write: acknowledge(write, TENANT, [second]))
        await made.assert_level()
        assert len((await made.rows(made.target))["outbox"]) == 1

    with_two(tmp_path, scenario)


def test_what_points_nowhere_at_the_end_is_not_committed(tmp_path: Path) -> None:
    async def scenario(made: Two) -> None:
        before = await made.rows(made.target)
        with pytest.raises(Conflict):
            async with made.target.putting(deferred=True) as connection:
                await connection.execute(
                    insert(Thing).values(id=uuid.uuid4(), box_id="nowhere", name="lost")
                )
        assert await made.rows(made.target) == before

    with_two(tmp_path, scenario)


def test_whoever_lost_the_lease_changes_nothing(tmp_path: Path) -> None:
    async def lost() -> None:
        raise LeaseLost("The lease was lost.")

    async def scenario(made: Two) -> None:
        before = await made.rows(made.target)
        await made.toys.count_up()
        made.target = replace(made.target, require=lost)
        with pytest.raises(LeaseLost):
            await made.level()
        assert await made.rows(made.target) == before

    with_two(tmp_path, scenario)


def test_a_row_that_somebody_else_changed_in_the_copy_is_found(tmp_path: Path) -> None:
    async def scenario(made: Two) -> None:
        async with made.target.putting() as connection:
            await connection.execute(update(Thing).values(name=Thing.name + "!"))
        with pytest.raises(DatabaseDamaged, match="2 rows of things differ"):
            await made.level()

    with_two(tmp_path, scenario)


def test_rows_are_held_and_put_in_so_many_bytes_at_a_time(tmp_path: Path) -> None:
    async def scenario(made: Two) -> None:
        for key in "bcdef":
            await made.toys.add(Box(id=key, note=key * 1_500_000))
        async with made.source.session() as session:
            boxes: Any = Box.__table__
            found = rows_at(session, boxes, [(key,) for key in "abcdef"])
            sizes = [sum(len(row["note"] or "") for row in rows) async for rows in together(found)]
        assert len(sizes) == 5
        assert max(sizes) < 2_000_000
        await made.assert_level()
        async with made.target.putting() as connection:
            await connection.execute(update(Box).where(Box.id.in_(["b", "c"])).values(note=""))
        async with made.source.session() as here, made.target.session() as there:
            assert await differing_at(here, there, boxes, {("b",), ("c",), ("d",)}) == 2

    with_two(tmp_path, scenario)


KEYS = st.sampled_from(["a", "b", "ü", "🧊"])
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["box", "pair", "shown", "word", "away", "statement", "message", "level"]),
        KEYS,
        st.integers(0, 3),
    ),
    max_size=14,
)


async def _step(made: Two, what: str, key: str, number: int) -> None:
    async def fn(write: Write) -> None:
        session = write.session
        if what == "box":
            await session.merge(Box(id=key, count=number, label=str(number)))
        elif what == "pair":
            await session.merge(Pair(left=key, right=number, value=key * number))
        elif what == "shown":
            await session.merge(Shown(path=key, text=str(number)))
        elif what == "word":
            await session.merge(Word(word=key, n=number))
        elif what == "away":
            for kind, identity in ((Box, key), (Pair, (key, number)), (Shown, key), (Word, key)):
                row = await session.get(kind, identity)
                if row is not None:
                    await session.delete(row)
        elif what == "statement":
            await session.execute(update(Word).values(n=Word.n + number))
            await session.execute(delete(Shown).where(Shown.path == key))
            if await session.get(Shown, "new") is None:
                await session.execute(insert(Shown).values(path="new", text=key))
        else:
            await enqueue(write, TENANT, key, {"number": number})

    if what == "level":
        await made.assert_level()
    else:
        await made.toys.write(fn)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(before=STEPS, after=STEPS)
def test_after_any_history_the_copy_is_the_tenant(before: Any, after: Any) -> None:
    async def main() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with two(Path(folder)) as made:
                for step in before:
                    if step[0] != "level":
                        await _step(made, *step)
                await made.begin()
                for step in after:
                    await _step(made, *step)
                await made.assert_level()

    asyncio.run(main())
