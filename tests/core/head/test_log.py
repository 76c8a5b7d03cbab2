"""The change log: its chain, the past rebuilt from it, compaction, erasure, migrations."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import tempfile
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mosaic_core.errors import ChainBroken, DatabaseBehind, NotFound
from mosaic_core.head import TENANT, Write
from mosaic_core.head import log as change_log
from tests.core.head.toys import (
    Box,
    Pair,
    Shown,
    Thing,
    Toys,
    a_box,
    opened,
    toy,
    toy_schema,
    toy_tenant,
)


async def compact(toys: Toys, version: int) -> int:
    return int(await toys.write(lambda write: change_log.compact(write, TENANT, version)))


# Random histories

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
).filter(lambda value: "inf" not in repr(value))
VALUES = st.fixed_dictionaries(
    {
        "label": st.none() | TEXTS,
        "note": JSON,
        "weight": st.none() | st.decimals(-(10**7), 10**7, places=3),
        "count": st.integers(-(2**63), 2**63 - 1),
        "sealed": st.booleans(),
        "packed_at": st.none()
        | st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.timezones()),
        "picture": st.none() | st.binary(max_size=8),
    }
)
KEYS = st.sampled_from(["a", "b", "ü", "🧊"])
STEPS = st.one_of(
    st.tuples(st.just("put"), KEYS, VALUES),
    st.tuples(st.just("drop"), KEYS),
    st.tuples(st.just("replace"), KEYS, VALUES),
    st.tuples(st.just("pair"), KEYS, st.integers(0, 2), TEXTS),
    st.tuples(st.just("unpair"), KEYS, st.integers(0, 2)),
    st.tuples(st.just("thing"), KEYS, KEYS),
    st.tuples(st.just("unthing"), KEYS),
    st.tuples(st.just("flush")),
    st.tuples(st.just("show"), KEYS, TEXTS),
)
WRITES = st.one_of(
    st.tuples(st.just("write"), st.lists(STEPS, min_size=1, max_size=5)),
    st.tuples(st.just("fail"), st.lists(STEPS, min_size=1, max_size=3)),
    st.tuples(st.just("compact"), st.integers(0, 12)),
)


async def _step(write: Write, step: Any) -> None:
    session = write.session
    match step:
        case ("put", key, values):
            row = await session.get(Box, key)
            if row is None:
                session.add(Box(id=key, **values))
            for name, value in values.items() if row is not None else ():
                setattr(row, name, value)
        case ("drop", key):
            if (row := await session.get(Box, key)) is not None:
                await session.refresh(row, ["things"])
                await session.delete(row)
                await session.flush()
        case ("replace", key, values):
            if (row := await session.get(Box, key)) is not None:
                await session.refresh(row, ["things"])
                if not row.things:
                    await session.delete(row)
                    session.add(Box(id=key, **values))
        case ("pair", left, right, value):
            await session.merge(Pair(left=left, right=right, value=value))
        case ("unpair", left, right):
            if (pair := await session.get(Pair, (left, right))) is not None:
                await session.delete(pair)
                await session.flush()
        case ("thing", key, name):
            # The query first: it flushes, and a box that is about to go is gone after it.
            taken = await session.run_sync(
                lambda s: s.query(Thing).filter(Thing.name == name).first()
            )
            box = await session.get(Box, key)
            if box is not None and taken is None:
                await session.refresh(box, ["things"])
                box.things.append(Thing(name=name))
                await session.flush()
        case ("unthing", key):
            if (box := await session.get(Box, key)) is not None:
                await session.refresh(box, ["things"])
                if box.things:
                    box.things.pop()
                    await session.flush()
        case ("flush",):
            await session.flush()
        case ("show", path, words):
            await session.merge(Shown(path=path, text=words))


@pytest.fixture(scope="module")
def empty() -> Any:
    """A folder with one empty toy tenant, to be copied."""

    async def make(folder: Path) -> None:
        async with toy(folder):
            pass

    with tempfile.TemporaryDirectory() as name:
        asyncio.run(make(Path(name)))
        yield Path(name)


def _any_history_can_be_rebuilt(empty: Path, writes: list[Any]) -> None:
    async def main(folder: Path) -> None:
        async with toy(folder) as toys:
            recorded = {0: await toys.content()}
            kept_from = 0
            for write in writes:
                match write:
                    case ("write", steps):

                        async def fn(write: Write, steps: Any = steps) -> None:
                            for step in steps:
                                await _step(write, step)

                        await toys.write(fn)
                    case ("fail", steps):

                        async def broken(write: Write, steps: Any = steps) -> None:
                            for step in steps:
                                await _step(write, step)
                            await write.session.flush()
                            raise LookupError

                        with pytest.raises(LookupError):
                            await toys.write(broken)
                    case ("compact", version):
                        before = (await toys.head()).version
                        await compact(toys, version)
                        if kept_from < version <= before:
                            kept_from = version
                recorded[(await toys.head()).version] = await toys.content()
                await toys.verify()
            newest = (await toys.head()).version
            assert set(recorded) == set(range(newest + 1))
            for version, content in recorded.items():
                if version >= kept_from:
                    assert await toys.rebuilt(version) == content
                else:
                    with pytest.raises(NotFound, match=str(version)):
                        await toys.rebuilt(version)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "data"
        shutil.copytree(empty, folder)
        asyncio.run(main(folder))


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.lists(WRITES, min_size=1, max_size=8))
def test_any_version_of_any_history_can_be_rebuilt(empty: Path, writes: list[Any]) -> None:
    _any_history_can_be_rebuilt(empty, writes)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(WRITES, min_size=1, max_size=15))
def test_any_version_of_very_many_histories_can_be_rebuilt(empty: Path, writes: list[Any]) -> None:
    _any_history_can_be_rebuilt(empty, writes)


# Tampering


async def _a_history(toys: Toys) -> None:
    await toys.add(a_box(things=[Thing(name="ball"), Thing(name="doll")]), a_box("b"))
    await toys.add(Pair(left="x", right=1, value="v"))

    async def change(write: Write) -> None:
        (await write.session.get_one(Box, "a")).label = "second"
        (await write.session.get_one(Box, "b")).count = -1
        write.session.add(Shown(path="/", text="t"))

    async def remove(write: Write) -> None:
        await write.session.delete(await write.session.get_one(Pair, ("x", 1)))

    async def show(write: Write) -> None:
        write.session.add(Shown(path="/more/", text="t"))

    for fn in (change, remove, show):
        await toys.write(fn)


def _tampered(path: Path, sql: str, *values: Any) -> int:
    """Changes the file past all of MOSAIC; returns the number of rows changed."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        return connection.execute(sql, values).rowcount
    finally:
        connection.close()


