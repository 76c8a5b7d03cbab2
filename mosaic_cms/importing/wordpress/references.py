"""Placeholders in blocks, and what takes their place once pages and files have ids.

As in a folder of Markdown, ``page:<source>`` and ``media:<source>`` stand for what has no id yet;
the sources here are ``wp:<post id>`` and ``upload:<path>``, percent-encoded.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import unquote

from mosaic_cms.blocks.stored import Stored, is_block
from mosaic_cms.importing.links import encode
from mosaic_cms.importing.wordpress import made
from mosaic_cms.importing.wordpress.dom import tagged

_PLACEHOLDER = re.compile(r"((?:page:wp|media:upload):[^\s\"'<>#()]+)(#[^\s\"'<>()]*)?")
_IN_HTML = re.compile(r"(?<=(?:href|.src)=\")" + _PLACEHOLDER.pattern + r"(?=\")")
_IN_MARKDOWN = re.compile(r"(?<=\]\()" + _PLACEHOLDER.pattern + r"(?=\))")


@dataclass(frozen=True, slots=True)
class Resolved:
    """Blocks with ids in the place of placeholders, and the old addresses that had to stay."""

    blocks: list[Stored]
    unresolved: tuple[str, ...]


def resolve(
    blocks: Iterable[Stored],
    pages: Mapping[str, uuid.UUID],
    media: Mapping[str, uuid.UUID],
    originals: Mapping[str, str],
) -> Resolved:
    """The blocks with ``page:<id>`` and ``media:<id>`` for every source that has an id.

    What has none gets its old address back; a block that shows a file becomes rich text without
    it. What was given stays as it is.

    ``pages`` and ``media`` go by source; ``originals`` are those of the export.
    """
    resolving = _Resolving(pages, media, originals)
    return Resolved(resolving.blocks(blocks), tuple(resolving.unresolved))


def resolve_target(
    target: str,
    pages: Mapping[str, uuid.UUID],
    media: Mapping[str, uuid.UUID],
    originals: Mapping[str, str],
) -> str:
    """The same for one target, such as a menu entry's or a page's picture."""
    return _Resolving(pages, media, originals).target(target)


class _Resolving:
    def __init__(
        self,
        pages: Mapping[str, uuid.UUID],
        media: Mapping[str, uuid.UUID],
        originals: Mapping[str, str],
    ) -> None:
        self._ids = {"page": pages, "media": media}
        self._originals = originals
        self.unresolved: dict[str, None] = {}

    def blocks(self, blocks: Iterable[Stored]) -> list[Stored]:
        return [made for block in blocks for made in self._block(block)]

    def target(self, target: str) -> str:
        found = _PLACEHOLDER.fullmatch(target)
        return self._replaced(found) if found else target

    def _block(self, block: Stored) -> list[Stored]:
        resolved = {**block, "data": self._value(block["data"])}
        data = resolved["data"]
        if block["type"] == "image" and _is_lost(data):
            return [_as_text(resolved["id"], [data])]
        if block["type"] == "video" and _is_lost(data):
            link = tagged("a", escape(data["label"]), href=data["media"])
            return [{**made.rich_text(tagged("p", link)), "id": resolved["id"]}]
        if block["type"] == "gallery":
            pictures = data["pictures"]
            lost = [picture for picture in pictures if _is_lost(picture)]
            kept = [picture for picture in pictures if not _is_lost(picture)]
            block_left = [{**resolved, "data": {**data, "pictures": kept}}] if kept else []
            return [*block_left, *([_as_text(f"{resolved['id']}x", lost)] if lost else [])]
        return [resolved]

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            whole = _PLACEHOLDER.fullmatch(value)
            if whole:
                return self._replaced(whole)
            value = _IN_HTML.sub(lambda found: escape(self._replaced(found)), value)
            return _IN_MARKDOWN.sub(lambda found: encode(self._replaced(found)), value)
        if isinstance(value, dict):
            return {key: self._value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            if value and all(is_block(item) for item in value):
                return self.blocks(value)
            return [self._value(item) for item in value]
        return value

    def _replaced(self, found: re.Match[str]) -> str:
        placeholder, fragment = found[1], found[2] or ""
        kind, _, source = placeholder.partition(":")
        known = self._ids[kind].get(unquote(source))
        if known is not None:
            return f"{kind}:{known}{fragment}"
        original = self._originals.get(placeholder, "/")
        self.unresolved[original] = None
        return original + fragment


def _is_lost(picture: Mapping[str, Any]) -> bool:
    return not str(picture["media"]).startswith("media:")


def _as_text(ident: str, pictures: Iterable[Mapping[str, Any]]) -> Stored:
    html = "\n".join(text for picture in pictures for text in made.as_text(picture))
    return {**made.rich_text(html), "id": ident}
