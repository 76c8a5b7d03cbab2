"""Addresses within a site: their one form, and how slugs make them."""

from __future__ import annotations

import re
import unicodedata

from mosaic_cms.content.models import MAX_PATH
from mosaic_core.errors import InvalidInput

#: The first segment of everything that is not a page: assets, media, health.
RESERVED_SEGMENT = "-"
#: Characters of a requested path that are looked at; its one form may be shorter.
_MAX_REQUEST = 4 * MAX_PATH
#: A page's id where its path could be.
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FORBIDDEN = set('\\?#%<>"{}|^`')


def normalise_path(path: str) -> str | None:
    """A requested path's one form, with a slash at both ends; None when no page can have it.

    NFC, no empty or dot segments, no control characters, and no longer than a page's address can
    be. The form is a fixed point.
    """
    if not path.startswith("/") or len(path) > _MAX_REQUEST:
        return None
    text = unicodedata.normalize("NFC", path)
    if any(ord(c) < 0x20 or ord(c) == 0x7F or 0xD800 <= ord(c) < 0xE000 for c in text):
        return None
    segments = [segment for segment in text.split("/") if segment]
    if any(segment in {".", ".."} for segment in segments):
        return None
    joined = "/".join(segments)
    form = f"/{joined}/" if joined else "/"
    return form if len(form) <= MAX_PATH else None


def path_of(written: str) -> str:
    """A page's path as somebody wrote it, in its one form; a page's id is as good.

    Raises:
        InvalidInput: no page can have it.
    """
    found = f"/{written}/" if ID.fullmatch(written) else normalise_path(written)
    if found is None:
        raise InvalidInput(
            f"{written[:80]!r} is no path of a page.", hint="Write it as in '/visit/hours/'."
        )
    return found


def check_slug(slug: str) -> str:
    """A page's slug in its one form: path segments below its parent, empty for the home page.

    Raises:
        InvalidInput: with what a slug is made of.
    """
    if len(slug) > _MAX_REQUEST:  # before it is normalised, which may take its length squared
        raise InvalidInput(f"A slug of {len(slug)} characters is too long.", hint="Shorten it.")
    text = unicodedata.normalize("NFC", slug).strip("/")
    for segment in text.split("/") if text else ():
        bad = segment in {"", ".", "..", RESERVED_SEGMENT} or any(
            c in _FORBIDDEN or unicodedata.category(c)[0] in "CZ" for c in segment
        )
        if bad:
            raise InvalidInput(
                f"{slug[:80]!r} cannot be a page's slug.",
                hint="Use letters, digits and hyphens, such as 'opening-hours'.",
            )
    return text


def join(parent: str | None, slug: str) -> str:
    """The path of a page below ``parent`` (a path, or None at the root).

    Raises:
        InvalidInput: the address gets too long.
    """
    base = parent or "/"
    path = f"{base}{slug}/" if slug else base
    if len(path) > MAX_PATH:
        raise InvalidInput(
            f"The address {path[:60]!r}… has {len(path)} characters; {MAX_PATH} fit.",
            hint="Use shorter slugs or fewer levels.",
        )
    return path
