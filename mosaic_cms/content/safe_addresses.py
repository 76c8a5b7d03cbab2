"""Addresses that may stand in a page, whatever else somebody writes there."""

from __future__ import annotations

import re
from urllib.parse import quote

#: The schemes that an address in a page may have.
URL_SCHEMES = ("http", "https", "mailto", "tel")
#: The schemes that only a resolver understands.
_INNER_SCHEMES = ("page", "media")
_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*):")
#: What a browser ignores inside an address, and so what could hide a scheme.
_IGNORED = re.compile(r"[\x00-\x20\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060\ufeff]")
#: What an address may hold besides letters and digits; the rest is percent-encoded.
_URL_SAFE = "%/:?#[]@!$&'()*+,;=~-._"


def is_allowed(address: str, *, inner: bool = False) -> bool:
    """Whether an address may stand in a page: relative, or of a known scheme.

    ``inner`` also allows what only a resolver understands (``page:``, ``media:``).
    """
    scheme = _SCHEME.match(_IGNORED.sub("", address))
    if scheme is None:
        return True
    name = scheme[1].lower()
    return name in URL_SCHEMES or (inner and name in _INNER_SCHEMES)


def address_of(url: str | None) -> str | None:
    """An address as it is written into a page; None for one that may not stand there."""
    if url is None or not is_allowed(url):
        return None
    return quote(url, safe=_URL_SAFE, errors="replace")
