"""Files on the local disk: where they are, and what crashes and a full disk leave behind."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mosaic_storage_local import disk
from mosaic_storage_local.folder import LocalFolder

from mosaic_core.errors import DiskFull, FileMissing, QuotaExceeded, StorageError
from mosaic_core.tenants import TenantContext
from mosaic_core.testing.services import SMALL, SMALL_FILES, make_services, make_tenant
from mosaic_core.testing.storage.tools import chunked, content_of, keys_of


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
    assert paths_below(home) == ["content/gallery/img1.jpg", "facts/gallery/img1.jpg.", "lock"]


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


def test_drafts_of_killed_processes_are_cleared_away_and_running_ones_are_not(
    storage: LocalFolder, tenant: TenantContext, tmp_path: Path
) -> None:
    drafts = tmp_path / "files" / "tenant-abc123" / "drafts"
    drafts.mkdir(parents=True)
    for name, age in (("old", 25 * 3600), ("young", 60)):
        (drafts / name).write_bytes(b"x")
        os.utime(drafts / name, (time.time() - age,) * 2)
    put(storage, tenant, "a.txt", b"x")
    assert [path.name for path in drafts.iterdir()] == ["young"]


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
    real = Path.open

    def full(path: Path, mode: str = "r", *rest: Any) -> Any:
        if mode == "xb":  # a device that takes nothing
            return real(Path("/dev/full"), "wb", *rest)
        return real(path, mode, *rest)

    monkeypatch.setattr(Path, "open", full)
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


def test_an_announced_size_beyond_the_limit_is_refused_before_anything_is_read(
    storage: LocalFolder,
) -> None:
    async def unread() -> AsyncIterator[bytes]:
        pytest.fail("the upload was read")
        yield b""

    tenant = make_tenant(tier=SMALL)
    with pytest.raises(QuotaExceeded, match="tier's limit"):
        asyncio.run(storage.write(tenant, "a", unread(), size=SMALL_FILES + 1))


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
            await storage.write(tenant, key, chunked(bytes([n % 251]) * (9_000 + n % 251), 3_000))
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
def test_a_killed_writer_leaves_whole_files(
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

        asyncio.run(look())
    assert asyncio.run(keys_of(storage, tenant)) == ["after", "same"]
