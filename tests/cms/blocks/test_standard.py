"""MOSAIC's own blocks: each shows what it holds, and says what is wrong with what it cannot."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import html5lib
import pytest

from mosaic_cms.blocks.base import Block, Line, Words
from mosaic_cms.blocks.registry import BlockTypes
from mosaic_cms.blocks.standard import STANDARD
from mosaic_cms.blocks.standard.more import Form
from mosaic_cms.blocks.templating import block_templates
from mosaic_cms.themes import Theme
from mosaic_core.errors import InvalidInput
from tests.cms.blocks.samples import (
    FILM_ID,
    GONE,
    MEDIA_ID,
    NOW,
    PICTURE,
    SAMPLES,
    SHARED_ID,
    render,
    stored,
)

IZNIK = Path(__file__).parents[3] / "mosaic_cms" / "themes" / "iznik"
TYPES = BlockTypes(STANDARD)


@pytest.fixture(scope="module")
def theme() -> Theme:
    return Theme("iznik", IZNIK, block_templates(TYPES))


def page(html: str) -> Any:
    return html5lib.parseFragment(html, namespaceHTMLElements=False)


def texts(html: str, path: str) -> list[str]:
    return [" ".join("".join(found.itertext()).split()) for found in page(html).iterfind(path)]


def test_there_is_a_sample_of_every_type() -> None:
    assert {kind.name for kind in STANDARD} == SAMPLES.keys()
    assert len(STANDARD) == 21
    for kind in STANDARD:
        assert kind.group in {"text", "media", "layout", "more"}
        assert kind.title
        assert kind.__doc__


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_a_sample_is_whole_and_shows_its_words(theme: Theme, name: str) -> None:
    block = stored(name)
    assert TYPES.faults({"main": [block]}) == []
    html = render(theme, block)
    root = page(html)
    if name != "shared":
        assert f"block-{name}" in (root[0].get("class") or "").split()
    for word in re.findall(r"'(?:heading|label|title|caption|author)': '([^']+)'", str(block)):
        assert word in "".join(root.itertext())
    assert not list(root.iter("script"))
    assert not [e for e in root.iter() if "style" in e.attrib or "onclick" in e.attrib]
    ids = [e.get("id") for e in root.iter() if e.get("id")]
    assert len(ids) == len(set(ids))
    for element in root.iter():
        for key in ("aria-labelledby", "aria-describedby", "for"):
            assert element.get(key, ids[0] if ids else None) in {*ids, None}
    assert not [e for e in root.iter("img") if e.get("alt") is None]
    assert not list(root.iter("h1"))


SHOWN = [
    ("markdown", "h2", ["Glaze"]),
    ("quote", "figure/blockquote/p", ["First words.", "Then more."]),
    ("quote", ".//cite/a[@rel='noopener']", ["The Book of Travels"]),
    ("callout", "aside/p", ["Warning: Mind the step"]),
    ("code", ".//pre/code/span[@class='nf']", ["f"]),
    ("table", ".//thead/tr/th[@scope='col']", ["Day", "From", "To"]),
    ("table", ".//tbody/tr/th[@scope='row']", ["Monday", "- 5"]),
    ("table", ".//tbody/tr/td//strong", ["9"]),
    ("image", ".//a[@href='/tiles/']/img[@width='1184']", [""]),
    ("image", "figure/figcaption", ["On the wall"]),
    ("gallery", ".//li//img[@loading='lazy']", ["", ""]),
    ("hero", "section/div/h2", ["Tiles that make one picture"]),
    ("hero", ".//a[@href='/visit/hours/']", ["Visit"]),
    ("cards", ".//li//h3", ["Clay", "Glaze"]),
    ("cards", ".//li//h3/a", ["Clay"]),
    ("columns", "div/div[@class='column']/h2", ["Below"]),
    ("accordion", "section/details[@open]/summary", ["Why?"]),
    ("button", "p/a[@class='button button-secondary']", ["Press"]),
    ("page_list", ".//h3/a", ["One & all", "Two"]),
    ("shared", "h2", ["Everywhere the same"]),
    ("html", ".//abbr[@title='hand']", ["h."]),
]


@pytest.mark.parametrize(("name", "path", "expected"), SHOWN)
def test_its_parts_are_elements_that_mean_them(
    theme: Theme, name: str, path: str, expected: list[str]
) -> None:
    html = render(theme, stored(name))
    assert texts(html, path if path.startswith(".") else f"./{path}") == expected or (
        texts(html, f".//{path}") == expected
    )


@pytest.mark.parametrize("name", ["video", "embed"])
def test_nothing_is_asked_of_another_site_before_its_link_is_followed(
    theme: Theme, name: str
) -> None:
    root = page(render(theme, stored(name)))
    loading = {e.tag for e in root.iter() if e.get("src") or e.get("srcset") or e.get("poster")}
    assert loading == set()
    assert not {"iframe", "object", "embed", "link", "script"} & {e.tag for e in root.iter()}
    (link,) = root.iter("a")
    assert link.get("rel") == "noopener noreferrer"
    assert "".join(link.itertext()).endswith(SAMPLES[name]["label"])


def test_a_film_of_the_site_plays_in_the_page(theme: Theme) -> None:
    block = stored(
        "video",
        {
            "label": "The kiln",
            "media": f"media:{FILM_ID}",
            "poster": f"media:{MEDIA_ID}",
            "captions": f"media:{MEDIA_ID}",
        },
    )
    (video,) = page(render(theme, block)).iter("video")
    assert video.get("src") == "/-/media/d/film.mp4"
    assert video.get("poster") == "/-/media/d/tiles.jpg"
    assert [track.get("kind") for track in video.iter("track")] == ["captions"]


def test_a_form_is_posted_to_its_page_with_labels_and_a_trap(theme: Theme) -> None:
    root = page(render(theme, stored("form")))
    (form,) = root.iter("form")
    assert (form.get("method"), form.get("action")) == (
        "post",
        "/visit/?form=the-form#form-the-form",
    )
    controls = [e for e in form.iter() if e.tag in {"input", "textarea", "select"}]
    names = [control.get("name") for control in controls]
    keys = [field["key"] for field in SAMPLES["form"]["fields"]]
    assert names == ["_form", *keys, Form.TRAP]
    labelled = {label.get("for") for label in form.iter("label")}
    assert {c.get("id") for c in controls if c.get("type") != "hidden"} == labelled
    required = {c.get("name") for c in controls if "required" in c.attrib}
    assert required == {"name", "ok"}
    assert "house@museum.example" not in "".join(form.itertext())
    (trap,) = (c for c in controls if c.get("name") == Form.TRAP)
    assert (trap.get("tabindex"), trap.get("autocomplete")) == ("-1", "off")


def test_what_is_gone_leaves_its_words(theme: Theme) -> None:
    gone = f"page:{GONE}"
    html = render(
        theme,
        stored("image", media=f"media:{GONE}", link=gone),
        stored("quote", link=gone),
        stored("button", link=gone),
        stored("shared", reference=f"shared:{GONE}"),
        stored("page_list") | {"id": "empty"},
    )
    assert "<a" not in html
    assert "<img" not in html
    for words in ("Tiles on a wall", "The Book of Travels", "There is nothing here yet."):
        assert words in html


def _strings(data: Any, where: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(data, dict):
        pairs: Any = data.items()
    elif isinstance(data, list):
        pairs = enumerate(data)
    else:
        return [where] if isinstance(data, str) else []
    return [path for key, inner in pairs for path in _strings(inner, (*where, key))]


def _with(data: Any, path: tuple[Any, ...], value: str) -> Any:
    if not path:
        return value
    copy = dict(data) if isinstance(data, dict) else list(data)
    copy[path[0]] = _with(data[path[0]], path[1:], value)
    return copy


HOSTILE = """</pre>"'><img src=x onerror=alert(1)><script>x</script>{{ 7*7 }}javascript:x"""


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_hostile_words_in_any_field_are_shown_as_words_or_refused(theme: Theme, name: str) -> None:
    tags = {e.tag for e in page(render(theme, stored(name))).iter()}
    tried = 0
    for path in _strings(SAMPLES[name]):
        block = stored(name, _with(SAMPLES[name], path, HOSTILE))
        if TYPES.faults({"main": [block]}):
            continue
        root = page(render(theme, block))
        tried += 1
        assert {e.tag for e in root.iter()} <= tags | {"img", "br", "p"}, path
        assert not [e for e in root.iter() if any(key.startswith("on") for key in e.attrib)], path
        assert "49" not in "".join(root.itertext())
        if name not in {"rich_text", "html"}:
            assert [e for e in root.iter("img") if e.get("src") == "x"] == []
    refused = {"image", "button", "divider", "shared"}
    assert tried > 0 or name in refused