def _others(column: str, value: Any) -> list[Any]:
    """Values that a column of the log does not have there."""
    if column == "image":
        return ['{"id":"forged"}'] if value is None else [None, '{"id":"forged"}', "[]"]
    if column in ("version", "seq"):
        return [value + 1000, -1]
    if isinstance(value, bytes):
        return [bytes(len(value)), value[:-1], b""]
    if column == "write_id":
        return [str(uuid.UUID(int=7)), ""]
    if column == "at":
        return ["2001-01-01T00:00:00.000000+00:00", "", value[:-1] + "1"]
    return [value + "x", "", value[1:]]


@pytest.mark.parametrize("compacted", [False, True])
def test_every_change_of_every_cell_of_the_log_is_found(tmp_path: Path, compacted: bool) -> None:
    async def main() -> int:
        tried = 0
        async with toy(tmp_path) as toys:
            await _a_history(toys)
            if compacted:
                await compact(toys, 3)
                await toys.add(a_box("c"))
            await toys.whole()
            reading = sqlite3.connect(toys.path)
            reading.row_factory = sqlite3.Row
            rows = [dict(row) for row in reading.execute("SELECT rowid, * FROM changes")]
            reading.close()
            assert len(rows) >= 7
            for row in rows:
                for column, value in row.items():
                    if column == "rowid" or (value is None and column != "image"):
                        continue
                    for other in dict.fromkeys(_others(column, value)):
                        if other == value:
                            continue
                        try:
                            changed = _tampered(
                                toys.path,
                                f"UPDATE changes SET {column} = ? WHERE rowid = ?",
                                other,
                                row["rowid"],
                            )
                        except sqlite3.IntegrityError:  # a key that is taken
                            continue
                        assert changed == 1
                        with pytest.raises(ChainBroken) as caught:
                            await toys.verify()
                        assert caught.value.hint
                        _tampered(
                            toys.path,
                            f"UPDATE changes SET {column} = ? WHERE rowid = ?",
                            value,
                            row["rowid"],
                        )
                        tried += 1
            await toys.whole()
        return tried

    assert asyncio.run(main()) > 100


