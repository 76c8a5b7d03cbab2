"""An upload takes the same memory, however large it is: in one stream and in parts."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.azurite import running

MOST = 64 * 1024 * 1024
SIZES = [
    pytest.param(60_000_000, id="few"),
    pytest.param(900_000_000, id="campaign", marks=pytest.mark.campaign),
]

#: Writes a file twice and says by how many bytes its memory grew at most.
UPLOADER = """
import asyncio, importlib, json, sys
from pathlib import Path
from mosaic_core.testing.services import make_services, make_tenant

name, settings, folder = sys.argv[1], json.loads(sys.argv[2]), Path(sys.argv[3])
size = int(sys.argv[4])
provider = importlib.import_module(f"mosaic_{name}.plugin").mosaic_storage()

async def content(size):
    while size > 0:
        part = bytes(min(size, 256 * 1024))
        size -= len(part)
        yield part

def memory(field):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024

async def main():
    tenant = make_tenant()
    given = provider.settings.model_validate(settings)
    async with provider.open(given, make_services(folder)) as storage:
        await storage.write(tenant, "warm", content(20_000))
        Path("/proc/self/clear_refs").write_text("5")  # what is the most begins anew
        before = memory("VmRSS")
        written = await storage.write(tenant, "a.mp4", content(size), size=size)
        upload = await storage.begin_upload(tenant, "b.mp4", size=size, digest=written.digest)
        for number in range(1, upload.parts + 1):
            await storage.write_part(tenant, upload.id, number, content(upload.length(number)))
        made = await storage.finish_upload(tenant, upload.id)
        assert (made.size, made.digest) == (written.size, written.digest)
        assert await storage.usage(tenant) == 2 * size + 20_000
        print(memory("VmHWM") - before)

asyncio.run(main())
"""


def growth(folder: Path, name: str, settings: dict[str, Any], size: int) -> int:
    script = folder / "uploader.py"
    script.write_text(textwrap.dedent(UPLOADER), "utf-8")
    command = [sys.executable, str(script), name, json.dumps(settings), str(folder), str(size)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1_500, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux tells this")
@pytest.mark.parametrize("size", SIZES)
def test_on_the_local_disk(tmp_path: Path, size: int) -> None:
    assert growth(tmp_path, "storage_local", {}, size) < MOST


@pytest.mark.campaign
@pytest.mark.timeout(3_000)
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux tells this")
def test_in_blob_storage(tmp_path: Path) -> None:
    with running(folder=tmp_path / "emulator") as on_disk:
        settings = on_disk.settings("container", block_size=8 * 1024 * 1024)
        assert growth(tmp_path, "storage_azureblob", settings, 900_000_000) < MOST
