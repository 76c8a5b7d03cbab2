"""Lines of words: what people call things by."""

from __future__ import annotations

import re
import unicodedata

#: What no line has: control characters, breaks, what turns the direction of all that follows, and
#: halves of pairs and other codes that are no characters. Joiners and marks stay: Persian words
#: and many emoji are written with them.
_NONE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef"
    "\ufff9-\ufffb\ufffe\uffff]"
)


def is_line(text: str) -> bool:
    """Whether a text is one line in which something is to be seen."""
    seen = any(not char.isspace() and unicodedata.category(char) != "Cf" for char in text)
    return seen and _NONE.search(text) is None


def line_of(text: str) -> str:
    """A text as one line, with single spaces.

    Raises:
        ValueError: it has something that no line has, or nothing to be seen.
    """
    line = " ".join(text.split())
    if not is_line(line):
        raise ValueError("it is no line of words")
    return line
