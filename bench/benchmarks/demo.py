"""How long a second start of the demo takes, from the command to the first page of a site."""

from __future__ import annotations

from bench.deployment import MOSAIC, scratch
from bench.figures import Figure, Target
from bench.harness import Spread
from bench.process import Command, Server
from bench.progress import tell

NAMES = ("second_start",)
_ROUNDS = 7
_HOST = {"Host": "aurora.localhost"}


def take() -> list[Figure]:
    with scratch() as folder:
        command = Command((MOSAIC, "demo", "--data", str(folder / "demo"), "--port", "{port}"))
        tell("the first start")
        with Server(command, ready_headers=_HOST) as server:
            first = server.seconds_to_answer
        seconds = []
        for turn in range(_ROUNDS):
            tell(f"start {turn + 1} of {_ROUNDS}")
            with Server(command, ready_headers=_HOST) as server:
                seconds.append(server.seconds_to_answer)
    note = f"to a site's first page; the first start, which makes three tenants, {first:.1f} s"
    return [Figure("second_start", Spread.of(seconds), "s", Target("<", 2), note)]
