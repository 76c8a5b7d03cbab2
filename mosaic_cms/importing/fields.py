"""What the keys of front matter mean, in the dialects of Hugo, Jekyll and plain files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from mosaic_cms.content.models import MAX_TITLE
from mosaic_cms.content.tree import LAYOUTS
from mosaic_cms.importing.front_matter import FrontMatter, to_json
from mosaic_cms.importing.report import Report

MAX_SUMMARY = 1000
_ZONE = re.compile(r"\s+(Z|[+-]\d{2}:?\d{2})$")
_YES = {"true": True, "yes": True, "false": False, "no": False}


@dataclass(frozen=True, slots=True)
class Fields:
    """Front matter as MOSAIC understands it; "" and None where a file says nothing."""

    title: str
    summary: str
    date: datetime | None
    #: From when on, and until when, it is shown.
    starts: datetime | None
    ends: datetime | None
    author: str
    tags: tuple[str, ...]
    categories: tuple[str, ...]
    draft: bool
    weight: float | None
    slug: str
    url: str
    permalink: str
    parent: str
    layout: str
    image: str
    image_alt: str
    language: str
    translates: str
    aliases: tuple[str, ...]
    extra: dict[str, Any]
    #: What a page keeps besides, as an export writes it.
    details: dict[str, Any]
    #: There is to be no summary, not even one made of the text.
    no_summary: bool


def read_fields(source: str, front: FrontMatter, report: Report) -> Fields:
    """Reads every key; one that is not understood is kept in ``extra`` and noted."""
    keys = _Keys(source, front, report)
    image, image_alt = keys.picture()
    categories = keys.words("categories", "category")
    fields = Fields(
        title=keys.short("title", MAX_TITLE),
        summary=keys.short("summary", MAX_SUMMARY)
        or keys.short("description", MAX_SUMMARY)
        or keys.short("excerpt", MAX_SUMMARY),
        date=keys.date("date"),
        starts=keys.date("publishDate", "publishdate", "pubdate"),
        ends=keys.date("expiryDate", "expirydate", "unpublishdate"),
        author=", ".join(keys.words("author", "authors", split=False)),
        tags=keys.words("tags"),
        categories=categories,
        draft=keys.flag("draft", False) or not keys.flag("published", True),
        weight=keys.number("weight"),
        slug=keys.text("slug"),
        url=keys.text("url"),
        permalink=keys.text("permalink"),
        parent=keys.text("parent"),
        layout=keys.layout(),
        image=image,
        image_alt=image_alt,
        language=keys.text("language"),
        translates=keys.text("translates"),
        aliases=keys.words("aliases", "redirect_from", split=False),
        extra={},
        details=keys.mapping("details"),
        no_summary=front.data.get("summary") == "",
    )
    fields.extra.update(keys.rest())
    return fields


def read_date(value: Any) -> datetime | None:
    """A date as a moment with a zone, UTC where it names none."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(_ZONE.sub(r"\1", value.strip()))
        except ValueError:
            return None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


class _Keys:
    """Takes keys one by one; what is left, or not of the kind that it should be, is the rest."""

    def __init__(self, source: str, front: FrontMatter, report: Report) -> None:
        self._source = source
        self._front = front
        self._report = report
        self._left = dict(front.data)
        self._kept: dict[str, Any] = {}

    def text(self, key: str) -> str:
        value = self._left.pop(key, None)
        if value is None:
            return ""
        if isinstance(value, str | int | float | date) and not isinstance(value, bool):
            return " ".join(str(value).split())
        self._keep(key, value, "is not text")
        return ""

    def short(self, key: str, limit: int) -> str:
        text = self.text(key)
        if len(text) > limit:
            self._note(key, f"has {len(text)} characters, and {limit} fit; it is cut")
            return text[: limit - 1].rstrip() + "…"
        return text

    def words(self, *names: str, split: bool = True) -> tuple[str, ...]:
        """A list, or text; with ``split`` text is parted at commas, or else at spaces."""
        words: list[str] = []
        for key in names:
            value = self._left.pop(key, None)
            if isinstance(value, str):
                parts = value.split("," if "," in value else None) if split else [value]
                words += [part.strip() for part in parts]
            elif isinstance(value, list) and all(isinstance(v, str | int | float) for v in value):
                words += [" ".join(str(v).split()) for v in value]
            elif isinstance(value, int | float) and not isinstance(value, bool):
                words.append(str(value))
            elif value is not None:
                self._keep(key, value, "is not a list of words")
        return tuple(dict.fromkeys(word for word in words if word))

    def flag(self, key: str, default: bool) -> bool:
        value = self._left.pop(key, None)
        if isinstance(value, str):
            value = _YES.get(value.lower(), value)
        if isinstance(value, bool):
            return value
        if value is not None:
            self._keep(key, value, "is neither true nor false")
        return default

    def number(self, key: str) -> float | None:
        value = self._left.pop(key, None)
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15:
            return float(value)
        if value is not None:
            self._keep(key, value, "is not a number")
        return None

    def date(self, *keys: str) -> datetime | None:
        key = next((key for key in keys if key in self._left), keys[0])
        value = self._left.pop(key, None)
        found = read_date(value)
        if value is not None and found is None:
            self._kept[key] = to_json(value)
            self._report.problem(
                self._source, f"{key}: {str(value)[:60]!r} is not a date", self._line(key)
            )
        return found

    def mapping(self, key: str) -> dict[str, Any]:
        value = self._left.pop(key, None)
        if isinstance(value, dict):
            found: dict[str, Any] = to_json(value)
            return found
        if value is not None:
            self._keep(key, value, "is not a list of 'name: value'")
        return {}

    def layout(self) -> str:
        layout = self.text("layout")
        if layout and layout not in LAYOUTS:
            self._keep("layout", layout, f"{layout!r} is none of {', '.join(LAYOUTS)}")
            return ""
        return layout

    def picture(self) -> tuple[str, str]:
        """``image`` as text, or as Jekyll has it: a path and its alternative text."""
        image = self._left.get("image")
        if isinstance(image, dict):
            path = next((image[k] for k in ("path", "src", "url") if k in image), None)
            if isinstance(path, str) and set(image) <= {"path", "src", "url", "alt"}:
                del self._left["image"]
                return path, self.text("image_alt") or str(image.get("alt") or "")
        return self.text("image"), self.text("image_alt")

    def rest(self) -> dict[str, Any]:
        for key, value in self._left.items():
            self._keep(key, value, "is not understood")
        return self._kept

    def _keep(self, key: str, value: Any, why: str) -> None:
        self._kept[key] = to_json(value)
        self._note(key, f"{why}; kept as it is")

    def _note(self, key: str, what: str) -> None:
        self._report.note(self._source, f"{key}: {what}", self._line(key))

    def _line(self, key: str) -> int | None:
        return self._front.line_of(key)
