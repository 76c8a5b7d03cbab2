"""Finds the targets of links and pictures in Markdown, and replaces them in place.

The parser itself says where a target stands, so code, escapes and reference definitions are
taken as they are meant; everything else of the text stays, byte for byte.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

from markdown_it import MarkdownIt, helpers
from markdown_it.helpers.parse_link_destination import _Result
from markdown_it.token import Token

from mosaic_cms.content.markdown import make_parser

_LINE_END = re.compile(r"\r\n|\r|\n")
#: Template tags in targets: {% post_url x %}, {{ "/x" | relative_url }}, {{< ref "x.md" >}}.
_TAG = re.compile(r"\{[{%][^\r\n]*?[%}]\}")
#: Stands for a space within a template tag while parsing, because targets cannot hold spaces.
_SPACE = "\ue000"
#: What would end a target, or begin something else.
_MARKS = frozenset("()<>[]\\|`")
#: What stands before a definition's target, whose line may begin with quote marks.
_DEFINITION = re.compile(r"\]:[ \t]*(?:(?:\r\n|\r|\n)[ \t>]*)?")
_MARKER = re.compile(r"\ue001(\d+):(\d+):(.*)\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Target:
    """One target in a text: ``value`` is what it means, ``start`` to ``end`` where it stands.

    ``line`` counts from 0. ``start`` is None where the place could not be found.
    """

    value: str
    line: int
    start: int | None
    end: int


class LinkReader:
    """A parser that notes where targets stand."""

    def __init__(self) -> None:
        self.parser = _marking_parser()

    def parse(self, text: str) -> tuple[list[Token], list[Target]]:
        """The text's tokens and targets, in order."""
        masked = _TAG.sub(lambda tag: re.sub(r"[ \t]", _SPACE, tag[0]), text)
        env: dict[str, Any] = {}
        tokens = self.parser.parse(masked, env)
        lines = _Lines(masked)
        found = list(_inline_targets(tokens, lines))
        found += _definition_targets(env, lines)
        return tokens, sorted(found, key=lambda target: (target.line, target.start or 0))


def rewrite(text: str, replace: Callable[[str], str | None]) -> str:
    """The text with targets replaced; ``replace`` gets each and answers None to keep it."""
    _, targets = LinkReader().parse(text)
    return apply(text, [(target, replace(target.value)) for target in targets])


def apply(text: str, changes: Sequence[tuple[Target, str | None]]) -> str:
    """The text with these targets exchanged (None: kept)."""
    parts, position = [], 0
    for target, value in changes:
        if value is None or target.start is None or target.start < position:
            continue
        parts += [text[position : target.start], encode(value)]
        position = target.end
    return "".join(parts) + text[position:]


def encode(target: str) -> str:
    """A target such that Markdown reads it as it is: marks escaped, and spaces as ``%20``."""
    return "".join(
        f"\\{char}" if char in _MARKS else quote(char) if char <= " " or char == "\x7f" else char
        for char in target.replace("&", "&amp;")
    )


def encode_source(source: str) -> str:
    """A file's path as it follows ``page:`` or ``media:``; ``unquote`` undoes it."""
    return "".join(
        char if char.isalnum() or char in "/+,;~@!$.-_=" else quote(char) for char in source
    )


# ---- the parser's side --------------------------------------------------------------------------


def _marking_parser() -> MarkdownIt:
    parser: Any = make_parser(footnotes_at_end=False)
    parser.options["store_labels"] = True
    parser.helpers = SimpleNamespace(
        parseLinkLabel=helpers.parseLinkLabel,
        parseLinkTitle=helpers.parseLinkTitle,
        parseLinkDestination=_parse_marked_destination,
    )
    marked: MarkdownIt = parser
    return marked


def _parse_marked_destination(text: str, start: int, maximum: int) -> _Result:
    """Like the parser's own, but the answer also carries where the destination stands."""
    result = helpers.parseLinkDestination(text, start, maximum)
    if result.ok:
        result.str = f"\ue001{start}:{result.pos}:{result.str}"
    return result


