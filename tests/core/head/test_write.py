"""What a write does, and what its function may not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy import table as bare_table
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from mosaic_core.errors import (
    Conflict,
    DatabaseBusy,
    DatabaseDamaged,
    DatabaseError,
    InvalidInput,
    MosaicError,
    TenantFenced,
    TenantMoved,
    UnloggedWrite,
    WriteTimeout,
)
from mosaic_core.head import TENANT, Write, WriteLimits, Writer
from mosaic_core.head.outbox import acknowledge, enqueue, messages
from tests.core.head.toys import (
    Box,
    Pair,
    Shown,
    Thing,
    Toys,
    Word,
    a_box,
    nothing_leaks,
    opened,
    toy,
    toy_tenant,
)


def with_toys(folder: Path, scenario: Callable[[Toys], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        async with toy(folder) as toys:
            return await scenario(toys)

    return asyncio.run(main())


def test_a_write_returns_what_its_function_returned_and_moves_the_version(tmp_path: Path) -> None:
    async def scenario(toys: Toys) -> None:
        assert await toys.add(a_box()) == 1
        assert await toys.add(a_box("b")) == 2
        head = await toys.head()
        assert (head.version, head.published) == (2, 0)
        assert (await toys.get(Box, "a")).weight == Decimal("1.5000")
        assert await toys.whole() == 2

    with_toys(tmp_path, scenario)


def test_a_write_that_changes_nothing_leaves_no_trace(tmp_path: Path) -> None:
    async def scenario(toys: Toys) -> None:
        await toys.add(a_box())

        async def look(write: Write) -> str:
            return (await write.session.get_one(Box, "a")).id

        async def same(write: Write) -> None:
            row = await write.session.get_one(Box, "a")
            row.label, row.count = row.label, int(row.count)

        async def there_and_back(write: Write) -> None:
            row = await write.session.get_one(Box, "a")
            before, row.label = row.label, "other"
            row.label = before

        async def derived_nothing(write: Write) -> None:
            await write.session.execute(delete(Shown).where(Shown.path == "/nowhere/"))
            await write.session.execute(update(Word).values(n=1))

        assert await toys.write(look) == "a"
        for fn in (same, there_and_back, derived_nothing):
            await toys.write(fn)
        head = await toys.head()
        assert (head.version, head.published) == (1, 0)
        assert len(await toys.log()) == 1

    with_toys(tmp_path, scenario)


def test_only_rows_that_visitors_see_move_the_published_counter(tmp_path: Path) -> None:
    async def scenario(toys: Toys) -> None:
        async def words(write: Write) -> None:
            await write.session.execute(insert(Word), [{"word": "a", "n": 1}])

        async def shown(write: Write) -> None:
            await write.session.execute(insert(Shown), [{"path": "/", "text": "hello"}])

        async def by_object(write: Write) -> None:
            write.session.add(Shown(path="/more/", text="more"))

        async def gone(write: Write) -> None:
            await write.session.execute(delete(Shown).where(Shown.path == "/"))

        seen = []
        for fn in (words, shown, by_object, gone, gone):
            await toys.write(fn)
            head = await toys.head()
            seen.append((head.version, head.published))
        assert seen == [(1, 0), (2, 1), (3, 2), (4, 3), (4, 3)]
        assert {row.operation for row in await toys.log()} == {"derive"}
        await toys.whole()

    with_toys(tmp_path, scenario)


def test_the_log_tells_who_did_what_to_which_row(tmp_path: Path) -> None:
    async def scenario(toys: Toys) -> None:
        await toys.add(a_box(things=[Thing(name="ball")]), actor="ada", action="boxes.pack")

        async def fn(write: Write) -> None:
            row = await write.session.get_one(Box, "a")
            row.label = "new"
            write.session.add(Pair(left="x", right=7, value="v"))

        await toys.write(fn, actor="bob", action="boxes.relabel")
        log = await toys.log()
        assert [(r.version, r.seq, r.actor, r.action, r.operation, r.entity) for r in log] == [
            (1, 0, "ada", "boxes.pack", "insert", "boxes"),
            (1, 1, "ada", "boxes.pack", "insert", "things"),
            (2, 0, "bob", "boxes.relabel", "insert", "pairs"),
            (2, 1, "bob", "boxes.relabel", "update", "boxes"),
        ]
        assert log[2].entity_id == '["x",7]'
        assert log[3].image["label"] == "new"
        assert log[3].image["weight"] == "1.5000"
        assert len({row.write_id for row in log}) == 2

    with_toys(tmp_path, scenario)


async def _orphan(write: Write) -> None:
    box = await write.session.get_one(Box, "a")
    await write.session.refresh(box, ["things"])
    box.things.pop()


async def _cascade(write: Write) -> None:
    await write.session.delete(await write.session.get_one(Box, "a"))


async def _move(write: Write) -> None:
    box, other = await write.session.get_one(Box, "a"), await write.session.get_one(Box, "b")
    await write.session.refresh(box, ["things"])
    await write.session.refresh(other, ["things"])
    other.things.append(box.things[0])


async def _replace(write: Write) -> None:
    await write.session.delete(await write.session.get_one(Pair, ("x", 1)))
    write.session.add(Pair(left="x", right=1, value="another"))


async def _expression(write: Write) -> None:
    (await write.session.get_one(Box, "a")).count = Box.count + 5


async def _expression_alone(write: Write) -> None:
    (await write.session.get_one(Pair, ("x", 1))).value = Pair.value + "!"


async def _expression_and_flush(write: Write) -> None:
    row = await write.session.get_one(Box, "a")
    row.count = Box.count + 5
    await write.session.flush()
    await write.session.refresh(row)
    row.label = str(row.count)


async def _json_in_place(write: Write) -> None:
    row = await write.session.get_one(Box, "a")
    row.note["added"] = "in place"
    row.label = "changed too"


async def _only_json_in_place(write: Write) -> None:
    (await write.session.get_one(Box, "a")).note["added"] = "in place"


async def _merge(write: Write) -> None:
    await write.session.merge(Box(id="a", label="merged"))


async def _several_flushes(write: Write) -> None:
    row = await write.session.get_one(Box, "b")
    for label in ("one", "two", "three"):
        row.label = label
        await write.session.flush()
    await write.session.delete(row)
    await write.session.flush()
    write.session.add(a_box("b", label="back again"))


async def _unloaded(write: Write) -> None:
    from sqlalchemy.orm import load_only

    row = await write.session.scalar(select(Box).where(Box.id == "a").options(load_only(Box.id)))
    row.label = "the other columns were never loaded"


async def _defaults(write: Write) -> None:
    write.session.add(Box(id="plain"))


async def _short_decimals(write: Write) -> None:
    row = await write.session.get_one(Box, "a")
    row.weight = Decimal("-0")
    write.session.add(a_box("e", weight=Decimal("1E+3")))


@pytest.mark.parametrize(
    "fn",
    [
        _orphan,
        _cascade,
        _move,
        _replace,
        _expression,
        _expression_alone,
        _expression_and_flush,
        _json_in_place,
        _only_json_in_place,
        _merge,
        _several_flushes,
        _unloaded,
        _defaults,
        _short_decimals,
    ],
)
def test_whatever_the_unit_of_work_does_the_log_tells(tmp_path: Path, fn: Any) -> None:
    async def scenario(toys: Toys) -> None:
        await toys.add(
            a_box(things=[Thing(name="ball"), Thing(name="doll")]),
            a_box("b"),
            Pair(left="x", right=1, value="v"),
        )
        before = await toys.content()
        await toys.write(fn)
        await toys.whole()
        if fn is not _only_json_in_place:
            assert await toys.content() != before
        assert await toys.rebuilt(1) == before

    with_toys(tmp_path, scenario)


# The guard


async def _bulk_insert(write: Write) -> None:
    await write.session.execute(insert(Pair), [{"left": "b", "right": 1, "value": "v"}])


async def _bulk_mappings(write: Write) -> None:
    rows = [{"left": "b", "right": 1, "value": "v"}]
    await write.session.run_sync(lambda s: s.bulk_insert_mappings(Pair.__mapper__, rows))


async def _bulk_objects(write: Write) -> None:
    rows = [Pair(left="b", right=1, value="v")]
    await write.session.run_sync(lambda s: s.bulk_save_objects(rows))


async def _bulk_update(write: Write) -> None:
    await write.session.execute(update(Box).values(label="all"))


async def _bulk_delete(write: Write) -> None:
    await write.session.execute(delete(Pair))


async def _core(write: Write) -> None:
    await (await write.session.connection()).execute(Box.__table__.update().values(label="all"))


async def _bare_table(write: Write) -> None:
    await write.session.execute(delete(bare_table("boxes", schema="tenant")))


async def _text(write: Write) -> None:
    await write.session.execute(text("UPDATE boxes SET label = 'all'"))


async def _text_inside(write: Write) -> None:
    await write.session.execute(select(Box).where(text("1 = 1")))


async def _text_select(write: Write) -> None:
    await write.session.execute(text("SELECT 1"))


async def _driver(write: Write) -> None:
    await (await write.session.connection()).exec_driver_sql("DELETE FROM boxes")


async def _from_statement(write: Write) -> None:
    await write.session.execute(
        select(Box).from_statement(update(Box).values(label="all").returning(Box))
    )


async def _cte(write: Write) -> None:
    gone = delete(Box).returning(Box.id).cte("gone")
    await write.session.execute(select(func.count()).select_from(gone))


async def _cte_in_derived(write: Write) -> None:
    gone = delete(Box).returning(Box.id).cte("gone")
    await write.session.execute(
        insert(Word).from_select(["word", "n"], select(gone.c.id, func.count()))
    )


async def _kernel(write: Write) -> None:
    await write.session.execute(update(TENANT.head).values(version=99))


async def _log_row(write: Write) -> None:
    await write.session.execute(delete(TENANT.changes))


async def _ddl(write: Write) -> None:
    connection = await write.session.connection()
    await connection.run_sync(lambda c: Box.__table__.drop(c))


async def _second_session(write: Write) -> None:
    async with AsyncSession(await write.session.connection()) as other:
        other.add(Pair(left="b", right=1, value="v"))
        await other.flush()


async def _primary_key(write: Write) -> None:
    (await write.session.get_one(Pair, ("x", 1))).right = 2


FORBIDDEN = [
    _bulk_insert,
    _bulk_mappings,
    _bulk_objects,
    _bulk_update,
    _bulk_delete,
    _core,
    _bare_table,
    _text,
    _text_inside,
    _text_select,
    _driver,
    _from_statement,
    _cte,
    _cte_in_derived,
    _kernel,
    _log_row,
    _ddl,
    _second_session,
    _primary_key,
]


@pytest.mark.parametrize("fn", FORBIDDEN)
def test_a_change_past_the_log_is_refused_and_undoes_the_write(tmp_path: Path, fn: Any) -> None:
    async def scenario(toys: Toys) -> None:
        await toys.add(a_box(), Pair(left="x", right=1, value="v"))
        before = await toys.content()

        async def both(write: Write) -> None:
            write.session.add(a_box("too"))
            await write.session.flush()
            await fn(write)

        with pytest.raises(UnloggedWrite) as caught:
            await toys.write(both)
        assert caught.value.hint
        assert await toys.content() == before
        assert await toys.add(a_box("after")) == 2
        await toys.whole()

    with_toys(tmp_path, scenario)


def test_a_refusal_that_the_function_swallows_changes_nothing(tmp_path: Path) -> None:
    async def scenario(toys: Toys) -> None:
        await toys.add(a_box(), Pair(left="x", right=1, value="v"))

        async def stubborn(write: Write) -> None:
            flushing = (_primary_key, _second_session, _bulk_mappings, _bulk_objects)
            for fn in FORBIDDEN:
                if fn not in flushing:
                    with pytest.raises(UnloggedWrite):
                        await fn(write)
            write.session.add(a_box("kept"))

        await toys.write(stubborn)
        assert set((await toys.content())["boxes"]) == {"a", "kept"}
        await toys.whole()

    with_toys(tmp_path, scenario)


async def _commit(write: Write) -> None:
    await write.session.commit()


async def _commit_below(write: Write) -> None:
    await (await write.session.connection()).commit()


async def _rollback(write: Write) -> None:
    await write.session.rollback()


async def _rollback_below(write: Write) -> None:
    await (await write.session.connection()).rollback()


async def _close(write: Write) -> None:
    await write.session.close()


async def _savepoint(write: Write) -> None:
    async with write.session.begin_nested():
        write.session.add(a_box("nested"))


async def _failed_flush(write: Write) -> None:
    write.session.add(Thing(name="of no box", box_id="nowhere"))
    await write.session.flush()


@pytest.mark.filterwarnings("ignore:transaction already deassociated")
@pytest.mark.parametrize("swallowed", [False, True])
@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize(
    "fn", [_commit, _commit_below, _rollback, _rollback_below, _close, _savepoint, _failed_flush]
)
def test_the_transaction_of_a_write_is_not_its_functions(
    tmp_path: Path, fn: Any, swallowed: bool, again: bool
) -> None:
    async def scenario(toys: Toys) -> None:
        await toys.add(a_box())
        before = await toys.content()

        async def ends(write: Write) -> None:
            write.session.add(a_box("first"))
            await write.session.flush()
            try:
                await fn(write)
            except Exception:
                if not swallowed:
                    raise
            if again:
                await write.session.rollback()
                write.session.add(a_box("second"))

        with pytest.raises((UnloggedWrite, Conflict)):
            await toys.write(ends)
        assert await toys.content() == before
        assert await toys.add(a_box("after")) == 2
        await toys.whole()

    with_toys(tmp_path, scenario)


def test_a_read_session_refuses_every_change(tmp_path: Path) -> None:
    async def scenario(toys: Toys) -> None:
        await toys.add(a_box())
        before = await toys.content()
        for statement in (delete(Box), delete(Shown), insert(Word).values(word="w", n=1)):
            async with toys.files.session(toys.tenant) as session:
                with pytest.raises(UnloggedWrite):
                    await session.execute(statement)
        async with toys.files.session(toys.tenant) as session:
            session.add(a_box("b"))
            with pytest.raises(UnloggedWrite):
                await session.commit()
        async with toys.files.session(toys.tenant) as session:
            driver = (await (await session.connection()).get_raw_connection()).driver_connection
            assert driver is not None
            with pytest.raises(Exception, match="readonly"):
                await driver.cursor().execute("DELETE FROM boxes")
        assert await toys.content() == before

    with_toys(tmp_path, scenario)


def test_who_has_the_connection_of_a_write_next_may_not_write_by_its_leave(tmp_path: Path) -> None:
    async def scenario(toys: Toys) -> None:
        async def fn(write: Write) -> None:
            await write.session.execute(insert(Word).values(word="w", n=1))

        for name in ("a", "b"):
            await toys.add(a_box(name))
            async with toys.files.exclusive(toys.tenant) as session:
                with pytest.raises(UnloggedWrite, match="no write going on"):
                    await session.execute(delete(Word))
        await toys.write(fn)

    with_toys(tmp_path, scenario)


def test_a_row_that_is_inserted_at_once_counts_as_one_that_is_flushed(tmp_path: Path) -> None:
    async def scenario(toys: Toys) -> None:
        async def derived(write: Write) -> None:
            await write.insert(Word(word="w", n=1))

        async def shown(write: Write) -> None:
            await write.insert(Shown(path="/", text="x"))

        async def twice(write: Write) -> None:
            await write.insert(a_box("b"))

        await toys.write(derived)
        before = await toys.head()
        await toys.write(shown)
        after = await toys.head()
        assert (after.version, after.published) == (before.version + 1, before.published + 1)
        await toys.write(twice)
        with pytest.raises(Conflict):
            await toys.write(twice)
        assert (await toys.get(Box, "b")).count == a_box("b").count
        await toys.whole()

    with_toys(tmp_path, scenario)


def test_every_kind_of_query_is_allowed(tmp_path: Path) -> None:
    async def scenario(toys: Toys) -> None:
        await toys.add(a_box(), a_box("b"))
        both = select(Box).where(Box.id == "a").union(select(Box).where(Box.id == "b"))
        numbered = select(Box.id, func.row_number().over(order_by=Box.id)).cte("numbered")
        async with toys.files.session(toys.tenant) as session:
            assert len((await session.execute(both)).all()) == 2
            assert len((await session.scalars(select(Box).from_statement(both))).all()) == 2
            assert await session.scalar(select(func.count()).select_from(numbered)) == 2
            assert await session.scalar(func.length("four")) == 4
            box = await session.get_one(Box, "a")
            await session.refresh(box, ["things"])
            assert box.things == []

    with_toys(tmp_path, scenario)


def test_a_read_session_sees_one_snapshot(tmp_path: Path) -> None:
    async def scenario(toys: Toys) -> None:
        await toys.add(a_box())
        count = select(func.count()).select_from(Box)
        async with toys.files.session(toys.tenant) as session:
            assert await session.scalar(count) == 1
            await toys.add(a_box("b"))
            assert await session.scalar(count) == 1
        async with toys.files.session(toys.tenant) as session:
            assert await session.scalar(count) == 2

    with_toys(tmp_path, scenario)


def test_an_error_in_the_function_undoes_all_and_arrives_as_it_is(tmp_path: Path) -> None:
    async def scenario(toys: Toys) -> None:
        for error in (ValueError("mine"), FileNotFoundError(2, "no picture"), TimeoutError("slow")):

            async def fn(write: Write, error: Exception = error) -> None:
                write.session.add(a_box())
                await write.session.flush()
                raise error

            with pytest.raises(type(error)) as caught:
                await toys.write(fn)
            assert caught.value is error
        assert (await toys.head()).version == 0

    with nothing_leaks():
        with_toys(tmp_path, scenario)


def test_a_value_that_no_column_takes_is_invalid_input(tmp_path: Path) -> None:
    async def scenario(toys: Toys) -> None:
        for wrong in (a_box(label="a\0b"), a_box(label="x" * 101), a_box(weight=Decimal("1e30"))):
            with pytest.raises(InvalidInput, match="toy-1"):
                await toys.add(wrong)
        assert (await toys.head()).version == 0

    with_toys(tmp_path, scenario)


def test_a_write_that_breaks_a_constraint_is_a_conflict(tmp_path: Path) -> None:
    async def scenario(toys: Toys) -> None:
        await toys.add(a_box(things=[Thing(name="ball")]))
        for wrong in (a_box(), Thing(name="ball", box_id="a"), Thing(name="z", box_id="nowhere")):
            with pytest.raises(Conflict, match="toy-1"):
                await toys.add(wrong)
        await toys.whole()

    with_toys(tmp_path, scenario)


def test_a_write_id_that_was_used_is_refused(tmp_path: Path) -> None:
    async def scenario(toys: Toys) -> None:
        await toys.add(a_box())
        used = (await toys.log())[0].write_id
        with pytest.raises(Conflict):
            await toys.add(a_box("b"), write_id=used)
        assert set((await toys.content())["boxes"]) == {"a"}

    with_toys(tmp_path, scenario)


def test_a_function_that_takes_too_long_is_undone_and_named(tmp_path: Path) -> None:
    async def scenario(toys: Toys) -> None:
        slow = Toys(toys.files, toys.tenant, limits=WriteLimits(function=0.05))

        async def fn(write: Write) -> None:
            write.session.add(a_box())
            await write.session.flush()
            await asyncio.sleep(5)

        with pytest.raises(WriteTimeout, match=r"boxes\.dream"):
            await slow.write(fn, action="boxes.dream")
        assert await slow.add(a_box()) == 1

    with_toys(tmp_path, scenario)


def test_a_write_is_committed_once_what_goes_on_meanwhile_is_done(tmp_path: Path) -> None:
    async def scenario(toys: Toys) -> None:
        other: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def fn(write: Write) -> None:
            write.session.add(a_box())
            write.meanwhile.append(other)

        writing = asyncio.ensure_future(toys.write(fn))
        await asyncio.sleep(0.1)
        assert not writing.done()
        assert (await toys.head()).version == 0
        other.set_result(None)
        await writing
        assert (await toys.head()).version == 1
        await toys.whole()

    with_toys(tmp_path, scenario)


def test_a_write_is_undone_when_what_goes_on_meanwhile_fails_or_takes_too_long(
    tmp_path: Path,
) -> None:
    async def scenario(toys: Toys) -> None:
        hurried = Toys(toys.files, toys.tenant, limits=WriteLimits(function=0.05))
        other: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def fn(write: Write) -> None:
            write.session.add(a_box())
            write.meanwhile.append(other)

        with pytest.raises(WriteTimeout, match=r"boxes\.carry"):
            await hurried.write(fn, action="boxes.carry")
        assert not other.cancelled()  # it is somebody else's
        other.set_exception(DatabaseError("The other one is full."))
        with pytest.raises(DatabaseError, match="The other one is full"):
            await toys.write(fn)
        assert (await toys.head()).version == 0
        assert not await toys.content()

    with_toys(tmp_path, scenario)


def test_a_fenced_home_makes_writes_wait_and_a_moved_one_refuses_them(tmp_path: Path) -> None:
    import sqlite3

    async def scenario(toys: Toys) -> None:
        def status(value: str) -> None:
            with sqlite3.connect(toys.path) as connection:
                connection.execute("UPDATE head SET status = ?", (value,))
            connection.close()

        await asyncio.to_thread(status, "fenced")
        waiting = asyncio.create_task(toys.add(a_box()))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        await asyncio.to_thread(status, "open")
        assert await waiting == 1

        await asyncio.to_thread(status, "fenced")
        impatient = Toys(toys.files, toys.tenant, limits=WriteLimits(fence=0.1))
        with pytest.raises(TenantFenced):
            await impatient.add(a_box("b"))
        await asyncio.to_thread(status, "moved")
        with pytest.raises(TenantMoved):
            await toys.add(a_box("b"))
        assert await toys.get(Box, "a") is not None

    with_toys(tmp_path, scenario)


def test_a_write_for_another_owner_is_refused(tmp_path: Path) -> None:
    from functools import partial

    from mosaic_core.head import Writer

    async def main() -> None:
        async with opened(tmp_path) as files:
            mine = toy_tenant(1)
            await files.provision(mine)
            writer = Writer(TENANT, "somebody", partial(files.exclusive, mine))

            async def fn(write: Write) -> None:
                write.session.add(a_box())

            with pytest.raises(DatabaseDamaged, match="somebody"):
                await writer.write(fn, actor="a", action="b")

    asyncio.run(main())


def test_messages_commit_with_the_write_and_go_once_acknowledged(tmp_path: Path) -> None:
    async def main() -> None:
        async with toy(tmp_path) as plain:
            hinted: list[set[str]] = []

            async def hint(topics: set[str]) -> None:
                hinted.append(topics)

            toys = Toys(plain.files, plain.tenant, hint=hint)

            async def send(write: Write) -> None:
                await enqueue(write, TENANT, "mail", {"to": "ada"})

            async def send_and_fail(write: Write) -> None:
                await enqueue(write, TENANT, "mail", {"to": "bob"})
                raise LookupError

            await toys.write(send)
            with pytest.raises(LookupError):
                await toys.write(send_and_fail)
            assert hinted == [{"mail"}]
            async with toys.files.session(toys.tenant) as session:
                found = await messages(session, TENANT, 10)
            assert [(m.topic, m.payload) for m in found] == [("mail", {"to": "ada"})]
            await toys.write(lambda write: acknowledge(write, TENANT, [m.id for m in found]))
            async with toys.files.session(toys.tenant) as session:
                assert await messages(session, TENANT, 10) == []
            await toys.whole()

    asyncio.run(main())


def test_what_is_committed_is_told_before_the_write_returns(tmp_path: Path) -> None:
    async def main() -> None:
        async with toy(tmp_path) as plain:
            told: list[Any] = []
            toys = Toys(plain.files, plain.tenant, committed=told.append)
            await toys.add(a_box(), Shown(path="/", text="hi"))
            assert [(s.version, s.published) for s in told] == [(1, 1)]
            with pytest.raises(Conflict):
                await toys.add(a_box())
            assert len(told) == 1

    asyncio.run(main())


def test_the_session_of_a_write_is_recorded_while_it_lasts(tmp_path: Path) -> None:
    async def scenario(toys: Toys) -> None:
        kept: list[Session] = []

        async def fn(write: Write) -> None:
            kept.append(write.session.sync_session)
            assert write.session.info
            write.session.add(a_box())

        await toys.write(fn)
        assert not kept[0].info

    with_toys(tmp_path, scenario)


def test_what_is_inserted_at_once_is_in_the_log_in_its_place_and_as_it_was(tmp_path: Path) -> None:
    async def scenario(toys: Toys) -> None:
        async def fn(write: Write) -> None:
            note = {"a": 1}
            await write.insert(a_box("q", note=note))
            note["a"] = 2
            box = await write.session.get_one(Box, "q")
            box.label = "another"
            await write.session.flush()
            await write.session.delete(box)

        await toys.write(fn)
        assert [row.operation for row in await toys.log()] == ["insert", "update", "delete"]
        assert (await toys.log())[0].image["note"] == {"a": 1}
        await toys.whole()

    with_toys(tmp_path, scenario)


@pytest.mark.parametrize("at_once", [True, False])
def test_a_write_whose_function_goes_on_after_a_full_database_is_undone(
    tmp_path: Path, at_once: bool
) -> None:
    """SQLite has ended the transaction: what comes after would be committed by itself."""

    async def main() -> None:
        async with opened(tmp_path, limit=1_000_000, reserve=300_000) as files:
            toys = Toys(files, toy_tenant())
            await files.provision(toys.tenant)
            await toys.add(a_box("x"))
            before = await toys.content()

            async def fn(write: Write) -> None:
                with contextlib.suppress(OperationalError):
                    await fill(write)
                write.session.add(a_box("after"))

            async def fill(write: Write) -> None:
                for number in range(200):
                    if at_once:
                        await write.insert(a_box(f"b{number}", note="y" * 20_000))
                    else:
                        shown = {"path": f"/{number}", "text": "y" * 20_000}
                        await write.session.execute(insert(Shown), shown)
                pytest.fail("there was room for all of it")

            with pytest.raises(DatabaseError):
                await toys.write(fn)
            assert await toys.content() == before
            await toys.whole()

    asyncio.run(main())


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")
def test_a_flush_of_some_objects_is_refused(tmp_path: Path) -> None:
    """It might flush nothing, and leave what comes after it unseen."""

    async def scenario(toys: Toys) -> None:
        await toys.add(a_box("a"), a_box("b"))

        async def fn(write: Write) -> None:
            box = await write.session.get_one(Box, "a")
            (await write.session.get_one(Box, "b")).label = "another"
            await write.session.flush([box])

        with pytest.raises(UnloggedWrite, match="flushed some objects"):
            await toys.write(fn)
        await toys.whole()

    with_toys(tmp_path, scenario)


def test_a_transient_error_is_tried_again_and_a_lasting_one_is_not(tmp_path: Path) -> None:
    from mosaic_core.errors import DatabaseBusy

    async def scenario(toys: Toys) -> None:
        calls: list[type] = []

        def failing(error: type[DatabaseError], times: int) -> Any:
            async def fn(write: Write) -> int:
                calls.append(error)
                write.session.add(a_box(error.__name__))
                await write.session.flush()
                if calls.count(error) <= times:
                    raise error("injected")
                return write.version

            return fn

        assert await toys.write(failing(DatabaseBusy, 2)) == 1
        assert len(calls) == 3
        with pytest.raises(DatabaseDamaged):
            await toys.write(failing(DatabaseDamaged, 1))
        assert calls.count(DatabaseDamaged) == 1

    with_toys(tmp_path, scenario)


def test_what_passes_is_tried_again_after_a_long_wait_behind_a_fence(tmp_path: Path) -> None:
    async def scenario(toys: Toys) -> None:
        loop = asyncio.get_running_loop()
        troubles: list[MosaicError] = [DatabaseBusy("It is locked."), DatabaseBusy("Still.")]
        lifted = loop.time() + 1.2

        @asynccontextmanager
        async def begin(*, reserve: bool) -> AsyncIterator[AsyncSession]:
            if loop.time() < lifted:
                raise TenantFenced("It is being moved.")
            if troubles:
                raise troubles.pop()
            async with toys.files.exclusive(toys.tenant, reserve=reserve) as session:
                yield session

        limits = WriteLimits(again=1.0)
        toys.writer = Writer(TENANT, toys.tenant.tenant_id, begin, limits=limits)
        assert await toys.count_up() == 1

    with_toys(tmp_path, scenario)
