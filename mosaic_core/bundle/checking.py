"""Checking a bundle on its own: no database, no deployment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Table

from mosaic_core.bundle.form import Manifest, Progress, Seal
from mosaic_core.bundle.reading import Bundle, Member, damaged, open_bundle
from mosaic_core.errors import BundleDamaged, ChainBroken
from mosaic_core.head.log import ChainCheck
from mosaic_core.head.tables import TENANT

#: What :func:`values_of` raises.
NO_ROW = (KeyError, ValueError, TypeError, AttributeError, ArithmeticError)


@dataclass(frozen=True, slots=True)
class Checked:
    """A bundle that is whole: what it says of itself, and that its log is what was written."""

    manifest: Manifest
    seal: Seal


def check(path: Path, *, identity: str | None = None, progress: Progress) -> Checked:
    """Reads all of a bundle: each part against its digest, the log against its chain, and the
    counts. Blocks: call it in a thread.

    Raises:
        BundleError: the file is none, or cannot be unlocked.
        BundleDamaged: naming the part.
        BundleNewer: of its format.
    """
    with open_bundle(path, identity) as bundle:
        counted = Counted(bundle)
        size = path.stat().st_size
        for member in bundle.members():
            counted.add(member)
            progress("bytes", min(member.ends, size), size)
        return Checked(bundle.manifest, counted.end())


class Counted:
    """Counts what is read of a bundle and follows its log, so that both can be compared with what
    its manifest and its seal say."""

    def __init__(self, bundle: Bundle) -> None:
        head = bundle.manifest.head
        self._bundle = bundle
        try:
            self._chain = ChainCheck(head.base_version, head.checkpoint)
        except (KeyError, ValueError, TypeError) as error:
            raise damaged("manifest.json", "its checkpoint is none") from error
        self._rows = dict.fromkeys(bundle.manifest.tables, 0)
        self._files = self._size = 0

    def add(self, member: Member) -> list[dict[str, Any]]:
        """The rows of the next member, as images by column; of a stored file, none: it is not
        read."""
        table = member.table
        if table is None:
            self._files += 1
            self._size += member.size
            return []
        rows = member.rows()
        if table != "changes":
            if table not in self._rows:
                raise damaged(member.name, "the manifest does not name its table")
            self._rows[table] += len(rows)
            return rows
        try:
            for row in rows:
                self._chain.add(values_of(TENANT.changes, row))
        except (ChainBroken, *NO_ROW) as error:
            why = error.message if isinstance(error, ChainBroken) else "it is no change log"
            raise damaged(member.name, why) from error
        return rows

    def end(self) -> Seal:
        """After the last member.

        Raises:
            BundleDamaged: something is not as the manifest or the seal says.
        """
        seal, head = self._bundle.seal, self._bundle.manifest.head
        assert seal is not None
        found = (self._rows, self._chain.count, self._files, self._size)
        if found != (seal.rows, seal.changes, seal.files, seal.size):
            raise damaged("seal.json", "it counts other rows or files than there are")
        try:
            self._chain.end(head.version, bytes.fromhex(head.digest))
        except ChainBroken as error:
            raise BundleDamaged(error.message, hint=error.hint) from error
        return seal


def values_of(table: Table, images: Mapping[str, Any]) -> dict[str, Any]:
    """A row's values from its images; a column that the row lacks is an error.

    Raises:
        KeyError, ValueError, TypeError, AttributeError, ArithmeticError: it is no row of it.
    """
    return {c.name: c.type.from_image(images[c.name]) for c in table.columns}  # type: ignore[attr-defined]
