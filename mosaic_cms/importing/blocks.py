"""Markdown as blocks: what has a block of its own becomes one, the rest stays Markdown.

A piece becomes a block only where writing that block gives the very same characters back
(:func:`as_markdown`), and where the text around it still shows as it did. So nothing of a file is
lost by importing and exporting it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from markdown_it.token import Token

from mosaic_cms.blocks.standard.text import Code
from mosaic_cms.blocks.stored import Stored
from mosaic_cms.content.markdown import make_parser
from mosaic_cms.content.markup import Markup
from mosaic_cms.content.references import NOTHING
from mosaic_cms.importing.fenced import BrokenBlock, is_fenced, read_fenced

_LINE_END = re.compile(r"\r\n|\r")
_LANGUAGE = re.compile(r"[A-Za-z0-9_+#.-]{1,40}")
_MEDIA = re.compile(r"media:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SPECIAL = re.compile(r"([\\\[\]`*_~<&!\"])")
#: The type of the mark that what follows belongs to another region.
REGION = "region"
_LINE = 300
_ANY = object()
_BLANK = re.compile(r"\A(?:[ \t]*\n)+|\s+\Z")

Resolve = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Read:
    """Blocks without ids, and what of the text could not be read: ``(line from 0, why)``."""

    blocks: list[Stored]
    problems: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Piece:
    """Lines of the text, the last excluded; ``block`` is what they could become."""

    first: int
    last: int
    block: Stored | None
    fenced: bool = False


class BlockReader:
    """Reads Markdown as blocks. Nothing of a text is kept in it."""

    def __init__(self) -> None:
        self._parser = make_parser(footnotes_at_end=False)
        self._markup = Markup()

    def read(self, body: str, resolve: Resolve = lambda text: text) -> Read:
        """The blocks of a text.

        Args:
            resolve: makes ids of the references in a text; code is not given to it.
        """
        text = _LINE_END.sub("\n", body)
        env: dict[str, Any] = {}
        tokens = self._parser.parse(text, env)
        lines = text.split("\n")
        problems: list[tuple[int, str]] = []
        pieces = [
            piece
            for index, token in enumerate(tokens)
            if (piece := self._piece(tokens, index, token, lines, resolve, problems)) is not None
        ]
        if env.get("references") or env.get("footnotes"):
            # What they name may be anywhere in the text, so that it stays in one piece.
            pieces = [piece for piece in pieces if piece.fenced]
        blocks: list[Stored] = []
        start = 0
        run: list[_Piece] = []
        for piece in pieces:
            if piece.fenced:
                blocks += self._run(lines, start, piece.first, run, resolve)
                assert piece.block is not None
                blocks.append(piece.block)
                start, run = piece.last, []
            else:
                run.append(piece)
        blocks += self._run(lines, start, len(lines), run, resolve)
        return Read(blocks, tuple(problems))

    def _piece(
        self,
        tokens: Sequence[Token],
        index: int,
        token: Token,
        lines: list[str],
        resolve: Resolve,
        problems: list[tuple[int, str]],
    ) -> _Piece | None:
        if token.level or not token.map:
            return None
        first, last = token.map
        if token.type == "fence":
            if is_fenced(token.info):
                try:
                    block = resolved(read_fenced(token.info, token.content), resolve)
                    return _Piece(first, last, block, fenced=True)
                except BrokenBlock as error:
                    problems.append((first, f"a block of ours, but {error}; it stays as text"))
                    return None
            block = _code(token)
        elif token.type == "paragraph_open":
            block = _picture(tokens[index + 1])
        else:
            return None
        written = "\n".join(lines[first:last]).rstrip()
        if block is None or as_markdown(block) != written:
            return None
        block = resolved(block, resolve) if block["type"] == "image" else block
        if block["type"] == "image" and not _MEDIA.fullmatch(block["data"]["media"]):
            return None
        return _Piece(first, last, block)

    def _run(
        self, lines: list[str], start: int, end: int, pieces: list[_Piece], resolve: Resolve
    ) -> list[Stored]:
        """The blocks of some lines. A piece that would change how the text around it shows (its
        headings, whose levels and names go by the whole text) stays in the text."""
        whole = self._headings(lines, start, end) if pieces else []
        taken: list[tuple[_Piece, int]] = []
        for piece in pieces:
            begin, seen = (taken[-1][0].last, taken[-1][1]) if taken else (start, 0)
            found = self._headings(lines, begin, piece.first)
            if found == whole[seen : seen + len(found)]:
                taken.append((piece, seen + len(found)))
        while taken and self._headings(lines, taken[-1][0].last, end) != whole[taken[-1][1] :]:
            taken.pop()
        blocks: list[Stored] = []
        for piece, _ in taken:
            blocks += _text(lines, start, piece.first, resolve)
            assert piece.block is not None
            blocks.append(piece.block)
            start = piece.last
        return [*blocks, *_text(lines, start, end, resolve)]

    def _headings(self, lines: list[str], start: int, end: int) -> list[tuple[int, str, str]]:
        text = "\n".join(lines[start:end])
        if not text.strip():
            return []
        return list(self._markup.render(text, NOTHING).headings)


def as_markdown(block: Stored) -> str | None:
    """A block as plain Markdown; None where Markdown cannot say all of it."""
    data = block["data"]
    if block["version"] != 1:
        return None
    if block["type"] == "markdown" and data.keys() == {"text"} and isinstance(data["text"], str):
        return bare(data["text"]) or None
    if block["type"] == "code" and _says(data, {"code", "language"}, {"caption": ""}):
        return _fence(data["code"], data["language"])
    if block["type"] == "image":
        more = {"caption": _ANY, "decorative": _ANY, "link": None, "width": "normal"}
        if _says(data, {"media", "alt"}, more):
            return _written_picture(data)
    return None


def bare(text: str) -> str:
    """A text of Markdown without the blank lines around it."""
    return _BLANK.sub("", _LINE_END.sub("\n", text))


def _says(data: dict[str, Any], needed: set[str], allowed: dict[str, Any]) -> bool:
    """Whether data hold what is needed, and besides it only what is allowed: of each such key one
    value, or any where this is :data:`_ANY`."""
    return needed <= data.keys() <= needed | allowed.keys() and all(
        allowed[key] is _ANY or data[key] == allowed[key] for key in data.keys() & allowed.keys()
    )


def _fence(code: Any, language: Any) -> str | None:
    if not isinstance(code, str) or not isinstance(language, str):
        return None
    if not _LANGUAGE.fullmatch(language) or not code or "\r" in code or "\0" in code:
        return None
    longest = max((len(run) for run in re.findall(r"`+", code)), default=0)
    ticks = "`" * max(3, longest + 1)
    return f"{ticks}{language}\n{code}\n{ticks}"


def _code(token: Token) -> Stored | None:
    language, code = token.info.strip(), token.content.removesuffix("\n")
    if not _LANGUAGE.fullmatch(language) or language == "mosaic":
        return None
    if not 0 < len(code) <= Code.LONGEST:
        return None
    return _block("code", code=code, language=language)


def _picture(inline: Token) -> Stored | None:
    """A paragraph that is a picture and nothing else."""
    children = inline.children or []
    if len(children) != 1 or children[0].type != "image" or "\n" in inline.content:
        return None
    image = children[0]
    if any(child.type not in {"text", "text_special"} for child in image.children or ()):
        return None
    alt = "".join(child.content for child in image.children or ())
    title = str(image.attrGet("title") or "")
    media = str(image.attrGet("src"))
    if not media.startswith("media:") or max(len(alt), len(title)) > _LINE:
        return None
    data: dict[str, Any] = {"media": media, "alt": alt}
    if title:
        data["caption"] = title
    if not alt.strip():
        data["decorative"] = True
    return _block("image", **data)


def _written_picture(data: dict[str, Any]) -> str | None:
    media, alt, title = data["media"], data["alt"], data.get("caption") or ""
    decorative = bool(data.get("decorative"))
    if not all(isinstance(value, str) for value in (media, alt, title)):
        return None
    if decorative != (not alt.strip()) or "\n" in alt + title or "\r" in alt + title:
        return None
    for change in (lambda text: text, lambda text: _SPECIAL.sub(r"\\\1", text)):
        end = f' "{change(title)}"' if title else ""
        line = f"![{change(alt)}]({media}{end})"
        tokens = _PARSER.parse(line)
        if len(tokens) == 3 and tokens[0].type == "paragraph_open":
            found = _picture(tokens[1])
            if found is not None and _same_picture(found["data"], media, alt, title):
                return line
    return None


def _same_picture(found: dict[str, Any], media: str, alt: str, title: str) -> bool:
    return (found["media"], found["alt"], found.get("caption", "")) == (media, alt, title)


def _text(lines: list[str], start: int, end: int, resolve: Resolve) -> list[Stored]:
    text = bare("\n".join(lines[start:end]))
    return [_block("markdown", text=resolve(text))] if text else []


def _block(kind: str, **data: Any) -> Stored:
    return {"id": "", "type": kind, "version": 1, "data": data}


def by_region(blocks: Sequence[Stored]) -> dict[str, list[Stored]]:
    """Blocks by the region that they belong to: ``main``, up to a block ``region`` with the
    ``name`` of another, which only says that."""
    regions: dict[str, list[Stored]] = {"main": []}
    region = "main"
    for block in blocks:
        if block["type"] == REGION:
            region = str(block["data"].get("name") or region)
            regions.setdefault(region, [])
        else:
            regions[region].append(block)
    return regions


def resolved(value: Any, resolve: Resolve) -> Any:
    """Data with each text's references resolved."""
    if isinstance(value, str):
        return resolve(value)
    if isinstance(value, dict):
        return {key: resolved(item, resolve) for key, item in value.items()}
    if isinstance(value, list):
        return [resolved(item, resolve) for item in value]
    return value


#: Parsing changes nothing in it.
_PARSER = make_parser(footnotes_at_end=False)
