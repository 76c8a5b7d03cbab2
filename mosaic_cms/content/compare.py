"""What differs between two states of a page: block by block, and word by word in texts.

Blocks are known by their ids wherever they are, so one that was moved into a column is moved, not
removed and added. Nothing here reads a database.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from mosaic_cms.blocks.registry import BlockTypes
from mosaic_cms.content.outline import (
    HOLE,
    MISSING,
    Outline,
    PageContent,
    Path,
    moved_within,
    same,
    written,
)
from mosaic_cms.content.words import Differ, Run

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class FieldChange(BaseModel):
    """One value that differs.

    Attributes:
        where: such as ``title``, ``details.tags`` or, in a block, ``rows[2].label``.
        before: None where it was not there, and for texts.
        after: the same of the new one.
        words: for texts: ``equal``, ``delete`` and ``insert`` runs, which make up both texts.
    """

    model_config = ConfigDict(frozen=True)

    where: str
    before: Any = None
    after: Any = None
    words: tuple[Run, ...] = ()


class BlockChange(BaseModel):
    """One block that differs.

    Attributes:
        change: ``changed`` ones may be moved too; see ``moved``.
        before: its place in the old content, such as ``main[2]``; None when it was added.
        after: its place in the new content; None when it was removed.
        fields: what differs in it, without the blocks inside it, which stand for themselves.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    type: str
    change: Literal["added", "removed", "changed", "moved"]
    moved: bool = False
    before: str | None
    after: str | None
    fields: tuple[FieldChange, ...] = ()


class Comparison(BaseModel):
    """All that differs; ``blocks`` are in reading order, removed ones where they were."""

    model_config = ConfigDict(frozen=True)

    summary: str
    fields: tuple[FieldChange, ...]
    blocks: tuple[BlockChange, ...]


def compare(old: PageContent, new: PageContent, types: BlockTypes | None = None) -> Comparison:
    """What was done to ``old`` to make it ``new``.

    With ``types``, blocks whose data are of an older version are brought forward first, so that
    only what an editor changed is shown. Time and memory are bounded for texts of any size: those
    that have little in common are shown as replaced.

    Raises:
        InvalidInput: two blocks of one content have the same id.
    """
    before, after = Outline.of(
        *(types.forward(content.regions) if types else content.regions for content in (old, new))
    )
    differ = Differ()
    fields = tuple(_page_fields(old, new, differ))
    blocks = tuple(_blocks(before, after, differ))
    return Comparison(summary=_summary(fields, blocks), fields=fields, blocks=blocks)


def _page_fields(old: PageContent, new: PageContent, differ: Differ) -> Iterator[FieldChange]:
    for name in ("title", "summary", "layout"):
        yield from _values(getattr(old, name), getattr(new, name), (name,), differ)
    yield from _values(old.details, new.details, ("details",), differ)


def _blocks(before: Outline, after: Outline, differ: Differ) -> Iterator[BlockChange]:
    moved = {
        id
        for id, node in after.nodes.items()
        if id in before.nodes and before.nodes[id].slot != node.slot
    }
    for slot, ids in after.slots.items():
        there = before.slots.get(slot, [])
        both = set(ids) & set(there)
        moved |= moved_within([i for i in there if i in both], [i for i in ids if i in both])
    for id in _reading_order(before, after):
        old, new = before.nodes.get(id), after.nodes.get(id)
        fields = tuple(
            change
            for name, one, two in (
                ("type", old and old.block["type"], new and new.block["type"]),
                ("version", old and old.block["version"], new and new.block["version"]),
            )
            if old and new and one != two
            for change in (FieldChange(where=name, before=one, after=two),)
        ) + tuple(_values(old.data if old else {}, new.data if new else {}, (), differ))
        node = new or old
        assert node is not None
        if not old or not new or fields or id in moved:
            yield BlockChange(
                id=id,
                type=node.block["type"],
                change="added"
                if not old
                else "removed"
                if not new
                else "changed"
                if fields
                else "moved",
                moved=id in moved,
                before=old.place if old else None,
                after=new.place if new else None,
                fields=fields,
            )


def _reading_order(before: Outline, after: Outline) -> Iterator[str]:
    """The new blocks in their order, and after each the removed ones that followed it."""
    removed: dict[str | None, list[str]] = {}
    last: str | None = None
    for id in before.nodes:
        if id in after.nodes:
            last = id
        else:
            removed.setdefault(last, []).append(id)
    yield from removed.get(None, ())
    for id in after.nodes:
        yield id
        yield from removed.get(id, ())


