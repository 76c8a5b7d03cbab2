"""The assets of a theme: each under a name with a hash of its content, so it is kept for ever."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

ASSET_PREFIX = "/-/assets/"
_CSS_IMPORT = re.compile(r"""^@import\s+["']([\w.-]+\.css)["'];\n?""", re.MULTILINE)
_CSS_URL = re.compile(r"""url\(\s*["']?([\w.-]+)["']?\s*\)""")
#: By the name's ending, since what a machine knows of types differs from the next one.
_TYPES = {
    "avif": "image/avif",
    "css": "text/css; charset=utf-8",
    "gif": "image/gif",
    "ico": "image/vnd.microsoft.icon",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "mjs": "text/javascript; charset=utf-8",
    "png": "image/png",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
    "webmanifest": "application/manifest+json",
    "webp": "image/webp",
    "woff": "font/woff",
    "woff2": "font/woff2",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of a theme under its hashed name."""

    name: str
    content: bytes
    content_type: str


class Assets:
    """The files of one folder, by name; hidden ones and those in folders below it are none.

    A style sheet takes the place of each ``@import "other.css";`` that names it: one of the folder,
    or of the shared ones. A page so loads one file, however many make it up.

    Attributes:
        files: by hashed name.
        names: the hashed name for each name.

    Raises:
        ValueError: a style sheet is not UTF-8, or imports what is not there; it names the file.
    """

    def __init__(self, found: Mapping[str, bytes], shared: Mapping[str, bytes]) -> None:
        self.files: dict[str, Asset] = {}
        self.names: dict[str, str] = {}
        own = {n: text for n, text in found.items() if "/" not in n and not n.startswith(".")}
        sheets = {name: text for name, text in own.items() if name.endswith(".css")}
        for name in sorted(own.keys() - sheets.keys()):
            self._add(name, own[name])
        # Style sheets last: they name other assets by their hashed names.
        for name in sorted(sheets):
            text = _whole(name, {**shared, **sheets}, ())
            self._add(name, _CSS_URL.sub(self._rewritten, text).encode())

    @classmethod
    def kept(cls, names: Mapping[str, str], files: Mapping[str, bytes]) -> Self:
        """Those that were made before, by their hashed names.

        Raises:
            KeyError: one of the names is of none of the files.
        """
        assets = cls({}, {})
        for name, hashed in names.items():
            assets._put(name, hashed, files[hashed])
        return assets

    def _add(self, name: str, content: bytes) -> None:
        digest = hashlib.sha256(content).hexdigest()[:12]
        stem, dot, suffix = name.partition(".")
        self._put(name, f"{stem}-{digest}{dot}{suffix}", content)

    def _put(self, name: str, hashed: str, content: bytes) -> None:
        kind = _TYPES.get(name.rpartition(".")[2].lower(), "application/octet-stream")
        self.names[name] = hashed
        self.files[hashed] = Asset(hashed, content, kind)

    def _rewritten(self, match: re.Match[str]) -> str:
        name = match.group(1)
        return f'url("{self.names[name]}")' if name in self.names else match.group(0)


def _whole(name: str, sheets: Mapping[str, bytes], within: tuple[str, ...]) -> str:
    """A style sheet with what it imports, and what that imports, in it."""
    try:
        text = sheets[name].decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(name, error) from error

    def imported(match: re.Match[str]) -> str:
        other = match.group(1)
        if other not in sheets:
            raise ValueError(name, f"it imports {other!r}, which is not there")
        if other in (*within, name):
            raise ValueError(name, f"it imports {other!r}, which imports it")
        return _whole(other, sheets, (*within, name))

    return _CSS_IMPORT.sub(imported, text)
