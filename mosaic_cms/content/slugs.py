"""One path segment made of a name."""

from __future__ import annotations

import hashlib
import re
import unicodedata

#: Characters of a name that its slug is made of: normalising may take their number squared.
_LONGEST = 1_000
_DROPPED = set("'’‘`´")


def slugify(name: str) -> str:
    """One path segment: lower case, in NFC, hyphens for everything but letters and digits.

    Never empty, and a fixed point: what it makes it leaves alone.
    """
    text = unicodedata.normalize("NFC", name[:_LONGEST])
    text = "".join(char for char in text if char not in _DROPPED).lower()
    text = unicodedata.normalize("NFC", text)
    kept = "".join(char if unicodedata.category(char)[0] in "LMN" else "-" for char in text)
    slug = unicodedata.normalize("NFC", re.sub("-{2,}", "-", kept).strip("-"))
    return slug or f"page-{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:8]}"
