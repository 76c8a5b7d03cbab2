"""Files on the local disk: where they are, and what crashes and a full disk leave behind."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from mosaic_storage_local import disk, drafts
from mosaic_storage_local.folder import LocalFolder

from mosaic_core.errors import DiskFull, FileMissing, QuotaExceeded, StorageError
from mosaic_core.tenants import TenantContext
from mosaic_core.testing.services import SMALL, SMALL_FILES, make_services, make_tenant
from mosaic_core.testing.storage.tools import chunked, content_of, keys_of, leased


@pytest.fixture
def storage(tmp_path: Path) -> LocalFolder:
    return LocalFolder(tmp_path / "files", make_services(tmp_path).tiers)


@pytest.fixture
def tenant() -> TenantContext:
    return make_tenant(tenant_id="abc123")


def put(storage: LocalFolder, tenant: TenantContext, key: str, content: bytes) -> Any:
    return asyncio.run(storage.write(tenant, key, chunked(content)))


def paths_below(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_a_person_finds_a_file_where_its_key_says(
    storage: LocalFolder, tenant: TenantContext, tmp_path: Path
) -> None:
    put(storage, tenant, "gallery/img1.jpg", b"picture")
    home = tmp_path / "files" / "tenant-abc123"
    assert (home / "content" / "gallery" / "img1.jpg").read_bytes() == b"picture"
    assert paths_below(home) == [
        "content/gallery/img1.jpg",
        "facts/gallery/img1.jpg.",
        "lock",
        "usage",
    ]


def test_deleting_leaves_no_empty_folders(
    storage: LocalFolder, tenant: TenantContext, tmp_path: Path
) -> None:
    put(storage, tenant, "a/b/c.txt", b"x")
    put(storage, tenant, "a/d.txt", b"x")
    asyncio.run(storage.delete(tenant, "a/b/c.txt"))
    home = tmp_path / "files" / "tenant-abc123"
    assert not (home / "content" / "a" / "b").exists()
    assert (home / "content" / "a" / "d.txt").exists()
    asyncio.run(storage.delete(tenant, "a/d.txt"))
    assert list((home / "content").iterdir()) == []
    assert list((home / "facts").iterdir()) == []


def test_a_new_file_is_found_after_a_loss_of_power(
    storage: LocalFolder,
    tenant: TenantContext,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every folder that is new has its name forced onto the disk, up to one that was there."""
    forced: list[Path] = []
    sync_folder = disk.sync_folder

    def noted(folder: Path) -> None:
        forced.append(folder)
        sync_folder(folder)

    monkeypatch.setattr(disk, "sync_folder", noted)
    put(storage, tenant, "a/b/c.txt", b"x")
    home = tmp_path / "files" / "tenant-abc123"
    content = home / "content"
    new = {tmp_path, tmp_path / "files", home, content, content / "a", content / "a" / "b"}
    assert new <= set(forced)
    forced.clear()
    put(storage, tenant, "a/b/d.txt", b"x")
    assert set(forced) == {content / "a" / "b", home / "facts" / "a" / "b"}