@pytest.mark.parametrize("compacted", [False, True])
def test_rows_added_to_or_taken_from_the_log_are_found(tmp_path: Path, compacted: bool) -> None:
    async def main() -> None:
        async with toy(tmp_path) as toys:
            await _a_history(toys)
            if compacted:
                await compact(toys, 3)
                await toys.add(a_box("c"))
            await toys.whole()
            whole = tmp_path / "whole.db"
            await toys.files.compact(toys.tenant)
            shutil.copy(toys.path, whole)
            reading = sqlite3.connect(whole)
            ids = [row[0] for row in reading.execute("SELECT rowid FROM changes")]
            newest = reading.execute("SELECT max(version) FROM changes").fetchone()[0]
            columns = [row[1] for row in reading.execute("PRAGMA table_info(changes)")]
            reading.close()
            forgeries = [("DELETE FROM changes WHERE rowid = ?", (i,)) for i in ids]
            copied = ", ".join(columns[3:])
            for version in (-1, 0, 1, newest, newest + 1):
                for i in ids:
                    forgeries.append(
                        (
                            f"INSERT INTO changes (version, seq, write_id, {copied}) "
                            f"SELECT ?, 77, 'forged', {copied} FROM changes WHERE rowid = ?",
                            (version, i),
                        )
                    )
            forgeries += [
                ("UPDATE head SET version = version + 1", ()),
                ("UPDATE head SET version = version - 1", ()),
                ("UPDATE head SET digest = zeroblob(32)", ()),
                ("UPDATE head SET base_version = base_version + 1", ()),
                ("UPDATE head SET base_version = 2", ()),
                ("DELETE FROM changes WHERE version = (SELECT max(version) FROM changes)", ()),
                ("DELETE FROM changes", ()),
            ]
            if compacted:
                forgeries.append(("UPDATE head SET base_version = 0", ()))
            for sql, values in forgeries:
                with sqlite3.connect(toys.path) as connection:
                    assert connection.execute(sql, values).rowcount > 0
                connection.close()
                with pytest.raises(ChainBroken):
                    await toys.verify()
                back = sqlite3.connect(whole)
                target = sqlite3.connect(toys.path)
                back.backup(target)
                back.close()
                target.close()
            await toys.whole()

    asyncio.run(main())


def test_a_forged_row_in_an_empty_log_is_found(tmp_path: Path) -> None:
    async def main() -> None:
        async with toy(tmp_path) as toys:
            assert await toys.verify() == 0
            _tampered(
                toys.path,
                "INSERT INTO changes VALUES (0, 0, ?, ?, 'a', 'b', 'insert', 'boxes', 'forged',"
                " NULL, NULL, x'00', x'00')",
                "00000000-0000-7000-8000-000000000000",
                "2026-01-01T00:00:00.000000+00:00",
            )
            with pytest.raises(ChainBroken):
                await toys.verify()

    asyncio.run(main())


def test_an_erased_image_leaves_the_chain_whole(tmp_path: Path) -> None:
    async def main() -> None:
        async with toy(tmp_path) as toys:
            await _a_history(toys)
            content = await toys.content()
            changed = _tampered(
                toys.path,
                "UPDATE changes SET image = NULL, salt = NULL WHERE version = 1 AND entity = ?",
                "boxes",
            )
            assert changed == 2
            await toys.verify()
            assert (await toys.rebuilt(1))["boxes"] == {"a": None, "b": None}
            assert await toys.rebuilt() == content
            await compact(toys, 2)
            await toys.add(a_box("c"))
            await toys.verify()

    asyncio.run(main())


def test_autosaves_keep_only_their_newest_image(tmp_path: Path) -> None:
    async def main() -> None:
        async with toy(tmp_path) as toys:
            await toys.add(a_box())

            async def save(label: str, **kw: Any) -> None:
                async def fn(write: Write) -> None:
                    (await write.session.get_one(Box, "a")).label = label

                await toys.write(fn, coalesce=True, **kw)

            await save("v2", actor="ada", action="boxes.autosave")
            await save("v3", actor="ada", action="boxes.autosave")
            await save("v4", actor="ada", action="boxes.autosave")
            await save("v5", actor="bob", action="boxes.autosave")
            await save("v6", actor="bob", action="boxes.other")
            await toys.add(a_box("b"))
            await save("v8", actor="bob", action="boxes.other")
            images = {
                row.version: row.image and row.image["label"]
                for row in await toys.log()
                if row.entity_id == "a"
            }
            first = images.pop(1)
            assert first is not None  # how it came to be stays
            assert images == {2: None, 3: None, 4: "v4", 5: "v5", 6: "v6", 8: "v8"}
            await toys.whole()
            assert (await toys.rebuilt(3))["boxes"] == {"a": None}
            assert (await toys.rebuilt(4))["boxes"]["a"]["label"] == "v4"  # type: ignore[index]

    asyncio.run(main())