#: Columns inside columns: as deep as columns may be.
TWICE = stored("columns", {"layout": "12", "columns": [[stored("columns")]]})
UNFIT: list[tuple[str, dict[str, Any], str, str]] = [
    ("image", {"alt": " "}, "main[0].alt", "no alternative text"),
    ("image", {"decorative": True}, "main[0]", "is not decorative"),
    ("image", {"media": "media:x"}, "main[0].media", "media:<id>"),
    ("image", {"link": "javascript:x"}, "main[0].link", "leads nowhere"),
    ("image", {"width": "huge"}, "main[0].width", "'normal', 'wide' or 'full'"),
    ("gallery", {"pictures": []}, "main[0].pictures", "at least 1"),
    ("gallery", {"pictures": [PICTURE, {"media": "x"}]}, "main[0].pictures[1].media", "media:"),
    ("video", {"address": None}, "main[0]", "either a file (media) or an address"),
    ("video", {"media": f"media:{FILM_ID}"}, "main[0]", "not both"),
    ("video", {"address": "https://evil.example/v"}, "main[0].address", "YouTube, Vimeo"),
    ("video", {"address": "https://codepen.io/a/pen/b"}, "main[0].address", "of a video"),
    ("video", {"label": ""}, "main[0].label", "at least 1"),
    ("embed", {"address": "https://youtube.com.evil.example/watch?v=aBcDeFgHiJk"},
     "main[0].address", "known provider"),
    ("embed", {"address": "javascript:alert(1)"}, "main[0].address", "known provider"),
    ("columns", {"layout": "4-4-4"}, "main[0]", "has 3 columns; there are 2"),
    ("columns", {"layout": "12"}, "main[0]", "has 1 column; there are 2"),
    ("columns", {"layout": "5-7"}, "main[0].layout", "'12', '8-4'"),
    ("columns", {"columns": [[], [TWICE]]}, "main[0]", "inside columns once"),
    ("table", {"rows": []}, "main[0].rows", "at least 1"),
    ("table", {"rows": [["a", "b"], ["c"]]}, "main[0]", "row 2 has 1 cells and the first has 2"),
    ("table", {"rows": [[]]}, "main[0].rows[0]", "1 to 30 cells"),
    ("table", {"rows": [["a\nb"]]}, "main[0].rows[0][0]", "more than one line"),
    ("code", {"code": "x" * 50_001}, "main[0].code", "at most 50000"),
    ("code", {"language": "a b"}, "main[0].language", "pattern"),
    ("callout", {"kind": "loud"}, "main[0].kind", "'note', 'tip'"),
    ("heading", {"level": 1}, "main[0].level", "greater than or equal to 2"),
    ("heading", {"anchor": 'a" onclick='}, "main[0].anchor", "pattern"),
    ("hero", {"actions": [{"label": "x"}]}, "main[0].actions[0].link", "it is missing"),
    ("hero", {"picture": {"media": f"media:{MEDIA_ID}"}}, "main[0].picture.alt", "alternative"),
    ("button", {"link": "data:text/html,x"}, "main[0].link", "leads nowhere"),
    ("form", {"fields": [{"key": "a", "label": "A"}] * 2}, "main[0].fields", "the key 'a'"),
    ("form", {"fields": [{"key": "_form", "label": "A"}]}, "main[0].fields[0].key", "pattern"),
    ("form", {"fields": [{"key": "a", "label": "A", "kind": "choice"}]},
     "main[0].fields[0].choices", "two or more"),
    ("form", {"fields": [{"key": "a", "label": "A", "choices": ["1", "2"]}]},
     "main[0].fields[0].choices", "has no choices"),
    ("form", {"notify": "nobody"}, "main[0].notify", "no mail address"),
    ("page_list", {"tag": ""}, "main[0]", "give the tag"),
    ("page_list", {"limit": 101}, "main[0].limit", "less than or equal to 100"),
    ("shared", {"reference": "page:x"}, "main[0].reference", "shared:<id>"),
    ("quote", {"text": "a\x07"}, "main[0].text", "control character"),
    ("rich_text", {"text": 7}, "main[0].text", "valid string"),
    ("divider", {"what": 1}, "main[0].what", "not permitted"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "changes", "where", "what"), UNFIT)
