"""What the bodies of posts become: blocks that fit their types, links that lead somewhere."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mosaic_cms.blocks.registry import BlockTypes
from mosaic_cms.blocks.sanitise import RICH
from mosaic_cms.blocks.standard import STANDARD
from mosaic_cms.blocks.stored import Stored, blocks_in, regions_of
from mosaic_cms.importing.wordpress import WordPressSite, read_wordpress, resolve, resolve_target
from tests.cms.importing import wxr

TYPES = BlockTypes(STANDARD)
PICTURE = f"{wxr.SITE}/wp-content/uploads/2020/05/boat.png"


def checked(site: WordPressSite, source: str = "wp:1") -> list[Stored]:
    """A page's blocks as they would be stored; each fits its type."""
    (page,) = (page for page in site.pages if page.source == source)
    pages = {page.source: uuid.uuid5(uuid.NAMESPACE_URL, page.source) for page in site.pages}
    media = {file.source: uuid.uuid5(uuid.NAMESPACE_URL, file.source) for file in site.media}
    resolved = resolve(page.blocks, pages, media, site.originals)
    assert resolved.unresolved == ()
    regions = regions_of({"main": resolved.blocks})
    assert TYPES.faults(regions) == []
    for block in blocks_in(regions):
        if block["type"] == "rich_text":
            assert RICH.stored(block["data"]["text"]) == block["data"]["text"]
    assert "page:wp" not in json.dumps(regions)
    assert "media:upload" not in json.dumps(regions)
    return list(page.blocks)


class Reading:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.site: WordPressSite

    def __call__(self, body: str, *others: str, **more: Any) -> list[tuple[str, Any]]:
        """(type, data) of each block of a post; the picture boat.png is there."""
        uploads = wxr.uploads(self._folder, "2020/05/boat.png", "2020/05/film.mp4")
        library = wxr.attachment(9, "2020/05/boat.png", alt="A boat", excerpt="At sea")
        path = wxr.write(self._folder, wxr.item(1, "Post", body, **more), library, *others)
        self.site = read_wordpress(path, uploads)
        return [(block["type"], block["data"]) for block in checked(self.site)]

    def html(self, body: str, *others: str) -> str:
        blocks = self(body, *others)
        assert [kind for kind, _ in blocks] in (["rich_text"], []), blocks
        return str(blocks[0][1]["text"]) if blocks else ""

    def said(self, source: str = "wp:1") -> str:
        return "\n".join(str(line) for line in self.site.report if line.source == source)


@pytest.fixture
def read(tmp_path: Path) -> Reading:
    return Reading(tmp_path)


# ---- classic -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "html"),
    [
        ("One\n\nTwo", "<p>One</p>\n<p>Two</p>"),
        ("One\r\nline <b>bold</b>\r\nmore", "<p>One<br>\nline <strong>bold</strong><br>\nmore</p>"),
        ("One\n\n<h1>Title</h1>\nTwo", "<p>One</p>\n<h2>Title</h2>\n<p>Two</p>"),
        ("a <!--more--> b", "<p>a  b</p>"),
        ("<div>One\n\nTwo</div>", "<p>One</p>\n<p>Two</p>"),
        ("<ul>\n<li>a\n<li>b\n</ul>", "<ul>\n<li>a\n</li><li>b\n</li></ul>"),
        ("<dl><dt>T</dt><dd>D</dd></dl>", "<p><strong>T</strong></p><p>D</p>"),
        ("1 < 2 & 3", "<p>1 &lt; 2 &amp; 3</p>"),
        ("[sic] and [see below] and [1]", "<p>[sic] and [see below] and [1]</p>"),
        ("use [[gallery]] here", "<p>use [gallery] here</p>"),
        ("  \n\n &nbsp;\n", ""),
        ("a<hr />b", "<p>a</p>\n<hr>\n<p>b</p>"),
    ],
)
def test_classic_text_becomes_paragraphs(read: Reading, body: str, html: str) -> None:
    assert read.html(body) == html


def test_a_picture_with_a_text_is_a_block_of_its_own(read: Reading) -> None:
    body = f'<a href="{PICTURE}"><img class="wp-image-9" src="{PICTURE}" /></a> Words'
    picture, words = read(body)
    assert picture == (
        "image",
        {"media": "media:upload:2020/05/boat.png", "alt": "A boat", "caption": ""},
    )
    assert words == ("rich_text", {"text": "<p>Words</p>"})


