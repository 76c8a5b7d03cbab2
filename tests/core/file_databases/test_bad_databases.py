"""A database that is not as it should be: an error that names it and says what to do, no file
changed, and no other tenant touched."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mosaic_core.errors import (
    Conflict,
    DatabaseBehind,
    DatabaseBusy,
    DatabaseDamaged,
    DatabaseMissing,
    DatabaseNewer,
    MosaicError,
)
from mosaic_core.file_databases import FileDatabases
from tests.core.file_databases.trials import READS, WRITES, change, filled, shown
from tests.core.head.processes import ROOT
from tests.core.head.toys import Box, Toys, nothing_leaks, opened, toy_schema, toy_tenant

Trial = Callable[[Toys], Awaitable[Any]]
EVERYTHING = READS | WRITES


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two filled tenants, to be copied."""
    folder = tmp_path_factory.mktemp("two")

    async def main() -> None:
        async with opened(folder) as files:
            await filled(files, 1)
            await filled(files, 2)

    asyncio.run(main())
    return folder


@pytest.fixture
def folder(two: Path, tmp_path: Path) -> Path:
    shutil.copytree(two, tmp_path / "data")
    return tmp_path / "data"


def _path(folder: Path, number: int = 1) -> Path:
    return folder / "tenants" / f"{toy_tenant(number).tenant_id}.db"


