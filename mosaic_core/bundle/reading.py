"""Reading a bundle, from its beginning to its end, in constant memory.

A file from elsewhere is hostile: only plain members are taken, headers and what is unpacked are
bounded, and every byte is checked before anything is made of it. All of it blocks: call it in a
thread.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import ValidationError

from mosaic_core.bundle.form import (
    DIGEST,
    FILES,
    FORMAT,
    MANIFEST,
    MOST_FACTS,
    MOST_UNPACKED,
    SEAL,
    Manifest,
    Seal,
    Sum,
    table_of,
)
from mosaic_core.bundle.locking import is_locked, unlocked
from mosaic_core.errors import BundleDamaged, BundleError, BundleNewer, InvalidKey
from mosaic_core.storage import normalise_key

_BLOCK = tarfile.BLOCKSIZE
_CHUNK = 1024 * 1024
#: Bytes of an extended header; it has a name and a digest.
_MOST_HEADER = 64 * 1024
_MOST_DIGITS = 20
_HINT = "Take another copy of the file, or export again; nothing was changed."


class Truncated(Exception):
    """The file ends where it should go on."""


class Member:
    """One member: its content is read once, before the next one.

    Attributes:
        digest: its SHA-256 in hex, as its header has it.
        ends: the place in the file where the next member begins.
    """

    def __init__(self, file: BinaryIO, name: str, size: int, digest: str, at: int) -> None:
        self._file = file
        self.name = name
        self.size = size
        self.digest = digest
        self.ends = at + size + -size % _BLOCK
        self._read = False

    @property
    def table(self) -> str | None:
        """The table whose rows it has."""
        return table_of(self.name)

    @property
    def key(self) -> str:
        """The key of the stored file that it has."""
        return self.name.removeprefix(FILES)

    def chunks(self) -> Iterator[bytes]:
        """Its content, at most a mebibyte at a time.

        Raises:
            BundleDamaged: it is not what its header says; seen at its end.
        """
        self._read, left, found = True, self.size, hashlib.sha256()
        while left:
            chunk = _exactly(self._file, min(left, _CHUNK))
            left -= len(chunk)
            found.update(chunk)
            yield chunk
        _exactly(self._file, -self.size % _BLOCK)
        if found.hexdigest() != self.digest:
            raise damaged(self.name, "its content is not what was written")

    def content(self) -> bytes:
        """All of a small member."""
        if self.size > MOST_FACTS:
            raise damaged(self.name, f"it has {self.size:,} bytes")
        return b"".join(self.chunks())

    def rows(self) -> list[dict[str, Any]]:
        """The rows of a member, each as an object of images by column.

        Raises:
            BundleDamaged: it is no gzip, unpacks to too much, or has a line that is no object.
        """
        try:
            lines = self._unpacked().splitlines()
            rows = [json.loads(line) for line in lines]
        except (zlib.error, ValueError, RecursionError) as error:
            raise damaged(self.name, f"it cannot be read ({error})") from error
        for row in rows:
            if not isinstance(row, dict):
                raise damaged(self.name, "a line of it is no JSON object")
        return rows

    def _unpacked(self) -> bytes:
        unpacking, parts, left = zlib.decompressobj(wbits=31), [], MOST_UNPACKED
        for chunk in self.chunks():
            while chunk:
                part = unpacking.decompress(chunk, left)
                left -= len(part)
                parts.append(part)
                chunk = unpacking.unconsumed_tail
                if left <= 0:
                    raise damaged(self.name, f"it unpacks to over {MOST_UNPACKED:,} bytes")
            if unpacking.unused_data:
                raise damaged(self.name, "something follows its rows")
        if not unpacking.eof:
            raise damaged(self.name, "its rows are cut off")
        return b"".join(parts)

    def skip(self) -> None:
        """Reads over it, if nobody has read it."""
        if not self._read:
            for _ in self.chunks():
                pass


class Members:
    """The members of a file, one after the other, up to the archive's end.

    Raises:
        Truncated: the file ends before.
        BundleDamaged: it is no tar archive of plain members.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._at = 0

    def __iter__(self) -> Iterator[Member]:
        extended: dict[str, str] = {}
        while True:
            block = _exactly(self._file, _BLOCK)
            self._at += _BLOCK
            if block == bytes(_BLOCK):
                return
            try:
                info = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
            except (tarfile.HeaderError, UnicodeDecodeError) as error:
                raise damaged(f"The header at byte {self._at - _BLOCK:,}", str(error)) from error
            if info.type == tarfile.XHDTYPE:
                extended = self._extended(info.size)
                continue
            name, digest = extended.get("path", info.name), extended.get(DIGEST, "")
            told = extended.get("size", "")
            size = int(told) if told.isdecimal() and len(told) < _MOST_DIGITS else info.size
            extended = {}
            if info.type not in {tarfile.REGTYPE, tarfile.AREGTYPE} or size < 0:
                raise damaged(name, "it is no plain file")
            member = Member(self._file, name, size, digest, self._at)
            yield member
            member.skip()
            self._at = member.ends

    def _extended(self, size: int) -> dict[str, str]:
        """The records of an extended header (POSIX.1-2001, pax: ``<length> <key>=<value> LF``)."""
        if not 0 < size <= _MOST_HEADER:
            raise damaged(f"The header at byte {self._at:,}", f"it has {size:,} bytes")
        padded = size + -size % _BLOCK
        left = _exactly(self._file, padded)[:size]
        self._at += padded
        found: dict[str, str] = {}
        while left:
            length, _, _ = left.partition(b" ")
            end = int(length) if length.isdigit() and len(length) < 6 else 0
            record = left[len(length) + 1 : end - 1]
            if end <= len(length) + 1 or left[end - 1 : end] != b"\n" or b"=" not in record:
                raise damaged("An extended header", "it is none")
            key, _, value = record.partition(b"=")
            found[key.decode("utf-8", "replace")] = value.decode("utf-8", "replace")
            left = left[end:]
        return found


