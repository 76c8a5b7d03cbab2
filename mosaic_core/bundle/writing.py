"""Writing a bundle: members one after the other, each whole before the next begins.

All of it blocks: call it in a thread.
"""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import os
import tarfile
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from mosaic_core.bundle.form import DIGEST, MANIFEST, SEAL, Manifest, Seal, Sum
from mosaic_core.bundle.reading import Members, Truncated
from mosaic_core.errors import BundleError, Conflict, FileMismatch

_BLOCK = tarfile.BLOCKSIZE


@dataclass(frozen=True, slots=True)
class There:
    """A whole member of an unfinished bundle: it begins at ``at``."""

    name: str
    digest: str
    at: int


class BundleWriter:
    """Appends members to a file.

    Args:
        file: at its end; closed by whoever opened it.
        there: the members that it has already, in their order, from an export that was broken off.
            They stay as far as the same ones come again; from the first that is another on, the
            file is written anew.
    """

    def __init__(self, file: BinaryIO, there: Sequence[There] = ()) -> None:
        self._file = file
        self._there = deque(there)
        self._sum = Sum()
        self._member: tuple[str, str, int] | None = None
        self._hash = hashlib.sha256()
        self._left = 0

    def add(self, name: str, content: bytes) -> None:
        """A member whose content is at hand; one that is there already is left as it is."""
        digest = hashlib.sha256(content).hexdigest()
        if self.begin(name, len(content), digest):
            self.write(content)
            self.end()

    def add_rows(self, name: str, lines: bytes) -> None:
        """A member of rows. The same lines are always the same bytes."""
        self.add(name, gzip.compress(lines, 3, mtime=0))

    def begin(self, name: str, size: int, digest: str) -> bool:
        """Begins a member of a known size and SHA-256; False when it is there already."""
        self._sum.add(name, digest)
        if self._there and (self._there[0].name, self._there[0].digest) == (name, digest):
            self._there.popleft()
            return False
        self._cut()
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.pax_headers = size, 0o644, {DIGEST: digest}
        self._file.write(info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict"))
        self._member, self._left, self._hash = (name, digest, size), size, hashlib.sha256()
        return True

    def write(self, content: bytes) -> None:
        """The next bytes of the member."""
        self._left -= len(content)
        self._hash.update(content)
        self._file.write(content)

    def end(self) -> None:
        """Ends the member.

        Raises:
            FileMismatch: it was not what was announced; the bundle is of no use any more.
        """
        assert self._member is not None
        name, digest, size = self._member
        if self._left or self._hash.hexdigest() != digest:
            raise FileMismatch(f"{name} changed while it was exported.", hint="Export again.")
        self._file.write(bytes(-size % _BLOCK))
        self._member = None

    def seal(self, rows: dict[str, int], changes: int, files: int, size: int) -> Seal:
        """Writes the last member, and the archive's end."""
        self._cut()
        seal = Seal(
            members=self._sum.members,
            digest=self._sum.hex(),
            rows=rows,
            changes=changes,
            files=files,
            size=size,
        )
        self.add(SEAL, seal.model_dump_json().encode())
        self._file.write(bytes(2 * _BLOCK))
        self._file.flush()
        return seal

    def _cut(self) -> None:
        """Takes away what is there and does not come again."""
        if self._there:
            at = self._there[0].at
            self._there.clear()
            self._file.seek(at)
            self._file.truncate()


def claim(path: Path) -> BinaryIO:
    """An unfinished bundle, to be written by nobody else.

    Raises:
        Conflict: another process writes it.
    """
    file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise Conflict(
            f"{path.name} is being written by another export.", hint="Wait for it to end."
        ) from None
    return file


def begin(file: BinaryIO, manifest: Manifest) -> tuple[BundleWriter, Manifest]:
    """Begins a bundle, or goes on with one that was broken off, of the same tenant at the same
    head: with the manifest that it has then."""
    there, end, known = _unfinished(file, manifest)
    file.seek(end)
    file.truncate()
    writer = BundleWriter(file, there)
    writer.add(MANIFEST, known.model_dump_json().encode())
    return writer, known


def finish(file: BinaryIO, path: Path, target: Path) -> None:
    """Gives a written bundle its name, once it is on the disk."""
    file.flush()
    os.fsync(file.fileno())
    os.replace(path, target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _unfinished(file: BinaryIO, manifest: Manifest) -> tuple[list[There], int, Manifest]:
    """The whole members of an unfinished bundle that can be gone on with, where they end, and its
    manifest; nothing when it is of another state of the tenant."""
    there: list[There] = []
    end, known = 0, manifest
    try:
        for member in Members(file):
            if not there:
                known = Manifest.model_validate_json(member.content())
                if member.name != MANIFEST or _state(known) != _state(manifest):
                    return [], 0, manifest
            for _ in () if not there else member.chunks():
                pass
            there.append(There(member.name, member.digest, end))
            end = member.ends
    except (BundleError, Truncated, ValueError):  # what comes before is whole
        pass
    if there and there[-1].name == SEAL:
        end = there.pop().at
    return (there, end, known) if there else ([], 0, manifest)


def _state(manifest: Manifest) -> object:
    return manifest.format, manifest.tenant, manifest.revision, manifest.head, manifest.tables
