"""Which block of a page is which, when the page is imported again."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Any

from mosaic_cms.blocks.stored import Stored, blocks_in, is_block
from mosaic_core.types import canonical_json

_NAMESPACE = uuid.UUID("6f1f7f6a-3c0b-5d57-9d0f-0b1b5b7c2a11")


def with_ids(
    blocks: Sequence[Stored], before: Sequence[Stored], source: str, taken: set[str]
) -> list[Stored]:
    """The blocks, each with the id of the one that it was before.

    One that says the same as before is taken as it stood. One in the place of another of its type
    keeps that one's id. A new one's id is made of the source and what it says, so that the same
    import gives the same ids anywhere.

    Args:
        blocks: read from the source; their ids are of no matter.
        before: the page's blocks until now.
        source: of the page.
        taken: ids that other blocks of the page have.
    """
    old, new = [_said(block) for block in before], [_said(block) for block in blocks]
    kept: dict[int, Stored] = {}
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for kind, o1, o2, n1, n2 in matcher.get_opcodes():
        if kind == "equal":
            kept |= {n1 + n: before[o1 + n] for n in range(o2 - o1)}
        elif kind == "replace":
            left = list(before[o1:o2])
            for n in range(n1, n2):
                same = [block for block in left if block["type"] == blocks[n]["type"]]
                if same:
                    kept[n] = same[0]
                    left = left[left.index(same[0]) + 1 :]
    used = set(taken)
    for n, was in kept.items():
        ids = {inner["id"] for inner in blocks_in(was)}
        used |= ids if _said(was) == new[n] else {was["id"]}
    made: list[Stored] = []
    for n, block in enumerate(blocks):
        one = kept.get(n)
        if one is not None and _said(one) == new[n]:
            made.append(one)
        else:
            made.append(_numbered(block, one["id"] if one is not None else None, source, used))
    return made


def without_ids(value: Any) -> Any:
    """Blocks, or what holds some, with "" for every block's id."""
    if is_block(value):
        return {**value, "id": "", "data": without_ids(value["data"])}
    if isinstance(value, dict):
        return {key: without_ids(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_ids(item) for item in value]
    return value


def _said(block: Stored) -> str:
    return canonical_json(without_ids(block))


def _numbered(block: Stored, ident: str | None, source: str, used: set[str]) -> Stored:
    """The block with an id, those inside it with ids made of its own."""
    if ident is None:
        ident = _free(f"{source}\0{_said(block)}", used)
    return {**block, "id": ident, "data": _numbered_inside(block["data"], ident, used)}


def _numbered_inside(value: Any, place: str, used: set[str]) -> Any:
    if is_block(value):
        return _numbered(value, _free(place, used), place, used)
    if isinstance(value, dict):
        return {key: _numbered_inside(v, f"{place}\0{key}", used) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_numbered_inside(v, f"{place}\0{n}", used) for n, v in enumerate(value)]
    return value


def _free(text: str, used: set[str]) -> str:
    number = 0
    while (ident := str(uuid.uuid5(_NAMESPACE, f"{text}\0{number}"))) in used:
        number += 1
    used.add(ident)
    return ident
