"""Markdown becomes safe, accessible HTML, whatever is in it, and in bounded time."""

from __future__ import annotations

import gc
import re
import time
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mosaic_cms.content.element_ids import Ids
from mosaic_cms.content.markup import Markup, Picture, Rendered

VOID = {"br", "hr", "img"}
ALLOWED = VOID | {
    *("p", "h2", "h3", "h4", "h5", "h6", "blockquote", "ul", "ol", "li", "dl", "dt", "dd", "pre"),
    *("div", "section", "table", "thead", "tbody", "tr", "th", "td"),
    *("a", "em", "strong", "s", "code", "sup"),
}
MARKUP = Markup()


class Everything:
    """Resolves every target to itself, so that only the markup stands in an attack's way."""

    def link(self, target: str) -> str | None:
        return target

    def picture(self, target: str) -> Picture | None:
        return Picture(target, 640, 480)


class Site:
    """A site with one page and one picture."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def link(self, target: str) -> str | None:
        self.asked.append(target)
        return {"page:1": "/visit/", "page:1#hours": "/visit/#hours"}.get(target)

    def picture(self, target: str) -> Picture | None:
        self.asked.append(target)
        return Picture("/-/media/lens.webp", 1200, None) if target == "media:1" else None


class Fragment(HTMLParser):
    """The tags of a fragment; fails at what is not well-formed."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open, f"left open: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"an attribute twice: {names}"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag

    def handle_comment(self, data: str) -> None:
        raise AssertionError("a comment")


def render(text: str) -> Rendered:
    return MARKUP.render(text, Everything())


def assert_safe(html: str) -> None:
    for tag, attributes in Fragment(html).tags:
        assert tag in ALLOWED
        for name, value in attributes.items():
            assert not name.startswith("on")
            assert name != "style"
            if name in {"href", "src"}:
                address = re.sub(r"[\x00-\x20]", "", value or "").lower()
                scheme = re.match(r"([a-z][a-z0-9+.-]*):", address)
                assert scheme is None or scheme[1] in {"http", "https", "mailto", "tel"}


# ---- what a text becomes ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("One *two* **three** ~~four~~ `five`", "<p>One <em>two</em> <strong>three</strong> "
         "<s>four</s> <code>five</code></p>\n"),
        ("a\\\nb", "<p>a<br>\nb</p>\n"),
        ("> said", "<blockquote><p>said</p>\n</blockquote>\n"),
        ("- a\n- b", "<ul><li>a</li>\n<li>b</li>\n</ul>\n"),
        ("3. a\n4. b", '<ol start="3"><li>a</li>\n<li>b</li>\n</ol>\n'),
        ("Term\n: What it means", "<dl><dt>Term</dt>\n<dd>What it means</dd>\n</dl>\n"),
        ("---", "<hr>\n"),
        ("```python\na < b\n```", '<pre tabindex="0"><code class="language-python">a &lt; b\n'
         "</code></pre>\n"),
        ("    indented", '<pre tabindex="0"><code>indented\n</code></pre>\n'),
        ('```x"onclick=1\n```', '<pre tabindex="0"><code></code></pre>\n'),
        ("<b>raw</b>", "<p>&lt;b&gt;raw&lt;/b&gt;</p>\n"),
        ("<div>\n\nblock", "<p>&lt;div&gt;</p>\n<p>block</p>\n"),
        ("<bread@wheatsheaf.example>", '<p><a href="mailto:bread@wheatsheaf.example">'
         "bread@wheatsheaf.example</a></p>\n"),
    ],
)  # fmt: skip
def test_markdown_becomes_html(text: str, html: str) -> None:
    assert render(text).html == html


def test_a_header_cell_without_words_is_a_cell() -> None:
    html = render("| | b |\n|:--|---|\n| 1 | 2 |").html
    assert '<td align="left"></td>' in html
    assert "<th>b</th>" in html
    assert "<th></th>" not in render("| | |\n|---|---|\n| 1 | 2 |").html