def test_what_is_wrong_is_named_with_its_place(
    name: str, changes: dict[str, Any], where: str, what: str
) -> None:
    faults = TYPES.faults({"main": [stored(name, **changes)]})
    assert [fault.where for fault in faults][:1] == [where]
    assert what in faults[0].what
    assert faults[0].level == "problem"


@pytest.mark.parametrize(
    ("address", "embed"),
    [
        ("https://www.youtube.com/watch?t=3&v=aBcDeFgHiJk", "www.youtube-nocookie.com/embed/aBcD"),
        ("https://youtu.be/aBcDeFgHiJk?si=track", "www.youtube-nocookie.com/embed/aBcDeFgHiJk"),
        ("https://vimeo.com/123/abc", "player.vimeo.com/video/123?dnt=1"),
        ("https://open.spotify.com/intl-de/track/0123456789abcdefABCDEF", "/embed/track/0123"),
        ("https://soundcloud.com/some-one/a-track", "url=https%3A%2F%2Fsoundcloud.com%2Fsome-one"),
        ("https://codepen.io/who/pen/abc", "codepen.io/who/embed/abc"),
        ("https://www.openstreetmap.org/#map=3/-89/180", "embed.html?bbox="),
    ],
)
def test_an_address_of_a_provider_has_a_private_one(theme: Theme, address: str, embed: str) -> None:
    root = page(render(theme, stored("embed", address=address)))
    (found,) = [e.get("data-embed") for e in root.iter() if e.get("data-embed")]
    assert found.startswith("https://")
    assert embed in found


