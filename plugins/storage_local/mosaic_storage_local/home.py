"""One tenant's folder: where things are in it, and how many bytes count.

``content/`` has the files, ``facts/`` their digests, ``drafts/`` what is being written,
``uploads/`` what comes in parts, ``usage`` the bytes that count, and ``lock`` orders changes among
processes. A file's facts have its name and a dot, which no key can end in.

``usage`` is raised before something is put in its place and lowered after something was removed. So
whoever is killed between leaves a number that is too high, never one that is too low, and the next
sweep counts anew. It is not forced onto the disk: after a loss of power the machine has been
started again, and then it is counted anew as well.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mosaic_core.errors import QuotaExceeded
from mosaic_core.storage import FileInfo, normalise_key
from mosaic_core.tenants import TenantContext
from mosaic_storage_local import disk

#: Bytes; a digest and two numbers are far fewer.
_MOST_FACTS = 4096


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of a tenant, and the tier's limit in bytes; None is no limit."""

    path: Path
    tenant: TenantContext
    limit: int | None

    @classmethod
    def of(cls, root: Path, tenant: TenantContext, limit: int | None) -> Home:
        return cls(root / normalise_key(tenant.blob_storage_prefix), tenant, limit)

    @property
    def drafts(self) -> Path:
        return self.path / "drafts"

    @property
    def uploads(self) -> Path:
        return self.path / "uploads"

    def file(self, key: str) -> Path:
        return Path(self.name(key))

    def name(self, key: str) -> str:
        """Where the file of a key is: a path that needs no more than to be opened."""
        return f"{self.path}/content/{key}"

    def facts(self, key: str) -> Path:
        return self.path / "facts" / f"{key}."

    # What counts

    def used(self) -> int:
        """The bytes that count, counted now if nobody did since the machine was started."""
        with suppress(OSError, ValueError, TypeError):
            boot, number = json.loads((self.path / "usage").read_text())
            if boot == disk.boot():
                return int(number)
        return self.counted()

    def counted(self) -> int:
        """The same by looking at everything: files, and what uploads have announced."""
        found = sum(disk.sizes(self.path / "content").values())
        for about in self.uploads.glob("*/about.json"):
            with suppress(OSError, ValueError, KeyError, TypeError):
                found += int(json.loads(about.read_text())["size"])
        return found

    def require_room(self, size: int, *, instead_of: str | None = None) -> None:
        """Raises QuotaExceeded unless ``size`` more bytes fit, where they replace a file without
        its bytes."""
        if self.limit is not None and size > self.room(instead_of):
            raise full(self.tenant)

    def room(self, instead_of: str | None = None) -> int:
        """The bytes that are left of the limit; there is one."""
        assert self.limit is not None
        replaced = 0 if instead_of is None else size_of(self.file(instead_of))
        return self.limit - self.used() + replaced

    def require_disk(self, draft: Path) -> None:
        """Raises QuotaExceeded when what is being written takes up the limit once more: files that
        come at the same time do not know of each other before they are complete.

        The draft of whoever is refused is empty then, before another looks: not all are refused
        where some would fit.
        """
        if self.limit is None:
            return
        with suppress(FileNotFoundError), disk.turn(self.path):
            written = sum(map(size_of, self.drafts.iterdir()))
            if self.used() + written > 2 * self.limit:
                os.truncate(draft, 0)
                raise full(self.tenant)

    def count(self, number: int) -> None:
        """Notes how many bytes count; for whoever has the turn."""
        draft = self.path / "usage.new"
        try:
            draft.write_text(json.dumps([disk.boot(), number]))
            os.replace(draft, self.path / "usage")
        finally:
            draft.unlink(missing_ok=True)

    # Putting a file into its place

    def place(
        self, key: str, draft: Path, digest: str, *, claimed: int = 0, claim: Path | None = None
    ) -> FileInfo:
        """Makes a complete draft the file of a key; for whoever has the turn.

        Args:
            claimed: bytes that count for this file already.
            claim: the file that says so. It goes when the new one is there for good, and before its
                bytes count once only: they are never taken off twice.
        """
        path, facts = self.file(key), self.facts(key)
        found = draft.stat()
        size, stamp = found.st_size, found.st_mtime_ns
        used, replaced = self.used(), size_of(path)
        if self.limit is not None and used - claimed - replaced + size > self.limit:
            raise full(self.tenant)
        noted = draft.with_suffix(".json")
        noted.write_text(json.dumps({"digest": digest, "size": size, "stamp": stamp}))
        disk.make_folder(path.parent)
        if path.is_dir():
            raise IsADirectoryError(path)
        facts.parent.mkdir(parents=True, exist_ok=True)
        self.count(used + size)
        try:
            # The facts name the file that they describe; a crash between the two renames leaves
            # facts that do not fit, and the digest is then computed from the content.
            os.replace(noted, facts)
            os.replace(draft, path)
        except OSError:
            with suppress(OSError):  # the next sweep counts anew
                self.count(used)
            raise
        for folder in {path.parent, facts.parent}:
            disk.sync_folder(folder)
        if claim is not None:
            claim.unlink()
        if replaced or claimed:
            self.count(used + size - replaced - claimed)
        return FileInfo(key, size, digest, disk.instant(stamp))

    def remove(self, key: str) -> None:
        """Removes a file, and the folders that are empty then."""
        if not self.file(key).is_file():
            return
        with disk.turn(self.path):
            used, size = self.used(), size_of(self.file(key))
            for file in (self.file(key), self.facts(key)):
                file.unlink(missing_ok=True)
                disk.prune(file.parent, self.path)
            self.count(used - size)

    def info(self, key: str) -> FileInfo:
        """What is known of a file; its digest is computed where the facts are of another."""
        # With few calls to the system: a list asks for thousands, beside whom the process serves,
        # and may wait its turn after each call.
        path = self.name(key)
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            raise IsADirectoryError(path)
        facts = _noted(f"{self.path}/facts/{key}.")
        if facts.get("size") == found.st_size and facts.get("stamp") == found.st_mtime_ns:
            digest = str(facts["digest"])
        else:
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        return FileInfo(key, found.st_size, digest, disk.instant(found.st_mtime_ns))


def _noted(name: str) -> dict[str, Any]:
    """What a file of facts says; nothing where there is none that can be read."""
    try:
        handle = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return dict(json.loads(os.read(handle, _MOST_FACTS)))
        finally:
            os.close(handle)
    except (OSError, ValueError, TypeError):
        return {}


def size_of(path: Path) -> int:
    """The bytes of a file; none where there is none."""
    with suppress(FileNotFoundError, NotADirectoryError):
        return path.stat().st_size if path.is_file() else 0
    return 0


def full(tenant: TenantContext) -> QuotaExceeded:
    return QuotaExceeded(
        f"The files of {tenant.slug!r} are at the {tenant.tier} tier's limit.",
        hint="Delete some, or move up a tier.",
    )