def test_captions_galleries_and_embeds_are_understood(read: Reading) -> None:
    caption, gallery, embed, bare = read(
        f'[caption id="x"]<img src="{PICTURE}" alt="B" /> The <em>boat</em>[/caption]\n'
        '[gallery ids="9"]\n[embed]https://vimeo.com/123[/embed]\n\n'
        "https://www.youtube.com/watch?v=abcdefghijk"
    )
    media = "media:upload:2020/05/boat.png"
    assert caption == ("image", {"media": media, "alt": "B", "caption": "The boat"})
    assert gallery == (
        "gallery",
        {"pictures": [{"media": media, "alt": "A boat", "caption": "At sea"}]},
    )
    assert embed == ("embed", {"address": "https://vimeo.com/123", "label": "Vimeo"})
    assert bare[1]["label"] == "YouTube"


def test_a_gallery_without_ids_shows_what_was_uploaded_to_the_post(read: Reading) -> None:
    child = wxr.attachment(10, "2020/05/boat.png", parent=1)
    ((kind, data),) = read("[gallery]", child)
    assert kind == "gallery"
    assert len(data["pictures"]) == 1


def test_other_shortcodes_stay_and_are_reported_with_their_line(read: Reading) -> None:
    html = read.html('One\n\n[contact-form-7 id="5"]\n\n[price]\n\n[box]in[/box]')
    assert '[contact-form-7 id="5"]' in html
    text = (read._folder / "export.xml").read_text("utf-8")
    line = text[: text.index("[contact-form-7")].count("\n") + 1
    assert f"wp:1:{line}: the shortcode [contact-form-7" in read.said()
    assert "[price]" in read.said()
    assert "[box]" in read.said()


def test_code_keeps_its_lines(read: Reading) -> None:
    ((kind, data),) = read('<pre><code class="language-python">a = 1\n\n\nb &lt; 2</code></pre>')
    assert (kind, data) == ("code", {"code": "a = 1\n\n\nb < 2", "language": "python"})


def test_frames_of_known_providers_are_embeds_and_others_links(read: Reading) -> None:
    embed, link = read(
        '<iframe src="//player.vimeo.com/video/12"></iframe>'
        '<iframe src="https://ads.example/x"></iframe>'
    )
    assert embed[0] == "embed"
    assert link[1]["text"] == '<p><a href="https://ads.example/x">https://ads.example/x</a></p>'
    assert "ads.example" in read.said()


# ---- the block editor ----------------------------------------------------------------------------


def mark(name: str, inner: str, **attributes: Any) -> str:
    written = f" {json.dumps(attributes)}" if attributes else ""
    return f"<!-- wp:{name}{written} -->\n{inner}\n<!-- /wp:{name} -->\n\n"


P = mark("paragraph", "<p>Words</p>")


def test_text_blocks_side_by_side_become_one(read: Reading) -> None:
    html = read.html(
        P
        + mark("heading", "<h3>Part</h3>", level=3)
        + mark("list", "<ul>" + mark("list-item", "<li>a</li>") + "</ul>")
        + mark("separator", "<hr/>")
        + mark("spacer", '<div style="height:9px"></div>')
        + mark("group", f"<div>{P}</div>")
    )
    assert html.replace("\n", "") == (
        "<p>Words</p><h3>Part</h3><ul><li>a</li></ul><hr><p>Words</p>"
    )


def test_each_known_block_has_its_own(read: Reading) -> None:
    figure = f'<figure><img src="{PICTURE}" alt="B"/><figcaption>C</figcaption></figure>'
    film = PICTURE.replace("boat.png", "film.mp4")
    blocks = read(
        mark("image", figure, id=9)
        + mark("gallery", f"<figure>{mark('image', figure)}{mark('image', figure)}</figure>")
        + mark("code", "<pre><code>x = 1</code></pre>")
        + mark("preformatted", "<pre>as\n is</pre>")
        + mark("quote", f"<blockquote>{P}<cite>Ada</cite></blockquote>")
        + mark("pullquote", "<figure><blockquote><p>Loud</p></blockquote></figure>")
        + mark("buttons", mark("button", '<div><a href="https://x.example/">Go</a></div>'))
        + mark("embed", "<figure>x</figure>", url="https://vimeo.com/12")
        + mark("core-embed/youtube", "<div>https://youtu.be/abcdefghijk</div>")
        + mark("video", f'<figure><video src="{film}"></video></figure>')
        + mark("table", "<figure><table><tr><th>A</th></tr><tr><td>1</td></tr></table></figure>")
    )
    assert [kind for kind, _ in blocks] == [
        *("image", "gallery", "code", "code", "quote", "quote", "button", "embed", "embed"),
        *("video", "table"),
    ]
    data = dict(blocks)
    assert data["gallery"]["pictures"][1]["caption"] == "C"
    assert blocks[4][1] == {"text": "Words", "author": "Ada"}
    assert data["button"] == {"label": "Go", "link": "https://x.example/"}
    assert data["table"]["rows"] == [["A"], ["1"]]
    assert data["table"]["header_row"] is True
    assert data["video"]["media"] == "media:upload:2020/05/film.mp4"


