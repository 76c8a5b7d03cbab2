"""The themes that ship: each shows everything, to everybody, in a few kilobytes."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from itertools import accumulate
from typing import Any
from urllib.parse import urlsplit

import pytest

from mosaic_cms.blocks.standard.more import Form
from mosaic_cms.themes import Theme
from tests.axe import axe_script, violations
from tests.cms import specimens
from tests.cms.blocks.samples import NOW, SAMPLES
from tests.cms.specimens import LAYOUTS, SHIPPED, document
from tests.processes import chromium

ERRORS = ("404", "500")
VOID = frozenset({"br", "col", "hr", "img", "input", "link", "meta", "source", "track", "wbr"})
#: Of a picture that stands for the one in a test.
PIXEL = b'<svg xmlns="http://www.w3.org/2000/svg" width="3" height="2"><path d="M0 0h3v2z"/></svg>'
LANGUAGES = ("en", "tr", "de", "fr", "es", "ar")


@cache
def shipped(name: str) -> Theme:
    return specimens.theme(name)


def styles(name: str) -> str:
    """The style of a theme as a page loads it, without comments."""
    theme = shipped(name)
    (sheet,) = re.findall(r'<link rel="stylesheet" href="([^"]*)"', document(theme, "page"))
    content = theme.assets[sheet.rpartition("/")[2]].content.decode()
    return re.sub(r"(?s)/\*.*?\*/", "", content)


class Checked(HTMLParser):
    """Reads a document and notes what is wrong with it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.ids: list[str] = []
        self.named: list[str] = []
        self.addresses: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        self.faults += [f"<{tag}> is not closed" for tag in self._open]
        self.faults += [f"two ids {i!r}" for i in set(self.ids) if self.ids.count(i) > 1]
        self.faults += [f"nothing has the id {i!r}" for i in self.named if i not in self.ids]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if len(given) < len(attrs):
            self.faults.append(f"<{tag}> has an attribute twice")
        if tag == "img" and not {"alt", "width", "height"} <= given.keys():
            self.faults.append(f"a picture without alt, width or height: {attrs}")
        if tag in {"p", "h1", "h2", "h3", "div", "ul", "table"} and "p" in self._open:
            self.faults.append(f"<{tag}> inside <p>")
        if tag == "li" and self._open[-1] not in {"ul", "ol"}:
            self.faults.append(f"<li> inside <{self._open[-1]}>")
        if tag == "script" or any(name.startswith("on") for name in given):
            self.faults.append(f"a script: {self.get_starttag_text()}")
        self.ids += [given["id"] or ""] if "id" in given else []
        for name in ("for", "aria-labelledby", "aria-describedby"):
            self.named += (given.get(name) or "").split()
        loads = tag in {"link", "img", "video", "source", "track", "iframe"}
        self.addresses += [given.get("src") or given.get("href") or ""] if loads else []
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1] != tag:
            self.faults.append(f"</{tag}> closes {self._open[-1:]}")
        if tag in self._open:
            del self._open[len(self._open) - 1 - self._open[::-1].index(tag) :]


@pytest.mark.parametrize("name", SHIPPED)
def test_every_layout_is_well_formed_with_everything_and_with_nothing(name: str) -> None:
    theme = shipped(name)
    assert set(LAYOUTS) <= theme.layouts
    for layout in (*LAYOUTS, *ERRORS):
        for alone in (False, True):
            text = document(theme, layout, alone=alone)
            checked = Checked(text)
            assert checked.faults == [], f"{layout}, alone: {alone}"
            assert text.count("<h1") == 1, layout
            assert 'href="#main"' in text
            assert all(not urlsplit(found).netloc for found in checked.addresses)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_choice_of_every_setting_is_in_the_shell(name: str) -> None:
    theme = shipped(name)
    for key, setting in theme.manifest.settings.items():
        for choice in setting.choices:
            text = document(theme, "404", **{key: choice})
            assert f'data-{key}="{choice}"' in text
            if choice != setting.default:
                other = next(value for value in setting.choices if value != choice)
                uses = {f'[data-{key}="{value}"]' for value in (choice, other)}
                assert any(use in styles(name) for use in uses), f"{key} changes nothing"


