"""What 10,000 tenants cost beside 10: to start with, to their visitors, and in memory."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from bench.deployment import READY_PATH, Deployment
from bench.figures import Figure, Target
from bench.fleet import fleet, host
from bench.harness import Spread
from bench.process import BenchError, Server, Usage
from bench.progress import tell
from bench.visitors import Visit, visit, zipf

NAMES = ("fleet_start", "fleet_hits", "fleet_memory", "fleet_threads", "fleet_files")
_MANY, _FEW = 10_000, 10
_ROUNDS = 5
#: Visits to the one fleet before the other has its turn: on a machine with other work, a p99 is
#: mostly that work, which has to fall on both alike.
_TURN = 2_000
_MIB = 1024 * 1024


def take() -> list[Figure]:
    deployments = {size: fleet(size) for size in (_FEW, _MANY)}
    return [*_start(deployments), *_visits(deployments)]


def _start(deployments: dict[int, Deployment]) -> list[Figure]:
    """From the start of the process to a tenant's page."""
    seconds: dict[int, list[float]] = {size: [] for size in deployments}
    for turn in range(_ROUNDS):
        tell(f"round {turn + 1} of {_ROUNDS}: starts")
        for size, deployment in deployments.items():
            last = {"Host": host(size - 1)}
            with Server(deployment.serve(), ready_path="/", ready_headers=last) as server:
                seconds[size].append(server.seconds_to_answer)
    pairs = zip(seconds[_MANY], seconds[_FEW], strict=True)
    medians = [statistics.median(seconds[size]) for size in (_MANY, _FEW)]
    return [
        Figure(
            "fleet_start",
            Spread.of([many / few for many, few in pairs]),
            f"× {_FEW} tenants",
            Target("≤", 1.2),
            f"{medians[0]:.2f} against {medians[1]:.2f} s to the first page",
        )
    ]


@dataclass(frozen=True, slots=True)
class _Load:
    """How visitors come: so many in a second, or each connection as fast as it is answered."""

    name: str
    visits: int
    connections: int
    rate: float | None


#: What a visitor waits for is seen where the server has time; where it has none, hits wait for the
#: work that others make, and their p99 follows what a visit costs on average.
_STEADY = _Load("fleet_hits", 8_000, 64, 1_000)
_SATURATED = _Load("fleet_hits.saturated", 12_000, 4, None)


def _visits(deployments: dict[int, Deployment]) -> list[Figure]:
    hosts = [host(number) for number in range(_MANY)]
    found: dict[_Load, dict[int, list[_Kinds]]] = {
        load: {size: [] for size in deployments} for load in (_STEADY, _SATURATED)
    }
    with ExitStack() as running:
        servers = {
            size: running.enter_context(Server(deployment.serve(), ready_path=READY_PATH))
            for size, deployment in deployments.items()
        }
        kinds = {
            size: _Classes(deployment.settings().platform.freshness)
            for size, deployment in deployments.items()
        }
        with _watching(servers[_MANY]) as usage:
            tell("every tenant once")
            for size, server in servers.items():
                kinds[size].sort(visit(server.port, hosts, range(size), _SATURATED.connections))
            for load, rounds in found.items():
                for turn in range(_ROUNDS):
                    tell(f"round {turn + 1} of {_ROUNDS}: {load.visits:,} visits each")
                    for size, took in _round(load, turn, servers, kinds, hosts).items():
                        rounds[size].append(took)
    note = f"{_MANY:,} tenants touched; all processes together"
    most = usage.most
    return [
        *_latencies(_STEADY, found[_STEADY], Target("≤", 1.2)),
        *_latencies(_SATURATED, found[_SATURATED], None),
        _one("fleet_memory", most.resident / _MIB, "MiB", Target("<", 400), note),
        _one("fleet_threads", most.threads, "threads", Target("≤", 32), note),
        _one("fleet_files", most.files, "open files", Target("≤", 512), note),
    ]


def _round(
    load: _Load,
    turn: int,
    servers: dict[int, Server],
    kinds: dict[int, _Classes],
    hosts: Sequence[str],
) -> dict[int, _Kinds]:
    """The visits of one round, to each fleet in turns."""
    took = {size: _Kinds() for size in servers}
    coming = {size: zipf(size, load.visits, seed=turn) for size in servers}
    for start in range(0, load.visits, _TURN):
        for size, server in servers.items():
            sequence, before = coming[size][start : start + _TURN], server.cpu_times()
            seed = turn * load.visits + start
            visits = visit(
                server.port, hosts, sequence, load.connections, rate=load.rate, seed=seed
            )
            took[size].cpu += server.cpu_since(before)
            took[size].add(kinds[size].sort(visits))
    return took