def test_a_table_keeps_its_words_and_links_as_markdown(read: Reading) -> None:
    cells = '<td>2 * 3 | <b>x</b></td><td><a href="/post/">p_q</a></td>'
    ((_, data),) = read(
        mark("table", f"<table><tr>{cells}</tr><tr><td>1</td></tr></table>"),
        link=f"{wxr.SITE}/post/",
    )
    assert data["rows"] == [[r"2 \* 3 \| **x**", r"[p\_q](page:wp:1)"], ["1", ""]]


def test_a_table_that_is_more_than_lines_stays_rich_text(read: Reading) -> None:
    html = read.html('<table><tr><td colspan="2">a</td></tr><tr><td>b</td><td>c</td></tr></table>')
    assert '<td colspan="2">a</td>' in html


@pytest.mark.parametrize(
    ("widths", "layout", "said"),
    [
        ([None], "12", False),
        ([None, None], "6-6", False),
        (["66.66%", "33.33%"], "8-4", False),
        (["25%", "75%"], "6-6", True),
        ([None, None, None], "4-4-4", False),
        (["25%", "50%", "25%"], "3-6-3", False),
        (["25%", None, None], "4-4-4", True),
        (["200px", None], "6-6", False),
    ],
)
def test_columns_take_the_nearest_layout(
    read: Reading, widths: list[str | None], layout: str, said: bool
) -> None:
    columns = [mark("column", P, **({"width": w} if w else {})) for w in widths]
    ((kind, data),) = read(mark("columns", "".join(columns)))
    assert (kind, data["layout"]) == ("columns", layout)
    assert [len(column) for column in data["columns"]] == [1] * len(widths)
    assert ("nearest" in read.said()) is said


def test_many_columns_become_rows_and_nested_ones_stand_below_one_another(read: Reading) -> None:
    assert [data["layout"] for _, data in read(mark("columns", mark("column", P) * 4))] == [
        "6-6",
        "6-6",
    ]
    inner = mark("columns", mark("column", P) * 2)
    ((_, data),) = read(mark("columns", mark("column", inner) + mark("column", P)))
    assert data["columns"][0][0]["data"]["text"] == "<p>Words</p>\n<p>Words</p>"
    assert "inside columns" in read.said()


def test_unknown_blocks_keep_their_text_and_are_reported(read: Reading) -> None:
    html = read.html(mark("acme/box", f"<div><p>Own</p>{P}</div>") + "<!-- wp:acme/map /-->")
    assert html == "<p>Own</p>\n<p>Words</p>"
    assert "acme/box" in read.said()
    assert "acme/map is not known here; it has no text" in read.said()


def test_raw_html_is_sanitised_and_reported(read: Reading) -> None:
    html = read.html(mark("html", '<p onclick="x()">Hi</p><script>bad()</script><form>f</form>'))
    assert html == "<p>Hi</p>\n<p>f</p>"
    assert "<script>" in read.said()
    assert "onclick" in read.said()


def test_reusable_blocks_are_put_in_their_place(read: Reading) -> None:
    shared = wxr.item(50, "Notice", P + '<!-- wp:block {"ref":50} /-->', kind="wp_block")
    assert read.html('<!-- wp:block {"ref":50} /-->', shared) == "<p>Words</p>"
    assert read.html('<!-- wp:block {"ref":51} /-->') == ""
    assert "reusable block 51" in read.said()


def test_marks_that_do_not_match_lose_nothing(read: Reading) -> None:
    html = read.html(
        "<!-- wp:group --><div>" + P + "<!-- /wp:list -->Rest<!-- wp:paragraph {bad} --><p>End</p>"
    )
    assert html.count("<p>") >= 2
    assert "End" in html


