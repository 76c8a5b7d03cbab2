"""Where the targets in imported pages lead."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from mosaic_cms.content.paths import normalise_path
from mosaic_cms.importing.links import encode_source

#: No path is longer; what is cut here leads nowhere, before normalising takes its length squared.
_LONGEST = 4_096
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_POST_URL = re.compile(r"\{%-?\s*(post_url|link)\s+(.+?)\s*-?%\}(.*)", re.DOTALL)
_HUGO_REF = re.compile(r"\{\{[<%]\s*(?:rel)?ref\s+[\"'`]?(.+?)[\"'`]?\s*[>%]\}\}(.*)", re.DOTALL)
_RELATIVE_URL = re.compile(
    r"\{\{-?\s*[\"'](.+?)[\"']\s*\|\s*(?:relative_url|absolute_url|relURL|absURL)\s*-?\}\}(.*)",
    re.DOTALL,
)
_BASE_URL = re.compile(r"\{\{-?\s*site\.(?:baseurl|url)\s*-?\}\}")


@dataclass(frozen=True, slots=True)
class Found:
    """What a target leads to. ``text`` is what replaces it: ``page:…`` or ``media:…``."""

    kind: Literal["page", "media"]
    source: str
    rest: str

    @property
    def text(self) -> str:
        return f"{self.kind}:{encode_source(self.source)}{self.rest}"


class Unresolved(ValueError):
    """A target that leads nowhere; the message says why."""


class Targets:
    """All that a folder's pages can refer to.

    ``pages`` maps sources to addresses; ``elsewhere`` maps old addresses to sources;
    ``index_of`` names the page that stands for a folder.
    """

    def __init__(
        self,
        pages: Mapping[str, str],
        files: Container[str],
        elsewhere: Mapping[str, str],
        left_out: Container[str],
        index_of: Callable[[str], str | None],
    ) -> None:
        self._pages = pages
        self._files = files
        self._left_out = left_out
        self._index_of = index_of
        self._addresses = {**elsewhere, **{path: source for source, path in pages.items()}}
        self._stems: dict[str, str] = {}
        for source in pages:
            self._stems.setdefault(posixpath.splitext(posixpath.basename(source))[0], source)

    def find(self, source: str, target: str) -> Found | None:
        """What a target in the page ``source`` leads to; None when it leads out of the site.

        Raises:
            Unresolved: it should lead to a page or file of the folder, and none is there.
        """
        by_name, target = self._untagged(target)
        path, fragment = _split(target)
        if not by_name and (not path or _SCHEME.match(path) or path.startswith(("//", "\\"))):
            return None
        path = unicodedata.normalize("NFC", unquote(path)[:_LONGEST])
        found = self._named(source, path) if by_name else None
        if found is None and path.startswith("/"):
            found = self._at_address(path)
        elif found is None:
            found = self._relative(source, path)
        if found is None:
            raise Unresolved(f"there is no page or file {path!r}")
        return Found(found[0], found[1], fragment if found[0] == "page" else "")

    def _untagged(self, target: str) -> tuple[bool, str]:
        """A target without template tags, and whether it names a page rather than a place."""
        target = _BASE_URL.sub("", target)
        if found := _RELATIVE_URL.fullmatch(target):
            return False, "/" + found[1].lstrip("/") + found[2]
        if found := _POST_URL.fullmatch(target):
            name = found[2].strip("\"'")
            return True, ("/" if found[1] == "link" else "") + name.lstrip("/") + found[3]
        if found := _HUGO_REF.fullmatch(target):
            return True, found[1] + found[2]
        if "{{" in target or "{%" in target:
            raise Unresolved(f"the template tag in {target!r} is not understood")
        return False, target

    def _named(self, source: str, name: str) -> tuple[Literal["page", "media"], str] | None:
        """A page by its name alone, as template tags may have it."""
        beside = None if name.startswith("/") else self._relative(source, name, must_be=False)
        if beside is not None:
            return beside
        stem = posixpath.basename(name)
        stem = posixpath.splitext(stem)[0] if stem.endswith((".md", ".markdown")) else stem
        if "/" not in name.strip("/") and stem in self._stems:
            return "page", self._stems[stem]
        return self._file(f"_posts/{name}")

    def _at_address(self, path: str) -> tuple[Literal["page", "media"], str] | None:
        address = normalise_path(path)
        if address in self._addresses:
            return "page", self._addresses[address]
        without = re.sub(r"(?:/index)?\.html?/$", "/", address or "")
        if without in self._addresses:
            return "page", self._addresses[without]
        return self._file(path.strip("/"))

    def _relative(
        self, source: str, path: str, *, must_be: bool = True
    ) -> tuple[Literal["page", "media"], str] | None:
        """Beside the file, which is how files see it, or else below the page's address."""
        joined = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        outside = joined == ".." or joined.startswith("../")
        found = None if outside else self._file("" if joined == "." else joined)
        if found is None and source in self._pages:
            found = self._at_address(posixpath.normpath(posixpath.join(self._pages[source], path)))
        if found is None and outside and must_be:
            raise Unresolved(f"{path!r} leads out of the folder")
        return found

    def _file(self, path: str) -> tuple[Literal["page", "media"], str] | None:
        stem = re.sub(r"\.html?$", "", path)
        for candidate in (path, f"{path}.md", f"{path}.markdown", f"{stem}.md"):
            if candidate in self._pages:
                return "page", candidate
            if candidate in self._left_out:
                raise Unresolved(f"the page {candidate} was left out")
        if path in self._files:
            return "media", path
        index = self._index_of(path)
        return ("page", index) if index in self._pages and index is not None else None


def _split(target: str) -> tuple[str, str]:
    """Path and fragment; a query means nothing to a page or a file."""
    path, mark, fragment = target.partition("#")
    return path.partition("?")[0], mark + fragment
