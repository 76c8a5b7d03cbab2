"""Visitors of many tenants: a precomputed sequence of requests over a few kept connections."""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from bench.process import BenchError

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length: "


@dataclass(frozen=True, slots=True)
class Visit:
    """One request, which was answered 200: `asked` and `answered` are seconds of one clock."""

    tenant: int
    asked: float
    answered: float

    @property
    def milliseconds(self) -> float:
        return (self.answered - self.asked) * 1e3


def zipf(tenants: int, length: int, *, exponent: float = 1.1, seed: int = 1) -> list[int]:
    """A sequence of tenants: the one of rank k comes with a weight of 1 / k ** exponent."""
    weights = list(accumulate(1 / rank**exponent for rank in range(1, tenants + 1)))
    choices = random.Random(seed)
    return choices.choices(range(tenants), cum_weights=weights, k=length)


def visit(
    port: int,
    hosts: Sequence[str],
    sequence: Sequence[int],
    connections: int,
    *,
    rate: float | None = None,
    seed: int = 1,
) -> list[Visit]:
    """Asks for the home page of each tenant of the sequence.

    Args:
        connections: that are open. Where all wait for an answer, whoever comes waits for one.
        rate: how many visitors come in a second, whether the ones before have their answer or not,
            at times that no other visitor knows of (a Poisson process, from ``seed``). None: each
            connection asks as fast as it is answered.

    BenchError when an answer is not 200.
    """
    requests = {
        tenant: f"GET / HTTP/1.1\r\nHost: {hosts[tenant]}\r\nAccept-Encoding: gzip\r\n\r\n".encode()
        for tenant in set(sequence)
    }
    gc.disable()  # a visitor that stands still for milliseconds would be taken for a slow server
    try:
        return asyncio.run(_visit(port, requests, _coming(sequence, rate, seed), connections))
    finally:
        gc.enable()


def _coming(sequence: Sequence[int], rate: float | None, seed: int) -> Iterator[tuple[int, float]]:
    """Tenants that are visited, each with the seconds from the first to that visit at the
    earliest."""
    pauses, at = random.Random(seed), 0.0
    for tenant in sequence:
        yield tenant, at
        at += 0.0 if rate is None else pauses.expovariate(rate)


async def _visit(
    port: int,
    requests: dict[int, bytes],
    coming: Iterator[tuple[int, float]],
    connections: int,
) -> list[Visit]:
    loop = asyncio.get_running_loop()
    visits: list[Visit] = []
    started = loop.time()

    async def work() -> None:
        transport, connection = await loop.create_connection(_Connection, "127.0.0.1", port)
        try:
            for tenant, at in coming:
                if at:
                    await asyncio.sleep(started + at - loop.time())
                asked = loop.time()
                answered = await connection.ask(requests[tenant])
                visits.append(Visit(tenant, asked, answered))
        finally:
            transport.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(work())
    return visits


class _Connection(asyncio.Protocol):
    """Asks for one thing at a time; the answer must have a length."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._received = b""
        self._expected = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def ask(self, request: bytes) -> asyncio.Future[float]:
        """When the answer was there, in seconds of the event loop's clock."""
        self._received, self._expected = b"", 0
        self._answer: asyncio.Future[float] = self._loop.create_future()
        self._transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._expected:
            end = self._received.find(_HEAD_END)
            if end < 0:
                return
            head = self._received[:end].lower()
            if not head.startswith(b"http/1.1 200 ") or _LENGTH not in head:
                self._answer.set_exception(BenchError(f"not what was asked for: {head[:200]!r}"))
                return
            length = int(head.partition(_LENGTH)[2].partition(b"\r\n")[0])
            self._expected = end + len(_HEAD_END) + length
        if len(self._received) >= self._expected:
            self._answer.set_result(self._loop.time())

    def connection_lost(self, exc: Exception | None) -> None:
        answer = getattr(self, "_answer", None)
        if answer is not None and not answer.done():
            answer.set_exception(BenchError("the server closed the connection"))
