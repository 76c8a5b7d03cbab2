"""Pictures in a page: sized, offered in several sizes, and safe whatever is written into them."""

from __future__ import annotations

import re
import uuid
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment
from markupsafe import Markup

from mosaic_cms.content.markup import Markup as TextMarkup
from mosaic_cms.pictures.geometry import Shape
from mosaic_cms.pictures.picture import Original, Picture, mark_of, read_place
from mosaic_cms.pictures.tag import hasten, image, image_url, in_text

DIGEST = "3f" * 12
ID = uuid.UUID("0198c1f2-0000-7000-8000-0000000000aa")


def photograph(
    width: int = 4000, height: int = 3000, focal: tuple[int, int] = (50, 50), name: str = "a.jpg"
) -> Picture:
    url = f"/-/media/{DIGEST}/{name}"
    return Picture(url, width, height, "A kiln", 800, Original(ID, focal))


class Elements(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"an attribute twice: {names}"
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def only(self, tag: str) -> dict[str, Any]:
        (attributes,) = (attributes for name, attributes in self.found if name == tag)
        return attributes


def widths(srcset: str) -> list[int]:
    return [int(width) for width in re.findall(r" (\d+)w", srcset)]


def test_a_template_fills_a_size() -> None:
    environment = Environment(autoescape=True)
    environment.globals["image"] = image
    template = '{{ image(picture, "800x450", fill=True, class="wide") }}'
    html = environment.from_string(template).render(picture=photograph(focal=(30, 60)))
    elements = Elements(html)
    assert [tag for tag, _ in elements.found] == ["picture", "source", "img"]
    shown = elements.only("img")
    assert (shown["width"], shown["height"], shown["alt"]) == ("800", "450", "A kiln")
    assert (shown["loading"], shown["decoding"], shown["class"]) == ("lazy", "async", "wide")
    assert shown["sizes"] == "(min-width: 800px) 800px, 100vw"
    assert widths(shown["srcset"]) == [320, 480, 640, 800, 1088, 1440]
    mark = mark_of(ID, Shape((16, 9), (30, 60)))
    assert shown["src"] == f"/-/media/{DIGEST}/16x9-30-60-{mark}/800.webp"
    offered = elements.only("source")
    assert offered["type"] == "image/avif"
    assert offered["sizes"] == shown["sizes"]
    assert widths(offered["srcset"]) == widths(shown["srcset"])
    assert offered["srcset"] == shown["srcset"].replace(".webp", ".avif")


def test_what_is_not_filled_is_fitted_and_whole() -> None:
    for size, expected in {
        "": ("4000", "3000"),
        "800": ("800", "600"),
        "800x450": ("600", "450"),
        "x300": ("400", "300"),
        "9000": ("4000", "3000"),
    }.items():
        shown = Elements(image(photograph(), size)).only("img")
        assert (shown["width"], shown["height"]) == expected
        assert "/whole-" in shown["src"]


def test_nothing_is_offered_larger_than_the_picture_or_than_anybody_sees() -> None:
    small = Elements(image(photograph(500, 400), "800x450", fill=True)).only("img")
    assert widths(small["srcset"]) == [320, 480, 496]
    assert (small["width"], small["height"]) == ("496", "279")
    assert widths(Elements(image(photograph(), "100x100", fill=True)).only("img")["srcset"]) == [
        320
    ]
    whole = Elements(image(photograph(), "480")).only("img")
    assert max(widths(whole["srcset"])) == 1080
    tiny = Elements(image(photograph(200, 100)))
    assert [tag for tag, _ in tiny.found] == ["img"]
    assert "srcset" not in tiny.only("img")


def test_what_no_decoder_of_avif_takes_is_offered_as_webp_alone() -> None:
    assert [tag for tag, _ in Elements(image(photograph(1000, 12_000), "640")).found] == ["img"]
    offered = Elements(image(photograph(1000, 8_000), "640")).only("source")
    assert widths(offered["srcset"])[-1] == 1000


def test_a_webp_is_its_own_largest_size() -> None:
    found = photograph(1200, 800, name="über, a.webp")
    shown = Elements(image(found)).only("img")
    assert shown["srcset"].endswith(f"/-/media/{DIGEST}/%C3%BCber%2C%20a.webp 1200w")
    assert "a.webp" not in Elements(image(found, "800x450", fill=True)).only("img")["srcset"]
    assert Elements(image(found)).only("source")["srcset"].endswith("/1200.avif 1200w")


def test_a_picture_without_renditions_is_shown_as_it_is() -> None:
    for found in (
        Picture("/-/media/x/a.gif", 900, 600),
        Picture("https://a.example/b.jpg", None, None),
    ):
        elements = Elements(image(found, "450", alt="Moving"))
        assert [tag for tag, _ in elements.found] == ["img"]
        shown = elements.only("img")
        assert (shown["src"], shown["alt"], shown["loading"]) == (found.url, "Moving", "lazy")
        size = ("450", "300") if found.width else (None, None)
        assert (shown.get("width"), shown.get("height")) == size
        assert in_text(found) == {"src": found.url}
        assert image_url(found, "450") == found.url
    assert image(None) == ""
    assert image_url(None, "450") == ""


def test_what_a_style_sheet_crops_keeps_its_focal_point_in_sight() -> None:
    assert "style" not in Elements(image(photograph(), "800")).only("img")
    whole = Elements(image(photograph(focal=(10, 80)), "800")).only("img")
    assert whole["style"] == "object-position:10% 80%"
    assert "style" not in Elements(image(photograph(focal=(10, 80)), "8x8", fill=True)).only("img")


@pytest.mark.parametrize("size", ["800px", "x", "0", "800x", "-1", "800 x 450", "٨٠٠", "1" * 9])
def test_what_is_no_size_is_said(size: str) -> None:
    with pytest.raises(ValueError, match="is no size of a picture"):
        image(photograph(), size)


@pytest.mark.parametrize(
    "name",
    ["onload", "src", "srcset", "style", "width", "loading", "a b", 'x"', "X", "fetchpriority"],
)
def test_an_attribute_that_could_do_harm_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="takes no attribute"):
        image(photograph(), **{name: "1"})


