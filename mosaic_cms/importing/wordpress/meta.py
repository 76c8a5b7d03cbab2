"""Custom fields: kept as they are, without what only WordPress's editor needed."""

from __future__ import annotations

import re

from mosaic_cms.importing.wordpress.post import Post
from mosaic_cms.importing.wordpress.records import RawItem

_EDITING = re.compile(r"_edit_(lock|last)|_oembed_.*|_encloseme|_pingme|_thumbnail_id|_wp_old_.*")
_LONGEST = 20_000
_MOST = 200


def kept_meta(item: RawItem, post: Post) -> dict[str, str | list[str]]:
    """The custom fields of a post; a list where one is there more than once."""
    kept: dict[str, str | list[str]] = {}
    for key, values in item.meta.items():
        if _EDITING.fullmatch(key):
            continue
        name = key[:100]
        fitting = [value for value in values if len(value) <= _LONGEST]
        if len(fitting) < len(values):
            post.note(f"the custom field {name!r} has more than {_LONGEST:,} characters; left out")
        if fitting and len(kept) < _MOST:
            kept[name] = fitting[0] if len(fitting) == 1 else fitting[:_MOST]
    if len(kept) == _MOST:
        post.note(f"of its custom fields, the first {_MOST} are kept")
    return kept
