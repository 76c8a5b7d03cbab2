"""Addresses from names and from permalink patterns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import unquote

from mosaic_cms.content.made_paths import held_for
from mosaic_cms.content.paths import check_slug, join, normalise_path
from mosaic_cms.content.slugs import slugify
from mosaic_core.errors import InvalidInput

_PLACEHOLDER = re.compile(r":([a-z_]+)")
_STYLES = {
    "pretty": "/:categories/:year/:month/:day/:title/",
    "date": "/:categories/:year/:month/:day/:title/",
    "ordinal": "/:categories/:year/:y_day/:title/",
    "none": "/:categories/:title/",
}


def written_path(address: str) -> str | None:
    """An address from front matter as a path, with slashes around; None if it cannot be one."""
    text = unquote(address.strip())
    if re.match(r"[a-z][a-z0-9+.-]*:|//", text, re.IGNORECASE):
        return None
    path = normalise_path(text if text.startswith("/") else f"/{text}")
    if path is None:
        return None
    path = re.sub(r"(?:/index)?\.html?/$", "/", path)
    try:
        check_slug(path)
    except InvalidInput:
        segments = [slugify(segment) for segment in path.split("/") if segment]
        return f"/{'/'.join(segments)}/"
    return path


def expand_permalink(
    pattern: str, *, slug: str, date: datetime | None, categories: Sequence[str]
) -> str | None:
    """A Jekyll permalink as a path; None when it asks for what the page does not have."""
    values = {
        "title": slug,
        "slug": slug,
        "name": slug,
        "basename": slug,
        "categories": "/".join(slugify(category) for category in categories),
        "output_ext": "",
    }
    if date is not None:
        values |= {
            "year": f"{date:%Y}",
            "short_year": f"{date:%y}",
            "month": f"{date:%m}",
            "i_month": str(date.month),
            "day": f"{date:%d}",
            "i_day": str(date.day),
            "y_day": f"{date:%j}",
            "hour": f"{date:%H}",
            "minute": f"{date:%M}",
            "second": f"{date:%S}",
        }
    pattern = _STYLES.get(pattern, pattern)
    if any(name not in values for name in _PLACEHOLDER.findall(pattern)):
        return None
    path = _PLACEHOLDER.sub(lambda found: values[found[1]], pattern)
    # A placeholder may stand for nothing, as the categories of a page without any.
    return written_path(re.sub(r"(?<!:)/{2,}", "/", path))


def slug_beside(slug: str, above: str | None, languages: Sequence[str]) -> tuple[str, str | None]:
    """The slug itself; or another where a site keeps the address for itself, and what is to be
    said of that.

    Args:
        above: the path of the page that it stands below; None at the root.
        languages: of the site, its own first.

    Raises:
        InvalidInput: the address gets too long.
    """
    wanted = join(above, slug)
    held = held_for(wanted, languages)
    if held is None:
        return slug, None
    other = f"{slug}-2"
    return other, f"the site keeps {wanted} for {held}; the page is {join(above, other)} here"
