"""The least that can be done: an ASGI function that sends one response, whatever is asked.

`python -m bench.bare PORT` serves it with the server and the options of `mosaic serve`.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.deployment import ROOT
from bench.process import Command
from mosaic_cms.cli.serving import run_server
from mosaic_core.settings import ServeSettings

RESPONSE_VARIABLE = "BENCH_RESPONSE"
# The server adds these to every response itself.
_FROM_SERVER = {"date", "server"}


def create_app() -> Any:
    """The function that sends the response which the environment names a file of."""
    captured = json.loads(Path(os.environ[RESPONSE_VARIABLE]).read_text(encoding="utf-8"))
    start = {
        "type": "http.response.start",
        "status": captured["status"],
        "headers": [(name.encode(), value.encode()) for name, value in captured["headers"]],
    }
    body = {"type": "http.response.body", "body": base64.b64decode(captured["body"])}

    async def bare(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send(start)
            await send(body)
        elif scope["type"] == "lifespan":
            await _live(receive, send)

    return bare


async def _live(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def fetch(server_url: str, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """A response as it travels: status, headers without the server's own, and the body."""
    connection = http.client.HTTPConnection(urlsplit(server_url).netloc, timeout=10)
    try:
        connection.request("GET", path, headers=dict(headers))
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    named = [(name.lower(), value) for name, value in response.getheaders()]
    return {
        "status": response.status,
        "headers": [[name, value] for name, value in named if name not in _FROM_SERVER],
        "body": base64.b64encode(body).decode(),
    }


def serve(response: dict[str, Any], file: Path) -> Command:
    """The command that serves a response, which is kept in `file`."""
    file.write_text(json.dumps(response), encoding="utf-8")
    return Command(
        (sys.executable, "-m", "bench.bare", "{port}"),
        env={RESPONSE_VARIABLE: str(file), "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
    )


if __name__ == "__main__":
    run_server("bench.bare:create_app", ServeSettings(port=int(sys.argv[1])))
