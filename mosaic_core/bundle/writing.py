"""Writing a bundle: members one after the other, each whole before the next begins.

All of it blocks: call it in a thread.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import tarfile
from pathlib import Path
from typing import BinaryIO

from mosaic_core.bundle.form import DIGEST, MANIFEST, SEAL, Manifest, Seal, Sum
from mosaic_core.bundle.reading import Members, Truncated
from mosaic_core.errors import BundleError, FileMismatch

_BLOCK = tarfile.BLOCKSIZE


class BundleWriter:
    """Appends members to a file.

    Args:
        file: at its end; closed by whoever opened it.
        there: members that it has already, from an export that was broken off.
    """

    def __init__(self, file: BinaryIO, there: dict[str, str] | None = None) -> None:
        self._file = file
        self._there = there or {}
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
        """Begins a member of a known size and SHA-256; False when it is there already.

        Raises:
            BundleError: another content of this name is there.
        """
        known = self._there.get(name)
        if known is not None and known != digest:
            raise BundleError(f"{name} is in the unfinished bundle already, and is another one.")
        self._sum.add(name, digest)
        if known is not None:
            return False
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


def begin(path: Path, manifest: Manifest) -> tuple[BinaryIO, BundleWriter, Manifest]:
    """Begins a bundle, or goes on with one that was broken off, of the same tenant at the same
    head: with the manifest that it has then."""
    there, end, known = _unfinished(path, manifest)
    file = path.open("r+b" if end else "wb")
    try:
        file.truncate(end)
        file.seek(end)
        writer = BundleWriter(file, there)
        writer.add(MANIFEST, known.model_dump_json().encode())
    except BaseException:
        file.close()
        raise
    return file, writer, known


def finish(file: BinaryIO, path: Path, target: Path) -> None:
    """Gives a written bundle its name, once it is on the disk."""
    os.fsync(file.fileno())
    file.close()
    os.replace(path, target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _unfinished(path: Path, manifest: Manifest) -> tuple[dict[str, str], int, Manifest]:
    """The whole members of an unfinished bundle that can be gone on with, where they end, and its
    manifest; nothing when it is of another state of the tenant."""
    there: dict[str, str] = {}
    end, known = 0, manifest
    if not path.exists():
        return there, end, known
    try:
        with path.open("rb") as file:
            for member in Members(file):
                if not there:
                    known = Manifest.model_validate_json(member.content())
                    if _state(known) != _state(manifest):
                        return {}, 0, manifest
                else:
                    for _ in member.chunks():
                        pass
                there[member.name], end = member.digest, member.ends
    except (BundleError, Truncated, ValueError):  # what comes before is whole
        pass
    there.pop(SEAL, None)
    return (there, end, known) if MANIFEST in there else ({}, 0, manifest)


def _state(manifest: Manifest) -> object:
    return manifest.format, manifest.tenant, manifest.revision, manifest.head, manifest.tables
