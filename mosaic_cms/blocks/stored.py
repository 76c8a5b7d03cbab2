"""Blocks as pages keep them: JSON whose shape is checked, whatever types it names.

A page's content is ``{region: [block, …]}``, a block is ``{"id", "type", "version", "data"}``, and
wherever in the data of one there is a list of such objects, these are blocks inside it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import zip_longest
from typing import Any

from pydantic import ValidationError

from mosaic_cms.blocks.base import StoredBlock
from mosaic_core.errors import InvalidInput
from mosaic_core.types import new_id

Stored = dict[str, Any]
Regions = dict[str, list[Stored]]

#: Bytes of JSON in a page's blocks, at most.
MAX_BYTES = 1_500_000
#: Blocks of a page, those inside others among them.
MAX_BLOCKS = 1_000
#: How deep blocks may be inside one another, the outermost counted.
MAX_NESTING = 4
#: How deep lists and objects of a block's data may be inside one another.
MAX_DEPTH = 24
_KEYS = frozenset({"id", "type", "version", "data"})


def regions_of(given: Any) -> Regions:
    """A page's content in its stored form; blocks without an id or version get one.

    Raises:
        InvalidInput: it is no content of a page; it names the place.
    """
    if not isinstance(given, dict):
        raise _refused("", "it must be an object of regions, each with a list of blocks")
    regions: Regions = {}
    seen: set[str] = set()
    for region, blocks in given.items():
        if not isinstance(region, str) or not region.isidentifier() or len(region) > 63:
            raise _refused("", f"{str(region)[:80]!r} is no name of a region")
        regions[region] = _blocks(blocks, region, seen, 1)
    size = len(json.dumps(regions, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise _refused("", f"it has {size:,} bytes; {MAX_BYTES:,} fit on a page")
    return regions


#: What may have blocks in it.
_NESTS = (dict, list, tuple)


def blocks_in(value: Any) -> Iterator[Stored]:
    """Every block in regions, a list of blocks, or a block's data: outer ones before inner ones."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if is_block(value):
                yield value
                waiting.append(value["data"])
            else:
                waiting += [x for x in reversed(value.values()) if isinstance(x, _NESTS)]
        elif isinstance(value, _NESTS):
            waiting += [x for x in reversed(value) if isinstance(x, _NESTS)]


def is_block(value: Any) -> bool:
    """Whether a value has the shape of a stored block."""
    return (
        isinstance(value, dict)
        and len(value) == len(_KEYS)  # most are not, and this is quickly seen
        and value.keys() == _KEYS
        and isinstance(value["data"], dict)
    )


def changed(value: Any, change: Callable[[Stored], Stored]) -> Any:
    """The same with each block changed, inner ones first; what was given stays as it is."""
    if is_block(value):
        return change({**value, "data": changed(value["data"], change)})
    if isinstance(value, dict):
        return {key: changed(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [changed(item, change) for item in value]
    return value


def recognised(given: Any, before: Any) -> Any:
    """Content in which a block that is given without an id is the one that was at its place, where
    that is of its type and is nowhere else in what is given.

    Args:
        given: regions or blocks from outside, whatever they are; :func:`regions_of` checks them.
        before: those that were changed.
    """
    known = {block["id"]: block for block in blocks_in(before)}
    return _recognised(given, before, known, _ids_in(given))


def new_block(kind: str, data: dict[str, Any], *, version: int = 1) -> Stored:
    """A stored block with an id of its own."""
    return {"id": str(new_id()), "type": kind, "version": version, "data": data}


def _is_given(value: Any) -> bool:
    """Whether a value has the shape of a block from outside, which may lack an id or a version."""
    return isinstance(value, dict) and {"type", "data"} <= value.keys() <= _KEYS


def _ids_in(given: Any) -> set[str]:
    ids: set[str] = set()
    waiting = [given]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if _is_given(value) and isinstance(value.get("id"), str):
                ids.add(value["id"])
            waiting += value.values()
        elif isinstance(value, list | tuple):
            waiting += value
    return ids


def _recognised(given: Any, before: Any, known: dict[str, Stored], ids: set[str]) -> Any:
    if _is_given(given):
        if "id" in given:
            before = known.get(given["id"]) if isinstance(given["id"], str) else None
        elif is_block(before) and before["type"] == given["type"] and before["id"] not in ids:
            given = {**given, "id": before["id"]}
        else:
            before = None
    if isinstance(given, dict) and isinstance(before, dict):
        return {key: _recognised(x, before.get(key), known, ids) for key, x in given.items()}
    if isinstance(given, list | tuple) and isinstance(before, list):
        pairs = zip_longest(given, before[: len(given)])
        return [_recognised(x, there, known, ids) for x, there in pairs]
    return given


def _blocks(given: Any, where: str, seen: set[str], level: int) -> list[Stored]:
    if not isinstance(given, list | tuple):
        raise _refused(where, "it must be a list of blocks")
    if level > MAX_NESTING:
        raise _refused(where, f"blocks are more than {MAX_NESTING} levels deep in one another")
    return [_block(item, f"{where}[{n}]", seen, level) for n, item in enumerate(given)]


def _block(given: Any, where: str, seen: set[str], level: int) -> Stored:
    if not isinstance(given, dict):
        raise _refused(where, "a block is an object with id, type, version and data")
    try:
        stored = StoredBlock.model_validate({"id": str(new_id()), "version": 1, **given})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise _refused(f"{where}.{place}", first["msg"]) from error
    if len(seen) >= MAX_BLOCKS:
        raise _refused(where, f"the page has more than {MAX_BLOCKS:,} blocks")
    if stored.id in seen:
        raise _refused(where, f"two blocks have the id {stored.id!r}")
    seen.add(stored.id)
    data = _data(stored.data, f"{where}.data", seen, level, 0)
    return {"id": stored.id, "type": stored.type, "version": stored.version, "data": data}


def _data(value: Any, where: str, seen: set[str], level: int, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise _refused(where[:200], f"its data are more than {MAX_DEPTH} levels deep")
    if isinstance(value, dict):
        return {
            _key(key, where): _data(item, f"{where}.{key}", seen, level, depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        if value and all(map(_is_given, value)):
            return _blocks(value, where, seen, level + 1)
        return [
            _data(item, f"{where}[{n}]", seen, level, depth + 1) for n, item in enumerate(value)
        ]
    if isinstance(value, str) and "\0" in value:
        raise _refused(where, "it contains a NUL character")
    if (isinstance(value, float) and value != value) or value in (float("inf"), float("-inf")):
        raise _refused(where, "it is no number that JSON knows")
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise _refused(where, f"JSON has no {type(value).__name__}")


def _key(key: Any, where: str) -> str:
    if not isinstance(key, str) or len(key) > 100 or "\0" in key:
        raise _refused(where, f"{str(key)[:80]!r} is no name of a field")
    return key


def _refused(where: str, what: str) -> InvalidInput:
    place = f"Its content at {where}" if where else "Its content"
    return InvalidInput(
        f"{place}: {what}.",
        hint="Nothing was saved. Mend it, then save again.",
        problems=((f"regions.{where}" if where else "regions", what),),
    )
