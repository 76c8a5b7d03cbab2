"""A page's content, and where in it each block is.

Blocks are known by their ids wherever they are: in a region, or in a list inside another block.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ConfigDict

from mosaic_cms.blocks.stored import Regions, Stored, is_block
from mosaic_core.errors import InvalidInput
from mosaic_core.types import canonical_json

#: A way into data: names of fields and positions in lists.
Path = tuple[str | int, ...]
#: A list that blocks are in: the block around it (None for the page) and the way to the list.
Slot = tuple[str | None, Path]
#: What stands for a list of blocks in the data around it; no stored key has a NUL.
HOLE: Mapping[str, Any] = {"\0": "blocks"}
#: What stands for a value that is not there; JSON has null for another thing.
MISSING: Any = object()


class PageContent(BaseModel):
    """What an editor writes on a page. Ids of blocks are unique in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    summary: str = ""
    layout: str
    details: dict[str, Any] = {}
    regions: Regions = {}


@dataclass(frozen=True, slots=True)
class Node:
    """A block without those inside it: in ``data``, a :data:`HOLE` stands for each list."""

    block: Stored
    data: Any
    slot: Slot
    place: str


@dataclass(frozen=True, slots=True)
class Outline:
    """A page's blocks by id, in reading order, and the ids in every list of blocks."""

    nodes: dict[str, Node]
    slots: dict[Slot, list[str]]

    @classmethod
    def of(cls, *contents: Regions) -> tuple[Outline, ...]:
        """The outlines of several states of one content. An empty list is one of blocks where
        another state has blocks in it.

        Raises:
            InvalidInput: two blocks of a state have the same id.
        """
        known: frozenset[Slot] = frozenset()
        for regions in contents:
            known |= cls._of(regions, frozenset()).slots.keys()
        return tuple(cls._of(regions, known) for regions in contents)

    @classmethod
    def _of(cls, regions: Regions, known: frozenset[Slot]) -> Outline:
        outline = cls({}, {})
        for region, blocks in regions.items():
            outline._fill((None, (region,)), blocks, region, known)
        return outline

    def _fill(
        self, slot: Slot, blocks: Sequence[Stored], where: str, known: frozenset[Slot]
    ) -> None:
        self.slots[slot] = [block["id"] for block in blocks]
        for number, block in enumerate(blocks):
            place = f"{where}[{number}]"
            if block["id"] in self.nodes:
                raise InvalidInput(
                    f"Two blocks have the id {block['id']!r}, the second at {place}.",
                    hint="Give one of them an id of its own.",
                )
            node = self.nodes[block["id"]] = Node(block, None, slot, place)
            data = self._hollow(block["data"], block["id"], (), place, known)
            self.nodes[block["id"]] = replace(node, data=data)  # where it was, before inner ones

    def _hollow(
        self, value: Any, block: str, path: Path, place: str, known: frozenset[Slot]
    ) -> Any:
        """Data with a hole for each list of blocks, whose blocks are entered."""
        if isinstance(value, dict):
            return {
                key: self._hollow(item, block, (*path, key), place, known)
                for key, item in value.items()
            }
        if not isinstance(value, list | tuple):
            return value
        if all(map(is_block, value)) and (value or (block, path) in known):
            self._fill((block, path), value, f"{place}.{written(path)}", known)
            return HOLE
        return [
            self._hollow(item, block, (*path, number), place, known)
            for number, item in enumerate(value)
        ]


def written(path: Path) -> str:
    """A way into data for people: ``columns[0].blocks``."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).removeprefix(".")


def holes(data: Any, path: Path = ()) -> Iterator[Path]:
    """Where in a block's data there are lists of blocks."""
    if data is HOLE:
        yield path
    elif isinstance(data, dict):
        for key, item in data.items():
            yield from holes(item, (*path, key))
    elif isinstance(data, list):
        for number, item in enumerate(data):
            yield from holes(item, (*path, number))


def filled(data: Any, id: str, path: Path, blocks: Callable[[Slot], list[Stored]]) -> Any:
    """A block's data with its lists of blocks."""
    if data is HOLE:
        return blocks((id, path))
    if isinstance(data, dict):
        return {key: filled(item, id, (*path, key), blocks) for key, item in data.items()}
    if isinstance(data, list):
        return [filled(item, id, (*path, n), blocks) for n, item in enumerate(data)]
    return data


def moved_within(old: Sequence[str], new: Sequence[str]) -> set[str]:
    """The fewest members that must be moved to bring ``old`` into the order of ``new``; both have
    the same members, each once."""
    position = {member: number for number, member in enumerate(old)}
    tails: list[int] = []  # of rising sequences, by their length: the smallest last position
    before: dict[int, int | None] = {}
    for member in new:
        number = position[member]
        at = bisect_left(tails, number)
        before[number] = tails[at - 1] if at else None
        tails[at : at + 1] = [number]
    staying: set[int] = set()
    last = tails[-1] if tails else None
    while last is not None:
        staying.add(last)
        last = before[last]
    return {member for member in old if position[member] not in staying}


def same(one: Any, two: Any) -> bool:
    """Whether two JSON values are the same; ``true`` is not ``1``, as it is for Python."""
    if one is MISSING or two is MISSING:
        return one is two
    return one is two or (one == two and canonical_json(one) == canonical_json(two))
