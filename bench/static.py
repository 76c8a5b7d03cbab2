"""A plain static file route: what every web framework has, and no more.

`python -m bench.static PORT` serves the files of a folder with the server and the options of
`mosaic serve`. A file is opened and read in a thread, as a disk may make one wait.
"""

from __future__ import annotations

import asyncio
import mimetypes
import os
import sys
from email.utils import formatdate
from pathlib import Path
from typing import Any

from bench.deployment import ROOT
from bench.process import Command
from mosaic_cms.cli.serving import run_server
from mosaic_core.settings import ServeSettings

FOLDER_VARIABLE = "BENCH_FOLDER"


def create_app() -> Any:
    """The application for the folder that the environment names."""
    folder = Path(os.environ[FOLDER_VARIABLE]).resolve()

    async def static(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        try:
            start, body = await asyncio.to_thread(_response, folder, scope["path"])
        except OSError:
            start, body = {"type": "http.response.start", "status": 404, "headers": []}, b""
        await send(start)
        await send({"type": "http.response.body", "body": body})

    return static


def _response(folder: Path, path: str) -> tuple[dict[str, Any], bytes]:
    name = os.path.normpath(os.path.join(folder, path.lstrip("/")))
    if not name.startswith(f"{folder}/"):
        raise FileNotFoundError(path)
    with open(name, "rb") as file:
        facts = os.fstat(file.fileno())
        body = file.read()
    headers = [
        (b"content-type", (mimetypes.guess_type(name)[0] or "text/plain").encode()),
        (b"content-length", str(facts.st_size).encode()),
        (b"last-modified", formatdate(facts.st_mtime, usegmt=True).encode()),
        (b"etag", f'"{facts.st_mtime_ns:x}-{facts.st_size:x}"'.encode()),
    ]
    return {"type": "http.response.start", "status": 200, "headers": headers}, body


async def _live(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def serve(folder: Path) -> Command:
    """The command that serves the files of a folder."""
    return Command(
        (sys.executable, "-m", "bench.static", "{port}"),
        env={FOLDER_VARIABLE: str(folder), "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
    )


if __name__ == "__main__":
    run_server("bench.static:create_app", ServeSettings(port=int(sys.argv[1])))
