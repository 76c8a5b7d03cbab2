"""Targets are exchanged where Markdown means them, and nothing else is touched."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mosaic_cms.content.markup import Markup, Picture
from mosaic_cms.importing.links import LinkReader, encode_source, rewrite
from mosaic_cms.importing.references import resolve_references


def marked(text: str) -> str:
    return rewrite(text, lambda target: f"page:{target}")


class Noting:
    """Notes what a rendering asks for."""

    def __init__(self) -> None:
        self.targets: list[str] = []

    def link(self, target: str) -> str | None:
        self.targets.append(target)
        return "/"

    def picture(self, target: str) -> Picture | None:
        self.targets.append(target)
        return None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[a](b.md)", "[a](page:b.md)"),
        ('![a](b.png "T")', '![a](page:b.png "T")'),
        ("[a](<b c.md>)", "[a](page:b%20c.md)"),
        ("[a](b\\_c.md) [d](e&amp;f)", "[a](page:b_c.md) [d](page:e&amp;f)"),
        ("[![a](p.png)](b.md)", "[![a](page:p.png)](page:b.md)"),
        ("[a][r] [r] ![r]\n\n[r]: ./b.md 'T'", "[a][r] [r] ![r]\n\n[r]: page:./b.md 'T'"),
        ("> [r]\n>\n> [r]:\n> b.md", "> [r]\n>\n> [r]:\n> page:b.md"),
        ("> a [b](c)\n> d [e](f)\nlazy [g](h)", "> a [b](page:c)\n> d [e](page:f)\n"
         "lazy [g](page:h)"),
        ("- a\n\n  [b](c)\n  1. [d](e)", "- a\n\n  [b](page:c)\n  1. [d](page:e)"),
        ("# [a](b) #\n\n[c](d)\n===", "# [a](page:b) #\n\n[c](page:d)\n==="),
        ("|a|b|\n|-|-|\n|[a\\|b](c)|[a](c) [a](c)|", "|a|b|\n|-|-|\n|[a\\|b](page:c)|"
         "[a](page:c) [a](page:c)|"),
        ("x[^1]\n\n[^1]: [a](b)\n\n    [c](d)", "x[^1]\n\n[^1]: [a](page:b)\n\n    [c](page:d)"),
        ("Term\n: [a](b)", "Term\n: [a](page:b)"),
        ("a\r\n[b](c)\r\n\t[d](e)\r\n", "a\r\n[b](page:c)\r\n\t[d](page:e)\r\n"),
        ("[a]({% post_url 2024-01-01-x %})", "[a](page:{%%20post_url%202024-01-01-x%20%})"),
    ],
)  # fmt: skip
def test_targets_are_exchanged_in_place(before: str, after: str) -> None:
    assert marked(before) == after


@pytest.mark.parametrize(
    "text",
    [
        "`[a](b.md)`",
        "``[a](b.md) ` ``",
        "```\n[a](b.md)\n```",
        "~~~md\n![a](b.md)\n[r]: c.md\n~~~",
        "    [a](b.md)",
        "- x\n\n      [a](b.md)",
        "> ```\n> [a](b.md)\n> ```",
        "\\[a](b.md)",
        "[a] (b.md)",
        "[a](b c.md)",
        "<a href='b.md'>",
        "<https://example.org/b.md>",
        "[a]()",
    ],
)
def test_code_and_what_only_looks_like_a_link_stay(text: str) -> None:
    assert marked(text) == text


LINKLESS = st.text(st.characters(exclude_characters="[<", exclude_categories=["Cs"]), max_size=300)
WORDS = st.text("ab é\t\n>-*#`|:.1~_\\\r", max_size=40)
PIECES = [
    *("[a](b.md)", "![a](c.png)", "[r]", "\n\n[r]: d\n\n", "[s]:\n  <e> 't'\n", "[![a](f)](g)"),
    *("| [a](b\\|c) | x |\n|---|---|\n", "[^1]", "\n\n[^1]: ", "> ", "    ", "[", "]", "(", ")"),
    *("\n\n", "```\n", "[a](<b> 't')", "![[x](y)](z)", "# ", ": ", "&amp;"),
]
NAMES = st.text("abc é()'\"_*&;%#?|", min_size=1, max_size=12)


@given(LINKLESS)
@settings(deadline=None)
def test_a_text_without_links_stays_byte_for_byte(text: str) -> None:
    assert marked(text) == text


@given(st.lists(WORDS | st.sampled_from(PIECES), max_size=30))
@settings(max_examples=300, deadline=None)
def test_a_rewritten_text_links_to_what_was_written_and_nothing_else(parts: list[str]) -> None:
    text = "".join(parts)
    assert rewrite(text, lambda target: None) == text
    before, after = Noting(), Noting()
    markup = Markup()
    old, new = markup.render(text, before), markup.render(marked(text), after)
    assert after.targets == [f"page:{target}" for target in before.targets]
    assert new.text == old.text


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
@settings(deadline=None)
def test_code_blocks_stay_byte_for_byte(code: str) -> None:
    fenced = "````\n" + code.replace("`", "") + " [a](b) ![c](d)\n````\n"
    text = f"[x](y)\n\n{fenced}"
    assert marked(text) == f"[x](page:y)\n\n{fenced}"


@given(NAMES)
def test_a_source_with_any_name_stands_in_a_target_and_comes_back(name: str) -> None:
    source = f"folder/{name}.md"
    text = rewrite("[a](b)", lambda target: f"page:{encode_source(source)}#part")
    found = Noting()
    Markup().render(text, found)
    assert found.targets == [f"page:{encode_source(source)}#part"]
    ident = uuid.uuid4()
    assert resolve_references(text, {source: ident}, {}) == f"[a](page:{ident}#part)"


def test_each_target_knows_its_line() -> None:
    _, targets = LinkReader().parse("a\n\n[b](c)\n[d](e)\n\n[r]: f\n")
    assert [(target.value, target.line) for target in targets] == [("c", 2), ("e", 3), ("f", 5)]


def test_a_text_full_of_links_is_rewritten_to_the_last() -> None:
    assert marked("[a](b.md) " * 8_000) == "[a](page:b.md) " * 8_000
