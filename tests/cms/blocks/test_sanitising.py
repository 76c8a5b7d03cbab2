"""Whatever HTML people write, what is kept and what is shown holds nothing that runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element

import html5lib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from mosaic_cms.blocks.base import RawHtml, RichText
from mosaic_cms.blocks.sanitise import RAW, RICH, Sanitiser
from mosaic_cms.content.markup import Markup
from tests.cms.blocks.samples import GONE, MEDIA_ID, PAGE_ID, Resolver
from tests.cms.blocks.vectors import VECTORS
from tests.processes import chromium

LISTS = [pytest.param(RICH, id="rich"), pytest.param(RAW, id="raw")]


def names(text: str) -> set[str]:
    return set(text.split())


PLAIN = names(
    "p h2 h3 h4 h5 h6 strong em b i s u sub sup mark blockquote ul ol li hr br pre code a img "
    "table caption colgroup thead tbody tfoot tr th td figure figcaption"
)
WIDE = PLAIN | names(
    "div span section article header footer aside address dl dt dd summary small abbr cite q kbd "
    "samp var dfn del ins bdi bdo ruby rt rp wbr details time data audio video source track"
)
ATTRIBUTES = names(
    "href src alt title width height class start colspan rowspan scope rel loading decoding"
)
MORE = ATTRIBUTES | names(
    "dir lang aria-label aria-hidden open datetime value controls poster type kind srclang label"
)
SCHEME = re.compile(r"[\x00-\x20]*([a-z][a-z0-9+.-]*):", re.IGNORECASE)


def tree(html: str) -> Element:
    return html5lib.parseFragment(html, namespaceHTMLElements=False)


def elements(html: str) -> Iterator[Element]:
    return (element for element in tree(html).iter() if element.tag != "DOCUMENT_FRAGMENT")


def outline(html: str) -> Any:
    """The tree of some HTML, to be compared."""

    def of(element: Element) -> Any:
        inner = [of(child) for child in element]
        return (element.tag, sorted(element.attrib.items()), element.text, inner, element.tail)

    return of(tree(html))


def faults(html: str, tags: set[str], attributes: set[str], schemes: set[str]) -> list[str]:
    found = []
    for element in elements(html):
        if not isinstance(element.tag, str):
            found.append(f"a comment: {element.text}")
            continue
        if element.tag not in tags:
            found.append(f"<{element.tag}>")
        for name, value in element.attrib.items():
            if name not in attributes:
                found.append(f"<{element.tag} {name}>")
            visible = re.sub(r"[\x00-\x20\u200b-\u200f\ufeff]", "", value)
            scheme = SCHEME.match(visible)
            if name in {"href", "src", "poster"} and scheme and scheme[1].lower() not in schemes:
                found.append(f"{name}={value!r}")
    return found


@pytest.mark.parametrize("sanitiser", LISTS)
@pytest.mark.parametrize("number", range(len(VECTORS)))
def test_nothing_hostile_is_left_in_what_is_kept_or_shown(
    sanitiser: Sanitiser, number: int
) -> None:
    tags, having = (PLAIN, ATTRIBUTES) if sanitiser is RICH else (WIDE, MORE)
    for text in (VECTORS[number], f"<p>before {VECTORS[number]} after</p>"):
        kept = sanitiser.stored(text)
        addresses = {"http", "https", "mailto", "tel"}
        assert faults(kept, tags, having, {*addresses, "page", "media"}) == []
        assert faults(sanitiser.shown(text, Resolver()), tags, having, addresses) == []
        assert sanitiser.stored(kept) == kept
        assert outline(html5lib.serialize(tree(kept), omit_optional_tags=False)) == outline(kept)


def test_no_script_of_the_whole_corpus_runs_in_a_browser() -> None:
    from playwright.sync_api import sync_playwright

    markup = Markup()
    shown = [markup.rich(vector, Resolver()) for vector in VECTORS]
    shown += [RICH.shown(vector, Resolver()) for vector in VECTORS]
    whole = markup.rich("".join(VECTORS), Resolver())
    document = "".join(f"<div>{html}</div>" for html in [*shown, whole])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page()
        page.route("**/*", lambda route: route.abort())
        page.set_content("<p>control<img src=x onerror=window.__control=1>" + document)
        page.evaluate(
            """() => {
                for (const element of document.body.querySelectorAll('*'))
                    for (const kind of ['click', 'focus', 'load', 'error', 'toggle', 'mouseover',
                                        'animationstart', 'begin', 'start'])
                        element.dispatchEvent(new Event(kind, {cancelable: true}));
            }"""
        )
        page.wait_for_function("window.__control === 1")
        assert page.evaluate("window.__fired") is None
        assert (
            page.evaluate("document.querySelectorAll('script, iframe, form, object').length") == 0
        )
        # What a parser makes of it the second time is what it made of it the first.
        again = page.evaluate(
            """html => {
                const one = document.createElement('div'), two = document.createElement('div');
                one.innerHTML = html; two.innerHTML = one.innerHTML;
                return one.isEqualNode(two);
            }""",
            document,
        )
        assert again is True
        browser.close()


PIECES = st.sampled_from(
    [
        *(f"<{tag}>" for tag in (*sorted(WIDE), "svg", "math", "form", "style", "x", "select")),
        *(f"</{tag}>" for tag in (*sorted(WIDE), "svg", "math", "form", "style", "x", "select")),
        *(
            '<a href="x">',
            "<a title='<p>'>",
            "<!--",
            "-->",
            "\n",
            " ",
            "text",
            "&lt;",
            "&",
            "<",
            ">",
        ),
        *(
            "<",
            ">",
            '"',
            "'",
            "=",
            "<pre>\n\n",
            "<b a=1>",
            "<img alt='\">'>",
            "</",
            "<p/",
            "\x00",
            "&#0;",
        ),
    ]
)


@pytest.mark.parametrize("sanitiser", LISTS)
@given(text=st.lists(PIECES, max_size=40).map("".join) | st.text(max_size=60))
@settings(deadline=None, max_examples=250)
def test_what_was_sanitised_stays_as_it_is(sanitiser: Sanitiser, text: str) -> None:
    kept = sanitiser.stored(text)
    assert sanitiser.stored(kept) == kept
    assert outline(html5lib.serialize(tree(kept), omit_optional_tags=False)) == outline(kept)
    assert faults(kept, WIDE, MORE, {"http", "https", "mailto", "tel", "page", "media"}) == []


HOSTILE_SHAPES = [
    "<p>" + "".join(f"<b a{n}>" for n in range(9_000)) + "</p>" + "<p>x" * 9_000,
    "<p>" + "".join(f"<code class=language-{n}>" for n in range(4_000)) + "</p>" + "<p>x" * 9_000,
    "<div>" * 39_000,
    "<ul><li>" * 20_000,
    "<table><tr><td>" * 13_000,
    "<a " * 60_000,
    "<!--" * 49_000,
    "<a b='" * 30_000,
    "<script>" * 24_000,
    "<a " + "b" * 190_000 + ">",
    "<" * 40_000,
]


@pytest.mark.parametrize("number", range(len(HOSTILE_SHAPES)))
def test_text_that_is_written_to_grow_does_not(number: int) -> None:
    """Browsers repeat what is left open: the first of these has a tree of 80 million elements."""
    text = HOSTILE_SHAPES[number]
    assert len(RAW.stored(text)) <= 5 * len(text)


def test_words_are_kept_where_elements_are_not() -> None:
    assert RICH.stored("<x>one <center>two</center></x> 1 < 2") == "one two 1 &lt; 2"
    assert RICH.stored("<script>no</script>yes") == "yes"
    assert RICH.stored("<p>open <strong>words") == "<p>open <strong>words</strong></p>"
    deep = RICH.stored("<blockquote>" * 90 + "the words" + "</blockquote>" * 90)
    assert deep.count("<blockquote>") == 40
    assert "the words" in deep


def test_what_the_editor_makes_is_kept_as_it_is() -> None:
    made = (
        f'<h2>One</h2><p>A <strong>b</strong> <em>c</em> <a href="page:{PAGE_ID}#part">d</a>'
        f'<br>e</p><pre><code class="language-python">x = 1\n\ny</code></pre>'
        "<blockquote><p>q</p></blockquote><ul><li><p>1</p><ul><li><p>2</p></li></ul></li></ul>"
        '<ol start="3"><li><p>x</p></li></ol><hr>'
        '<table><tbody><tr><th colspan="2"><p>h</p></th></tr><tr><td><p>1</p></td>'
        "<td><p>2</p></td></tr></tbody></table>"
        f'<img src="media:{MEDIA_ID}" alt="A &amp; B">'
    )
    assert RICH.stored(made) == made
    assert RAW.stored(made) == made


def test_references_get_their_addresses_when_shown() -> None:
    shown = Markup().rich(
        f'<p><a href="page:{PAGE_ID}#a">in</a> <a href="https://x.example/?a=1&amp;b=2">out</a> '
        f'<a href="page:{GONE}">gone <b>page</b></a> <a href="media:{MEDIA_ID}">file</a></p>'
        f'<img src="media:{MEDIA_ID}" alt="jug" width="5"><img src="media:{GONE}" alt="no <jug>">',
        Resolver(),
    )
    assert shown == (
        '<p><a href="/visit/hours/#a">in</a> '
        '<a href="https://x.example/?a=1&amp;b=2" rel="noopener">out</a> '
        'gone <b>page</b> <a href="/-/media/d/tiles.jpg">file</a></p>'
        '<img src="/-/media/d/tiles.jpg" alt="jug" width="1200" height="800" loading="lazy" '
        'decoding="async">no &lt;jug&gt;'
    )


def test_what_a_resolver_says_is_not_trusted() -> None:
    class Hostile(Resolver):
        def link(self, target: str) -> str | None:
            return 'javascript:fire()" onclick="fire()'

        def picture(self, target: str) -> Any:
            from mosaic_cms.content.markup import Picture

            return Picture("data:image/svg+xml,<svg onload=fire()>", 1, 1)

    shown = Markup().rich('<a href="/x">a</a><img src="/x" alt="b">', Hostile())
    assert shown == "ab"


def test_players_play_the_sites_own_files_alone() -> None:
    kept = RAW.stored(
        f'<video src="media:{MEDIA_ID}" controls></video><audio src="https://spy.example/a"></audio>'
    )
    assert kept == f'<video src="media:{MEDIA_ID}" controls=""></video><audio></audio>'
    assert "<video" not in RICH.stored(kept)


def test_a_field_keeps_sanitised_html() -> None:
    assert TypeAdapter(RichText).validate_python("<p onclick=x>a<div>b") == "<p>ab</p>"
    assert "<div>b" in TypeAdapter(RawHtml).validate_python("<p onclick=x>a</p><div>b</div>")
    with pytest.raises(ValidationError, match="more than 200,000 characters once"):
        TypeAdapter(RichText).validate_python("<" * 190_000)
    with pytest.raises(ValidationError, match="at most 200000"):
        TypeAdapter(RichText).validate_python("x" * 200_001)