def test_code_has_classes_for_colours_and_loses_nothing(theme: Theme) -> None:
    code = "\n\n  if a < b & c: pass  # <b>\n"
    for language in ("python", "no-such-language", "", "PHP", "html"):
        html = render(theme, stored("code", {"code": code, "language": language}))
        (shown,) = page(html).iter("code")
        assert "".join(shown.itertext()) == code
        assert (len(list(shown.iter("span"))) > 2) is (language in {"python", "PHP", "html"})
    long = "x = 1\n" * 2_000
    html = render(theme, stored("code", {"code": long, "language": "python"}))
    assert "<span" not in html.split("<pre")[1]


def test_a_cell_is_one_line_of_markdown_whatever_it_begins_with(theme: Theme) -> None:
    cells = ["# a", "- b", "+ c", "1. d", "> e", "```f", "---", "[x]: /y", "* h", "\\j"]
    block = stored("table", {"rows": [[*cells, "  - g", "*i*"]], "header_row": False})
    html = render(theme, block)
    assert texts(html, ".//td") == [*cells, "- g", "i"]
    inside = {e.tag for td in page(html).iter("td") for e in td.iter()}
    assert inside == {"td", "p", "em"}


def test_blocks_speak_the_pages_language(theme: Theme) -> None:
    for language, word in (
        ("de", "Achtung"),
        ("ar", "تنبيه"),
        ("tr-TR", "Uyarı"),
        ("xx", "Warning"),
    ):
        html = render(theme, stored("callout", heading=""), page={**NOW, "language": language})
        assert word in html


# ---- what is not known, not new, not old, not whole ---------------------------------------------


class Plaque(Block):
    """A plaque in its third form."""

    name = "plaque"
    title = "Plaque"
    version = 3
    template = IZNIK / "templates" / "500.html"
    upgrades = {
        1: lambda data: {"words": data["text"]},
        2: lambda data: {"words": data["words"], "by": data.pop("by", "nobody")},
    }

    words: Words
    by: Line = ""


def plaque(version: int, **data: Any) -> dict[str, Any]:
    return {"id": "p", "type": "plaque", "version": version, "data": data}


#: What was stored by each version that a type ever had: these files stay as they are.
STORED = Path(__file__).parent / "stored"


@pytest.mark.parametrize("kind", [*STANDARD, Plaque], ids=lambda kind: kind.name)
def test_what_every_version_of_a_type_stored_is_understood(kind: type[Block]) -> None:
    types = BlockTypes([*STANDARD, Plaque])
    for version in range(1, kind.version + 1):
        old = json.loads((STORED / f"{kind.name}-{version}.json").read_text("utf-8"))
        assert (old["type"], old["version"]) == (kind.name, version)
        (forward,) = types.forward({"main": [old]})["main"]
        assert forward["version"] == kind.version
        assert types.faults({"main": [old]}) == types.faults({"main": [forward]}) == []
        assert types.read(old) == types.read(forward)


@pytest.mark.parametrize(
    ("old", "now"),
    [
        (plaque(1, text="Here"), {"words": "Here", "by": "nobody"}),
        (plaque(2, words="Here", by="Ann"), {"words": "Here", "by": "Ann"}),
        (plaque(3, words="Here"), {"words": "Here", "by": ""}),
    ],
)
def test_old_data_are_brought_forward(old: dict[str, Any], now: dict[str, Any]) -> None:
    types = BlockTypes([*STANDARD, Plaque])
    before = repr(old)
    assert types.read(old).model_dump() == now
    held = stored("columns", {"layout": "12", "columns": [[old]]})
    (forward,) = types.forward({"main": [held]})["main"]
    assert forward["data"]["columns"][0][0]["version"] == 3
    assert repr(old) == before


