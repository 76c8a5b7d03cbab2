"""Starts servers on this machine and reads from the kernel what they use.

A server is a process tree of its own; its CPU time is user plus system time of every thread of
every process in it. Linux only: process trees, CPU clocks and memory come from the kernel.
"""

from __future__ import annotations

import gzip
import http.client
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import brotli

_STOP = 10.0  # seconds between asking a server to end and killing it
_LOOK = 0.01  # seconds between attempts to reach a server that is starting


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
class Usage:
    """What the processes of a server hold together; `resident` is in bytes."""

    resident: int
    threads: int
    files: int

    def most(self, other: Usage) -> Usage:
        return Usage(
            max(self.resident, other.resident),
            max(self.threads, other.threads),
            max(self.files, other.files),
        )


class Server:
    """A server process on a free loopback port, for the length of a `with` block.

    Entering waits until any answer comes from `ready_path`, asked for with `ready_headers`;
    BenchError, with the end of what the server printed, if none comes within `start_seconds` or
    the process ends before. `seconds_to_answer` is what that took from the start of the process.
    """

    def __init__(
        self,
        command: Command,
        *,
        ready_path: str = "/",
        ready_headers: Mapping[str, str] | None = None,
        start_seconds: float = 60,
    ) -> None:
        self._command = command
        self._ready_path = ready_path
        self._ready_headers = ready_headers
        self.seconds_to_answer = 0.0
        self._start_seconds = start_seconds
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        argv = [part.replace("{port}", str(self.port)) for part in self._command.argv]
        self._output = tempfile.TemporaryFile()
        started = time.monotonic()
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
        self.seconds_to_answer = time.monotonic() - started
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

    def usage(self) -> Usage:
        """What the whole tree holds now. Pages that processes share count once for each."""
        held = [_usage(pid) for pid in self.pids]
        return Usage(
            sum(one.resident for one in held),
            sum(one.threads for one in held),
            sum(one.files for one in held),
        )

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
                probe(self.url, self._ready_path, self._ready_headers)
                return
            except OSError:
                time.sleep(_LOOK)
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
    return Answer(response.status, named, _decoded(raw, named.get("content-encoding")), len(raw))


def _decoded(raw: bytes, encoding: str | None) -> bytes:
    if encoding == "br":
        decoded: bytes = brotli.decompress(raw)
        return decoded
    return gzip.decompress(raw) if encoding == "gzip" else raw


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


def _usage(pid: int) -> Usage:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        threads = sum(1 for _ in Path(f"/proc/{pid}/task").iterdir())
        files = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return Usage(0, 0, 0)  # it has just ended
    return Usage(pages * os.sysconf("SC_PAGE_SIZE"), threads, files)


def _kill_if_in_session(pid: int, session: int) -> None:
    try:
        if os.getsid(pid) == session:
            os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
