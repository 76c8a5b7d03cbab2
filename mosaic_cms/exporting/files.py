"""Copying a site's stored files out."""

from __future__ import annotations

import asyncio
import hashlib
import re
import unicodedata
from pathlib import Path

from mosaic_cms.importing.scan import is_passed_over
from mosaic_cms.scope import TenantScope
from mosaic_core.errors import StorageError

_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')
_LONGEST = 120
_DEVICES = re.compile(r"(con|prn|aux|nul|com[1-9]|lpt[1-9])(\..*)?", re.IGNORECASE)


async def copy_out(scope: TenantScope, key: str, digest: str, target: Path) -> str | None:
    """Copies a stored file; why that was not possible, where it was not.

    Raises:
        OSError: the target cannot be written.
    """
    storage = scope.product.platform.storage(scope.tenant)
    seen = hashlib.sha256()
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with target.open("xb") as file:
            async for chunk in storage.read(scope.tenant, key):
                seen.update(chunk)
                await asyncio.to_thread(file.write, chunk)
    except StorageError as error:
        target.unlink(missing_ok=True)
        return f"its content is not there: {error.message}"
    if seen.hexdigest() != digest:
        target.unlink()
        return "its content is not what was stored once"
    return None


class Names:
    """Names of files that no other has, whatever the disk thinks of upper and lower case."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def path(self, folder: str, wanted: str, ending: str) -> str:
        """A path below ``folder`` for a name that may be anything: it never leaves the folder."""
        name = safe_name(wanted)
        number, path = 1, f"{folder}{name}{ending}"
        while path.casefold() in self._taken:
            number += 1
            path = f"{folder}{name}-{number}{ending}"
        self._taken.add(path.casefold())
        return path


def safe_name(wanted: str) -> str:
    """A name that every disk takes and every import reads: the wanted one, or one like it."""
    name = unicodedata.normalize("NFC", wanted.encode("utf-8", "replace").decode())
    plain = _FORBIDDEN.sub("-", name).strip(". -_")
    same = name and plain == name == wanted and len(name.encode()) <= _LONGEST
    if same and not _DEVICES.fullmatch(name) and not is_passed_over(name):
        return name
    digest = hashlib.sha256(wanted.encode("utf-8", "replace")).hexdigest()[:8]
    stem = plain.replace(".", "-").encode()[: _LONGEST // 2].decode("utf-8", "ignore")
    return f"{stem}-{digest}".strip("-")