def test_old_data_that_cannot_be_brought_forward_are_kept_and_told() -> None:
    types = BlockTypes([Plaque])
    broken = plaque(1, nothing="here")
    assert types.forward({"main": [broken]}) == {"main": [broken]}
    (fault,) = types.faults({"main": [broken]})
    assert fault.what == "its old data cannot be brought forward"
    with pytest.raises(InvalidInput, match="version 1 to 2: KeyError"):
        types.read(broken)


def test_unknown_and_newer_blocks_are_kept_and_hidden(theme: Theme) -> None:
    unknown = {"id": "u", "type": "hologram", "version": 1, "data": {"x": [1]}}
    newer = stored("heading") | {"version": 9}
    regions = {"main": [unknown, stored("heading"), newer]}
    assert [(f.block_id, f.level) for f in TYPES.faults(regions)] == [
        ("u", "warning"),
        ("the-heading", "warning"),
    ]
    assert TYPES.forward(regions) == regions
    assert texts(render(theme, *regions["main"]), "./h3") == ["A heading"]


def test_a_shared_block_inside_itself_is_shown_once(theme: Theme) -> None:
    around = {SHARED_ID: [stored("heading"), stored("shared"), stored("columns", {
        "layout": "12", "columns": [[stored("shared")]]})]}  # fmt: skip
    html = render(theme, stored("shared"), stored("shared"), shared=around)
    assert html.count("A heading") == 2


class Counted(Block):
    """Counts how often it is asked."""

    name = "counted"
    title = "Counted"
    template = IZNIK / "templates" / "500.html"
    words: Line = ""


@pytest.mark.parametrize("others", [10, 200])
def test_the_cost_of_a_block_does_not_depend_on_how_many_types_there_are(
    monkeypatch: pytest.MonkeyPatch, others: int
) -> None:
    kinds = [type(f"Other{n}", (Counted,), {"name": f"other{n}"}) for n in range(others)]
    types = BlockTypes([Counted, *kinds])
    touched = []
    for kind in (Counted, *kinds):
        validate = kind.model_validate
        monkeypatch.setattr(
            kind,
            "model_validate",
            classmethod(
                lambda cls, data, v=validate, **how: touched.append(cls.name) or v(data, **how)
            ),
        )
    block = {"id": "c", "type": "counted", "version": 1, "data": {"words": "x"}}
    assert types.faults({"main": [block]}) == []
    types.forward({"main": [block]})
    types.read(block)
    assert touched == ["counted", "counted"]


def test_a_themes_own_template_comes_first(tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "iznik"
    shutil.copytree(IZNIK, folder)
    (folder / "templates" / "blocks").mkdir()
    own = folder / "templates" / "blocks" / "heading.html"
    own.write_text(
        '{% from "blocks/_parts.html" import link %}<b>{{ link("/x/", block.text) }}</b>', "utf-8"
    )
    theme = Theme("mine", folder, block_templates(TYPES))
    assert render(theme, stored("heading")) == '<b><a href="/x/">A heading</a></b>'
    assert 'class="block block-quote"' in render(theme, stored("quote"))


def test_the_style_sheet_of_the_theme_that_ships_is_small_enough(theme: Theme) -> None:
    import gzip

    (sheet,) = [a.content for name, a in theme.assets.items() if name.startswith("style-")]
    assert len(gzip.compress(sheet)) < 20_000


def _rules(sheet: str, opening: str) -> list[dict[str, str]]:
    """The colours that rules with one selector set, by variable."""
    found = re.findall(re.escape(opening) + r" \{(.*?)\}", sheet, re.S)
    return [dict(re.findall(r"(--[a-z-]+): (#[0-9a-f]{6})", rule)) for rule in found]


def _contrast(one: str, other: str) -> float:
    def light(colour: str) -> float:
        parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(
    "opening", [":root", '[data-palette="turquoise"]', '[data-palette="gold"]']
)
@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_the_colours_of_code_can_be_read_in_every_palette(opening: str, scheme: int) -> None:
    grounds = _rules((IZNIK / "assets" / "theme.css").read_text("utf-8"), opening)
    grounds = [rule for rule in grounds if "--wash" in rule]
    colours = _rules((IZNIK / "assets" / "blocks.css").read_text("utf-8"), ".block-code")
    colours = [rule for rule in colours if "--code-word" in rule]
    assert len(grounds) >= 2
    assert len(colours) == 2
    for name, colour in colours[scheme].items():
        assert _contrast(colour, grounds[scheme]["--wash"]) >= 4.5, name


def test_columns_can_be_inside_columns_once() -> None:
    html = render(Theme("iznik", IZNIK, block_templates(TYPES)), TWICE)
    assert html.count("block-columns") == 2
