"""Two edits of one page become one, or are shown to be at odds.

Both began with the same content. What only one of them touched is taken from it; a thing that both
touched in different ways is a conflict, and then nothing is merged: no edit is ever lost silently.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from mosaic_cms.blocks.stored import Regions, Stored
from mosaic_cms.content.conflicts import Difference, Kind
from mosaic_cms.content.outline import (
    MISSING,
    Node,
    Outline,
    PageContent,
    Path,
    Slot,
    filled,
    holes,
    moved_within,
    same,
)

_WORDS: dict[Kind, str] = {
    "field": "both changed it",
    "changed": "both changed it",
    "removed": "one removed it, the other changed it or put something into it",
    "moved": "both moved it, to different places",
}


class Merged(BaseModel):
    """The result: a content, or (then it is None) every conflict."""

    model_config = ConfigDict(frozen=True)

    content: PageContent | None
    conflicts: tuple[Difference, ...]


def merge(base: PageContent, mine: PageContent, theirs: PageContent) -> Merged:
    """What both sides made of ``base``, in one.

    Blocks that both put at the same place stand there in the order theirs, mine. Blocks are taken
    as wholes, except for the blocks inside them, which count by themselves. The result may be too
    large, or nested too deeply, to be stored.

    Raises:
        InvalidInput: two blocks of one content have the same id.
    """
    return _Merge(base, mine, theirs).result()


class _Merge:
    def __init__(self, base: PageContent, mine: PageContent, theirs: PageContent) -> None:
        self._contents = base, mine, theirs
        self._base, self._mine, self._theirs = Outline.of(
            base.regions, mine.regions, theirs.regions
        )
        self._conflicts: dict[str, Difference] = {}
        #: The blocks of the result, each from the side whose version stands, and where they go.
        self._nodes: dict[str, Node] = {}
        self._slots: dict[str, Slot] = {}

    def result(self) -> Merged:
        fields = self._fields()
        for id in {**self._base.nodes, **self._theirs.nodes, **self._mine.nodes}:
            self._block(id)
        for id in list(self._nodes):
            self._container(id)
        members: dict[Slot, set[str]] = {}
        for id, slot in self._slots.items():
            members.setdefault(slot, set()).add(id)
        order = {slot: self._order(slot, ids) for slot, ids in members.items()}
        regions = self._regions(order) if not self._conflicts else {}
        if self._conflicts:
            return Merged(content=None, conflicts=tuple(self._conflicts.values()))
        content = PageContent.model_validate({**fields, "regions": regions})
        return Merged(content=content, conflicts=())

    # ---- the page's own fields --------------------------------------------------------------

    def _fields(self) -> dict[str, Any]:
        fields = {
            name: self._field(name, *(getattr(content, name) for content in self._contents))
            for name in ("title", "summary", "layout")
        }
        base, mine, theirs = (content.details for content in self._contents)
        details = {
            key: self._field(
                f"details.{key}", *(side.get(key, MISSING) for side in (base, mine, theirs))
            )
            for key in {**base, **theirs, **mine}
        }
        fields["details"] = {k: value for k, value in details.items() if value is not MISSING}
        return fields

    def _field(self, where: str, base: Any, mine: Any, theirs: Any) -> Any:
        if same(base, mine) or same(mine, theirs):
            return theirs
        if not same(base, theirs):
            values = (None if side is MISSING else side for side in (base, mine, theirs))
            self._conflict(where, "field", None, *values)
        return mine

    # ---- blocks -----------------------------------------------------------------------------

    def _block(self, id: str) -> None:
        """Which version of a block stands, and where."""
        base, mine, theirs = (side.nodes.get(id) for side in (self._base, self._mine, self._theirs))
        if base is None:
            one = theirs or mine
            assert one is not None
            if mine is not None and theirs is not None:
                if not _equal(mine, theirs):
                    self._at_odds(id, "changed")
                elif mine.slot != theirs.slot:
                    self._at_odds(id, "moved")
            self._take(id, one, one.slot)
        elif mine is None or theirs is None:
            kept = mine or theirs
            if kept is not None and not (_equal(base, kept) and base.slot == kept.slot):
                self._at_odds(id, "removed")
        else:
            node = mine if _equal(base, theirs) else theirs
            slot = mine.slot if base.slot == theirs.slot else theirs.slot
            if not (_equal(base, mine) or _equal(node, mine)):
                self._at_odds(id, "changed")
            elif base.slot != mine.slot != slot:
                self._at_odds(id, "moved")
            self._take(id, node, slot)

    def _take(self, id: str, node: Node, slot: Slot) -> None:
        self._nodes[id] = node
        self._slots[id] = slot

    def _container(self, id: str) -> None:
        """The block around it must be there, and where one side changed the lists in a block, what
        the other one put into them has no place that is surely meant."""
        container, _ = self._slots[id]
        if container is not None and container not in self._nodes:
            self._at_odds(container, "removed")
        if id not in self._base.nodes:
            return
        base, mine, theirs = (
            set(holes(side.nodes[id].data)) for side in (self._base, self._mine, self._theirs)
        )
        for one, outline in ((mine, self._theirs), (theirs, self._mine)):
            if (
                one != base
                and mine != theirs
                and self._filled(outline, id) != self._filled(self._base, id)
            ):
                self._at_odds(id, "changed")

    @staticmethod
    def _filled(side: Outline, id: str) -> dict[Path, list[str]]:
        return {path: side.slots[id, path] for path in holes(side.nodes[id].data)}

    # ---- order ------------------------------------------------------------------------------

    def _order(self, slot: Slot, members: set[str]) -> list[str]:
        """The blocks of a list in their order."""
        base, mine, theirs = (
            [id for id in side.slots.get(slot, ()) if id in members]
            for side in (self._base, self._mine, self._theirs)
        )
        common = set(base) & set(mine) & set(theirs)
        order = self._common_order(
            *([id for id in side if id in common] for side in (base, mine, theirs))
        )
        both = set(mine) & set(theirs)
        return _inserted(
            order, common, theirs, [id for id in mine if id in common or id not in both]
        )

    def _common_order(
        self, base: Sequence[str], mine: Sequence[str], theirs: Sequence[str]
    ) -> list[str]:
        """The order of blocks that all three have in a list."""
        if mine in (base, theirs):
            return list(theirs)
        moved, others = moved_within(base, mine), moved_within(base, theirs)
        for id in sorted(moved & others):
            self._at_odds(id, "moved")
        order = [id for id in theirs if id not in moved]
        at = 0  # behind the last one that is where I have it
        for id in mine:
            if id in moved:
                order.insert(at, id)
            if id in moved or id not in others:
                at = order.index(id) + 1
        return order

    # ---- the whole --------------------------------------------------------------------------

    def _regions(self, order: dict[Slot, list[str]]) -> Regions:
        placed: set[str] = set()

        def blocks(slot: Slot) -> list[Stored]:
            placed.update(order.get(slot, ()))
            return [
                {**self._nodes[id].block, "data": filled(self._nodes[id].data, id, (), blocks)}
                for id in order.get(slot, ())
            ]

        base, mine, theirs = (content.regions for content in self._contents)
        regions: Regions = {}
        for region in {**base, **theirs, **mine}:
            found = blocks((None, (region,)))
            taken = theirs if (region in mine) == (region in base) else mine
            if found or region in taken:
                regions[region] = found
        lost = sorted(self._nodes.keys() - placed)  # each side moved one into the other's
        for id in [id for id in lost if self._moved(id)] or lost:
            self._at_odds(id, "moved")
        return regions

    def _moved(self, id: str) -> bool:
        base = self._base.nodes.get(id)
        return base is None or base.slot != self._slots[id]

    # ---- conflicts --------------------------------------------------------------------------

    def _at_odds(self, id: str, kind: Kind) -> None:
        nodes = [side.nodes.get(id) for side in (self._base, self._mine, self._theirs)]
        where = next(node.place for node in nodes if node is not None)
        self._conflict(where, kind, id, *(node and node.block for node in nodes))

    def _conflict(self, where: str, kind: Kind, id: str | None, *sides: Any) -> None:
        base, mine, theirs = sides
        self._conflicts.setdefault(
            f"block {id}" if id is not None else where,
            Difference(
                kind=kind,
                where=where,
                block_id=id,
                what=_WORDS[kind],
                base=base,
                mine=mine,
                theirs=theirs,
            ),
        )


def _equal(one: Node, two: Node) -> bool:
    """Whether two versions of a block are the same, apart from the blocks inside it."""
    return (
        one.block["type"] == two.block["type"]
        and one.block["version"] == two.block["version"]
        and same(one.data, two.data)
    )


def _inserted(
    order: Sequence[str], common: set[str], theirs: Sequence[str], mine: Sequence[str]
) -> list[str]:
    """An order with what each side has besides, each behind the one that it follows there."""
    following: dict[str | None, list[str]] = {None: []}
    for side in (theirs, mine):
        last: str | None = None
        for id in side:
            if id in common:
                last = id
            else:
                following.setdefault(last, []).append(id)
    result = following[None]
    for id in order:
        result += [id, *following.get(id, ())]
    return result
