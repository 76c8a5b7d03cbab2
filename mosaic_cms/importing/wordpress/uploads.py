"""The files of the old site, in a folder on this machine. Nothing is fetched from anywhere."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from mosaic_cms.content.models import MAX_PATH
from mosaic_cms.importing.report import Report
from mosaic_cms.importing.wordpress.model import WordPressFile
from mosaic_core.errors import InvalidInput

_SIZE = re.compile(r"-(?:\d{1,5}x\d{1,5}|scaled|rotated)(?=\.[A-Za-z0-9]{2,5}$)")
#: Where a copy of a site keeps what was uploaded.
_BELOW = ("wp-content/uploads", "uploads")


class Uploads:
    """Finds files by the path that they have below ``uploads``.

    ``known`` maps the paths of the media library to (alternative text, title, caption).
    """

    def __init__(
        self, root: Path | None, known: Mapping[str, tuple[str, str, str]], report: Report
    ) -> None:
        """
        Raises:
            InvalidInput: there is no such folder.
        """
        if root is not None and not root.is_dir():
            raise InvalidInput(
                f"{str(root)!r} is not a folder.",
                hint="Name the copy of the old site's wp-content/uploads.",
            )
        inner = [root / below for below in _BELOW if (root / below).is_dir()] if root else []
        self._root = inner[0] if inner else root
        self._real = self._root.resolve() if self._root else None
        self._known = known
        self._report = report
        self._found: dict[str, WordPressFile | None] = {}
        self.used: dict[str, WordPressFile] = {}
        self.missing: dict[str, None] = {}

    def find(self, path: str, where: str, line: int | None = None) -> WordPressFile | None:
        """The file for a path, the original rather than one of its sizes; None, with a problem in
        the report when it is the first time, if it is not there."""
        path = unicodedata.normalize("NFC", path[: 2 * MAX_PATH])
        for candidate in self._candidates(path):
            file = self._look(candidate)
            if file is not None:
                self.used[file.source] = file
                return file
        name = _SIZE.sub("", path)
        if name not in self.missing:
            self.missing[name] = None
            if self._root is not None:
                self._report.problem(
                    where, f"the folder of uploads has no {name[:200]!r}; its address stays", line
                )
        return None

    def _candidates(self, path: str) -> tuple[str, ...]:
        original = _SIZE.sub("", path)
        if path in self._known:
            return (path, original)
        dot = original.rfind(".")
        scaled = f"{original[:dot]}-scaled{original[dot:]}"
        return tuple(dict.fromkeys((original, scaled, path)))

    def _look(self, path: str) -> WordPressFile | None:
        if path not in self._found:
            self._found[path] = self._open(path)
        return self._found[path]

    def _open(self, path: str) -> WordPressFile | None:
        source = f"upload:{path}"
        parts = PurePosixPath(path).parts
        if (
            self._root is None
            or self._real is None
            or len(source) > MAX_PATH
            or not parts
            or path.startswith("/")
            or any(part.startswith(".") for part in parts)
            or not path.isprintable()
            or "\\" in path
        ):
            return None
        for form in ("NFC", "NFD"):
            file = self._root / unicodedata.normalize(form, path)
            try:
                real = file.resolve(strict=True)
                if real.is_file() and real.is_relative_to(self._real):
                    alt, title, caption = self._known.get(path, ("", "", ""))
                    return WordPressFile(source, file, alt, title, caption)
            except (OSError, RuntimeError, ValueError):
                continue
        return None
