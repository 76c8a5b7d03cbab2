"""What a page remembers of its source: whether the one or the other was changed since an import.

A digest of what was read stays with the page. A source that reads the same again has nothing new
to say, so whatever was done to the page meanwhile stays; and a page that reads as its source did is
as the import left it, so that there is nothing to keep of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from mosaic_cms.blocks.stored import changed
from mosaic_cms.content.models import Page
from mosaic_cms.content.versions import CONTENT
from mosaic_core.types import canonical_json

_LENGTH = 64


def memory_of(content: Mapping[str, Any], *, draft: bool, place: tuple[str | None, ...]) -> str:
    """What a page keeps in ``source_digest``.

    Args:
        content: what :func:`mosaic_cms.content.tree.set_content` takes; the ids of blocks are made
            here and do not count.
        place: where the source has the page stand.
    """
    return _digest([_bare(content), draft]) + _digest(list(place))


def knows_content(page: Page, memory: str) -> bool:
    """Whether the source says what it said at the last import."""
    return (page.source_digest or "")[:_LENGTH] == memory[:_LENGTH]


def knows_place(page: Page, memory: str) -> bool:
    """Whether the source has the page stand where it did at the last import."""
    return (page.source_digest or "")[_LENGTH:] == memory[_LENGTH:]


def is_as_imported(page: Page) -> bool:
    """Whether nobody has changed the page's draft since the last import."""
    bare = _bare({name: getattr(page, name) for name in CONTENT})
    kept = (page.source_digest or "")[:_LENGTH]
    return kept in {_digest([bare, draft]) for draft in (True, False)}


def _bare(content: Mapping[str, Any]) -> dict[str, Any]:
    parts = {name: content[name] for name in CONTENT}
    return parts | {"regions": changed(parts["regions"], lambda block: {**block, "id": ""})}


def _digest(value: Any) -> str:
    return hashlib.sha256(canonical_json(value).encode("utf-8", "surrogatepass")).hexdigest()
