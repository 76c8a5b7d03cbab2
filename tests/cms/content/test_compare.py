"""What differs between two states of a page, block by block and word by word."""

from __future__ import annotations

import random
import time
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mosaic_cms.blocks.base import Block, Line
from mosaic_cms.blocks.registry import BlockTypes
from mosaic_cms.content.compare import BlockChange, Comparison, FieldChange, as_text, compare
from mosaic_cms.content.outline import PageContent
from mosaic_cms.content.words import Differ, Run, words


def block(id: str, kind: str = "text", **data: Any) -> dict[str, Any]:
    return {"id": id, "type": kind, "version": 1, "data": data}


def page(*main: dict[str, Any], title: str = "Title", **more: Any) -> PageContent:
    return PageContent(title=title, layout="page", **{"regions": {"main": list(main)}, **more})


def runs(old: str, new: str) -> tuple[Run, ...]:
    return Differ().runs(old, new)


A, B, C = (block(id, text=f"the words of {id}") for id in "abc")


# ---- blocks ---------------------------------------------------------------------------------


def test_equal_pages_differ_in_nothing() -> None:
    assert compare(page(A, B), page(A, B)) == Comparison(
        summary="nothing changed", fields=(), blocks=()
    )


def test_blocks_are_added_removed_moved_and_changed() -> None:
    new = page(C, block("a", text="the other words of a"), block("d", text="new"))
    comparison = compare(page(A, B, C), new)
    assert [(b.id, b.change, b.before, b.after) for b in comparison.blocks] == [
        ("c", "moved", "main[2]", "main[0]"),
        ("a", "changed", "main[0]", "main[1]"),
        ("b", "removed", "main[1]", None),
        ("d", "added", None, "main[2]"),
    ]
    assert comparison.summary == "1 block changed, 1 added, 1 removed, 1 moved"
    assert comparison.blocks[1].fields == (
        FieldChange(
            where="text",
            words=(("equal", "the "), ("insert", "other "), ("equal", "words of a")),
        ),
    )


def test_a_block_moved_into_a_column_and_changed_is_both() -> None:
    old = page(A, block("k", "columns", columns=[[B], []]))
    new = page(block("k", "columns", columns=[[B], [block("a", text="the words of me")]]))
    (change,) = compare(old, new).blocks
    assert (change.id, change.change, change.moved) == ("a", "changed", True)
    assert (change.before, change.after) == ("main[0]", "main[0].columns[1][0]")


def test_one_block_out_of_order_is_the_one_that_moved() -> None:
    blocks = [block(f"b{n}", text="x") for n in range(20)]
    (change,) = compare(page(*blocks), page(*blocks[1:], blocks[0])).blocks
    assert change == BlockChange(
        id="b0", type="text", change="moved", moved=True, before="main[0]", after="main[19]"
    )


def test_values_deep_in_a_block_are_named_by_their_place() -> None:
    old = block("a", rows=[{"label": "One"}, {"label": "Two", "n": 1}], wide=True)
    new = block("a", rows=[{"label": "Zero"}, {"label": "One"}, {"label": "Two", "n": 2}], wide=1)
    (change,) = compare(page(old), page(new)).blocks
    assert {field.where for field in change.fields} >= {"rows[2]", "wide"}
    (deep,) = compare(page(block("a", rows=[{"n": 1}])), page(block("a", rows=[{"n": 2}]))).blocks
    assert deep.fields == (FieldChange(where="rows[0].n", before=1, after=2),)


def test_the_pages_own_fields_are_compared() -> None:
    comparison = compare(
        page(title="Old title", details={"tags": ["a"], "noindex": True}),
        page(title="New title", details={"tags": ["a", "b"]}),
    )
    assert comparison.summary == "title and details changed"
    assert comparison.fields[1:] == (
        FieldChange(where="details.tags[1]", words=(("insert", "b"),)),
        FieldChange(where="details.noindex", before=True),
    )


class Note(Block):
    name = "note"
    version = 2
    upgrades = {1: lambda data: {"line": data["old"]}}
    template = Path("note.html")

    line: Line


def test_what_an_upgrade_did_is_not_shown_as_an_edit() -> None:
    old = page(block("n", "note", old="words"))
    new = page({"id": "n", "type": "note", "version": 2, "data": {"line": "words"}})
    assert compare(old, new, BlockTypes([Note])).blocks == ()
    assert [f.where for f in compare(old, new).blocks[0].fields] == ["version", "old", "line"]


def test_a_comparison_survives_json() -> None:
    comparison = compare(page(A, B), page(block("a", text="z", n=None), title="Ü"))
    assert Comparison.model_validate_json(comparison.model_dump_json()) == comparison


