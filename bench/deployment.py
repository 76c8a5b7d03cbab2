"""MOSAIC deployments to measure: made by the shipped command, served by the shipped command."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.process import BenchError, Command
from mosaic_core.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parent.parent
#: What `mosaic serve` answers when it is up, whichever tenants there are.
READY_PATH = "/-/ready"
#: The command, of the environment that this runs in.
MOSAIC = str(Path(sys.executable).with_name("mosaic"))


@dataclass(frozen=True, slots=True)
class Deployment:
    """A folder with a mosaic.toml and its data."""

    folder: Path

    def settings(self) -> Settings:
        return load_settings(self.folder)

    def serve(self, *, page_cache: bool = True) -> Command:
        """`mosaic serve` with one worker, as it ships or with the page cache turned off."""
        off = {} if page_cache else {"MOSAIC_SERVE__PAGE_CACHE": "0"}
        return Command((MOSAIC, "-c", str(self.folder), "serve", "--port", "{port}"), env=off)


def new_deployment(folder: Path) -> Deployment:
    """What `mosaic init` makes.

    BenchError if it fails, with what it printed.
    """
    done = subprocess.run([MOSAIC, "init", str(folder)], capture_output=True, text=True)
    if done.returncode != 0:
        raise BenchError(f"mosaic init failed:\n{done.stdout}{done.stderr}")
    return Deployment(folder)


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for the length of a benchmark, on the repository's disk: a tenant's file is synced
    to it, which costs nothing where temporary files are kept in memory."""
    cache = ROOT / ".cache"
    cache.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=cache) as folder:
        yield Path(folder)