def test_a_list_walks_the_folder_of_its_prefix_alone(
    storage: LocalFolder, tenant: TenantContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("a/b/1", "a/b/2", "a/c/3", "d/4"):
        put(storage, tenant, key, b"x")
    walked: list[str] = []
    walk = os.walk

    def noted(*given: Any, **named: Any) -> Iterator[Any]:
        for step in walk(*given, **named):
            walked.append(str(step[0]).rpartition("content")[2])
            yield step

    monkeypatch.setattr(os, "walk", noted)
    for prefix, keys, folders in (
        ("a/b/", ["a/b/1", "a/b/2"], ["/a/b"]),
        ("a/b/2", ["a/b/2"], ["/a/b"]),
        ("a/c", ["a/c/3"], ["/a", "/a/c"]),
        ("../", [], []),
        ("a\0/", [], []),
    ):
        walked.clear()
        assert asyncio.run(keys_of(storage, tenant, prefix)) == keys
        assert walked == folders


def test_a_list_is_of_more_files_than_are_looked_at_at_once(
    storage: LocalFolder, tenant: TenantContext
) -> None:
    keys = [f"a/{number:03}" for number in range(230)]
    for key in keys:
        put(storage, tenant, key, b"x")
    assert asyncio.run(keys_of(storage, tenant)) == keys


def test_dropping_leaves_not_even_a_folder(
    storage: LocalFolder, tenant: TenantContext, tmp_path: Path
) -> None:
    put(storage, tenant, "a/b.txt", b"x")
    asyncio.run(storage.drop(tenant))
    assert list((tmp_path / "files").iterdir()) == []


def test_reading_makes_no_folders(
    storage: LocalFolder, tenant: TenantContext, tmp_path: Path
) -> None:
    async def look() -> None:
        with pytest.raises(FileMissing):
            await storage.stat(tenant, "a")
        await storage.delete(tenant, "a")
        await storage.drop(tenant)
        assert await keys_of(storage, tenant) == []
        assert await storage.usage(tenant) == 0

    asyncio.run(look())
    assert not (tmp_path / "files").exists()


def test_a_digest_is_of_the_content_even_when_the_facts_are_of_another(
    storage: LocalFolder, tenant: TenantContext, tmp_path: Path
) -> None:
    put(storage, tenant, "a.txt", b"written by us")
    path = tmp_path / "files" / "tenant-abc123" / "content" / "a.txt"
    path.write_bytes(b"edited by hand")
    os.utime(path, ns=(1, 1))
    info = asyncio.run(storage.stat(tenant, "a.txt"))
    assert info.digest == hashlib.sha256(b"edited by hand").hexdigest()
    (path.parents[1] / "facts" / "a.txt.").write_text("{not json", "utf-8")
    assert asyncio.run(storage.stat(tenant, "a.txt")) == info


def test_drafts_of_killed_processes_are_swept_and_running_ones_are_not(
    storage: LocalFolder, tenant: TenantContext, tmp_path: Path
) -> None:
    drafts = tmp_path / "files" / "tenant-abc123" / "drafts"
    drafts.mkdir(parents=True)
    for name in ("left", "left.json", "alone.json"):
        (drafts / name).write_bytes(b"x")

    async def swept_meanwhile() -> AsyncIterator[bytes]:
        yield b"first half, "
        found = await storage.sweep(tenant)
        assert (found.removed, found.bytes) == (2, 2)
        yield b"second half"

    asyncio.run(storage.write(tenant, "a.txt", swept_meanwhile()))
    assert asyncio.run(content_of(storage, tenant, "a.txt")) == b"first half, second half"
    assert list(drafts.iterdir()) == []


HOLDER = """
import asyncio, sys
from pathlib import Path
from mosaic_core.testing.services import make_tenant
from mosaic_storage_local.folder import LocalFolder

async def main():
    storage = LocalFolder(Path(sys.argv[1]) / "files", {})
    async with storage.lease(make_tenant(tenant_id="abc123"), "a") as ours:
        print("begun" if ours else "refused", flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


def test_a_lease_ends_with_its_process_and_the_next_sweep_leaves_nothing_of_it(
    storage: LocalFolder, tmp_path: Path
) -> None:
    tenant = make_tenant(tenant_id="abc123")
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    assert not asyncio.run(leased(storage, tenant, "a"))
    process.kill()
    process.communicate(timeout=30)
    assert asyncio.run(storage.sweep(tenant)).removed == 1
    assert list((tmp_path / "files" / "tenant-abc123" / "drafts").iterdir()) == []
    assert asyncio.run(leased(storage, tenant, "a"))


def test_what_counts_is_counted_anew_when_it_is_not_known(
    storage: LocalFolder, tenant: TenantContext, tmp_path: Path
) -> None:
    put(storage, tenant, "a.txt", b"four")
    asyncio.run(storage.begin_upload(tenant, "b.bin", size=96))
    counted = tmp_path / "files" / "tenant-abc123" / "usage"
    before_the_machine_was_started_again = json.dumps(["another boot", 7])
    for text in (before_the_machine_was_started_again, "{not json", "[]", "7", ""):
        counted.write_text(text, "utf-8")
        assert asyncio.run(storage.usage(tenant)) == 100
    counted.unlink()
    assert asyncio.run(storage.usage(tenant)) == 100


def test_a_sweep_counts_what_a_person_changed(
    storage: LocalFolder, tenant: TenantContext, tmp_path: Path
) -> None:
    put(storage, tenant, "a.txt", b"four")
    (tmp_path / "files" / "tenant-abc123" / "content" / "b.txt").write_bytes(b"by hand")
    asyncio.run(storage.sweep(tenant))
    assert asyncio.run(storage.usage(tenant)) == len(b"four") + len(b"by hand")


@pytest.mark.parametrize(
    ("number", "error", "words"),
    [
        (errno.ENOSPC, DiskFull, "Free some space"),
        (errno.EDQUOT, DiskFull, "Free some space"),
        (errno.EROFS, StorageError, "right to write"),
        (errno.EACCES, StorageError, "right to write"),
        (errno.EIO, StorageError, "Input/output error"),
    ],
)
def test_what_the_disk_refuses_is_said_and_leaves_the_old_file(
    storage: LocalFolder,
    tenant: TenantContext,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    error: type[StorageError],
    words: str,
) -> None:
    put(storage, tenant, "a.txt", b"old")
    before = paths_below(tmp_path)

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    for where, name in ((disk, "sync"), (os, "replace")):
        with monkeypatch.context() as patch:
            patch.setattr(where, name, refuse)
            with pytest.raises(error, match=words) as caught:
                put(storage, tenant, "a.txt", b"new")
            assert type(caught.value) is error
        assert paths_below(tmp_path) == before
        assert asyncio.run(content_of(storage, tenant, "a.txt")) == b"old"


def test_a_full_disk_is_said_once_even_if_closing_fails_too(
    storage: LocalFolder, tenant: TenantContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: Path) -> tuple[Path, BinaryIO]:
        path = folder / "full"
        folder.mkdir(parents=True)
        path.symlink_to("/dev/full")  # a device that takes nothing
        return path, path.open("wb")

    monkeypatch.setattr(drafts, "_new", full)
    with pytest.raises(DiskFull):
        put(storage, tenant, "a.txt", b"x" * 100)
    monkeypatch.undo()
    assert asyncio.run(keys_of(storage, tenant)) == []


def test_what_cannot_be_dropped_is_said(
    storage: LocalFolder, tenant: TenantContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(storage, tenant, "a.txt", b"x")

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(shutil, "rmtree", refuse)
    with pytest.raises(StorageError):
        asyncio.run(storage.drop(tenant))


def test_parts_that_are_sent_many_times_at_once_do_not_fill_the_disk(
    storage: LocalFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drafts, "_WATCHED", 1_000)
    tenant, most = make_tenant(tenant_id="abc123", tier=SMALL), 0

    async def content() -> AsyncIterator[bytes]:
        nonlocal most
        for _ in range(SMALL_FILES // 10_000):
            yield b"x" * 10_000
            found = (tmp_path / "files" / "tenant-abc123" / "drafts").iterdir()
            most = max(most, sum(path.stat().st_size for path in found))

    async def main() -> None:
        upload = await storage.begin_upload(tenant, "a", size=SMALL_FILES)
        sent = (storage.write_part(tenant, upload.id, 1, content()) for _ in range(8))
        done = await asyncio.gather(*sent, return_exceptions=True)
        refused = [error for error in done if isinstance(error, BaseException)]
        assert all(isinstance(error, QuotaExceeded) for error in refused), refused
        assert (await storage.finish_upload(tenant, upload.id)).size == SMALL_FILES

    asyncio.run(main())
    assert most <= SMALL_FILES + 8 * 10_000


def test_an_announced_size_beyond_the_limit_is_refused_before_anything_is_read(
    storage: LocalFolder,
) -> None:
    async def unread() -> AsyncIterator[bytes]:
        pytest.fail("the upload was read")
        yield b""

    tenant = make_tenant(tier=SMALL)
    with pytest.raises(QuotaExceeded, match="tier's limit"):
        asyncio.run(storage.write(tenant, "a", unread(), size=SMALL_FILES + 1))


def test_many_files_at_once_take_up_the_limit_once_more_and_no_more(
    storage: LocalFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None of them is refused for its own size, and nobody knows which of them will be complete."""
    monkeypatch.setattr(drafts, "_WATCHED", 1_000)
    tenant, most = make_tenant(tenant_id="abc123", tier=SMALL), 0

    async def content() -> AsyncIterator[bytes]:
        nonlocal most
        for _ in range(SMALL_FILES // 10_000):
            yield b"x" * 10_000
            drafts = (tmp_path / "files" / "tenant-abc123" / "drafts").iterdir()
            most = max(most, sum(path.stat().st_size for path in drafts))

    async def main() -> None:
        sent = (storage.write(tenant, f"f{n}", content()) for n in range(8))
        done = await asyncio.gather(*sent, return_exceptions=True)
        refused = [error for error in done if isinstance(error, BaseException)]
        assert all(isinstance(error, QuotaExceeded) for error in refused), refused
        assert len(refused) == 7, "one of them fits"

    asyncio.run(main())
    assert most <= 2 * SMALL_FILES + 8 * 10_000


# Several processes

WRITER = """
import asyncio, sys
from pathlib import Path
from mosaic_core.errors import QuotaExceeded
from mosaic_core.testing.services import make_services, make_tenant
from mosaic_core.testing.storage.tools import chunked
from mosaic_storage_local.folder import LocalFolder

data, tier, name = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
storage = LocalFolder(data / "files", make_services(data).tiers)
tenant = make_tenant(tenant_id="abc123", tier=tier)

async def main():
    n = 0
    while n < 15 or name == "endless":
        n += 1
        key = "same" if name == "endless" else f"{name}/{n}"
        try:
            if n == 2:
                print("begun", flush=True)
            content = bytes([n % 251]) * (9_000 + n % 251)
            if n % 2:
                await storage.write(tenant, key, chunked(content, 3_000))
            else:
                upload = await storage.begin_upload(tenant, key, size=len(content))
                await storage.write_part(tenant, upload.id, 1, chunked(content, 3_000))
                await storage.finish_upload(tenant, upload.id)
        except QuotaExceeded:
            pass

asyncio.run(main())
"""


def start(folder: Path, tier: str, name: str) -> subprocess.Popen[str]:
    script = folder / "writer.py"
    script.write_text(textwrap.dedent(WRITER), "utf-8")
    command = [sys.executable, str(script), str(folder), tier, name]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_processes_together_keep_the_limit(storage: LocalFolder, tmp_path: Path) -> None:
    running = [start(tmp_path, SMALL, name) for name in ("a", "b", "c")]
    for process in running:
        process.communicate(timeout=60)
        assert process.returncode == 0
    tenant = make_tenant(tenant_id="abc123", tier=SMALL)
    used = asyncio.run(storage.usage(tenant))
    assert SMALL_FILES - 9_300 <= used <= SMALL_FILES


@pytest.mark.parametrize(
    "kills", [4, pytest.param(100, marks=pytest.mark.campaign)], ids=["few", "campaign"]
)
def test_a_killed_writer_leaves_whole_files_and_the_sweep_takes_the_rest(
    storage: LocalFolder, tenant: TenantContext, tmp_path: Path, kills: int
) -> None:
    for kill in range(kills):
        process = start(tmp_path, "roomy", "endless")
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep((kill % 10) * 0.007)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=30)
        assert process.returncode == -signal.SIGKILL

        async def look() -> None:
            for key in await keys_of(storage, tenant):
                content = await content_of(storage, tenant, key)
                assert len(set(content)) == 1, "a mixture of two files"
                assert len(content) == 9_000 + content[0]
                info = await storage.stat(tenant, key)
                assert info.size == len(content)
                assert info.digest == hashlib.sha256(content).hexdigest()
            await storage.write(tenant, "after", chunked(b"\x00" * 9_000))
            await storage.sweep(tenant, older_than=timedelta(0))
            infos = [info async for info in storage.list(tenant)]
            assert await storage.usage(tenant) == sum(info.size for info in infos)

        asyncio.run(look())
        content, facts = ["content/after", "content/same"], ["facts/after.", "facts/same."]
        found = [name.partition("tenant-abc123/")[2] for name in paths_below(tmp_path / "files")]
        assert found == [*content, *facts, "lock", "usage"]
    assert asyncio.run(keys_of(storage, tenant)) == ["after", "same"]


FINISHER = """
import asyncio, sys
from pathlib import Path
from mosaic_core.testing.services import make_services, make_tenant
from mosaic_storage_local.folder import LocalFolder

data, upload_id = Path(sys.argv[1]), sys.argv[2]
storage = LocalFolder(data / "files", make_services(data).tiers)

async def main():
    tenant = make_tenant(tenant_id="abc123")
    await storage.find_upload(tenant, upload_id)
    print("finishing", flush=True)
    await storage.finish_upload(tenant, upload_id)
    print("finished", flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize(
    "kills", [4, pytest.param(60, marks=pytest.mark.campaign)], ids=["few", "campaign"]
)
def test_who_is_killed_while_a_file_is_put_together_leaves_it_to_be_finished(
    storage: LocalFolder, tenant: TenantContext, tmp_path: Path, kills: int
) -> None:
    script = tmp_path / "finisher.py"
    script.write_text(textwrap.dedent(FINISHER), "utf-8")
    size = 20_000_000

    async def begun() -> str:
        await storage.write(tenant, "a.bin", chunked(b"old"))
        upload = await storage.begin_upload(tenant, "a.bin", size=size)
        for number in upload.missing:
            part = bytes([number]) * upload.length(number)
            await storage.write_part(tenant, upload.id, number, chunked(part, 1_000_000))
        return upload.id

    async def look(upload_id: str) -> None:
        stored = sum([info.size async for info in storage.list(tenant)])
        assert stored in {len(b"old"), size}, "one or the other"
        assert await storage.usage(tenant) >= stored
        with suppress(FileMissing):  # it was finished
            await storage.finish_upload(tenant, upload_id)
        assert (await storage.stat(tenant, "a.bin")).size == size
        assert await storage.usage(tenant) >= size
        await storage.sweep(tenant, older_than=timedelta(0))
        assert await storage.usage(tenant) == size
        left = {path for path in paths_below(tmp_path / "files") if "/lock" not in path}
        home = "tenant-abc123"
        assert left == {f"{home}/content/a.bin", f"{home}/facts/a.bin.", f"{home}/usage"}

    for kill in range(kills):
        upload_id = asyncio.run(begun())
        command = [sys.executable, str(script), str(tmp_path), upload_id]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "finishing\n"
        time.sleep((kill % 20) * 0.006)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=30)
        asyncio.run(look(upload_id))