# ---- links ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "https://old.example/about/",
        "http://www.old.example/about",
        "//old.example/about/",
        "/about/",
        "https://old.example/?p=2",
        "/?page_id=2",
        "https://OLD.example:443/about/?utm=1",
    ],
)
def test_addresses_of_the_old_site_become_references(read: Reading, address: str) -> None:
    about = wxr.item(2, "About", "x", kind="page")
    html = read.html(f'<a href="{address}#top">x</a>', about)
    assert html == '<p><a href="page:wp:2#top">x</a></p>'


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("https://other.example/about/", "https://other.example/about/"),
        ("https://old.example.evil.example/about/", "https://old.example.evil.example/about/"),
        ("mailto:ada@old.example", "mailto:ada@old.example"),
        ("#part", "#part"),
        ("/nowhere/", "https://old.example/nowhere/"),
    ],
)
def test_other_addresses_stay(read: Reading, address: str, kept: str) -> None:
    assert read.html(f'<a href="{address}">x</a>') == f'<p><a href="{kept}">x</a></p>'
    assert ("leads to nothing" in read.said()) is (address == "/nowhere/")


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        " java\tscript:alert(1)",
        "data:text/html,x",
        "page:0197f1de-0000-7000-8000-000000000000",
        "media:upload:x",
        "http://[bad",
        "vbscript:x",
        "https://x.example:99999999/",
    ],
)
def test_addresses_that_may_do_harm_or_mean_nothing_are_no_links(
    read: Reading, address: str
) -> None:
    assert read.html(f'<a href="{address}">x</a>') == "<p>x</p>"


@pytest.mark.parametrize(
    "address", ["mailto:nobody", "tel:call us", "https://x.example/" + "é" * 900]
)
def test_buttons_and_pictures_have_links_that_fit(read: Reading, address: str) -> None:
    button, picture = read(
        mark("button", f'<a href="{address}">Go</a>')
        + mark("image", f'<a href="{address}"><img src="{PICTURE}"></a>')
    )
    assert button == ("rich_text", {"text": "<p>Go</p>"})
    assert "link" not in picture[1]


def test_sizes_of_a_picture_mean_the_picture(read: Reading) -> None:
    for suffix in ("", "-300x200", "-scaled", "-1024x768"):
        address = PICTURE.replace(".png", f"{suffix}.png")
        ((kind, data),) = read(f'<img src="{address}" alt="x">')
        assert (kind, data["media"]) == ("image", "media:upload:2020/05/boat.png")


def test_missing_pictures_keep_their_address_and_are_reported_once(read: Reading) -> None:
    gone = f"{wxr.SITE}/wp-content/uploads/gone.png"
    html = read.html(f'<img src="{gone}" alt="x">\n\n<img src="{gone}" alt="y">')
    assert html.count(gone) == 2
    assert sum("gone.png" in str(line) for line in read.site.report) == 1


@pytest.mark.parametrize("path", ["../secret.png", "%2e%2e/secret.png", "a/../../secret.png"])
def test_no_file_outside_the_folder_is_taken(read: Reading, path: str) -> None:
    (read._folder / "secret.png").write_bytes(b"x")
    read(f'<img src="{wxr.SITE}/wp-content/uploads/{path}" alt="x">')
    assert [file.source for file in read.site.media] == ["upload:2020/05/boat.png"]


def test_a_symbolic_link_out_of_the_folder_is_not_followed(read: Reading) -> None:
    folder = wxr.uploads(read._folder)
    (read._folder / "secret.png").write_bytes(b"x")
    (folder / "link.png").symlink_to(read._folder / "secret.png")
    read(f'<img src="{wxr.SITE}/wp-content/uploads/link.png" alt="x">')
    assert [file.source for file in read.site.media] == ["upload:2020/05/boat.png"]


def test_what_has_no_id_in_the_end_gets_its_old_address_back(read: Reading) -> None:
    read(
        f'<img src="{PICTURE}" alt="B">\n\n<a href="/about/">x</a>\n\n[gallery ids="9,9"]\n\n'
        '<table><tr><td><a href="/about/">t</a></td></tr></table>',
        wxr.item(2, "About", "x", kind="page"),
    )
    page = next(page for page in read.site.pages if page.source == "wp:1")
    resolved = resolve(page.blocks, {}, {}, read.site.originals)
    assert resolved.unresolved == (PICTURE, f"{wxr.SITE}/about/")
    assert TYPES.faults(regions_of({"main": resolved.blocks})) == []
    assert [block["type"] for block in resolved.blocks] == ["rich_text"] * 3 + ["table"]
    assert PICTURE in resolved.blocks[0]["data"]["text"]
    assert resolve_target("page:wp:2", {}, {}, read.site.originals) == f"{wxr.SITE}/about/"
    assert page.blocks[0]["data"]["media"] == "media:upload:2020/05/boat.png"


# ---- hostile bodies ------------------------------------------------------------------------------