def test_compaction_forgets_the_past_and_keeps_the_present(tmp_path: Path) -> None:
    async def main() -> None:
        async with toy(tmp_path) as toys:
            for _ in range(20):
                await toys.count_up()
            at_15 = await toys.rebuilt(15)
            assert await compact(toys, 15) == 14
            assert await toys.rebuilt(15) == at_15
            assert await toys.rebuilt() == await toys.content()
            with pytest.raises(NotFound, match="15"):
                await toys.rebuilt(14)
            with pytest.raises(NotFound):
                await toys.rebuilt(99)
            for nonsense in (0, -3, 7, 15, 10_000):
                assert await compact(toys, nonsense) == 0
            assert (await toys.head()).version == 21
            await compact(toys, 21)
            await toys.count_up()
            await toys.verify()
            # What is left: the counter at 21, the checkpoint, and the newest change.
            assert [row.version for row in await toys.log()] == [20, 22, 23]

    asyncio.run(main())


# Migrations


def test_a_migration_is_logged_so_that_past_and_present_are_rebuilt(tmp_path: Path) -> None:
    async def main() -> None:
        async with toy(tmp_path) as toys:
            await toys.add(
                a_box("sealed"),
                a_box("open", sealed=False),
                Pair(left="stays", right=100, value="v"),
                Pair(left="goes", right=101, value="v"),
            )
            before = await toys.content()
        second = toy_schema(second=True)
        async with opened(tmp_path, schema=second) as files:
            toys = Toys(files, toy_tenant())
            with pytest.raises(DatabaseBehind):
                await toys.head()
            revision = await files.migrate(toys.tenant)
            assert revision == second.history.current == await files.revision(toys.tenant)
            now = await toys.content(second.metadata)
            assert now["boxes"]["sealed"] == {
                **before["boxes"]["sealed"],  # type: ignore[dict-item]
                "label": None,
                "shade": "cobalt",
            }
            assert set(now["pairs"]) == {'["stays",100]'}
            assert await toys.rebuilt(1) == before
            assert await toys.rebuilt() == now
            await toys.verify()
            log = [(r.operation, r.entity, r.entity_id) for r in await toys.log() if r.version == 2]
            assert sorted(log) == [
                ("delete", "pairs", '["goes",101]'),
                ("migrate", "", ""),
                ("update", "boxes", "open"),
                ("update", "boxes", "sealed"),
            ]
            assert await files.migrate(toys.tenant) == revision
            assert (await toys.head()).version == 2

    asyncio.run(main())


def test_migrations_of_several_tenants_at_once_do_not_mix(tmp_path: Path) -> None:
    async def main() -> None:
        tenants = [toy_tenant(n) for n in range(1, 9)]
        async with opened(tmp_path) as files:
            for n, tenant in enumerate(tenants):
                await files.provision(tenant)
                await Toys(files, tenant).add(a_box(f"of-{n}"))
        second = toy_schema(second=True)
        async with opened(tmp_path, schema=second) as files:
            await asyncio.gather(*(files.migrate(tenant) for tenant in tenants))
            for n, tenant in enumerate(tenants):
                toys = Toys(files, tenant)
                assert await files.revision(tenant) == second.history.current
                assert await files.check(tenant) == []
                await toys.verify()
                assert await toys.rebuilt() == await toys.content(second.metadata)
                assert set((await toys.rebuilt())["boxes"]) == {f"of-{n}"}

    asyncio.run(main())


def test_a_migration_that_fails_leaves_the_database_as_it_was(tmp_path: Path) -> None:
    class Broken(RuntimeError):
        pass

    async def main() -> None:
        async with toy(tmp_path) as toys:
            await toys.add(a_box())
            before = await toys.content()
        second = toy_schema(second=True)

        def upgrade(connection: Any, subject: str) -> str:
            type(second.history).upgrade(second.history, connection, subject)
            raise Broken

        async with opened(tmp_path, schema=second) as files:
            second.history.upgrade = upgrade  # type: ignore[method-assign]
            with pytest.raises(Broken):
                await files.migrate(toy_tenant())
        async with toy(tmp_path) as toys:
            assert await toys.content() == before
            await toys.whole()
            assert await toys.add(a_box("b")) == 2

    asyncio.run(main())


def test_times_in_the_log_are_instants_in_utc(tmp_path: Path) -> None:
    async def main() -> None:
        async with toy(tmp_path) as toys:
            await toys.add(a_box(weight=Decimal("0.1")))
            (row,) = await toys.log()
            assert abs(datetime.now(UTC) - row.at) < timedelta(minutes=1)
            assert row.at.utcoffset() == timedelta(0)

    asyncio.run(main())
