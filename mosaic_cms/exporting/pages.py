"""Pages as files of Markdown: front matter, and blocks as text wherever text can say them."""

from __future__ import annotations

import posixpath
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mosaic_cms.blocks.stored import Stored
from mosaic_cms.content.references import REFERENCE
from mosaic_cms.importing.blocks import REGION, BlockReader, as_markdown, bare, resolved
from mosaic_cms.importing.fenced import write_fenced, write_yaml
from mosaic_cms.importing.fields import Fields, read_fields
from mosaic_cms.importing.front_matter import BrokenFrontMatter, split
from mosaic_cms.importing.identity import without_ids
from mosaic_cms.importing.links import encode_source, rewrite
from mosaic_cms.importing.references import resolve_references
from mosaic_cms.importing.report import Report

#: What a block's data may leave out, because it means the same.
_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "image": {"caption": "", "decorative": False, "link": None, "width": "normal"},
    "code": {"caption": "", "language": ""},
}
#: Details that front matter has a key of its own for.
_WORDS = ("author", "date", "tags", "categories", "image_alt")


@dataclass(slots=True)
class Leaving:
    """A page on its way out.

    Attributes:
        source: its file in the folder.
        regions: its blocks; shared ones are in the places where they are shown.
        translates: the id of the page that it says in another language.
        aliases: old addresses that lead to it.
        weight: its place among its siblings, where their dates and titles do not say it.
    """

    id: uuid.UUID
    source: str
    path: str
    parent: uuid.UUID | None
    position: int
    layout: str
    title: str
    summary: str
    regions: dict[str, list[Stored]]
    details: dict[str, Any]
    draft: bool
    language: str | None
    translates: uuid.UUID | None = None
    aliases: list[str] = field(default_factory=list)
    weight: int | None = None


class PageWriter:
    """Writes pages; ``pages`` and ``media`` are their files by id."""

    def __init__(self, pages: Mapping[str, str], media: Mapping[str, str]) -> None:
        self._files = {"page": pages, "media": media}
        self._pages = {file: uuid.UUID(key) for key, file in pages.items()}
        self._media = {file: uuid.UUID(key) for key, file in media.items()}
        self._reader = BlockReader()

    def text(self, page: Leaving) -> str:
        """The file of a page."""
        body = self._body(page)
        body = rewrite(body, lambda target: self._relative(target, page.source))
        return f"---\n{write_yaml(self._front(page))}---\n\n{body}\n"

    # ---- the text ------------------------------------------------------------------------------

    def _body(self, page: Leaving) -> str:
        parts = [*page.regions.get("main", ())]
        for region, blocks in page.regions.items():
            if region != "main" and blocks:
                mark = {"id": "", "type": REGION, "version": 1, "data": {"name": region}}
                parts += [mark, *blocks]
        heading = page.title.casefold()
        return "\n\n".join(self._texts(parts, heading))

    def _texts(self, blocks: Sequence[Stored], title: str) -> list[str]:
        """Each block as Markdown if that is read as the same blocks again, and else fenced."""
        plain = [_plain(block, title) for block in blocks]
        fenced = [write_fenced(self._placed(block)) for block in blocks]
        whole = [text or other for text, other in zip(plain, fenced, strict=True)]
        if self._reads(whole, blocks):
            return whole
        chosen: list[str] = []
        for number, text in enumerate(plain):
            beside = number > 0 and chosen[-1] == plain[number - 1]
            first = number - 1 if beside else number
            attempt = [*chosen[first:], text] if text is not None else []
            good = bool(attempt) and self._reads(attempt, blocks[first : number + 1])
            chosen.append(text if good and text is not None else fenced[number])
        return chosen if self._reads(chosen, blocks) else fenced

    def _reads(self, texts: Sequence[str], blocks: Sequence[Stored]) -> bool:
        found = self._reader.read("\n\n".join(texts), self._ids).blocks
        return len(found) == len(blocks) and all(map(same_block, found, blocks))

    def _placed(self, block: Stored) -> Stored:
        """A block whose references name files of the folder."""
        data: dict[str, Any] = resolved(block["data"], self._named)
        return {**block, "data": data}

    def _named(self, text: str) -> str:
        def named(found: Any) -> str:
            file = self._files.get(found[1], {}).get(found[2])
            return found[0] if file is None else f"{found[1]}:{encode_source(file)}"

        return REFERENCE.sub(named, text)

    def _ids(self, text: str) -> str:
        """What :meth:`_named` made, undone."""
        return resolve_references(text, self._pages, self._media)

    def _relative(self, target: str, source: str) -> str | None:
        """From ``page:<id>#part`` to the page's file, as seen from another one."""
        found = REFERENCE.match(target)
        file = self._files.get(found[1], {}).get(found[2]) if found else None
        if found is None or file is None:
            return None
        path = posixpath.relpath(file, posixpath.dirname(source) or ".")
        return encode_source(path) + target[found.end() :]

    # ---- front matter --------------------------------------------------------------------------

    def _front(self, page: Leaving) -> dict[str, Any]:
        front: dict[str, Any] = {"title": page.title, "url": page.path, "layout": page.layout}
        front["summary"] = page.summary
        if page.weight is not None:
            front["weight"] = page.weight
        if page.draft:
            front["draft"] = True
        if page.language is not None:
            front["language"] = page.language
        if page.translates is not None:
            front["translates"] = f"/{self._files['page'][str(page.translates)]}"
        if page.aliases:
            front["aliases"] = page.aliases
        rest = {key: value for key, value in page.details.items() if value}
        image = self._image(rest.get("image"), page.source)
        if image is not None:
            front["image"] = image
            del rest["image"]
        words = {key: rest[key] for key in _WORDS if key in rest}
        fields = _fields_of(front | words)
        for key in words:
            if fields is not None and _read_back(fields, key) == rest[key]:
                front[key] = rest.pop(key)
        if rest:
            front["details"] = resolved(rest, self._named)
        return front

    def _image(self, image: Any, source: str) -> str | None:
        if not isinstance(image, str):
            return None
        if image.startswith(("https://", "http://")):
            return image if " ".join(image.split()) == image else None
        found = REFERENCE.fullmatch(image)
        return self._relative(image, source) if found and found[1] == "media" else None


def same_block(one: Stored, other: Stored) -> bool:
    """Whether two blocks are the same to a visitor, whatever their ids."""
    if (one["type"], one["version"]) != (other["type"], other["version"]):
        return False
    first, second = without_ids(one["data"]), without_ids(other["data"])
    if one["type"] == "markdown" and first.keys() == second.keys() == {"text"}:
        return bare(str(first["text"])) == bare(str(second["text"]))
    defaults = dict(_DEFAULTS.get(one["type"], {}))
    return bool(defaults | first == defaults | second)


def _plain(block: Stored, title: str) -> str | None:
    """Its Markdown; None where an import would take something out of it."""
    text = as_markdown(block)
    if text is None or block["type"] != "markdown":
        return text
    opening = text.lstrip("# ").casefold()
    return None if (title and opening.startswith(title)) or "<!--" in text else text


def _fields_of(front: dict[str, Any]) -> Fields | None:
    try:
        return read_fields("", split(f"---\n{write_yaml(front)}---\n"), Report())
    except BrokenFrontMatter:
        return None


def _read_back(fields: Fields, key: str) -> Any:
    value = getattr(fields, key)
    if key == "date":
        return value.isoformat() if value else None
    return list(value) if isinstance(value, tuple) else value