def test_a_table_can_scroll_and_be_reached_by_keyboard() -> None:
    html = render("| a | b |\n|---|--:|\n| 1 | 2 \\| 3 |").html
    assert html.startswith('<div class="table" tabindex="0" role="group" aria-label="Table">')
    assert '<td align="right">2 | 3</td>' in html


def test_headings_start_at_two_and_keep_their_steps() -> None:
    deep = render("# A\n\n### B\n\n###### C")
    assert [level for level, _, _ in deep.headings] == [2, 4, 6]
    shallow = render("### A\n\n#### B")
    assert [level for level, _, _ in shallow.headings] == [2, 3]
    assert shallow.html == '<h2 id="a">A</h2>\n<h3 id="b">B</h3>\n'


def test_heading_ids_are_readable_unique_and_follow_the_text() -> None:
    rendered = render("## Öffnungs*zeiten*\n## A & B\n## A & B\n## A  B-1\n## ???\n## çini odası")
    assert [ident for _, ident, _ in rendered.headings] == [
        "öffnungszeiten", "a--b", "a--b-1", "a-b-1", "section", "çini-odası",
    ]  # fmt: skip
    assert rendered.headings[0][2] == "Öffnungszeiten"


def test_links_and_pictures_go_through_the_resolver_once_each() -> None:
    site = Site()
    rendered = MARKUP.render(
        "[in](page:1) [hours](page:1#hours) [again](page:1) [gone](page:2) ![A lens](media:1) "
        "![No picture](media:2)",
        site,
    )
    assert rendered.html == (
        '<p><a href="/visit/">in</a> <a href="/visit/#hours">hours</a> '
        '<a href="/visit/">again</a> gone '
        '<img src="/-/media/lens.webp" alt="A lens" width="1200" loading="lazy" '
        'decoding="async"> No picture</p>\n'
    )
    assert site.asked == ["page:1", "page:1#hours", "page:2", "media:1", "media:2"]
    assert rendered.targets == tuple(site.asked)


def test_only_links_that_leave_the_site_are_marked() -> None:
    html = render("[a](https://x.example) [b](//x.example) [c](/visit/) [d](#hours)").html
    assert re.findall(r'href="([^"]+)" rel="noopener"', html) == [
        "https://x.example",
        "//x.example",
    ]


def test_footnotes_lead_there_and_back() -> None:
    html = render("One[^n] and again[^n].\n\n[^n]: The note.").html
    assert '<a href="#fn:1" id="fnref:1" role="doc-noteref">1</a>' in html
    assert '<section class="footnotes" role="doc-endnotes" aria-label="Footnotes">' in html
    ids = set(re.findall(r' id="([^"]+)"', html))
    assert ids == {"fn:1", "fnref:1", "fnref:1:2"}
    assert set(re.findall(r'href="#([^"]+)"', html)) == ids


def test_the_plain_text_has_every_word_and_no_markup() -> None:
    text = render(
        "# Bread\n\nA *sour*dough [loaf](page:1)\nwith `rye`.\n\n![An oven](media:1)\n\n"
        "| a | b |\n|---|---|\n| c | d |\n\n```\ncode\n```\n\nNote[^1]\n\n[^1]: below"
    ).text
    assert text == ("Bread\nA sourdough loaf\nwith rye.\nAn oven\na\nb\nc\nd\ncode\nNote\nbelow")


# ---- attacks ----------------------------------------------------------------------------------

