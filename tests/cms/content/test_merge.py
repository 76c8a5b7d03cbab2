"""Two edits of a page become one, or a conflict; nothing is ever lost silently."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mosaic_cms.blocks.stored import blocks_in
from mosaic_cms.content.merge import Merged, merge
from mosaic_cms.content.outline import Outline, PageContent, moved_within
from mosaic_core.errors import InvalidInput


def text(id: str, words: str = "words") -> dict[str, Any]:
    return {"id": id, "type": "text", "version": 1, "data": {"text": words}}


def columns(id: str, *lists: list[dict[str, Any]], shape: str = "6-6") -> dict[str, Any]:
    data = {"shape": shape, "columns": [{"blocks": blocks} for blocks in lists]}
    return {"id": id, "type": "columns", "version": 1, "data": data}


def page(*main: dict[str, Any], title: str = "Title", **more: Any) -> PageContent:
    return PageContent(title=title, layout="page", **{"regions": {"main": list(main)}, **more})


def ids(merged: Merged) -> list[str]:
    assert merged.content is not None, merged.conflicts
    return [block["id"] for block in blocks_in(merged.content.regions)]


A, B, C, D = (text(id) for id in "abcd")


# ---- what merges ----------------------------------------------------------------------------


def test_edits_of_different_blocks_and_fields_merge() -> None:
    merged = merge(
        page(A, B, details={"tags": ["x"], "author": "Ada"}),
        page(text("a", "mine"), B, title="Mine", details={"tags": ["x", "y"], "author": "Ada"}),
        page(A, text("b", "theirs"), summary="Theirs", details={"tags": ["x"]}),
    )
    assert merged.content == page(
        text("a", "mine"),
        text("b", "theirs"),
        title="Mine",
        summary="Theirs",
        details={"tags": ["x", "y"]},
    )


def test_blocks_that_both_put_at_one_place_stand_there_theirs_first() -> None:
    merged = merge(page(A, B), page(A, text("m"), B), page(A, text("t"), B))
    assert ids(merged) == ["a", "t", "m", "b"]


def test_moves_of_different_blocks_merge() -> None:
    merged = merge(page(A, B, C, D), page(B, C, D, A), page(D, A, B, C))
    assert ids(merged) == ["d", "b", "c", "a"]


def test_a_block_is_edited_by_one_and_moved_into_a_column_by_the_other() -> None:
    merged = merge(
        page(A, columns("k", [B], [])),
        page(text("a", "mine"), columns("k", [B], [])),
        page(columns("k", [B], [A])),
    )
    assert merged.content == page(columns("k", [B], [text("a", "mine")]))


def test_blocks_inside_columns_merge_by_their_own_ids() -> None:
    merged = merge(
        page(columns("k", [A], [B])),
        page(columns("k", [text("a", "mine"), C], [B])),
        page(columns("k", [A], [text("b", "theirs"), D], shape="8-4")),
    )
    assert merged.content == page(
        columns("k", [text("a", "mine"), C], [text("b", "theirs"), D], shape="8-4")
    )


def test_what_was_put_into_a_region_that_the_other_took_away_is_kept() -> None:
    base = page(A, regions={"main": [A], "side": []})
    merged = merge(base, page(A, regions={"main": [A], "side": [B]}), page(A))
    assert ids(merged) == ["a", "b"]


# ---- what does not --------------------------------------------------------------------------


def conflicts(base: PageContent, mine: PageContent, theirs: PageContent) -> list[tuple[str, str]]:
    merged = merge(base, mine, theirs)
    assert merged.content is None
    return [(conflict.kind, conflict.where) for conflict in merged.conflicts]


def test_one_block_changed_by_both_is_a_conflict_with_all_three_texts() -> None:
    mine, theirs = text("a", "mine"), text("a", "theirs")
    (conflict,) = merge(page(B, A), page(B, mine), page(B, theirs)).conflicts
    assert (conflict.block_id, conflict.where, conflict.kind) == ("a", "main[1]", "changed")
    assert (conflict.base, conflict.mine, conflict.theirs) == (A, mine, theirs)


def test_a_field_changed_by_both_is_a_conflict() -> None:
    assert conflicts(
        page(title="One", details={"tags": []}),
        page(title="Two", details={}),
        page(title="Three", details={"tags": ["x"]}),
    ) == [("field", "title"), ("field", "details.tags")]


def test_true_is_not_one() -> None:
    def flagged(value: Any) -> PageContent:
        return page({**A, "data": {"flag": value}})

    assert conflicts(flagged(True), flagged(1), flagged(2)) == [("changed", "main[0]")]


@pytest.mark.parametrize("changed", [page(text("a", "mine")), page(columns("k", [A]))])
def test_a_block_removed_here_and_changed_or_moved_away_there_is_a_conflict(
    changed: PageContent,
) -> None:
    assert conflicts(page(A), changed, page()) == [("removed", "main[0]")]
    assert conflicts(page(A), page(), changed) == [("removed", "main[0]")]


def test_a_block_put_into_columns_that_the_other_removed_is_a_conflict() -> None:
    base = page(columns("k", [A]))
    assert conflicts(base, page(columns("k", [A, B])), page()) == [("removed", "main[0]")]


def test_a_block_moved_by_both_to_different_places_is_a_conflict() -> None:
    base = page(A, columns("k", [B], [C]))
    one, two = page(columns("k", [B, A], [C])), page(columns("k", [B], [C, A]))
    assert conflicts(base, one, two) == [("moved", "main[0]")]
    assert conflicts(page(A, B, C, D), page(B, C, A, D), page(B, C, D, A)) == [("moved", "main[0]")]


def test_columns_rearranged_by_one_while_the_other_fills_them_are_a_conflict() -> None:
    base = page(columns("k", [A], [B]))
    assert conflicts(base, page(columns("k", [], [A], [B])), page(columns("k", [A, C], [B]))) == [
        ("changed", "main[0]")
    ]


def test_two_blocks_each_moved_into_the_other_are_a_conflict() -> None:
    base = page(columns("k", []), columns("m", []))
    one, two = page(columns("m", [columns("k", [])])), page(columns("k", [columns("m", [])]))
    assert conflicts(base, one, two) == [("moved", "main[0]"), ("moved", "main[1]")]


def test_two_blocks_with_one_id_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"Two blocks have the id 'a', the second at main\[1\]"):
        merge(page(A, A), page(), page())


# ---- any edits ------------------------------------------------------------------------------

IDS = "abcdefgh"


@st.composite
def contents(draw: st.DrawFn) -> PageContent:
    """Any page of blocks, some of them inside others."""
    regions: dict[str, list[Any]] = {"main": [], "side": []}
    lists: list[list[Any]] = list(regions.values())
    for id in draw(st.permutations(IDS[: draw(st.integers(0, 6))])):
        block = (
            columns(id, [], [], shape=draw(st.sampled_from(["6-6", "8-4"])))
            if draw(st.integers(0, 3)) == 0
            else text(id, draw(st.sampled_from("xyz")))
        )
        into = draw(st.sampled_from(lists))
        into.insert(draw(st.integers(0, len(into))), block)
        lists += [column["blocks"] for column in block["data"].get("columns", ())]
    if draw(st.booleans()):
        del regions["side"]
    details = draw(st.dictionaries(st.sampled_from("kl"), st.sampled_from([1, True, None])))
    return PageContent(
        title=draw(st.sampled_from("TU")), layout="page", details=details, regions=regions
    )


def lists_of(value: Any) -> list[list[Any]]:
    """Every list of blocks, and what may be one."""
    found = [*value.values()]
    for block in blocks_in(value):
        found += [column["blocks"] for column in block["data"].get("columns", ())]
    return found


@st.composite
def edits(draw: st.DrawFn, base: PageContent, names: str) -> PageContent:
    """The page after a few edits; new blocks are called by ``names``."""
    content = copy.deepcopy(base.model_dump())
    for name in names[: draw(st.integers(1, len(names)))]:
        into = draw(st.sampled_from(lists_of(content["regions"]) or [[]]))
        at = draw(st.integers(0, len(into)))
        act = draw(st.sampled_from(["add", "edit", "remove", "move", "column", "title", "detail"]))
        if act == "add":
            into.insert(at, text(name) if draw(st.booleans()) else columns(name, [], []))
        elif act == "title":
            content["title"] = draw(st.sampled_from("TUV"))
        elif act == "detail":
            content["details"][draw(st.sampled_from("kl"))] = draw(st.sampled_from([1, True, "x"]))
        elif into:
            block = into[min(at, len(into) - 1)]
            data = block["data"]
            if act == "edit":
                data["shape" if "shape" in data else "text"] = draw(st.sampled_from("xyz"))
            elif act == "column" and "columns" in data:
                data["columns"].insert(0, {"blocks": []})
            elif act in {"remove", "move"}:
                into.remove(block)
                if act == "move":
                    goal = draw(st.sampled_from(lists_of(content["regions"]) or [into]))
                    goal.insert(draw(st.integers(0, len(goal))), block)
    return PageContent.model_validate(content)


@st.composite
def triples(draw: st.DrawFn) -> tuple[PageContent, PageContent, PageContent]:
    base = draw(contents())
    return base, draw(edits(base, "mnop")), draw(edits(base, "tuvw"))


def known(content: PageContent) -> set[str]:
    return {block["id"] for block in blocks_in(content.regions)}


@given(triples())
def test_what_only_one_side_did_is_the_result(
    triple: tuple[PageContent, PageContent, PageContent],
) -> None:
    base, mine, _ = triple
    for merged in (merge(base, mine, base), merge(base, base, mine), merge(base, mine, mine)):
        assert merged.conflicts == ()
        assert merged.content == mine


@given(contents(), contents())
def test_unrelated_contents_merge_with_themselves(one: PageContent, two: PageContent) -> None:
    assert merge(one, two, one).content == merge(one, one, two).content == two
    assert merge(one, two, two).content == two


@settings(max_examples=300)
@given(triples())
def test_no_block_is_lost_or_doubled(triple: tuple[PageContent, PageContent, PageContent]) -> None:
    base, mine, theirs = triple
    merged = merge(base, mine, theirs)
    if merged.content is None:
        assert merged.conflicts
        return
    found = ids(merged)
    assert len(found) == len(set(found))
    assert set(found) == (known(mine) & known(theirs)) | (
        (known(mine) | known(theirs)) - known(base)
    )
    outlines = Outline.of(*(c.regions for c in (base, mine, theirs, merged.content)))
    for id in found:  # an edit or a move of either side is in the result
        before, one, two, result = (outline.nodes.get(id) for outline in outlines)
        for side in (one, two):
            if side is None:
                continue
            if before is None or side.block["data"].get("text") != before.block["data"].get("text"):
                assert result is not None
                assert side.block["data"].get("text") == result.block["data"].get("text")
            if before is None or side.slot != before.slot:
                assert result is not None
                assert side.slot == result.slot


@settings(max_examples=300)
@given(triples())
def test_conflicts_are_the_same_from_both_sides(
    triple: tuple[PageContent, PageContent, PageContent],
) -> None:
    base, mine, theirs = triple
    one, two = merge(base, mine, theirs), merge(base, theirs, mine)
    assert {(c.kind, c.block_id or c.where, repr((c.mine, c.theirs))) for c in one.conflicts} == {
        (c.kind, c.block_id or c.where, repr((c.theirs, c.mine))) for c in two.conflicts
    }
    if one.content is not None and two.content is not None:
        assert known(one.content) == known(two.content)


@given(st.permutations(range(7)))
def test_what_stays_when_some_are_moved_is_in_order(order: list[int]) -> None:
    old, new = [str(n) for n in range(7)], [str(n) for n in order]
    moved = moved_within(old, new)
    staying = [member for member in new if member not in moved]
    assert staying == sorted(staying)
    assert (not moved) == (old == new)
