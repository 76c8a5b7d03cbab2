"""From what a source file is called to what it became."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from urllib.parse import unquote

#: ``page:<source>`` and ``media:<source>`` as the reader of folders writes them in link targets;
#: the source is percent-encoded, so it ends where the target does.
_REFERENCE = re.compile(r"\b(page|media):([^\s()<>\"'#]+)")


def resolve_references(
    text: str, pages: Mapping[str, uuid.UUID], media: Mapping[str, uuid.UUID]
) -> str:
    """The text with each known source replaced by its id; others stay as they are."""

    def replaced(match: re.Match[str]) -> str:
        kind, source = match.groups()
        found = (pages if kind == "page" else media).get(unquote(source))
        return match.group(0) if found is None else f"{kind}:{found}"

    return _REFERENCE.sub(replaced, text)
