"""Random sequences of what is done with files, with crashes in the middle, for any storage.

A crash stops everything that the storage would still have done where it keeps its files: nothing is
cleaned up, as when the process is killed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from mosaic_core.errors import Conflict, FileMissing, QuotaExceeded
from mosaic_core.storage import Storage, Upload
from mosaic_core.testing.services import SMALL, SMALL_FILES, make_tenant
from mosaic_core.testing.storage.tools import chunked, content_of, digest_of

QUICK = settings(
    max_examples=15,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
LONG = settings(QUICK, max_examples=300, stateful_step_count=40)

KEYS = st.sampled_from(["a", "b", "c/d", "c/e", "c"])
SIZES = st.sampled_from([0, 1, 4_000, 33_000, 70_000, SMALL_FILES, SMALL_FILES + 1])
#: After how many steps of the storage a crash comes; None is no crash.
CRASHES = st.one_of(st.none(), st.integers(0, 12))


class Crashed(BaseException):
    """The process was killed."""


class StorageMachine(RuleBasedStateMachine):
    """Subclass it, and say how the storage is opened and how it crashes."""

    uploads = Bundle("uploads")

    def opened(self) -> AbstractAsyncContextManager[Storage]:
        raise NotImplementedError

    @contextmanager
    def crashing(self, after: int) -> Iterator[None]:
        """From the so-manieth step on that would change what is stored, every one is refused."""
        raise NotImplementedError
        yield

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.tenant = make_tenant(tier=SMALL)
        #: What a key may hold: several things after a crash, until somebody looks.
        self.files: dict[str, set[bytes | None]] = {}
        self.begun: dict[str, Upload] = {}
        #: What was sent of uploads, of which all parts are there.
        self.sent: dict[str, bytes] = {}
        self.turn = 0

    @initialize()
    def open(self) -> None:
        self.opening = self.opened()
        self.storage = self.runner.run(self.opening.__aenter__())

    def teardown(self) -> None:
        if hasattr(self, "opening"):
            self.runner.run(self.opening.__aexit__(None, None, None))
        self.runner.close()

    def do(self, work: Callable[[], Awaitable[Any]], crash: int | None) -> bool:
        """Whether it was done; False when it crashed, and then nobody knows how far it came."""

        async def run() -> bool:
            if crash is None:
                await work()
                return True
            with self.crashing(crash):
                try:
                    await work()
                except Crashed:
                    return False
            return True

        return self.runner.run(run())

    def changed(self, key: str, new: bytes | None, *, done: bool) -> None:
        old = self.files.get(key, {None})
        self.files[key] = {new} if done else old | {new}

    @rule(key=KEYS, size=SIZES, announced=st.booleans(), crash=CRASHES)
    def write(self, key: str, size: int, announced: bool, crash: int | None) -> None:
        self.turn += 1
        content = bytes([self.turn % 256]) * size
        given = {"size": size, "digest": digest_of(content)} if announced else {}
        with suppress(QuotaExceeded, Conflict):
            work = lambda: self.storage.write(  # noqa: E731
                self.tenant, key, chunked(content, 30_000), **given
            )
            self.changed(key, content, done=self.do(work, crash))

    @rule(source=KEYS, into=KEYS, crash=CRASHES)
    def copy(self, source: str, into: str, crash: int | None) -> None:
        self.look()
        (content,) = self.files.get(source, {None})
        with suppress(QuotaExceeded, Conflict, FileMissing):
            done = self.do(lambda: self.storage.copy(self.tenant, source, into), crash)
            self.changed(into, content, done=done)

    @rule(key=KEYS, crash=CRASHES)
    def delete(self, key: str, crash: int | None) -> None:
        done = self.do(lambda: self.storage.delete(self.tenant, key), crash)
        self.changed(key, None, done=done)

    @rule(target=uploads, key=KEYS, size=SIZES, crash=CRASHES)
    def begin(self, key: str, size: int, crash: int | None) -> Any:
        begun: list[Upload] = []

        async def work() -> None:
            begun.append(await self.storage.begin_upload(self.tenant, key, size=size))

        with suppress(QuotaExceeded):
            self.do(work, crash)
        if not begun:
            return multiple()
        self.begun[begun[0].id] = begun[0]
        return begun[0]

    @rule(
        target=uploads,
        upload=consumes(uploads),
        crash=CRASHES,
        ended=st.booleans(),
        again=st.booleans(),
    )
    def finish(self, upload: Upload, crash: int | None, ended: bool, again: bool) -> Any:
        """It is finished or ended; after a crash it can be tried again, with parts sent again or
        with those that are there."""
        content, came = bytes([(self.turn + 1) % 256]) * upload.size, upload.id in self.sent
        if came and not again:
            content = self.sent[upload.id]
        else:
            self.turn += 1

        async def work() -> None:
            for number in range(1, 1 if came and not again else upload.parts + 1):
                start = (number - 1) * upload.part_size
                part = content[start : start + upload.part_size]
                await self.storage.write_part(self.tenant, upload.id, number, chunked(part))
            self.sent[upload.id] = content
            if ended:
                await self.storage.abort_upload(self.tenant, upload.id)
            else:
                await self.storage.finish_upload(self.tenant, upload.id)

        self.sent.pop(upload.id, None)
        try:
            done = self.do(work, crash)
        except (FileMissing, Conflict, QuotaExceeded):
            # Swept, or a folder is in its place; or it was stopped before, and there is no room for
            # two of it.
            return multiple()
        self.begun.pop(upload.id, None)
        if not ended:
            self.changed(upload.key, content, done=done)
        return multiple() if done else upload

    @rule(crash=CRASHES)
    def sweep(self, crash: int | None) -> None:
        everything = timedelta(0)
        self.begun.clear()
        if self.do(lambda: self.storage.sweep(self.tenant, older_than=everything), crash):
            assert self.runner.run(self.storage.usage(self.tenant)) == self.look()

    @precondition(lambda self: hasattr(self, "storage"))
    @invariant()
    def what_is_stored_is_counted_and_within_the_limit(self) -> None:
        stored = self.look()
        usage = self.runner.run(self.storage.usage(self.tenant))
        assert usage >= stored + sum(upload.size for upload in self.begun.values())
        assert stored <= SMALL_FILES

    def look(self) -> int:
        """The bytes that are stored; each file is whole, and what it may be."""

        async def contents() -> dict[str, bytes]:
            found = {}
            async for info in self.storage.list(self.tenant):
                content = await content_of(self.storage, self.tenant, info.key)
                assert (info.size, info.digest) == (len(content), digest_of(content))
                found[info.key] = content
            return found

        found = self.runner.run(contents())
        for key, possible in self.files.items():
            assert found.get(key) in possible, key
            self.files[key] = {found.get(key)}
        assert found.keys() <= self.files.keys()
        return sum(map(len, found.values()))