# ---- words ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Don't stop, now!", ["Don't", " ", "stop", ",", " ", "now", "!"]),
        ("cafe\u0301s ok", ["cafe\u0301s", " ", "ok"]),
        ("हिन्दी में", ["हिन्दी", " ", "में"]),
        ("東京に行く", ["東", "京", "に", "行", "く"]),
        ("👩‍🚀👍🏽🇹🇷🇩🇪", ["👩‍🚀", "👍🏽", "🇹🇷", "🇩🇪"]),
        ("a_b\n\nc", ["a_b", "\n", "\n", "c"]),
    ],
)
def test_words_are_those_of_the_script(text: str, pieces: list[str]) -> None:
    assert words(text) == pieces


@given(st.text())
def test_words_make_up_the_text(text: str) -> None:
    assert "".join(words(text)) == text


TEXTS = st.one_of(
    st.text(st.sampled_from("ab \n"), max_size=60),
    st.lists(st.sampled_from(["one ", "two ", "three\n", "é", "\u0301", "東", "\r\n"])).map(
        "".join
    ),
)


@given(TEXTS, TEXTS)
def test_runs_make_up_both_texts(old: str, new: str) -> None:
    found = runs(old, new)
    assert "".join(text for op, text in found if op != "insert") == old
    assert "".join(text for op, text in found if op != "delete") == new
    assert all(text for _, text in found)
    assert all(one[0] != two[0] for one, two in pairwise(found))
    assert (old == new) == all(op == "equal" for op, _ in found)


@given(st.lists(st.sampled_from("abc"), max_size=8), st.lists(st.sampled_from("abc"), max_size=8))
def test_no_shorter_script_of_lines_exists(old: list[str], new: list[str]) -> None:
    longest = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for x, one in enumerate(old):
        for y, two in enumerate(new):
            longest[x + 1][y + 1] = (
                longest[x][y] + 1 if one == two else max(longest[x][y + 1], longest[x + 1][y])
            )
    passages = Differ()._passages(old, new)
    assert sum(len(one) for equal, one, _ in passages if equal) == longest[-1][-1]


def test_texts_with_little_in_common_are_replaced_as_a_whole() -> None:
    assert [op for op, _ in runs("a quick brown fox in Ankara", "seven lazy dogs, a cat")] == [
        "delete",
        "insert",
    ]


def _megabyte(seed: int, per_line: int) -> str:
    chance = random.Random(seed)
    lines = (
        " ".join(str(chance.randrange(5_000)) for _ in range(per_line))
        for _ in range(1_000_000 // (5 * per_line))
    )
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (_megabyte(1, 12), _megabyte(2, 12)),
        (_megabyte(1, 200_000), _megabyte(2, 200_000)),
        ("a\n" * 500_000, "b\na\n" * 250_000),
        ("a " * 450_000, ("a " * 600 + "b ") * 750),
        ("e" + "\u0301" * 500_000, "e" + "\u0301" * 500_001),
        ("", "x" * 1_000_000),
    ],
    ids=["lines", "words", "equal lines", "equal words", "marks", "empty"],
)
def test_a_megabyte_is_compared_in_bounded_time(old: str, new: str) -> None:
    began = time.process_time()
    found = runs(old, new)
    assert time.process_time() - began < 6  # about one second on an idle core
    assert "".join(text for op, text in found if op != "insert") == old


def test_many_texts_together_take_bounded_time() -> None:
    differ, texts = Differ(), [_megabyte(n, 4_000)[:20_000] for n in range(11)]
    began = time.process_time()
    for one, two in product(texts, texts):
        found = differ.runs(one, two)
        assert "".join(text for op, text in found if op != "delete") == two
    assert time.process_time() - began < 6


def test_one_word_in_a_megabyte_is_found() -> None:
    old = _megabyte(1, 12)
    at = old.index(" ", len(old) // 2)
    found = runs(old, old[:at] + " here" + old[at:])
    assert [run for run in found if run[0] != "equal"] in (
        [("insert", " here")],
        [("insert", "here ")],
    )


# ---- for the terminal -----------------------------------------------------------------------


def test_the_comparison_reads_well_in_a_terminal() -> None:
    old = page(block("a", text="One line.\nAnother line.\nThe last."), B, title="Old title")
    new = page(
        block("a", text="One line.\nAnother good line.\nThe last.\nAnd one."),
        block("n", text="New", wide=True),
        title="New title",
    )
    assert as_text(compare(old, new)) == (
        "title changed; 1 block changed, 1 added, 1 removed\n"
        "  title\n"
        "- Old title\n"
        "+ New title\n"
        "\n"
        "text changed at main[0]\n"
        "  text\n"
        "- Another line.\n"
        "+ Another good line.\n"
        "+ And one.\n"
        "\n"
        "text removed at main[1]\n"
        "  text\n"
        "- the words of b\n"
        "\n"
        "text added at main[1]\n"
        "  text\n"
        "+ New\n"
        "  wide\n"
        "+ true"
    )


def test_no_control_character_reaches_the_terminal() -> None:
    shown = as_text(compare(page(title="a\x1b]0;x\x07"), page(title="\x9b31m\rb\u2028c\n+ forged")))
    assert not set(shown) & set("\x1b\x07\x9b\r\u2028")
