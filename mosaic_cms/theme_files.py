"""The files that themes are made of: read from a folder, and packed into one object and back."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol, Self

#: What the files are by their paths: below the theme's folder, or below the archive's root.
Files = Mapping[str, bytes]

#: Templates that every theme may use as if they were its own: the words in each language.
_SHARED = Path(__file__).parent / "themes" / "_shared"
_EXTENSION = ".html"


class Folder(Protocol):
    """A folder on a disk, or in an archive."""

    @property
    def name(self) -> str: ...

    def iterdir(self) -> Iterable[Self]: ...

    def is_dir(self) -> bool: ...

    def read_bytes(self) -> bytes: ...


def files_in(folder: Folder) -> dict[str, bytes]:
    """Every file below a folder, in the order of the paths; none where there is no such folder."""
    return dict(sorted(_walk(folder, ""))) if folder.is_dir() else {}


def _walk(folder: Folder, within: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        path = f"{within}{entry.name}"
        if entry.is_dir():
            yield from _walk(entry, f"{path}/")
        else:
            yield path, entry.read_bytes()


def shared_templates() -> dict[str, str]:
    """The templates that every theme may use, by name."""
    return {
        path.removesuffix(_EXTENSION): content.decode()
        for path, content in files_in(_SHARED).items()
    }


def digest_of(files: Files, common: Mapping[str, str]) -> str:
    """Another one with every byte of a theme's files, and of the templates that it may use."""
    digest = hashlib.sha256()
    texts = {name: text.encode() for name, text in common.items()}
    for kind in (texts, files):
        for name, content in sorted(kind.items()):
            digest.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
    return digest.hexdigest()[:16]


def pack(themes: Mapping[str, Files], common: Mapping[str, str]) -> bytes:
    """An archive of themes, by name, and of the templates that all of them may use."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, files in themes.items():
            for path, content in files.items():
                archive.writestr(f"themes/{name}/{path}", content)
        for name, text in common.items():
            archive.writestr(f"common/{name}{_EXTENSION}", text)
    return packed.getvalue()


def unpack(content: bytes) -> tuple[dict[str, Folder], dict[str, str]]:
    """The folders of the themes in an archive, by name, and what all of them may use.

    Raises:
        BadZipFile, ValueError: it is no such archive, or damaged.
    """
    archive = zipfile.Path(zipfile.ZipFile(io.BytesIO(content)))
    common = files_in(archive / "common")
    folders: dict[str, Folder] = {x.name: x for x in (archive / "themes").iterdir()}
    return folders, {path.removesuffix(_EXTENSION): text.decode() for path, text in common.items()}
