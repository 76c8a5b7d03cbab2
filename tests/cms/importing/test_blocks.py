"""Markdown as blocks, and which block is which when a file is imported again."""

from __future__ import annotations

import pytest

from mosaic_cms.importing.blocks import BlockReader, as_markdown
from mosaic_cms.importing.fenced import read_fenced, write_fenced
from mosaic_cms.importing.identity import with_ids, without_ids

MEDIA = "media:00000000-0000-0000-0000-000000000001"
BODY = f'One.\n\n```python\nx = 1\n```\n\n![A boat]({MEDIA} "At sea")\n\nTwo.'


def kinds(body: str) -> list[str]:
    return [block["type"] for block in BlockReader().read(body).blocks]


def test_code_and_pictures_become_blocks_that_give_the_same_text_back() -> None:
    blocks = BlockReader().read(BODY).blocks
    assert [block["type"] for block in blocks] == ["markdown", "code", "image", "markdown"]
    assert blocks[2]["data"] == {"media": MEDIA, "alt": "A boat", "caption": "At sea"}
    assert "\n\n".join(as_markdown(block) or "" for block in blocks) == BODY


@pytest.mark.parametrize(
    "body",
    [
        f"~~~python\nx\n~~~\n\n![a *b*]({MEDIA})",
        "```\nno language\n```",
        "![elsewhere](https://example.org/a.png)",
        "A [link][x].\n\n```python\nx\n```\n\n[x]: /a/",
        "## A\n\n```python\nx\n```\n\n### B",
        "| a |\n|---|\n| b |",
    ],
)
def test_what_would_not_come_back_or_would_look_different_stays_text(body: str) -> None:
    assert kinds(body) == ["markdown"]


def test_a_fenced_block_is_read_and_a_broken_one_stays_text_and_is_told() -> None:
    read = BlockReader().read("```mosaic hero\nheading: X\n```\n\n```mosaic hero\n[1\n```")
    assert [block["type"] for block in read.blocks] == ["hero", "markdown"]
    assert [line for line, _ in read.problems] == [4]


def test_a_block_with_others_inside_comes_back_from_its_fence() -> None:
    inner = {"id": "i", "type": "markdown", "version": 1, "data": {"text": "a\n```\nb"}}
    block = {"id": "o", "type": "columns", "version": 2, "data": {"columns": [[inner], []]}}
    info, _, rest = write_fenced(block).partition("\n")
    content = rest.rpartition("\n")[0]
    assert read_fenced(info.lstrip("`"), content) == without_ids(block)


def test_an_edited_paragraph_keeps_its_id_and_its_neighbours() -> None:
    reader = BlockReader()
    first = with_ids(reader.read(BODY).blocks, [], "a.md", set())
    assert first == with_ids(reader.read(BODY).blocks, [], "a.md", set())
    assert with_ids(reader.read(BODY).blocks, first, "a.md", set()) == first
    edited = with_ids(reader.read(BODY.replace("One", "Other")).blocks, first, "a.md", set())
    assert [block["id"] for block in edited] == [block["id"] for block in first]
    fewer = with_ids(reader.read(BODY.partition("\n\n")[2]).blocks, first, "a.md", set())
    assert [block["id"] for block in fewer] == [block["id"] for block in first[1:]]
