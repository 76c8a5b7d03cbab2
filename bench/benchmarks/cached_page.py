"""A page from the page cache, compressed, and its `304`, against the bare function that returns
the whole page; both once more while an editor saves drafts."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from bench import bare, tiles
from bench.deployment import READY_PATH, scratch
from bench.editor import Editor
from bench.figures import Figure, Target, compared
from bench.harness import Sample, measure, rounds
from bench.process import BenchError, Server

NAMES = ("cached_page", "not_modified", "cached_page_autosave", "not_modified_autosave")
_SECONDS = 3  # of a sample: an editor saves twice in it
_AGAINST = "the bare function"
_AGAIN = "the bare function, asked with If-None-Match"


def take() -> list[Figure]:
    headers = {**tiles.HOST, "Accept-Encoding": "gzip, deflate, br"}
    with ExitStack() as running:
        folder = running.enter_context(scratch())
        deployment = tiles.tiles(folder)
        mosaic = running.enter_context(Server(deployment.serve(), ready_path=READY_PATH))
        response = bare.fetch(mosaic.url, tiles.PATH, headers)
        etag = dict(response["headers"])["etag"]
        least = running.enter_context(Server(bare.serve(response, folder / "response.json")))
        if bare.fetch(least.url, tiles.PATH, headers) != response:
            raise BenchError("the bare function does not return what MOSAIC returns")

        def page(server: Server) -> Sample:
            return measure(
                server, tiles.PATH, contains=tiles.TEXT, headers=headers, seconds=_SECONDS
            )

        def again(server: Server, status: int) -> Sample:
            return measure(
                server,
                tiles.PATH,
                contains=b"",
                status=status,
                headers={**headers, "If-None-Match": etag},
                seconds=_SECONDS,
            )

        def while_edited(sample: Callable[[], Sample]) -> Sample:
            with Editor(deployment) as editor:
                taken = sample()
            if editor.saves < 2:
                raise BenchError("the editor saved too seldom")
            return taken

        found = rounds(
            {
                _AGAINST: partial(page, least),
                "cached_page": partial(page, mosaic),
                "cached_page_autosave": partial(while_edited, partial(page, mosaic)),
                _AGAIN: partial(again, least, 200),
                "not_modified": partial(again, mosaic, 304),
                "not_modified_autosave": partial(while_edited, partial(again, mosaic, 304)),
            }
        )
    limits = {
        "cached_page": (_AGAINST, Target("≥", 0.75)),
        "not_modified": (_AGAIN, Target(">", 1.0)),
    }
    figures: list[Figure] = []
    for name in NAMES:
        least_name, target = limits[name.removesuffix("_autosave")]
        figures += compared(name, found[name], found[least_name], _AGAINST, target=target)
    return figures
