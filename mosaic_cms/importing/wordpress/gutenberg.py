"""The comments by which the block editor marks blocks in a post's HTML, as a tree."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any

_OPENING = re.compile(r"\s+(/)?wp:([a-z][a-z0-9_-]*(?:/[a-z][a-z0-9_-]*)?)(?=\s|/?$)")
_MARK = re.compile(r"<!--\s+wp:[a-z]")
#: Deeper marks are passed over: what they enclose belongs to the block around them.
_DEEPEST = 24
_LONGEST_ATTRIBUTES = 200_000


@dataclass(slots=True)
class Marked:
    """A marked block, or (without a name) what stands between marked blocks.

    Attributes:
        name: such as ``core/paragraph``.
        inner: its HTML, the marks of blocks in it among it.
        children: the blocks in it; what is between them is left out.
        line: of its start in the body, from 0.
    """

    name: str
    attributes: dict[str, Any]
    inner: str
    line: int
    children: list[Marked] = field(default_factory=list)


@dataclass(slots=True)
class _Open:
    name: str
    attributes: dict[str, Any]
    start: int
    inner: int
    children: list[Marked] = field(default_factory=list)


def is_marked(body: str) -> bool:
    """Whether a body comes from the block editor."""
    return _MARK.search(body) is not None


def parse(body: str) -> list[Marked]:
    """The blocks of a body, in order; nothing of it is lost. Marks without an end end where the
    block around them does, and ends without a beginning mean nothing."""
    return _Parser(body).run()


class _Parser:
    def __init__(self, body: str) -> None:
        self._body = body
        self._newlines = [found.start() for found in re.finditer("\n", body)]
        self._stack: list[_Open] = []
        self._found: list[Marked] = []
        self._done = 0

    def run(self) -> list[Marked]:
        position = 0
        while (start := self._body.find("<!--", position)) >= 0:
            end = self._body.find("-->", start + 4)
            if end < 0:
                break
            position = end + 3
            self._mark(start, end)
        while self._stack:
            self._end(len(self._body), len(self._body))
        self._between(len(self._body))
        return self._found

    def _mark(self, start: int, end: int) -> None:
        text = self._body[start + 4 : end]
        found = _OPENING.match(text)
        if found is None:
            return
        name = found[2] if "/" in found[2] else f"core/{found[2]}"
        if found[1]:
            self._close(name, start, end + 3)
            return
        rest = text[found.end() :].strip()
        void = rest.endswith("/")
        attributes = _attributes(rest.removesuffix("/").strip())
        if len(self._stack) >= _DEEPEST:
            return
        if not self._stack:
            self._between(start)
        self._stack.append(_Open(name, attributes, start, end + 3))
        if void:
            self._end(end + 3, end + 3)

    def _close(self, name: str, start: int, after: int) -> None:
        if any(block.name == name for block in self._stack):
            while self._stack[-1].name != name:
                self._end(start, start)
            self._end(start, after)

    def _end(self, inner_end: int, after: int) -> None:
        block = self._stack.pop()
        made = Marked(
            block.name,
            block.attributes,
            self._body[block.inner : inner_end],
            self._line(block.start),
            block.children,
        )
        (self._stack[-1].children if self._stack else self._found).append(made)
        if not self._stack:
            self._done = after

    def _between(self, end: int) -> None:
        text = self._body[self._done : end]
        if text.strip():
            self._found.append(Marked("", {}, text, self._line(self._done)))
        self._done = end

    def _line(self, position: int) -> int:
        return bisect_right(self._newlines, position - 1)


def _attributes(text: str) -> dict[str, Any]:
    if not text.startswith("{") or len(text) > _LONGEST_ATTRIBUTES:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