class Bundle:
    """An open bundle: its manifest is read, the rest comes from :meth:`members`."""

    def __init__(self, file: BinaryIO, subject: str) -> None:
        self._subject = subject
        self._members = iter(Members(file))
        self._sum = Sum()
        first = self._next()
        if first is None or first.name != MANIFEST:
            raise BundleDamaged(f"{subject} is no bundle of MOSAIC's.", hint=_HINT)
        self.manifest = _manifest(first, subject)
        self._sum.add(first.name, first.digest)
        #: The last member, once :meth:`members` has come to its end.
        self.seal: Seal | None = None

    def members(self) -> Iterator[Member]:
        """Rows, changes and files in their order; what is left unread is checked all the same.

        Raises:
            BundleDamaged: naming the part that is not what was written, or the last one that is
                whole where the file is cut off.
        """
        last, section = MANIFEST, 0
        names: set[str] = set()
        while (member := self._next(last)) is not None:
            if member.name == SEAL:
                self._sealed(member)
                return
            at = _section(member)
            if at < section or member.name in names:
                raise damaged(member.name, "it is where it should not be")
            if member.table is None:
                names = {member.name} if at > section else names | {member.name}
            section, last = at, member.name
            yield member
            member.skip()
            self._sum.add(member.name, member.digest)
        raise damaged(SEAL, "it is missing: the file is cut off")

    def _next(self, last: str = "") -> Member | None:
        try:
            return next(self._members, None)
        except Truncated:
            after = f" after {last}" if last else ""
            raise BundleDamaged(f"{self._subject} is cut off{after}.", hint=_HINT) from None

    def _sealed(self, member: Member) -> None:
        try:
            seal = Seal.model_validate_json(member.content())
        except ValidationError as error:
            raise damaged(SEAL, "it is none") from error
        if (seal.members, seal.digest) != (self._sum.members, self._sum.hex()):
            raise damaged(SEAL, "a part was altered, added or removed")
        self.seal = seal


@contextmanager
def open_bundle(path: Path, identity: str | None = None) -> Iterator[Bundle]:
    """Opens a bundle; ``identity`` is the age identity that unlocks an encrypted one.

    Raises:
        BundleError: it is not there, or cannot be unlocked.
        BundleDamaged: it is no bundle.
        BundleNewer: this MOSAIC does not know its format.
    """
    subject = f"The file {path.name!r}"
    try:
        with path.open("rb") as file:
            if is_locked(file):
                with unlocked(file, identity, subject) as inner:
                    yield Bundle(inner, subject)
            else:
                yield Bundle(file, subject)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise BundleError(f"{subject} cannot be read: {error.strerror}.") from error
    except Truncated:
        raise BundleDamaged(f"{subject} is cut off.", hint=_HINT) from None


async def manifest_of(path: Path, *, identity: str | None = None) -> Manifest:
    """The manifest of a bundle, and nothing else of it.

    Raises:
        BundleError, BundleDamaged, BundleNewer: see :func:`open_bundle`.
    """

    def read() -> Manifest:
        with open_bundle(path, identity) as opened:
            return opened.manifest

    return await asyncio.to_thread(read)


def damaged(part: str, why: str) -> BundleDamaged:
    """The error of one part."""
    return BundleDamaged(f"{part[:200]} is damaged: {why}.", hint=_HINT)


def _manifest(member: Member, subject: str) -> Manifest:
    try:
        facts = json.loads(member.content())
        form = facts.get("format") if isinstance(facts, dict) else None
        if isinstance(form, int) and form > FORMAT:
            raise BundleNewer(
                f"{subject} has the format {form}; this MOSAIC reads {FORMAT}.",
                hint="Use the version of MOSAIC that made it, or a newer one.",
            )
        return Manifest.model_validate(facts)
    except (ValidationError, ValueError, RecursionError) as error:
        raise damaged(MANIFEST, "it is none") from error


def _section(member: Member) -> int:
    if member.table is not None:
        return 2 if member.table == "changes" else 1
    try:
        if member.name.startswith(FILES) and normalise_key(member.key) == member.key:
            return 3
    except InvalidKey:
        pass
    raise damaged(member.name, "no part of a bundle has this name")


def _exactly(file: BinaryIO, size: int) -> bytes:
    content = file.read(size) if size else b""
    while len(content) < size:  # a pipe gives what it has
        more = file.read(size - len(content))
        if not more:
            raise Truncated
        content += more
    return content
