"""A block that comes back without its id is the one that was at its place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mosaic_cms.blocks.stored import blocks_in, recognised, regions_of


def text(words: str, id: str | None = None, type: str = "markdown") -> dict[str, Any]:
    block = {"type": type, "data": {"text": words}}
    return block if id is None else {**block, "id": id, "version": 1}


def columns(*lists: list[Any], id: str | None = None) -> dict[str, Any]:
    block = {"type": "columns", "data": {"columns": list(lists)}}
    return block if id is None else {**block, "id": id, "version": 1}


BEFORE = {
    "main": [text("one", "a"), columns([text("two", "b")], [text("three", "c")], id="k")],
    "aside": [text("four", "d")],
}


def ids(given: Any) -> list[str]:
    """Those that blocks get, ``new`` standing for what was not there before."""
    known = {block["id"] for block in blocks_in(BEFORE)}
    kept = blocks_in(regions_of(recognised(given, BEFORE)))
    return [block["id"] if block["id"] in known else "new" for block in kept]


@pytest.mark.parametrize(
    ("main", "expected"),
    [
        pytest.param(
            [text("ONE"), columns([text("TWO")], [text("THREE")])], "a k b c", id="none has an id"
        ),
        pytest.param([text("ONE"), text("two")], "a new", id="another type at the place"),
        pytest.param([text("zero"), text("one", "a")], "new a", id="the id is at another place"),
        pytest.param(
            [columns([text("TWO")], [text("x"), text("y")], id="k")],
            "k b c new",
            id="a moved block knows those inside it",
        ),
        pytest.param([text("one"), text("x"), text("y")], "a new new", id="more than there were"),
        pytest.param([text("b", "b"), columns([text("x")])], "b k new", id="taken out of columns"),
    ],
)
def test_a_block_without_an_id_is_the_one_at_its_place_unless_that_is_another(
    main: list[Any], expected: str
) -> None:
    assert ids({"main": main}) == expected.split()


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "type", "data", "version", "text", "main"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(JSON | st.fixed_dictionaries({"main": JSON, "aside": JSON}))
def test_whatever_comes_in_nothing_but_ids_is_different(given: Any) -> None:
    def without_ids(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: without_ids(item) for key, item in value.items() if key != "id"}
        return [without_ids(item) for item in value] if isinstance(value, list) else value

    assert without_ids(recognised(given, BEFORE)) == without_ids(given)
    assert recognised(BEFORE, BEFORE) == BEFORE