def _inline_targets(tokens: Sequence[Token], lines: _Lines) -> Iterator[Target]:
    in_cell = False
    for token in tokens:
        if token.type in {"td_open", "th_open"}:
            in_cell = True
        elif token.type in {"td_close", "th_close"}:
            in_cell = False
        elif token.type == "inline" and token.map:
            first = token.map[0]
            excerpt = (
                lines.cell(token.content, first) if in_cell else lines.excerpt(token.content, first)
            )
            for child in token.children or ():
                name = {"link_open": "href", "image": "src"}.get(child.type)
                marked = _MARKER.match(str(child.attrGet(name))) if name else None
                # A reference's target stands at its definition.
                if marked and "label" not in child.meta:
                    yield lines.target(marked[3], *excerpt(int(marked[1]), int(marked[2])))


def _definition_targets(env: dict[str, Any], lines: _Lines) -> Iterator[Target]:
    definitions = [*env.get("references", {}).values(), *env.get("duplicate_refs", ())]
    for definition in definitions:
        marked = _MARKER.match(definition["href"])
        if marked:
            yield lines.definition(marked[3], *definition["map"])


#: From a span in an excerpt to its line, and its place in the text (None when not found).
_Excerpt = Callable[[int, int], tuple[int, int | None, int]]


class _Lines:
    """The places of a text's lines, and of the parser's excerpts within them.

    The parser hands out excerpts: a paragraph's lines without their quote marks and indents, a
    cell without its bars. Every line of an excerpt is still a piece of one line of the text.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts: list[int] = []
        self._ends: list[int] = []
        position = 0
        for end in _LINE_END.finditer(text):
            self._starts.append(position)
            self._ends.append(end.start())
            position = end.end()
        self._starts.append(position)
        self._ends.append(len(text))
        self._after_cell: dict[int, int] = {}

    def excerpt(self, content: str, first: int) -> _Excerpt:
        """The places of a paragraph or heading that begins on line ``first``."""
        begins = [0, *(end.end() for end in re.finditer("\n", content))]
        shifts: dict[int, int | None] = {}

        def place(start: int, end: int) -> tuple[int, int | None, int]:
            index = bisect_right(begins, start) - 1
            number = first + index
            if index not in shifts:
                stop = begins[index + 1] - 1 if index + 1 < len(begins) else len(content)
                at = self._find(content[begins[index] : stop], number)
                shifts[index] = None if at is None else at - begins[index]
            shift = shifts[index]
            return (number, None, 0) if shift is None else (number, start + shift, end + shift)

        return place

    def cell(self, content: str, number: int) -> _Excerpt:
        """The places of a table's cell, to be asked for from left to right."""
        escaped = content.replace("|", "\\|")
        begin = self._after_cell.get(number, self._starts[number])
        at = self._text.find(escaped, begin, self._ends[number])
        if at >= 0:
            self._after_cell[number] = at + len(escaped)

        def place(start: int, end: int) -> tuple[int, int | None, int]:
            before, within = content.count("|", 0, start), content.count("|", start, end)
            found = at + start + before if at >= 0 else None
            return number, found, at + end + before + within

        return place

    def definition(self, value: str, first: int, last: int) -> Target:
        """The target of a reference's definition on these lines."""
        begin, stop = self._starts[first], self._ends[min(last, len(self._ends)) - 1]
        for colon in _DEFINITION.finditer(self._text, begin, stop):
            result = helpers.parseLinkDestination(self._text, colon.end(), stop)
            if result.ok and result.str == value:
                number = bisect_right(self._starts, colon.end()) - 1
                return self.target(value, number, colon.end(), result.pos)
        return self.target(value, first, None, 0)

    def target(self, value: str, number: int, start: int | None, end: int) -> Target:
        """The target, if what stands there means its value."""
        if start is not None:
            written = self._text[start:end].replace("\\|", "|")
            result = helpers.parseLinkDestination(written, 0, len(written))
            if not (result.ok and result.pos == len(written) and result.str == value):
                start = None
        return Target(value.replace(_SPACE, " "), number, start, end)

    def _find(self, excerpt: str, number: int) -> int | None:
        """Where an excerpt of a line would begin in the text."""
        line = self._text[self._starts[number] : self._ends[number]].rstrip()
        core = excerpt.strip()
        at = len(line) - len(core) if line.endswith(core) else line.find(core)
        margin = len(excerpt) - len(excerpt.lstrip())
        return None if at < 0 else self._starts[number] + at - margin