@pytest.mark.parametrize("name", SHIPPED)
def test_a_second_level_of_each_menu_is_shown_and_says_where_the_visitor_is(name: str) -> None:
    text = document(shipped(name), "page")
    for address in ("/visit/way/", "/people/press/"):
        assert f'href="{address}"' in text
    assert text.count('<a href="/visit/hours/" aria-current="true">Hours</a>') == 3
    assert "Press &amp; friends" in text
    alone = document(shipped(name), "page", alone=True)
    assert re.findall(r'<nav class="([^"]*)"', alone) == ["languages"]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_long_list_has_the_addresses_of_its_other_pages(name: str) -> None:
    text = document(shipped(name), "list")
    assert '<a rel="prev" href="/a/">Previous</a>' in text
    assert '<a rel="next" href="/a/?page=3">Next</a>' in text
    assert "2 / 3" in text
    assert "pagination" not in document(shipped(name), "list", alone=True)


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_theme_speaks_the_language_of_its_site(name: str, language: str) -> None:
    theme = shipped(name)
    assert f'lang="{language}"' in document(theme, "post", language=language)
    skip = re.compile(r'href="#main">([^<]+)<')
    said = [skip.findall(document(theme, "404", language=code)) for code in (language, "xx")]
    assert (said[0] == said[1]) is (language == "en")


@pytest.mark.parametrize("name", SHIPPED)
def test_a_page_with_every_block_is_small(name: str) -> None:
    theme = shipped(name)
    assert len(gzip.compress(styles(name).encode(), 6)) < 20_000
    assert len(gzip.compress(document(theme, "page").encode(), 6)) < 15_000
    assert len(gzip.compress(document(theme, "404", alone=True).encode(), 6)) < 1_500


@pytest.mark.parametrize("name", SHIPPED)
def test_nothing_is_loaded_from_elsewhere(name: str) -> None:
    for asset in shipped(name).assets.values():
        text = asset.content.decode().replace("http://www.w3.org/2000/svg", "")
        assert "//" not in text.replace("*/", "").replace("/*", ""), asset.name
        assert "@import" not in text
        assert "@font-face" not in text


#: Where a side is meant, not the start or the end of a line: the slope of a colour, a pattern that
#: is turned round for right-to-left as a whole, shades at both edges, and how Markdown marks cells.
SIDES = re.compile(
    r'\[align="right"\]|\[style\*="right"\]|to top right|\btop right|at 100%|'
    r"(?:left|right) / [\d.]+rem 100%"
)
_LENGTH = r"(-?[\d.]+\w*|auto|max\([^;]*?\))"
FOUR = re.compile(rf"\b(?:margin|padding|inset): {_LENGTH} {_LENGTH} {_LENGTH} {_LENGTH};")


@pytest.mark.parametrize("name", SHIPPED)
def test_a_style_sheet_knows_start_and_end_and_no_left_or_right(name: str) -> None:
    css = styles(name)
    assert re.findall(r"[^\n]*\b(?:left|right)\b[^\n]*", SIDES.sub("", css)) == []
    assert [found for found in FOUR.findall(css) if found[1] != found[3]] == []


@pytest.mark.parametrize("name", SHIPPED)
def test_a_style_sheet_minds_what_a_visitor_prefers(name: str) -> None:
    css = styles(name)
    for needed in ("prefers-color-scheme: dark", "@media print", ":focus-visible", ".skip:focus"):
        assert needed in css
    for media, selector, body in rules(css):
        if re.search(r"\b(?:transition|animation)\b", body):
            assert media == "@media (prefers-reduced-motion: no-preference)", selector


# Contrast: WCAG 2.2, 1.4.3 and 1.4.11

TEXT, PART = 4.5, 3.0
_CODE = ("code-word", "code-name", "code-text", "code-value", "code-quiet")
_TONES = ("tip", "warning", "danger")
#: For each theme: the setting with its colours, and (what is drawn, on what, least ratio).
PAIRS: dict[str, tuple[str, list[tuple[str, str, float]]]] = {
    "iznik": (
        "palette",
        [
            *((ink, "page", TEXT) for ink in ("ink", "soft", "accent", "title")),
            *((ink, "wash", TEXT) for ink in ("ink", "soft", "accent", "title")),
            *((ink, "surface", TEXT) for ink in ("ink", "soft", "accent", "title")),
            ("on-deep", "deep", TEXT),
            ("on-deep-soft", "deep", TEXT),
            ("on-night", "night", TEXT),
            ("on-night-soft", "night", TEXT),
            ("page", "title", TEXT),
            *((code, "wash", TEXT) for code in _CODE),
        ],
    ),
    "folio": (
        "accent",
        [
            *((ink, "page", TEXT) for ink in ("ink", "soft", "accent")),
            *((ink, "wash", TEXT) for ink in ("ink", "soft", "accent", *_TONES, *_CODE)),
            ("on-accent", "accent", TEXT),
            ("page", "ink", TEXT),
            ("danger", "page", TEXT),
            ("edge", "page", PART),
        ],
    ),
    "harbour": (
        "palette",
        [
            *((ink, "page", TEXT) for ink in ("ink", "soft", "accent")),
            *((ink, "wash", TEXT) for ink in ("ink", "soft", "accent", *_TONES, *_CODE)),
            *((ink, "surface", TEXT) for ink in ("ink", "soft", "accent")),
            *((ink, "deep", TEXT) for ink in ("on-deep", "on-deep-soft", "spark")),
            ("on-accent", "accent", TEXT),
            ("page", "ink", TEXT),
            ("danger", "page", TEXT),
            ("edge", "page", PART),
            ("edge", "wash", PART),
        ],
    ),
}


