"""What a visitor filled into a form, checked against the form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from mosaic_cms.blocks.standard.more import Form, FormField

What = Literal["required", "email", "number", "choice", "date", "long"]
#: Characters of a line, of a mail address, and of a text in several lines.
_LINE, _ADDRESS, _TEXT = 1_000, 320, 20_000
_TICKED = "yes"
_NUMBER = re.compile(r"[-+]?\d{1,30}(?:[.,]\d{1,30})?")
_MAIL = re.compile(r"[^\s@\"<>(),;:\\]+@[^\s@\"<>(),;:\\]+\.[^\s@\"<>(),;:\\.]+")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
#: Control characters but for tab and line break, and halves of surrogate pairs.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Refused:
    """An answer that does not do. ``key`` is its field's."""

    key: str
    what: What


def check(form: Form, given: Mapping[str, str]) -> tuple[list[dict[str, str]], list[Refused]]:
    """The answers as they are stored (key, label and value of each field), and what is wrong with
    them. Keys that the form does not have are left out."""
    filled: list[dict[str, str]] = []
    refused: list[Refused] = []
    for field in form.fields:
        value = _plain(field, given.get(field.key, ""))
        filled.append({"key": field.key, "label": field.label, "value": value})
        what = _fault(field, value)
        if what is not None:
            refused.append(Refused(field.key, what))
    return filled, refused


def is_trapped(given: Mapping[str, str]) -> bool:
    """Whether the field that people do not see was filled in."""
    return bool(given.get(Form.TRAP, "").strip())


def _plain(field: FormField, value: str) -> str:
    lines = _CONTROL.sub("", value.replace("\r\n", "\n").replace("\r", "\n"))
    return lines.strip() if field.kind == "long_text" else " ".join(lines.split())


def _fault(field: FormField, value: str) -> What | None:
    if not value:
        return "required" if field.must else None
    match field.kind:
        case "text":
            return "long" if len(value) > _LINE else None
        case "long_text":
            return "long" if len(value) > _TEXT else None
        case "email":
            fits = len(value) <= _ADDRESS and _MAIL.fullmatch(value)
            return None if fits else "email"
        case "number":
            return None if _NUMBER.fullmatch(value) else "number"
        case "choice":
            return None if value in {" ".join(c.split()) for c in field.choices} else "choice"
        case "checkbox" | "consent":
            return None if value == _TICKED else "choice"
        case "date":
            return None if _is_date(value) else "date"


def _is_date(value: str) -> bool:
    try:
        return bool(_DATE.fullmatch(value) and date.fromisoformat(value))
    except ValueError:
        return False
