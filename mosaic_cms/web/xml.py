"""Text in XML documents: escaped, and without what XML 1.0 cannot hold at all."""

from __future__ import annotations

import re
from html import escape

#: What is no Char (XML 1.0, section 2.2): most control characters, halves of surrogate pairs.
_NO_CHAR = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
DECLARATION = '<?xml version="1.0" encoding="utf-8"?>\n'


def text(value: str) -> str:
    """A text between tags, or in a quoted attribute."""
    return escape(_NO_CHAR.sub("", value))


def element(name: str, value: str | None, **attributes: str) -> str:
    """One element and a line break; nothing where there is no value."""
    if not value:
        return ""
    told = "".join(f' {key}="{text(given)}"' for key, given in attributes.items())
    return f"<{name}{told}>{text(value)}</{name}>\n"