def rules(css: str, media: str = "") -> Iterator[tuple[str, str, str]]:
    """Each rule's media query (or other condition), selector and body, in order."""
    while "{" in css:
        head, _, css = css.partition("{")
        depths = accumulate(({"{": 1, "}": -1}.get(mark, 0) for mark in css), initial=1)
        end = next(at for at, depth in enumerate(depths) if depth == 0)
        body, css = css[: end - 1], css[end:]
        if head.strip().startswith("@"):
            yield from rules(body, head.strip())
        else:
            yield media, head.strip(), body


def colours(name: str, setting: str, choice: str, scheme: str) -> dict[str, str]:
    """The variables as a browser finds them: all selectors weigh the same, so later rules win."""
    found: dict[str, str] = {}
    for media, selector, body in rules(styles(name)):
        here = media in {"", f"@media (prefers-color-scheme: {scheme})"}
        if here and selector in {":root", ".block-code", f'[data-{setting}="{choice}"]'}:
            found |= dict(re.findall(r"--([\w-]+):\s*([^;]+);", body))
    return found


def luminance(colour: str) -> float:
    """Relative luminance, as WCAG 2.2 defines it, of ``#rgb`` or ``#rrggbb``."""
    digits = colour.removeprefix("#")
    if len(digits) == 3:
        digits = "".join(digit * 2 for digit in digits)
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_computed_as_wcag_says() -> None:
    assert contrast("#000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#fff") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", SHIPPED)
def test_every_palette_can_be_read(name: str, scheme: str) -> None:
    setting, pairs = PAIRS[name]
    choices = shipped(name).manifest.settings[setting].choices
    shades = {choice: colours(name, setting, choice, scheme) for choice in choices}
    assert len({tuple(sorted(found.items())) for found in shades.values()}) == len(choices)
    weak = []
    for choice, found in shades.items():
        for drawn, ground, least in pairs:
            ratio = contrast(found[drawn], found[ground])
            if ratio < least:
                weak.append(f"{choice}: {drawn} on {ground} is {ratio:.2f}")
    assert weak == []


# In a browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    path = chromium()
    axe_script()
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=path,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--no-first-run",
            ],
        )
        yield started
        started.close()


def shown(
    browser: Any,
    theme: Theme,
    text: str,
    scheme: str,
    width: int,
    held: list[Any] | None = None,
) -> Any:
    """A document in a page of its own; what it loads comes from the theme. Pictures are put into
    ``held`` if that is given, and not answered."""

    def answer(route: Any) -> None:
        path = urlsplit(route.request.url).path
        asset = theme.assets.get(path.rpartition("/")[2])
        if path == "/page/":
            route.fulfill(body=text, content_type="text/html; charset=utf-8")
        elif asset is not None:
            route.fulfill(body=asset.content, content_type=asset.content_type)
        elif held is not None:
            held.append(route)
        else:
            route.fulfill(body=PIXEL, content_type="image/svg+xml")

    size = {"width": width, "height": 900}
    context = browser.new_context(
        viewport=size, color_scheme=scheme, reduced_motion="reduce", service_workers="block"
    )
    page = context.new_page()
    page.route("**/*", answer)
    until = "load" if held is None else "domcontentloaded"
    page.goto("http://site.invalid/page/", wait_until=until)
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", SHIPPED)
def test_axe_finds_nothing_on_a_page_with_every_block(browser: Any, name: str, scheme: str) -> None:
    theme = shipped(name)
    page = shown(browser, theme, document(theme, "page"), scheme, 1280)
    page.locator(".menu details details summary").first.click()
    assert page.locator(".menu a[href='/visit/hours/']").is_visible()
    assert violations(page) == []
    page.context.close()


@pytest.mark.parametrize("layout", ["home", "post", "list", "404"])
@pytest.mark.parametrize("name", SHIPPED)
def test_axe_finds_nothing_on_the_other_layouts(browser: Any, name: str, layout: str) -> None:
    theme = shipped(name)
    words = specimens.Safe('<div class="block block-markdown flow"><p>Some words.</p></div>')
    scheme = "light" if layout in {"home", "404"} else "dark"
    page = shown(browser, theme, document(theme, layout, words), scheme, 390)
    page.locator(".menu summary").first.click()
    assert violations(page) == []
    page.context.close()


