"""Which files of a folder are pages, which are files for pages, and which are neither."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from mosaic_cms.importing.report import Report
from mosaic_core.errors import InvalidInput

_PAGES = {".md", ".markdown"}
#: Folders and files that generators keep beside the content.
_MACHINERY = {
    *("_layouts", "_includes", "_sass", "_data", "_site", "_plugins", "node_modules", "vendor"),
    *("archetypes", "themes", "resources", "__pycache__"),
}
_CONFIGURATION = re.compile(
    r"(_config\.ya?ml|(hugo|config)\.(toml|ya?ml|json)|Gemfile(\.lock)?|.*\.gemspec|Makefile"
    r"|package(-lock)?\.json|Thumbs\.db|desktop\.ini)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that a page may use; ``source`` is its path within the folder, in NFC."""

    source: str
    path: Path


@dataclass(slots=True)
class Scan:
    """What a folder holds, by source, in the order of sources."""

    pages: dict[str, Path] = field(default_factory=dict)
    files: dict[str, SourceFile] = field(default_factory=dict)


def scan(root: Path, report: Report) -> Scan:
    """All readable files of a folder; whatever is passed over is reported.

    Raises:
        InvalidInput: it is no folder.
    """
    if not root.is_dir():
        raise InvalidInput(
            f"{str(root)!r} is not a folder.", hint="Name the folder that holds the pages."
        )
    found = Scan()
    for path in _walk(root, root.resolve(), root, report):
        source = unicodedata.normalize("NFC", path.relative_to(root).as_posix())
        if source in found.pages or source in found.files:
            report.problem(source, "two files differ only in how Unicode writes their name")
        elif path.suffix.lower() in _PAGES:
            found.pages[source] = path
        else:
            found.files[source] = SourceFile(source, path)
    return found


def is_passed_over(name: str) -> bool:
    """Whether a file or folder of this name is none of the content, or means something else."""
    stem = name.partition(".")[0].lower()
    return bool(
        name.startswith((".", "_"))
        or name in _MACHINERY
        or stem in {"index", "readme"}
        or _CONFIGURATION.fullmatch(name)
    )


def _walk(root: Path, real_root: Path, folder: Path, report: Report) -> Iterator[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        report.problem(_shown(root, folder), f"the folder cannot be read: {error.strerror}")
        return
    for entry in entries:
        path = folder / entry.name
        source = _shown(root, path)
        if not _is_text(entry.name):
            report.problem(source, "its name is not UTF-8; left out")
        elif entry.name.startswith("."):
            report.note(source, "hidden; skipped")
        elif entry.name in _MACHINERY or _CONFIGURATION.fullmatch(entry.name):
            report.note(source, "belongs to a site generator; skipped")
        elif entry.is_symlink() and (astray := _astray(path, real_root)):
            report.problem(source, f"a symbolic link that leads {astray}; refused")
        elif entry.is_dir(follow_symlinks=False):
            yield from _walk(root, real_root, path, report)
        elif entry.is_dir():
            report.note(source, "a symbolic link to a folder, which is read where it stands")
        elif entry.is_file():
            yield path
        else:
            report.note(source, "neither a file nor a folder; skipped")


def _astray(path: Path, real_root: Path) -> str:
    """Where a symbolic link leads that is not followed; empty for one that stays inside."""
    try:
        inside = path.resolve(strict=True).is_relative_to(real_root)
    except FileNotFoundError:
        return "nowhere"
    except (OSError, RuntimeError):  # RuntimeError: what Python says of circles before 3.13
        return "in a circle, or to what cannot be read"
    return "" if inside else "out of the folder"


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(root: Path, path: Path) -> str:
    name = PurePosixPath(path.relative_to(root)).as_posix()
    return os.fsencode(name).decode("utf-8", "backslashreplace")
