"""A process that shows what is published waits for nothing that it does not use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

#: What takes long to load, and what needs it.
_RARE = {
    "alembic": "migrations",
    "sqlalchemy.dialects.postgresql": "tenants on PostgreSQL",
    "sqlalchemy.dialects.mssql": "tenants on SQL Server",
    "markdown_it": "texts that are published",
    "pygments": "code that is published",
    "yaml": "imports",
    "mosaic_cms.importing.folder": "imports",
    "mosaic_cms.exporting.markdown": "exports",
    "mosaic_core.bundle": "bundles",
    "pyvips": "pictures",
}
_SERVED = """
import asyncio, sys
from pathlib import Path
from mosaic_cms.app import Application
from mosaic_core.settings import load_settings

HEAD = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "scheme": "http"}

async def send(message):
    assert message.get("status", 200) == 200, message

async def serve():
    application = Application(load_settings(Path(sys.argv[1])))
    await application.start()
    host, client = (b"host", b"notes.localhost"), ("127.0.0.1", 1)
    await application({**HEAD, "headers": [host], "client": client}, None, send)
    print(*sys.modules)
    await application.stop()

asyncio.run(serve())
"""


def python(*argv: str) -> str:
    done = subprocess.run([sys.executable, *argv], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def mosaic(*words: str) -> str:
    return python("-c", "from mosaic_cms.cli import main; main()", *words)


def test_a_server_of_files_loads_what_its_first_page_needs(tmp_path: Path) -> None:
    mosaic("init", str(tmp_path))
    mosaic("-c", str(tmp_path), "tenant", "create", "notes", "--name", "Notes")
    loaded = set(python("-c", _SERVED, str(tmp_path)).split())
    assert "mosaic_cms.web.site_app" in loaded
    assert {name: what for name, what in _RARE.items() if name in loaded} == {}


def test_the_command_line_loads_no_database_to_say_its_version() -> None:
    script = "import sys, mosaic_cms.cli.commands; print(*sys.modules)"
    assert {"sqlalchemy", "mosaic_core.settings"}.isdisjoint(python("-c", script).split())