@pytest.mark.parametrize("name", SHIPPED)
def test_axe_finds_nothing_on_a_form_that_is_shown_again_or_was_sent(
    browser: Any, name: str
) -> None:
    theme = shipped(name)
    context = {"block": Form.model_validate(SAMPLES["form"]), "id": "f", "page": NOW}
    wrong = {"values": {"name": "Ada"}, "errors": {"mail": "No.", "ok": "No."}, "summary": "Look"}
    sent = {"sent": True}
    for state, said, scheme in ((wrong, ".field-error", "dark"), (sent, ".form-sent", "light")):
        body = specimens.Safe(theme.render("blocks/form", **context, **state))
        page = shown(browser, theme, document(theme, "page", body), scheme, 390)
        assert page.locator(said).first.is_visible()
        assert violations(page) == []
        page.context.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
@pytest.mark.parametrize("name", SHIPPED)
def test_what_stands_beside_the_text_of_a_page_is_next_to_it_where_there_is_room(
    browser: Any, name: str, scheme: str, width: int
) -> None:
    theme = shipped(name)
    assert "aside" in theme.manifest.layouts["page"].regions
    aside = specimens.Safe('<div class="block block-markdown flow"><p>Open from 10.</p></div>')
    page = shown(browser, theme, document(theme, "page", aside=aside), scheme, width)
    text, beside = (page.locator(at).bounding_box() for at in (".prose >> nth=0", ".aside"))
    if width > 1280:
        assert beside["x"] >= text["x"] + text["width"] - 1
        assert abs(beside["y"] - text["y"]) < 40
    else:
        assert beside["y"] >= text["y"] + text["height"] - 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert violations(page) == []
    page.context.close()


@pytest.mark.parametrize("name", SHIPPED)
def test_a_page_with_nothing_beside_its_text_has_no_room_for_it(name: str) -> None:
    for aside in ("", specimens.Safe("")):
        text = document(shipped(name), "page", alone=True, aside=aside)
        assert 'class="beside' not in text
        assert 'class="aside' not in text


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
@pytest.mark.parametrize("name", SHIPPED)
def test_no_page_scrolls_sideways_on_the_smallest_screen(
    browser: Any, name: str, direction: str
) -> None:
    theme = shipped(name)
    language = "ar" if direction == "rtl" else "en"
    page = shown(
        browser,
        theme,
        document(theme, "page", language=language, direction=direction),
        "light",
        320,
    )
    for width in (320, 768, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        across = page.evaluate("document.documentElement.scrollWidth")
        assert across <= width, f"{across} px wide at {width}"
    page.context.close()


@pytest.mark.parametrize("layout", specimens.LAYOUTS)
@pytest.mark.parametrize("name", SHIPPED)
def test_a_word_without_a_place_to_break_stays_on_the_page(
    browser: Any, name: str, layout: str
) -> None:
    theme, word = shipped(name), "Lebensmittelkennzeichnungs" * 4
    html = document(theme, layout)
    for told in ("Gas is cheaper.", "A third.", "Two", "Three", specimens._LONG, "Its summary"):
        html = html.replace(told, word)
    page = shown(browser, theme, html, "light", 320)
    for width in (320, 768, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        across = page.evaluate("document.documentElement.scrollWidth")
        assert across <= width, f"{across} px wide at {width}"
    page.context.close()


@pytest.mark.parametrize("name", SHIPPED)
def test_nothing_moves_while_pictures_arrive(browser: Any, name: str) -> None:
    theme = shipped(name)
    held: list[Any] = []
    page = shown(browser, theme, document(theme, "page"), "light", 1280, held)
    before = page.evaluate(
        """() => {
          for (const image of document.images) image.loading = "eager";
          return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(
            () => done(document.body.scrollHeight))));
        }"""
    )
    page.evaluate(
        """() => {
          const moved = window.moved = [];
          new PerformanceObserver((list) => {
            for (const entry of list.getEntries())
              for (const { node } of entry.sources) moved.push(`${entry.value} ${node?.nodeName}`);
          }).observe({ type: "layout-shift" });
        }"""
    )
    page.wait_for_timeout(100)
    assert len(held) >= 2, "pictures that have not come yet"
    for route in held:
        route.fulfill(body=PIXEL, content_type="image/svg+xml")
    moved = page.evaluate(
        """async () => {
          await Promise.all(Array.from(document.images, (image) => image.decode()));
          await new Promise((done) => setTimeout(done, 200));
          return window.moved;
        }"""
    )
    assert moved == []
    assert page.evaluate("document.body.scrollHeight") == before
    page.context.close()
