"""The part of a file above its text: YAML between ``---`` or TOML between ``+++``."""

from __future__ import annotations

import math
import re
import tomllib
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Literal

import yaml

#: Bytes of UTF-8, at most.
MAX_FRONT_MATTER = 64 * 1024
_MAX_DEPTH = 20
_OPENING = re.compile(r"(---|\+\+\+)[ \t]*\r?\n")
_CLOSING = {
    "---": re.compile(r"^(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.MULTILINE),
    "+++": re.compile(r"^\+\+\+[ \t]*(?:\r?\n|\Z)", re.MULTILINE),
}
_TOML_LINE = re.compile(r"at line (\d+)")
_NOT_STORABLE = re.compile("[\0\ud800-\udfff]")


class BrokenFrontMatter(ValueError):
    """``line`` counts from 1 within the file."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """A file in its two parts.

    Attributes:
        kind: None when the file has no front matter.
        data: only what JSON can hold, besides dates and times.
        body: the text, byte for byte, without the blank lines before it.
        body_line: the number of the text's first line in the file.
    """

    kind: Literal["YAML", "TOML"] | None
    data: dict[str, Any]
    raw: str
    body: str
    body_line: int

    def line_of(self, key: str) -> int | None:
        """The line of the file on which a top-level key stands."""
        pattern = re.compile(rf"""[\[ ]*["']?{re.escape(key)}["']?\s*[:=\]]""")
        for number, line in enumerate(self.raw.split("\n"), start=2):
            if pattern.match(line):
                return number
        return None


def split(text: str) -> FrontMatter:
    """Front matter and text of a file.

    Raises:
        BrokenFrontMatter: it is not closed, too long, or not what its marks promise.
    """
    opening = _OPENING.match(text)
    if opening is None:
        return _with_body("", text, None, {}, 1)
    mark = opening[1]
    closing = _CLOSING[mark].search(text, opening.end())
    if closing is None:
        raise BrokenFrontMatter(f"the front matter opened by {mark} is never closed", 1)
    raw, body = text[opening.end() : closing.start()], text[closing.end() :]
    if len(raw.encode()) > MAX_FRONT_MATTER:
        raise BrokenFrontMatter(f"the front matter has more than {MAX_FRONT_MATTER // 1024} KB", 1)
    line = raw.count("\n") + 3
    if mark == "---":
        return _with_body(raw, body, "YAML", read_yaml(raw), line)
    return _with_body(raw, body, "TOML", _read_toml(raw), line)


def _with_body(
    raw: str, body: str, kind: Literal["YAML", "TOML"] | None, data: dict[str, Any], line: int
) -> FrontMatter:
    blank = re.match(r"(?:[ \t]*(?:\r\n|\r|\n))*", body)
    skipped = blank.group() if blank else ""
    newlines = len(re.findall(r"\r\n|\r|\n", skipped))
    return FrontMatter(kind, data, raw, body[len(skipped) :], line + newlines)


def _read_toml(raw: str) -> dict[str, Any]:
    try:
        return _checked(tomllib.loads(raw.replace("\r\n", "\n")))
    except BrokenFrontMatter:
        raise
    except tomllib.TOMLDecodeError as error:
        found = _TOML_LINE.search(str(error))
        line = int(found[1]) + 1 if found else raw.count("\n") + 1
        what = str(error).split(" (at ")[0]
        raise BrokenFrontMatter(f"the TOML front matter is broken: {what}", line) from error
    except ValueError as error:
        raise BrokenFrontMatter(f"the TOML front matter is broken: {error}", 1) from error
    except RecursionError:
        raise BrokenFrontMatter("the front matter is nested too deeply", 1) from None


def read_yaml(raw: str) -> dict[str, Any]:
    """Data in YAML, by the same rules.

    Raises:
        BrokenFrontMatter: it is none, or has what no front matter may have.
    """
    try:
        data = _Loader(raw).get_single_data()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = error.problem or error.context or "it cannot be read"
        line = mark.line + 2 if mark else 1
        raise BrokenFrontMatter(f"the YAML front matter is broken: {what}", line) from error
    except yaml.reader.ReaderError as error:
        line = raw.count("\n", 0, error.position) + 2
        raise BrokenFrontMatter(f"the YAML front matter is broken: {error.reason}", line) from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise BrokenFrontMatter("the YAML front matter is not a list of 'key: value'", 2)
    return _checked({str(key): value for key, value in data.items()})


def _checked(data: dict[str, Any]) -> dict[str, Any]:
    """The data with keys that are text and values that JSON, or a date field, can hold."""
    return {key: _plain(value, 0) for key, value in data.items()}


def _plain(value: Any, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        raise BrokenFrontMatter("the front matter is nested too deeply", 1)
    if isinstance(value, str):
        if _NOT_STORABLE.search(value):
            raise BrokenFrontMatter("the front matter has a character that is no text", 1)
        return value
    if isinstance(value, dict):
        return {str(_plain(key, depth)): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, bool | int | float | date | datetime | time):
        return value
    raise BrokenFrontMatter(f"the front matter has a value of the kind {type(value).__name__}", 1)


def to_json(value: Any) -> Any:
    """A front matter value as JSON has it; dates as ISO 8601 text."""
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [to_json(item) for item in value]
    return value


class _Loader(yaml.SafeLoader):
    """Safe YAML without what can grow or hide: aliases, depth, keys given twice."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "aliases (*name) are not taken", mark)
        if self._depth > _MAX_DEPTH:
            raise yaml.composer.ComposerError(None, None, "it is nested too deeply", mark)
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key is None or key in seen:
                what = "a key that is no text" if key is None else f"the key {key!r} stands twice"
                raise yaml.constructor.ConstructorError(None, None, what, key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, OverflowError) as error:
            raise yaml.constructor.ConstructorError(
                None, None, f"{str(node.value)[:60]!r}: {error}", node.start_mark
            ) from error
