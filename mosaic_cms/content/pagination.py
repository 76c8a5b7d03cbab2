"""Long lists in pages: ``?page=2`` and on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

_NUMBER = re.compile(r"[1-9]\d{0,3}")


def asked_page(fields: Mapping[str, str]) -> int | None:
    """The number that a query asks for; None for what is no number."""
    given = fields.get("page", "1")
    return int(given) if _NUMBER.fullmatch(given) else None


def pagination(path: str, number: int, pages: int, **fields: str) -> dict[str, Any] | None:
    """What a template shows of it: ``number``, ``pages``, and the addresses of the ones beside.
    None where there is one page only."""
    if pages < 2:
        return None
    return {
        "number": number,
        "pages": pages,
        "previous": numbered(path, number - 1, **fields) if number > 1 else None,
        "next": numbered(path, number + 1, **fields) if number < pages else None,
    }


def numbered(path: str, number: int, **fields: str) -> str:
    """The address of a page of a list; the first is that of the list itself."""
    query = urlencode(fields | ({"page": str(number)} if number > 1 else {}))
    return f"{path}?{query}" if query else path