def garbage_header(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(os.urandom(4096))


def half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def another_database(path: Path) -> None:
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE notes (text)")
    connection.close()


def copied(path: Path) -> None:
    shutil.copy(_path(path.parents[1], 2), path)


async def _refused(
    folder: Path, error: type[MosaicError], trials: dict[str, Trial], **settings: Any
) -> list[MosaicError]:
    """Each trial raises that error, which names the tenant or its file and says what to do; its
    file stays as it is, and the other tenant is served all the while."""
    bad, before = _path(folder), _digest(_path(folder))
    errors: list[MosaicError] = []
    async with opened(folder, **settings) as files:
        toys, other = Toys(files, toy_tenant(1)), Toys(files, toy_tenant(2))
        for name, trial in trials.items():
            with pytest.raises(error) as caught:
                await trial(toys)
            assert type(caught.value) is error, name
            assert "toy-1" in caught.value.message or bad.stem in caught.value.message, name
            assert caught.value.hint, name
            errors.append(caught.value)
            if error not in (DatabaseNewer, DatabaseBehind):
                assert await shown(other) == "shown of 2"
                await change(other)
        problems = await files.check(toys.tenant)
        assert problems
        assert all(p.what and p.mend for p in problems)
    assert _digest(bad) == before
    return errors


@pytest.mark.parametrize("spoil", [garbage_header, half, empty, another_database])
def test_a_file_that_is_no_tenant_is_refused_and_left_as_it_is(
    folder: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(_path(folder))
    trials = {k: v for k, v in EVERYTHING.items() if k not in ("compact", "migrate")}
    if spoil is half:
        del trials["revision"]  # which is in the half that is left
    with nothing_leaks():
        errors = asyncio.run(_refused(folder, DatabaseDamaged, trials))
    assert all("backup" in error.hint for error in errors)


def test_a_file_that_cannot_be_read_is_not_migrated_or_compacted(folder: Path) -> None:
    garbage_header(_path(folder))
    trials = {name: WRITES[name] for name in ("compact", "migrate")}
    asyncio.run(_refused(folder, DatabaseDamaged, trials))


def test_a_file_that_is_damaged_in_the_middle_fails_where_it_is_damaged(folder: Path) -> None:
    path = _path(folder)
    connection = sqlite3.connect(path)
    root = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'boxes'")
    (page,) = root.fetchone()
    connection.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)

    async def main() -> None:
        before = _digest(path)
        async with opened(folder) as files:
            toys, other = Toys(files, toy_tenant(1)), Toys(files, toy_tenant(2))
            assert await shown(toys) == "shown of 1"
            assert (await toys.head()).version == 1
            for trial in (READS["session"], change):
                with pytest.raises(DatabaseDamaged, match="toy-1") as caught:
                    await trial(toys)
                assert "mosaic doctor" in caught.value.hint
            assert (await toys.head()).version == 1
            assert await shown(toys) == "shown of 1"
            await change(other)
            assert await files.check(other.tenant) == []
            problems = await files.check(toys.tenant)
            assert problems
            assert "backup" in problems[0].mend
            assert problems[0].subject == path.name
        assert _digest(path) == before

    with nothing_leaks():
        asyncio.run(main())


def test_another_tenants_file_is_never_served(folder: Path) -> None:
    copied(_path(folder))
    trials = {k: v for k, v in EVERYTHING.items() if k not in ("compact", "revision")}
    # A migration finds nothing to do before it would look at the owner in vain.
    with nothing_leaks():
        asyncio.run(_refused(folder, DatabaseDamaged, trials))


def test_another_tenants_file_is_noticed_by_who_had_the_right_one_open(folder: Path) -> None:
    async def main() -> None:
        async with opened(folder) as files:
            toys = Toys(files, toy_tenant(1))
            assert await shown(toys) == "shown of 1"
            shutil.copy(_path(folder, 2), folder / "copy")
            os.replace(folder / "copy", toys.path)
            with pytest.raises(DatabaseDamaged, match="another tenant"):
                await toys.head()
            for trial in (shown, change):
                with pytest.raises(DatabaseDamaged):
                    await trial(toys)

    with nothing_leaks():
        asyncio.run(main())


def test_a_file_that_is_overwritten_while_it_is_open_is_not_written(folder: Path) -> None:
    async def main() -> None:
        async with opened(folder) as files:
            toys = Toys(files, toy_tenant(1))
            assert await shown(toys) == "shown of 1"
            before = _digest(_path(folder, 2))
            shutil.copy(_path(folder, 2), toys.path)
            with pytest.raises(DatabaseDamaged):
                await change(toys)
        assert _digest(toys.path) == before

    with nothing_leaks():
        asyncio.run(main())


def test_a_database_of_a_newer_release_is_refused_and_left_as_it_is(folder: Path) -> None:
    async def upgrade() -> None:
        async with opened(folder, schema=toy_schema(second=True)) as files:
            await files.migrate(toy_tenant(1))

    asyncio.run(upgrade())
    trials = {k: v for k, v in EVERYTHING.items() if k not in ("compact", "revision")}
    with nothing_leaks():
        errors = asyncio.run(_refused(folder, DatabaseNewer, trials))
    assert all("t0002" in error.message for error in errors)


def test_a_database_of_an_older_release_waits_for_its_migration(folder: Path) -> None:
    second = toy_schema(second=True)
    trials = {k: v for k, v in EVERYTHING.items() if k not in ("compact", "revision", "migrate")}
    with nothing_leaks():
        errors = asyncio.run(_refused(folder, DatabaseBehind, trials, schema=second))
    assert all("mosaic migrate" in error.hint for error in errors)

    async def main() -> None:
        async with opened(folder, schema=second) as files:
            toys = Toys(files, toy_tenant(1))
            await files.migrate(toys.tenant)
            for trial in EVERYTHING.values():
                await trial(toys)

    asyncio.run(main())


def test_a_missing_file_is_named_and_not_made(folder: Path) -> None:
    async def main() -> None:
        async with opened(folder) as files:
            gone = Toys(files, toy_tenant(3))
            for trial in EVERYTHING.values():
                with pytest.raises(DatabaseMissing, match="toy-3") as caught:
                    await trial(gone)
                assert caught.value.hint
                assert not gone.path.exists()
            assert await files.check(gone.tenant)
            await files.drop(gone.tenant)

            toys = Toys(files, toy_tenant(1))
            assert await shown(toys) == "shown of 1"
            toys.path.unlink()
            for trial in EVERYTHING.values():
                if trial is not shown:  # what is open is read until the next look at the head
                    with pytest.raises(DatabaseMissing, match="toy-1"):
                        await trial(toys)
            with pytest.raises(DatabaseMissing):
                await shown(toys)

    with nothing_leaks():
        asyncio.run(main())


def test_a_tenant_that_exists_is_not_made_again(folder: Path) -> None:
    async def main() -> None:
        before = _digest(_path(folder))
        async with opened(folder) as files:
            with pytest.raises(Conflict, match="toy-1") as caught:
                await files.provision(toy_tenant(1))
            assert caught.value.hint
        assert _digest(_path(folder)) == before

    asyncio.run(main())


def test_an_id_that_is_no_id_reaches_no_file(folder: Path) -> None:
    from dataclasses import replace

    async def main() -> None:
        async with opened(folder) as files:
            for wrong in ("../x", "", "a/b", "a.b", "ü", "a\0"):
                tenant = replace(toy_tenant(1), tenant_id=wrong)
                for trial in (files.head, files.provision, files.drop, files.size):
                    with pytest.raises(DatabaseMissing):
                        await trial(tenant)

    asyncio.run(main())


@pytest.mark.parametrize("whole", [False, True], ids=["writing", "everything"])
def test_a_file_that_another_program_locks_is_busy_and_blocks_nobody_else(
    folder: Path, whole: bool
) -> None:
    async def main() -> None:
        async with opened(folder) as files:
            toys, other = Toys(files, toy_tenant(1)), Toys(files, toy_tenant(2))
            await shown(other)
            holder = sqlite3.connect(toys.path, isolation_level=None)
            if whole:
                holder.execute("PRAGMA locking_mode = EXCLUSIVE")
            holder.execute("BEGIN EXCLUSIVE")
            trials: dict[str, Trial] = {"write": change}
            if whole:
                trials |= {"head": READS["head"], "session": READS["session"], "shown": shown}
            else:
                assert await shown(toys) == "shown of 1"
            for trial in trials.values():
                task = asyncio.create_task(trial(toys))  # type: ignore[arg-type]
                slowest = 0.0
                while not task.done():
                    begun = time.monotonic()
                    assert await shown(other) == "shown of 2"
                    await asyncio.sleep(0.01)
                    slowest = max(slowest, time.monotonic() - begun)
                with pytest.raises(DatabaseBusy, match="toy-1") as caught:
                    await task
                assert caught.value.transient
                assert slowest < 0.5
                assert caught.value.hint
            holder.execute("ROLLBACK")
            holder.close()
            for trial in trials.values():
                await trial(toys)
            await toys.whole()

    with nothing_leaks():
        asyncio.run(main())


# Rights and room


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that every user may enter."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)
        for path in Path(name).rglob("*"):
            path.chmod(0o755)


def _tried(kind: str, folder: Path, *prefix: str) -> dict[str, Any]:
    done = subprocess.run(
        [*prefix, sys.executable, "-m", "tests.core.file_databases.trials", kind, str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_read_only_data_folder_is_named_and_nothing_changes(public: Path) -> None:
    found = _tried("unprivileged", public)
    for name in ("write", "migrate", "compact", "provision", "drop"):
        assert found[name]["error"] == "DatabaseReadOnly", (name, found[name])
        assert "right to write" in found[name]["hint"]
    for name in READS:
        assert found[name]["error"] in (None, "DatabaseReadOnly"), (name, found[name])
        if found[name]["error"]:
            assert "toy-1" in found[name]["message"]

    async def main() -> None:
        for path in (public, *public.rglob("*")):
            path.chmod(0o755)
        async with opened(public / "data") as files:
            toys = Toys(files, toy_tenant(1))
            assert await shown(toys) == "shown of 1"
            await change(toys)
            await toys.whole()
            assert not (public / "data" / "tenants" / f"{toy_tenant(3).tenant_id}.db").exists()

    asyncio.run(main())


def test_a_read_only_file_is_read_and_refuses_writes(public: Path) -> None:
    found = _tried("readable_file", public)
    for name in READS:
        assert found[name]["error"] is None, (name, found[name])
    assert found["write"]["error"] == "DatabaseReadOnly"
    assert "toy-1" in found["write"]["message"]
    assert found["afterwards"]["error"] is None


def test_a_lock_that_somebody_else_made_is_named_and_found_by_the_doctor(public: Path) -> None:
    """As a command leaves it that an operator ran as another user than the one that serves."""
    found = _tried("others_lock", public)
    for name in READS:
        assert found[name]["error"] is None, (name, found[name])
    assert found["write"]["error"] == "DatabaseReadOnly"
    assert found["write"]["message"].endswith(".lock cannot be written.")
    assert "right to write" in found["write"]["hint"]
    assert found["another's"]["error"] is None
    (problem,) = found["check"]
    assert ".lock: this user may not write the file" in problem
    assert found["another's check"] == []


def _assert_full(found: dict[str, Any]) -> None:
    assert found["write"]["error"] == "DiskFull", found
    assert "toy-1" in found["write"]["message"]
    assert "Free some space" in found["write"]["hint"]
    assert found["kept"]
    assert found["verified"]
    for name in READS:
        assert found[name]["error"] is None, (name, found[name])
    assert found["afterwards"]["error"] is None
    assert found["check"] == []


def test_a_file_that_may_not_grow_loses_nothing(tmp_path: Path) -> None:
    _assert_full(_tried("limited", tmp_path))


def test_a_disk_without_room_for_the_template_is_not_fuller_after_each_start(
    tmp_path: Path,
) -> None:
    found = _tried("template", tmp_path)
    for start in ("start", "again"):
        assert found[start]["error"] == "DiskFull", found
        assert found[start]["message"].startswith("The template of new databases")
        assert "Free some space" in found[start]["hint"]
    assert found["left"] == []
    assert found["afterwards"]["error"] is None


def _own_disk() -> bool:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    mount = ["unshare", "-m", "mount", "-t", "tmpfs", "none", tempfile.gettempdir()]
    return subprocess.run(mount, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not _own_disk(), reason="only root can make a small disk")
def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    script = (
        f'mount -t tmpfs -o size=6m none "{tmp_path}" && '
        f'head -c 1000000 /dev/zero > "{tmp_path}/ballast" && exec "$@"'
    )
    found = _tried("cramped", tmp_path, "unshare", "-m", "sh", "-c", script, "sh")
    _assert_full(found)
    assert found["provision"]["error"] == "DiskFull"
    assert found["half made"] == []


def test_files_are_told_apart_by_their_tenants_not_their_order(folder: Path) -> None:
    async def main() -> None:
        async with opened(folder, max_open=1) as files:
            for _ in range(3):
                for number in (1, 2):
                    toys = Toys(files, toy_tenant(number))
                    assert await shown(toys) == f"shown of {number}"
                    box = await toys.get(Box, "box-0")
                    assert box is not None
            assert isinstance(files, FileDatabases)

    asyncio.run(main())