@dataclass(slots=True)
class _Kinds:
    """Milliseconds of visits: to what was in the cache, and to what was looked at again first."""

    hits: list[float] = field(default_factory=list)
    revalidations: list[float] = field(default_factory=list)
    #: Seconds that the server spent on all of them.
    cpu: float = 0.0

    def add(self, more: _Kinds) -> None:
        self.hits += more.hits
        self.revalidations += more.revalidations


@dataclass(slots=True)
class _Look:
    """When a server looked at a tenant last, as far as one knows: seconds, at the earliest and at
    the latest. ``doubt`` is the span of the visits since then that may have been the next look."""

    earliest: float
    latest: float
    doubt: tuple[float, float] | None = None


class _Classes:
    """Knows from outside what the server had to do for a visit.

    A look at a tenant counts for `freshness` seconds from its beginning, which lies between the
    question and the answer of the visit that caused it. A visit that may be either is left out.
    """

    def __init__(self, freshness: float) -> None:
        self._freshness = freshness
        self._looks: dict[int, _Look] = {}

    def sort(self, visits: Sequence[Visit]) -> _Kinds:
        kinds = _Kinds()
        for one in sorted(visits, key=lambda one: one.asked):
            look = self._looks.setdefault(one.tenant, _Look(-1e9, -1e9))
            last = look.latest if look.doubt is None else look.doubt[1]
            if one.asked >= last + self._freshness:
                self._looks[one.tenant] = _Look(one.asked, one.answered)
                kinds.revalidations.append(one.milliseconds)
            elif look.doubt is not None:
                if one.asked < look.latest + self._freshness:
                    look.doubt = look.doubt[0], one.answered
                else:  # by now somebody looked: the first in doubt, or this one, or one in between
                    self._looks[one.tenant] = _Look(look.doubt[0], one.answered)
            elif one.answered > look.earliest + self._freshness:
                look.doubt = one.asked, one.answered
            elif one.asked >= look.latest:  # else it may have waited for the look itself
                kinds.hits.append(one.milliseconds)
        return kinds


def _latencies(
    load: _Load, found: dict[int, list[_Kinds]], target: Target | None
) -> Iterator[Figure]:
    """What visits took, and the CPU seconds that each server spent on all of them."""
    hits = {size: [_p99(kinds.hits) for kinds in turns] for size, turns in found.items()}
    share = sum(len(kinds.hits) for kinds in found[_MANY]) / (_ROUNDS * load.visits)
    cpu = {
        size: sum(kinds.cpu for kinds in turns) / (_ROUNDS * load.visits) * 1e6
        for size, turns in found.items()
    }
    coming = "as fast as four can" if load.rate is None else f"{load.rate:,.0f} visits/s"
    yield Figure(
        load.name,
        Spread.of([many / few for many, few in zip(hits[_MANY], hits[_FEW], strict=True)]),
        f"× {_FEW} tenants",
        target,
        f"{coming}: p99 {statistics.median(hits[_MANY]):.2f} against "
        f"{statistics.median(hits[_FEW]):.2f} ms; {share:.0%} of visits are hits; of any, "
        f"{cpu[_MANY]:.0f} against {cpu[_FEW]:.0f} µs CPU",
    )
    again = [_p99(kinds.revalidations) for kinds in found[_MANY]]
    yield Figure(f"{load.name}.revalidations", Spread.of(again), "ms", None, "p99")


def _p99(values: list[float]) -> float:
    if len(values) < 200:
        raise BenchError(f"{len(values)} visits are too few for a p99")
    return statistics.quantiles(values, n=100)[98]


def _one(name: str, value: float, unit: str, target: Target, note: str) -> Figure:
    return Figure(name, Spread(value, value, value), unit, target, f"the most seen; {note}")


@dataclass(slots=True)
class _Watched:
    most: Usage = field(default_factory=lambda: Usage(0, 0, 0))


@contextmanager
def _watching(server: Server, every: float = 0.25) -> Iterator[_Watched]:
    """The most that a server holds, looked at four times a second."""
    watched, enough = _Watched(), threading.Event()

    def look() -> None:
        while not enough.wait(every):
            watched.most = watched.most.most(server.usage())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield watched
    finally:
        enough.set()
        thread.join()
