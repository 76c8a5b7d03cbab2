"""The server as it ships, in a process that tells how it collects garbage.

``python -m tests.e2e.collecting PORT`` serves the deployment that ``MOSAIC_CONFIG`` names. Below
``/-/collecting`` it is asked for more than an application that ships would answer.
"""

from __future__ import annotations

import gc
import json
import sys
from typing import Any

from mosaic_cms.app import create_app
from mosaic_cms.cli.serving import run_server
from mosaic_core.settings import ServeSettings

#: Answers with ``looked_at``, the number of objects that each collection since the last answer
#: looked through, and ``there``, how many there are.
TELL = "/-/collecting"
#: Keeps so many more objects first, as caches do; looks through all that there is first.
KEEP, ALL = f"{TELL}/keep", f"{TELL}/all"
KEPT = 200_000


class Collecting:
    """The application that every server has, and what there is to tell of its process."""

    def __init__(self) -> None:
        self._app = create_app()
        self._looked_at: list[int] = []
        self._kept: list[list[int]] = []
        gc.callbacks.append(self._collected)

    def _collected(self, phase: str, facts: dict[str, int]) -> None:
        if phase == "start":
            young = range(facts["generation"] + 1)
            self._looked_at.append(sum(len(gc.get_objects(each)) for each in young))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(TELL):
            await self._app(scope, receive, send)
            return
        if scope["path"] == KEEP:
            self._kept += [[number] for number in range(KEPT)]
        elif scope["path"] == ALL:
            gc.collect()
        facts = {
            "looked_at": self._looked_at,
            "there": len(gc.get_objects()) + gc.get_freeze_count(),
        }
        self._looked_at = []
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(facts).encode()})


def create() -> Collecting:
    """What the server imports."""
    return Collecting()


if __name__ == "__main__":
    run_server("tests.e2e.collecting:create", ServeSettings(port=int(sys.argv[1])))