def test_filling_needs_both_sides() -> None:
    with pytest.raises(ValueError, match="needs its width and height"):
        image(photograph(), "800", fill=True)


@given(st.text(), st.text(), st.text(), st.booleans())
def test_nothing_that_is_written_into_a_picture_leaves_its_attribute(
    alt: str, sizes: str, name: str, fill: bool
) -> None:
    found = Picture(f"/-/media/{DIGEST}/{name}", 900, 600, "", 800, Original(ID, (1, 2)))
    for words in (alt, Markup(alt)):
        html = image(found, "300x200", fill=fill, alt=words, sizes=sizes, class_=words, data_x=alt)
        elements = Elements(html)
        assert [tag for tag, _ in elements.found] == ["picture", "source", "img"]
        assert elements.text == ""
        assert set(elements.only("img")) <= {
            *("src", "alt", "class", "data-x", "style", "width", "height", "srcset", "sizes"),
            *("loading", "decoding"),
        }
    assert Elements(image(found, alt=alt)).only("img")["alt"] == alt


def test_the_first_picture_of_a_page_does_not_wait() -> None:
    one, two = image(photograph(), "300"), image(photograph(), "400", class_="b")
    page = f'<p title="a > b"><code>&lt;img loading="lazy"</code>{one}{two}</p>'
    hastened = hasten(page)
    assert hastened.count('loading="lazy"') == page.count('loading="lazy"') - 1
    assert hastened.index('fetchpriority="high"') < hastened.index('class="b"')
    assert '<code>&lt;img loading="lazy"' in hastened
    assert hasten(hastened) == hastened
    first = f"{image(photograph(), first=True)}{two}"
    assert 'loading="lazy"' not in first.partition("<picture>")[2].partition("<picture>")[0]
    assert hasten(first) == first
    assert hasten("<p>No picture</p>") == "<p>No picture</p>"


def test_a_picture_in_a_text_is_offered_in_sizes_too() -> None:
    class Site:
        def link(self, target: str) -> str | None:
            return target

        def picture(self, target: str) -> Picture | None:
            return photograph()

    markup = TextMarkup()
    for html in (
        markup.render('![A "jug"](media:1 "T")', Site()).html,
        markup.rich('<p><img src="media:1" alt="A &quot;jug&quot;" title="T"></p>', Site()),
    ):
        shown = Elements(html).only("img")
        assert (shown["alt"], shown["title"]) == ('A "jug"', "T")
        assert (shown["width"], shown["height"]) == ("4000", "3000")
        assert widths(shown["srcset"]) == [320, 480, 640, 800, 1080, 1440]
        assert shown["sizes"] == "(min-width: 800px) 800px, 100vw"
        assert shown["src"].endswith("/800.webp")
        assert (shown["loading"], shown["decoding"]) == ("lazy", "async")


def test_many_pictures_in_a_text_stay_in_bounds() -> None:
    class Site:
        def link(self, target: str) -> str | None:
            return target

        def picture(self, target: str) -> Picture | None:
            return photograph()

    html = TextMarkup().render("![a](media:1) " * 5_000, Site()).html
    assert html.count("<img") == 5_000
    assert 500 < html.count("srcset") < 2_000
    assert len(html) < 2_000_000


def test_addresses_are_proven_by_the_page_that_gives_them_out() -> None:
    found = photograph(focal=(1, 99))
    for address in re.findall(r"/-/media/[^ ]+", str(image(found, "800x450", fill=True))):
        place = address.strip('",').removeprefix(f"/-/media/{DIGEST}/")
        read = read_place(place)
        assert read is not None
        wanted, mark = read
        assert mark == mark_of(ID, wanted.shape)
        assert mark != mark_of(uuid.uuid4(), wanted.shape)
        assert wanted.shape == Shape((16, 9), (1, 99))
        assert wanted.key("media/3f/x/a.jpg").startswith("media/3f/x/renditions-1/16x9-1-99/")
    assert str(ID) not in image(found)
    for place in ("a.jpg", "whole-000000000000", "whole-00000000000g/800.webp",
                  "whole-000000000000/0800.webp", "whole-000000000000/800.png",
                  "whole-000000000000/800.webp/", "32x18-50-50-000000000000/800.webp"):  # fmt: skip
        assert read_place(place) is None


def test_a_picture_is_kept_as_json() -> None:
    for found in (photograph(focal=(3, 4)), Picture("https://a.example/", None, None, "x")):
        assert Picture.of(found.facts()) == found
    old = {"url": "/-/media/x/a.jpg", "width": 3, "height": 2, "alt": "x"}
    assert Picture.of(old) == Picture("/-/media/x/a.jpg", 3, 2, "x")
