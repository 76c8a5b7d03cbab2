"""Drives load at servers with `wrk` and says what a request cost.

Two figures are taken together, because a shared machine is noisy: requests per second, which
moves with the neighbours, and the server's own CPU time per request, which hardly does. The load
generator is another process tree and is never in it. `wrk` is the Debian package `wrk`.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.process import BenchError, Server, probe
from bench.progress import tell

LONGEST_RUN = 60  # seconds; no single run may load the machine for longer
_SETTLE = 0.2  # seconds for a server to finish what the warm-up left in its queue

# Prints one line of JSON, times in microseconds; everything else wrk prints is for people.
_REPORT = """
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\\n{"requests":%d,"micros":%d,"bytes":%d,"status":%d,"socket":%d,'
      .. '"p50":%.1f,"p95":%.1f,"p99":%.1f}\\n',
    summary.requests, summary.duration, summary.bytes, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(95), latency:percentile(99)))
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What `wrk` saw: latencies in milliseconds, `bytes_per_response` with the headers."""

    requests: int
    seconds: float
    rps: float
    bytes_per_response: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Sample:
    """One run: the load, and the server's CPU time per request in microseconds."""

    load: Load
    cpu_us_per_request: float

    @property
    def rps(self) -> float:
        return self.load.rps


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some runs, with the lowest and the highest beside it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Result:
    """All runs of one subject, in the order of the rounds."""

    samples: tuple[Sample, ...]

    def spread(self, figure: Callable[[Sample], float]) -> Spread:
        return Spread.of([figure(sample) for sample in self.samples])

    @property
    def rps(self) -> Spread:
        return self.spread(lambda sample: sample.rps)

    @property
    def cpu_us_per_request(self) -> Spread:
        return self.spread(lambda sample: sample.cpu_us_per_request)


def drive(
    server_url: str,
    path: str = "/",
    *,
    headers: Mapping[str, str] | None = None,
    seconds: int = 4,
    connections: int = 4,
) -> Load:
    """Ask for one path over and over on some connections from one `wrk` thread.

    BenchError if `wrk` is missing, if any answer was 4xx or 5xx, or if a connection failed.
    """
    if not 1 <= seconds <= LONGEST_RUN:
        raise BenchError(f"a run lasts 1 to {LONGEST_RUN} seconds, not {seconds}")
    wrk = shutil.which("wrk")
    if wrk is None:
        raise BenchError("wrk is not on PATH: install the Debian package wrk (apt install wrk)")
    argv = [wrk, "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"]
    for name, value in (headers or {}).items():
        argv += ["-H", f"{name}: {value}"]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_REPORT)
        script.flush()
        argv += ["-s", script.name, server_url + path]
        limit = seconds + 30
        done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=limit)
    if done.returncode != 0:
        raise BenchError(f"wrk failed: {done.stdout}{done.stderr}")
    seen = json.loads(done.stdout.splitlines()[-1])
    if seen["requests"] == 0 or seen["status"] or seen["socket"]:
        raise BenchError(f"not every request to {path} was served: {seen}")
    elapsed = seen["micros"] / 1e6
    return Load(
        requests=seen["requests"],
        seconds=elapsed,
        rps=seen["requests"] / elapsed,
        bytes_per_response=seen["bytes"] / seen["requests"],
        p50_ms=seen["p50"] / 1e3,
        p95_ms=seen["p95"] / 1e3,
        p99_ms=seen["p99"] / 1e3,
    )


def measure(
    server: Server,
    path: str = "/",
    *,
    contains: bytes,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    seconds: int = 4,
    connections: int = 4,
    warm_up: int = 1,
) -> Sample:
    """Check that the right page is served, warm the server up, then take one sample.

    BenchError unless the page answers `status` with `contains` in its body, and unless the answers
    under load were, on average, as long as that page.
    """
    page = probe(server.url, path, headers)
    if page.status != status or contains not in page.body:
        raise BenchError(f"{path} answered {page.status}, not {status} with {contains!r}")
    drive(server.url, path, headers=headers, seconds=warm_up, connections=connections)
    time.sleep(_SETTLE)
    before = server.cpu_times()
    load = drive(server.url, path, headers=headers, seconds=seconds, connections=connections)
    spent = server.cpu_since(before)
    if load.bytes_per_response < page.wire_bytes:
        raise BenchError(f"{path} was cut short under load: {load.bytes_per_response:.0f} bytes")
    return Sample(load, spent * 1e6 / load.requests)


def rounds(subjects: Mapping[str, Callable[[], Sample]], n: int = 5) -> dict[str, Result]:
    """Take `n` samples of each subject, interleaved: A B C, A B C, …"""
    samples: dict[str, list[Sample]] = {name: [] for name in subjects}
    for turn in range(1, n + 1):
        for name, take in subjects.items():
            tell(f"round {turn} of {n}: {name}")
            samples[name].append(take())
    return {name: Result(tuple(taken)) for name, taken in samples.items()}


def ratio(over: Result, under: Result, figure: Callable[[Sample], float]) -> Spread:
    """How many times one subject's figure is another's, taken round by round.

    What slows the machine in one round slows both sides of that round's ratio.
    """
    pairs = zip(over.samples, under.samples, strict=True)
    return Spread.of([figure(upper) / figure(lower) for upper, lower in pairs])
