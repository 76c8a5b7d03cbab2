"""Starts servers, drives load at them with `wrk`, and says what a request cost.

Two figures are taken together, because a shared machine is noisy: requests per second, which
moves with the neighbours, and the server's own CPU time per request, which hardly does. CPU time
is user plus system time of every thread of every process of the server; the load generator is
another process tree and is never in it.

Linux only: process trees and CPU clocks come from the kernel. `wrk` is the Debian package `wrk`.
"""

from __future__ import annotations

import gzip
import http.client
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

LONGEST_RUN = 60  # seconds; no single run may load the machine for longer
_SETTLE = 0.2  # seconds for a server to finish what the warm-up left in its queue
_STOP = 10.0  # seconds between asking a server to end and killing it

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


class BenchError(RuntimeError):
    """A figure could not be taken, or would have been wrong; the text says why."""


@dataclass(frozen=True, slots=True)
class Command:
    """How to start a server: each `{port}` in `argv` becomes the port it must listen on.

    `env` is added to this process's environment; `cwd` is the folder it runs in.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One response: header names in lower case, `body` decoded, `wire_bytes` as it travelled."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    wire_bytes: int


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


class Server:
    """A server process on a free loopback port, for the length of a `with` block.

    Entering waits until any answer comes from `ready_path`; BenchError, with the end of what the
    server printed, if none comes within `start_seconds` or the process ends before.
    """

    def __init__(
        self, command: Command, *, ready_path: str = "/", start_seconds: float = 60
    ) -> None:
        self._command = command
        self._ready_path = ready_path
        self._start_seconds = start_seconds
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        argv = [part.replace("{port}", str(self.port)) for part in self._command.argv]
        self._output = tempfile.TemporaryFile()
        # A session of its own: its processes can be told from all others when it is stopped.
        self._process = subprocess.Popen(
            argv,
            env={**os.environ, **self._command.env},
            cwd=self._command.cwd,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pids(self) -> tuple[int, ...]:
        """The process ids of the server's tree, its first process in front."""
        found = [self._process.pid]
        for pid in found:  # grows while it is walked
            found += _children(pid)
        return tuple(found)

    def cpu_times(self) -> dict[int, float]:
        """CPU seconds, user and system, spent so far by each process with all its threads."""
        spent = {pid: _cpu_seconds(pid) for pid in self.pids}
        return {pid: seconds for pid, seconds in spent.items() if seconds is not None}

    def cpu_since(self, before: Mapping[int, float]) -> float:
        """CPU seconds the whole tree has spent since `before`, an answer of `cpu_times`.

        BenchError if a process has ended meanwhile, because its time is lost.
        """
        now = self.cpu_times()
        if gone := before.keys() - now.keys():
            raise BenchError(f"server processes {sorted(gone)} ended during a run\n{self.output()}")
        return sum(spent - before.get(pid, 0.0) for pid, spent in now.items())

    def output(self) -> str:
        """The last 4,000 bytes of what the server printed."""
        descriptor = self._output.fileno()
        size = os.fstat(descriptor).st_size
        return os.pread(descriptor, 4000, max(0, size - 4000)).decode(errors="replace")

    def stop(self) -> None:
        """Ask the server to end, wait, and kill what is left of its tree. Safe to repeat."""
        pids = self.pids if self._process.poll() is None else ()
        self._process.terminate()
        try:
            self._process.wait(_STOP)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pid in pids[1:]:
            _kill_if_in_session(pid, self._process.pid)
        self._output.close()

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + self._start_seconds
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                probe(self.url, self._ready_path)
                return
            except OSError:
                time.sleep(0.05)
        raise BenchError(f"no answer from {self._command.argv[0]}:\n{self.output()}")


def probe(server_url: str, path: str = "/", headers: Mapping[str, str] | None = None) -> Answer:
    """Fetch one page once, following no redirect. OSError if the server cannot be reached."""
    connection = http.client.HTTPConnection(urlsplit(server_url).netloc, timeout=10)
    try:
        connection.request("GET", path, headers=dict(headers or {}))
        response = connection.getresponse()
        raw = response.read()
    finally:
        connection.close()
    named = {name.lower(): value for name, value in response.getheaders()}
    body = gzip.decompress(raw) if named.get("content-encoding") == "gzip" else raw
    return Answer(response.status, named, body, len(raw))


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
    headers: Mapping[str, str] | None = None,
    seconds: int = 4,
    connections: int = 4,
    warm_up: int = 1,
) -> Sample:
    """Check that the right page is served, warm the server up, then take one sample.

    BenchError unless the page answers 200 with `contains` in its body, and unless the answers
    under load were, on average, as long as that page.
    """
    page = probe(server.url, path, headers)
    if page.status != 200 or contains not in page.body:
        raise BenchError(f"{path} answered {page.status} without {contains!r}")
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
    for _ in range(n):
        for name, take in subjects.items():
            samples[name].append(take())
    return {name: Result(tuple(taken)) for name, taken in samples.items()}


def ratio(over: Result, under: Result, figure: Callable[[Sample], float]) -> Spread:
    """How many times one subject's figure is another's, taken round by round.

    What slows the machine in one round slows both sides of that round's ratio.
    """
    pairs = zip(over.samples, under.samples, strict=True)
    return Spread.of([figure(upper) / figure(lower) for upper, lower in pairs])


def _free_port() -> int:
    with socket.socket() as probing:
        probing.bind(("127.0.0.1", 0))
        return int(probing.getsockname()[1])


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += map(int, task.read_text().split())
        except (FileNotFoundError, ProcessLookupError):
            continue  # the thread has just ended
    return found


def _cpu_seconds(pid: int) -> float | None:
    # The kernel's number for "CPU clock of that process", as clock_getcpuclockid(3) makes it:
    # nanoseconds, ended threads included, where /proc/<pid>/stat counts in hundredths of a second.
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return None  # it has just ended


def _kill_if_in_session(pid: int, session: int) -> None:
    try:
        if os.getsid(pid) == session:
            os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