VECTORS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img onerror=a()&gt;'>",
    "<a href='jav&#x09;ascript:alert(1)'>x</a>",
    "<iframe src='javascript:alert(1)'></iframe>",
    '<iframe src="https://a.example/&quot;><script>alert(1)</script>">',
    "[caption]<img src=x onerror=alert(1)><script>alert(1)</script>[/caption]",
    '[gallery ids="<script>alert(1)</script>"]',
    '[embed]"><script>alert(1)</script>[/embed]',
    "<mosaicembed src='javascript:alert(1)'></mosaicembed>",
    '<!-- wp:embed {"url":"javascript:alert(1)"} /-->',
    '<!-- wp:cover {"url":"javascript:alert(1)"} -->x<!-- /wp:cover -->',
    "<!-- wp:button --><a href='javascript:alert(1)'>x</a><!-- /wp:button -->",
    "<!-- wp:image --><img src='x' onload=a() alt='\"><script>a()</script>'><!-- /wp:image -->",
    "<p style='background:url(javascript:alert(1))' id=x name=y>x</p>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<object data='x'></object><embed src='x'><form action='x'><input></form>",
    "<table><tr><td>[x](javascript:alert(1)) <b>a</b></td></tr></table>",
]


@pytest.mark.parametrize("vector", VECTORS)
def test_nothing_that_runs_survives(read: Reading, vector: str) -> None:
    from html.parser import HTMLParser

    class Look(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            assert tag in {"p", "a", "img", "table", "tr", "td", "tbody", "strong", "em"}
            for name, value in attrs:
                assert name in {"href", "src", "alt"}
                assert "script:" not in (value or "") or name == "alt"

    for kind, data in read(f"Before {vector}\n\nAfter"):
        if kind == "rich_text":
            Look().feed(data["text"])
        elif kind == "table":
            assert r"\[x\](javascript" in data["rows"][0][0]
        else:
            assert "javascript:" not in json.dumps(data)


PIECES = st.sampled_from(
    [
        *(
            "<p>",
            "</p>",
            "<b>",
            "</b>",
            "<a href='/about/'>",
            "</a>",
            "<ul><li>",
            "</ul>",
            "<table>",
        ),
        *(
            "<tr><td>",
            "</table>",
            f"<img src='{PICTURE}'>",
            "<pre>",
            "</pre>",
            "<!--more-->",
            "\n\n",
        ),
        *("<!-- wp:columns -->", "<!-- /wp:columns -->", "<!-- wp:column -->", "<!-- wp:quote -->"),
        *("<!-- /wp:column -->", "<!-- /wp:quote -->", "<!-- wp:table -->", "<!-- wp:gallery -->"),
        *("<!-- wp:image -->", "<!-- wp:code -->", '<!-- wp:block {"ref":1} /-->', "<blockquote>"),
        *("[caption]", "[/caption]", '[gallery ids="9"]', "<figure>", "<figcaption>", "</figure>"),
        *("<video src='/wp-content/uploads/2020/05/film.mp4'>", "<hr>", "<h1>", "word", "\0", "é"),
        *("<!-- wp:button -->", "<iframe src='https://vimeo.com/1'>", "<!-- wp:media-text -->"),
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, max_size=25).map("".join))
def test_whatever_a_body_is_its_blocks_fit_their_types(
    tmp_path_factory: pytest.TempPathFactory, body: str
) -> None:
    Reading(tmp_path_factory.mktemp("read"))(body, wxr.item(2, "About", "x", kind="page"))


def test_a_long_body_is_parted_into_blocks_that_fit(read: Reading) -> None:
    paragraphs = "\n\n".join("words " * 200 for _ in range(300))
    blocks = read(paragraphs)
    assert len(blocks) > 3
    assert sum(data["text"].count("<p>") for _, data in blocks) == 300
    one = read("<blockquote>" + "words " * 60_000 + "</blockquote>")
    assert sum(data["text"].count("words") for _, data in one) == 60_000


def test_a_body_of_too_many_blocks_becomes_text(read: Reading) -> None:
    ((kind, data),) = read(f'<pre>x</pre>y\n\n<img src="{PICTURE}" alt="B">\n' * 600)
    assert kind == "rich_text"
    assert data["text"].count("<pre>x</pre>") == data["text"].count("<p>y</p>") == 600
    assert data["text"].count('<img src="media:upload:2020/05/boat.png" alt="B">') == 600
    assert "1,000 blocks" in read.said()


def test_a_body_that_no_page_holds_is_a_draft_that_says_so(read: Reading) -> None:
    assert read("words words " * 150_000) == []
    assert "It is a draft without its text" in read.said()
    assert next(page for page in read.site.pages if page.source == "wp:1").draft