VECTORS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<svg><animate onbegin=alert(1) attributeName=x>",
    "<math><mtext><table><mglyph><style><!--</style>"
    "<img title='--&gt;&lt;img src=1 onerror=x&gt;'>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "<a href='javascript:alert(1)'>x</a>",
    "<iframe srcdoc='&lt;script&gt;alert(1)&lt;/script&gt;'>",
    "<!--><img src=x onerror=alert(1)>-->",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](  javascript:alert(1))",
    "[x](<java\tscript:alert(1)>)",
    "[x](<\x01javascript:alert(1)>)",
    "[x](java&#115;cript:alert(1))",
    "[x](&#x6A;avascript&colon;alert(1))",
    "[x](javascript&NewLine;:alert(1))",
    "[x](java&Tab;script:alert(1))",
    "[x](<&#8203;javascript:alert(1)>)",
    "[x](\\javascript:alert(1))",
    "[x](javascript\\:alert(1))",
    "[x](vbscript:msgbox(1))",
    "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[x](file:///etc/passwd)",
    "[x](blob:https://x.example/1)",
    "[x](view-source:javascript:alert(1))",
    "<javascript:alert(1)>",
    "<data:text/html,<script>alert(1)</script>>",
    "![x](javascript:alert(1))",
    "![x](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+)",
    "![x](data:image/png;base64,AAAA)",
    '![x" onerror="alert(1)](x.png)',
    "![x](x.png \"t\\\" onerror=\\\"alert(1)\")",
    "![x](x.png 't\" onerror=\"alert(1)')",
    '[x](/ "a&quot; onclick=&quot;alert(1)")',
    "[x](</\"onclick=\"alert(1)>)",
    "[x](https://x.example/\"onmouseover=\"alert(1))",
    "[a]\n\n[a]: javascript:alert(1)",
    "![a]\n\n[a]: data:text/html,x 'y'",
    "```\"><script>alert(1)</script>\nx\n```",
    "`<script>alert(1)</script>`",
    "    <script>alert(1)</script>",
    "# <img src=x onerror=alert(1)>",
    '## "><script>alert(1)</script>',
    "[^<script>]: x\n\ny[^<script>]",
    "| <script> |\n|---|\n| <img onerror=alert(1)> |",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "[x](javascript:alert(1)//[y](https://x.example))",
    "[![x](javascript:alert(1))](javascript:alert(2))",
]  # fmt: skip


@pytest.mark.parametrize("text", VECTORS)
def test_no_attack_survives(text: str) -> None:
    assert_safe(render(text).html)
    assert_safe(render(f"before {text} after\n\n> - {text}").html)


@pytest.mark.parametrize("text", [v for v in VECTORS if v.startswith(("[x]", "![x]", "<java"))])
def test_a_forbidden_target_is_not_even_asked_for(text: str) -> None:
    site = Site()
    MARKUP.render(text, site)
    assert not [t for t in site.asked if re.match(r"[^\w\\]*(java|vb|data|file|blob|view)", t)]


@pytest.mark.parametrize("html", [v for v in VECTORS if v.startswith("<")])
def test_the_cleaner_alone_stops_what_the_parser_would_let_through(html: str) -> None:
    assert_safe(MARKUP.clean(html))
    assert_safe(MARKUP.clean(MARKUP.clean(html)))


def test_a_resolver_cannot_put_a_forbidden_scheme_into_a_page() -> None:
    class Careless:
        def link(self, target: str) -> str | None:
            return "javascript:alert(1)"

        def picture(self, target: str) -> Picture | None:
            return Picture("data:text/html,x", 1, 1)

    assert MARKUP.render("[a](/b) ![c](/d)", Careless()).html == "<p>a c</p>\n"


def test_a_text_follows_what_its_targets_lead_to_now_and_the_ids_that_its_page_has_left() -> None:
    text = "# Hours\n\n[in](page:1) ![A lens](media:1) note[^n]\n\n[^n]: Here."
    shared = Markup()
    first = shared.render(text, Site()).html
    assert shared.render(text, Everything()).html != first
    page = Ids()
    twice = [shared.render(text, Site(), page).html for _ in range(2)]
    assert twice[0] == first
    assert 'id="hours-1"' in twice[1]
    assert 'id="fnref:2.1"' in twice[1]
    names = [re.findall(r'aria-label="(Foot[^"]*)"', html) for html in twice]
    assert names == [["Footnotes"], ["Footnotes 2"]]
    assert shared.render("# Hours", Site(), page).headings == ((2, "hours-2", "Hours"),)
    assert shared.render(text, Site()).html == first