def _values(old: Any, new: Any, path: Path, differ: Differ) -> Iterator[FieldChange]:
    """How two values differ, each part with its place."""
    if isinstance(old, dict) and isinstance(new, dict) and HOLE not in (old, new):
        for key in {**old, **new}:
            yield from _values(old.get(key, MISSING), new.get(key, MISSING), (*path, key), differ)
    elif isinstance(old, list | tuple) and isinstance(new, list | tuple):
        yield from _lists(old, new, path, differ)
    elif not same(old, new):
        texts = [value for value in (old, new) if value is not MISSING]
        if all(isinstance(text, str) for text in texts):
            words = differ.runs(*("" if text is MISSING else text for text in (old, new)))
            yield FieldChange(where=written(path), words=words)
        else:
            yield FieldChange(where=written(path), before=_plain(old), after=_plain(new))


def _lists(
    old: Sequence[Any], new: Sequence[Any], path: Path, differ: Differ
) -> Iterator[FieldChange]:
    """Members between the equal ones at both ends are set against one another in their order."""
    least = min(len(old), len(new))
    start = next((n for n in range(least) if not same(old[n], new[n])), least)
    end = next(
        (n for n in range(least - start) if not same(old[-1 - n], new[-1 - n])), least - start
    )
    for number in range(start, max(len(old), len(new)) - end):
        one = old[number] if number < len(old) - end else MISSING
        two = new[number] if number < len(new) - end else MISSING
        yield from _values(one, two, (*path, number), differ)


def _plain(value: Any) -> Any:
    """A value as it is shown, without the blocks in it."""
    if value is MISSING:
        return None
    if isinstance(value, dict):
        return [] if value == HOLE else {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _summary(fields: Sequence[FieldChange], blocks: Sequence[BlockChange]) -> str:
    names = list(dict.fromkeys(re.split(r"[.\[]", field.where)[0] for field in fields))
    parts = [f"{' and '.join(names)} changed"] if names else []
    counts = Counter(block.change for block in blocks)
    kinds = [(counts[kind], kind) for kind in ("changed", "added", "removed", "moved")]
    told = [f"{count} {kind}" for count, kind in kinds if count]
    if told:
        count, _, first = told[0].partition(" ")
        told[0] = f"{count} block{'' if count == '1' else 's'} {first}"
        parts.append(", ".join(told))
    return "; ".join(parts) or "nothing changed"


# ---- for the terminal -----------------------------------------------------------------------


def as_text(comparison: Comparison) -> str:
    """The comparison in plain lines: ``-`` before what was, ``+`` before what is. Control
    characters of the content are replaced, so that none reaches a terminal."""
    lines = [comparison.summary]
    for field in comparison.fields:
        lines += _field_lines(field)
    for block in comparison.blocks:
        lines += ["", f"{block.type} {_happened(block)}"]
        for field in block.fields:
            lines += _field_lines(field)
    return "\n".join(_CONTROL.sub("\ufffd", line) for line in lines)


def _happened(block: BlockChange) -> str:
    if block.before is None or block.after is None:
        return f"{block.change} at {block.before or block.after}"
    way = f"moved from {block.before} to {block.after}"
    if block.change == "moved":
        return way
    return f"changed at {block.after}" + (f", {way}" if block.moved else "")


def _field_lines(field: FieldChange) -> Iterator[str]:
    yield f"  {field.where}"
    if field.words:
        yield from _text_lines(field.words)
        return
    for sign, value in (("-", field.before), ("+", field.after)):
        if value is not None:
            yield f"{sign} {json.dumps(value, ensure_ascii=False)}"


def _text_lines(words: Sequence[Run]) -> Iterator[str]:
    """The lines of a text that differ, old ones before new ones."""
    old = new = ""
    differs = False
    for op, text in (*words, ("equal", "\n")):
        if op != "equal":
            differs = True
            old += text if op == "delete" else ""
            new += text if op == "insert" else ""
            continue
        head, line_end, rest = text.partition("\n")
        if not (differs and all(side == "" or side.endswith("\n") for side in (old, new))):
            old, new = old + head, new + head
        if line_end:
            if differs:
                yield from _signed(_split(old), _split(new))
            old = new = rest.rpartition("\n")[2]
            differs = False


def _split(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []


def _signed(old: list[str], new: list[str]) -> Iterator[str]:
    """Lines with their signs, from the first one that differs."""
    pairs = enumerate(zip(old, new, strict=False))
    least = min(len(old), len(new))
    start = next((number for number, (one, two) in pairs if one != two), least)
    yield from (f"- {line}" for line in old[start:])
    yield from (f"+ {line}" for line in new[start:])
