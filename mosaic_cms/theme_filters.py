"""What templates can write that is another thing in each language."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from jinja2 import pass_context
from jinja2.runtime import Context

from mosaic_cms.content.slugs import slugify

#: English as most of the world writes it: the day before the month.
_ENGLISH = "en_001"


@pass_context
def date(context: Context, value: datetime | None) -> str:
    """A day in the language of the page, or of the site around it: ``14 March 2025``."""
    if value is None:
        return ""
    return format_date(value, "long", locale=_locale(_language(context)))


def isodate(value: datetime | None) -> str:
    """A day as machines read it."""
    return value.date().isoformat() if value is not None else ""


def language_name(tag: str) -> str:
    """What a language calls itself; the tag where nobody knows."""
    try:
        locale = Locale.parse(tag, sep="-")
    except (ValueError, UnknownLocaleError):
        return tag
    name = locale.get_display_name() or tag
    return name[:1].upper() + name[1:]


FILTERS = {"date": date, "isodate": isodate, "slug": slugify, "language_name": language_name}


def _language(context: Context) -> str:
    for name in ("page", "site"):
        around = context.get(name)
        found: Any = around.get("language") if isinstance(around, Mapping) else None
        if found:
            return str(found)
    return "en"


def _locale(tag: str) -> Locale:
    if tag == "en":
        return Locale.parse(_ENGLISH)
    try:
        return Locale.parse(tag, sep="-")
    except (ValueError, UnknownLocaleError):
        return Locale.parse(_ENGLISH)