@pytest.mark.parametrize("language", ["de", "de-AT", "DE"])
def test_notes_and_tables_are_named_in_the_language_of_the_page(language: str) -> None:
    text = "Note[^n]\n\n| a |\n|---|\n| b |\n\n[^n]: Here."
    shared = Markup()
    names = ["Tabelle", "Fußnoten", "Zurück zum Text"]
    for _ in range(2):
        german = shared.render(text, Site(), language=language)
        assert re.findall(r'aria-label="([^"]*)"', german.html) == names
        english = shared.render(text, Site(), language="eu")
        assert "Back to the text" in english.html, "nobody has told us the words of Basque"
    assert shared.clean(german.html) == german.html


# ---- any text -----------------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        *"[]()!*_`~<>&#|:-+=\\\"'^ \n\tax1",
        *("[^a]", "[^a]: ", "](", "](x)", "![", "```", "\n\n", "    ", "> ", "- ", "1. ", ": "),
        *("javascript:", "&#106;", "<script>", " onerror=", "<svg ", "&quot;", "\r", "\0"),
        *("\u2028", "\ud800", "# ", "<http://x>", "page:1", "|-|"),
    ]
)
TEXTS = st.lists(PIECES, max_size=60).map("".join) | st.text(max_size=200)


@given(st.lists(TEXTS, min_size=1, max_size=4), st.lists(st.integers(0, 7), max_size=12))
@settings(max_examples=200, deadline=None)
def test_what_was_rendered_before_changes_nothing(texts: list[str], turns: list[int]) -> None:
    """Two pages of two sites, of the same few texts in any order."""
    shared, pages = Markup(), [(Ids(), Ids()), (Ids(), Ids())]
    for turn in turns:
        site, (ours, theirs) = ((Site, Everything)[turn % 2](), pages[turn // 2 % 2])
        text = texts[turn % len(texts)]
        assert shared.render(text, site, ours) == Markup().render(text, site, theirs)


@given(TEXTS)
@settings(max_examples=300, deadline=None)
def test_any_text_becomes_a_well_formed_safe_fragment(text: str) -> None:
    rendered = render(text)
    assert_safe(rendered.html)
    assert MARKUP.clean(rendered.html) == rendered.html
    idents = re.findall(r' id="([^"]*)"', rendered.html)
    assert len(idents) == len(set(idents))


@given(TEXTS)
@settings(max_examples=200, deadline=None)
def test_cleaning_any_html_is_safe_and_stable(text: str) -> None:
    text = text.replace("\ud800", "")
    once = MARKUP.clean(text)
    assert_safe(once)
    assert MARKUP.clean(once) == once


@pytest.mark.campaign
@given(TEXTS)
@settings(max_examples=20_000, deadline=None)
def test_a_great_many_texts_become_well_formed_safe_fragments(text: str) -> None:
    rendered = render(text)
    assert_safe(rendered.html)
    assert MARKUP.clean(rendered.html) == rendered.html


# ---- time ------------------------------------------------------------------------------------

HOSTILE = [
    "[", "![", "*", "_a*", "*_", "**a *b ", ">", ">a\n", "- ", "- a\n", "`a", "`a``b", "[a](",
    "[a](<b", '[a](b "', "[a](b (", "<", "<http:", "&", "&#", "[^a", "[^a]", "[a]", "[a][", "~~a",
    "|a\n", "|", "|a|\n|-|\n", "# a\n", "[a]: b\n", "[a\n", "[^a]: ", "[^a]: b\n", "a\n: b\n",
    "\u0315\u0300",
    "a\n\n: ", "```\n", "a\n", "\\", "![[]()", "[![a](b)](c)", "[[[]", "\t", ":\n",
]  # fmt: skip
PREFIXES = {
    "reference": "[x]: y\n\n",
    "note": "[^x]: y\n\n",
    "heading": "# ",
    "depth": f"{'> ' * 19}a\n",
    "nothing": "",
}


def _cpu_seconds(text: str, rounds: int = 1) -> float:
    """The least of several measurements; collecting garbage is not the parser's time."""
    found = []
    gc.disable()
    try:
        for _ in range(rounds):
            start = time.process_time()
            render(text)
            found.append(time.process_time() - start)
    finally:
        gc.enable()
    return min(found)


@pytest.mark.parametrize("prefix", PREFIXES)
def _grows(make: Callable[[int], str], rounds: int) -> bool:
    """Whether eight times the text takes far more than eight times as long: with a quadratic part
    it would be 64 times."""
    small, large = make(2_000), make(16_000)
    return _cpu_seconds(large, rounds) > 24 * max(_cpu_seconds(small, rounds), 0.003)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_hostile_text_takes_time_in_proportion_to_its_length(prefix: str) -> None:
    def grows(unit: str, rounds: int) -> bool:
        return _grows(lambda size: PREFIXES[prefix] + unit * (size // len(unit)), rounds)

    # A machine with much else to do is asked again before the parser is blamed.
    assert not [unit for unit in HOSTILE if grows(unit, 1) and grows(unit, 5)]


#: What opens and closes, as deep as the text allows, and what becomes longer as it goes on.
NESTED = [
    ("[", "]"), ("[", "](x)"), ("[", "][x]"), ("![", "](x)"), ("[^", "]"), ("[a](", "("),
    ("(", ")"), ("*a ", "a* "), ("**a", " b**"), ("_*a ", "b*_ "), ("~~a ", "b~~ "), ("<", ">"),
    ("]", "["),
]  # fmt: skip


def _longer_and_longer(mark: str) -> Callable[[int], str]:
    return lambda size: "".join(mark * n + "a " for n in range(1, int((2 * size) ** 0.5)))


def _table(size: int) -> str:
    columns = int(size**0.5)
    return "|a" * columns + "|\n" + "|-" * columns + "|\n" + "|b\n" * (size // 3)


def _deep_list(size: int) -> str:
    return "\n".join("  " * n + "- a" for n in range(int(size**0.5)))


@pytest.mark.parametrize("prefix", ["reference", "nothing"])
def test_what_is_nested_takes_time_in_proportion_to_its_length(prefix: str) -> None:
    def nested(opening: str, closing: str) -> Callable[[int], str]:
        def make(size: int) -> str:
            deep = size // len(opening + closing)
            return PREFIXES[prefix] + opening * deep + "a" + closing * deep

        return make

    makers = [nested(*pair) for pair in NESTED] + [_longer_and_longer(m) for m in "`~*_"]
    makers += [_table, _deep_list]
    assert not [make(60) for make in makers if _grows(make, 1) and _grows(make, 5)]


def test_a_hundred_thousand_brackets_end_soon() -> None:
    assert max(_cpu_seconds(unit * 100_000) for unit in "[*>") < 10


def test_references_cannot_blow_a_text_up() -> None:
    text = f"[a]: https://x.example/{'x' * 50_000}\n\n" + "[a] " * 20_000
    assert len(render(text).html) < 10 * len(text)


def test_a_picture_nested_in_pictures_ends() -> None:
    assert_safe(render("![" * 2_000 + "](x)" * 2_000).html)


@pytest.mark.campaign
@pytest.mark.parametrize("unit", HOSTILE)
def test_a_million_hostile_characters_end(unit: str) -> None:
    assert _cpu_seconds("[^x]: y\n\n" + unit * (1_000_000 // len(unit))) < 120


def test_an_ordinary_page_is_rendered_in_a_few_milliseconds() -> None:
    page = (
        "## A heading\n\nSome *words* with a [link](page:1), `code` and a footnote.[^1]\n\n"
        "- one\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n"
        + "The fire goes in at two in the afternoon, and by midnight it has burned out. " * 6
        + "\n\n"
    ) * 21 + "[^1]: a note"
    assert len(page) > 12_000
    assert _cpu_seconds(page, 9) < 0.025
