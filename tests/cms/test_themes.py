"""Themes: a whole one is loaded, a faulty one is named with its file before anybody sees it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment

from mosaic_cms.blocks.base import Block
from mosaic_cms.blocks.registry import BlockTypes
from mosaic_cms.blocks.templating import block_templates
from mosaic_cms.kept_themes import _loaded
from mosaic_cms.theme_assets import Assets
from mosaic_cms.theme_files import pack, unpack
from mosaic_cms.theme_templates import CompiledOnce
from mosaic_cms.themes import SLOTS, Theme
from mosaic_core.errors import ConfigurationError, PluginConflict
from mosaic_core.hooks import ThemeFolder
from tests.cms.deployment import Deployment, Deployments
from tests.cms.plugs import plugins_with
from tests.cms.projection import projected, rebuilt

MANIFEST = """
name = "plain"
title = "Plain"
version = "1.0"
[layouts.page]
title = "Page"
[layouts.list]
title = "List"
[settings.ink]
title = "Ink"
choices = ["black", "blue"]
default = "black"
"""
SHELL = """<!doctype html>
<title>{{ slot("title") }}</title>{{ slot("head") }}
<link rel="stylesheet" href="{{ asset("plain.css") }}">
<body class="{{ slot("body_class") }} {{ site.ink }}">
<header>{{ site.title }} {{ site.tagline }}</header>
<ul>{% for item in menu %}<li>{{ item.title }}</li>{% endfor %}</ul>
<main>{{ slot("main") }}</main>
"""


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A theme that is as small as one can be."""
    folder = tmp_path / "plain"
    (folder / "templates").mkdir(parents=True)
    (folder / "assets").mkdir()
    (folder / "theme.toml").write_text(MANIFEST, "utf-8")
    for name, text in {
        "shell": SHELL,
        "page": "<h1>{{ page.title }}</h1>{{ body }}",
        "list": "<h1>Listing {{ page.title }}</h1>",
        "404": "<p>Plainly not here: {{ path }}</p>",
        "500": "<p>Plainly wrong: {{ reference }}</p>",
    }.items():
        (folder / "templates" / f"{name}.html").write_text(text, "utf-8")
    for name, content in {
        "plain.css": b"b { background: url(dot.svg) } i { src: url( 'face.woff2' ) } "
        b"u { background: url(https://a.example/x.svg) } s { src: url(gone.svg) }",
        "dot.svg": b"<svg/>",
        "face.woff2": b"wOF2",
        "noise.xyz": b"?",
        ".hidden": b"no",
    }.items():
        (folder / "assets" / name).write_bytes(content)
    return folder


def test_an_assets_name_has_its_hash_and_style_sheets_follow(plain: Path) -> None:
    theme = Theme("plain", plain, {})
    kinds = {
        re.sub(r"-[0-9a-f]{12}\.", ".", name): asset.content_type
        for name, asset in theme.assets.items()
    }
    assert kinds == {
        "plain.css": "text/css; charset=utf-8",
        "dot.svg": "image/svg+xml",
        "face.woff2": "font/woff2",
        "noise.xyz": "application/octet-stream",
    }
    style = theme.assets[theme.asset("plain.css").rpartition("/")[2]].content.decode()
    for name in ("dot.svg", "face.woff2"):
        assert f'url("{theme.asset(name).rpartition("/")[2]}")' in style
    assert "url(https://a.example/x.svg)" in style
    assert "url(gone.svg)" in style
    before = theme.asset("plain.css")
    (plain / "assets" / "dot.svg").write_bytes(b"<svg></svg>")
    changed = Theme("plain", plain, {})
    assert changed.asset("plain.css") != before  # what it names has another name now
    assert changed.revision != theme.revision


def test_what_themes_have_in_common_is_compiled_once(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    common = {"blocks/quote": "<q>{{ text }}</q>", "blocks/button": "<b>{{ text }}</b>"}
    other = Path(shutil.copytree(plain, tmp_path / "other"))
    (other / "templates" / "blocks").mkdir()
    (other / "templates" / "blocks" / "quote.html").write_text("«{{ text }}»", "utf-8")
    parsed: list[str] = []
    parse = Environment._parse

    def noting(self: Environment, source: str, name: str | None, filename: str | None) -> Any:
        parsed.append(source)
        return parse(self, source, name, filename)

    monkeypatch.setattr(Environment, "_parse", noting)
    compiled = CompiledOnce()
    themes = [Theme(x.name, x, common, compiled=compiled) for x in (plain, other)]
    for theme in themes:
        theme.check()
    assert [theme.render("blocks/quote", text="<i>") for theme in themes] == [
        "<q>&lt;i&gt;</q>",
        "«&lt;i&gt;»",
    ]
    assert parsed.count("<b>{{ text }}</b>") == 1
    assert len(parsed) == len(set(parsed))


def test_themes_that_were_found_to_be_whole_are_not_checked_again(
    deployments: Deployments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []
    monkeypatch.setattr(Theme, "check", lambda self: checked.append(self.name))
    noted = tmp_path / "themes.checked"

    async def scenario(deployment: Deployment) -> None:
        themes = deployment.product.themes
        themes.check(noted)
        assert checked == ["iznik", "folio", "harbour"]
        themes.check(noted)
        assert len(checked) == 3
        themes.check()  # as 'mosaic doctor' does
        assert len(checked) == 6
        themes.key = "another"  # with any byte of any theme
        themes.check(noted)
        assert len(checked) == 9
        themes.check(tmp_path / "away" / "themes.checked")  # where nothing can be written
        assert len(checked) == 12

    deployments(scenario)


def test_a_style_sheet_holds_what_it_imports(plain: Path) -> None:
    def write(name: str, text: str) -> None:
        (plain / "assets" / name).write_text(text, "utf-8")

    def style() -> str:
        theme = Theme("plain", plain, {})
        return theme.assets[theme.asset("plain.css").rpartition("/")[2]].content.decode()

    write("plain.css", '/* Both. */\n@import "base.css";\n@import "more.css";\nb { top: 0 }\n')
    write("more.css", "@import 'print.css';\ni { background: url(dot.svg) }\n")
    held = style()
    assert "@import" not in held
    assert held.startswith("/* Both. */")
    order = [held.index(x) for x in ("box-sizing", "@media print", 'url("dot-', "b { top: 0 }")]
    assert order == sorted(order), "base.css and print.css are those of every theme"
    write("base.css", "u { top: 1px }\n")
    assert "box-sizing" not in style(), "a theme's own comes first"
    write("plain.css", '@import url("https://elsewhere.example/x.css");\n')
    assert style() == '@import url("https://elsewhere.example/x.css");\n'


def test_a_shell_has_its_slots_in_the_themes_order(plain: Path) -> None:
    shell = Theme("plain", plain, {}).shell(
        menu=[], footer_menu=[], site={"title": "A & B", "tagline": "", "ink": "blue"}
    )
    assert sorted(shell.slots) == sorted(SLOTS)
    whole = shell.around(title="T", head="<meta>", body_class="c", main="<p>M</p>").decode()
    assert "<title>T</title><meta>" in whole
    assert "A &amp; B" in whole
    assert '<body class="c blue">' in whole


def test_a_choice_that_is_none_gets_the_default(plain: Path) -> None:
    theme = Theme("plain", plain, {})
    assert theme.settings({"ink": "blue", "other": "x"}) == {"ink": "blue"}
    assert theme.settings({"ink": "red"}) == theme.settings({}) == {"ink": "black"}


def write(name: str, text: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(text.encode("latin-1")) and None


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (remove("theme.toml"), "theme.toml"),
        (write("theme.toml", "name = "), "theme.toml"),
        (write("theme.toml", "name = '\xe9'"), "theme.toml"),
        (write("theme.toml", MANIFEST + "colour = 1"), "theme.toml: .*colour"),
        (write("theme.toml", MANIFEST.replace("version", "versoin")), "did you mean 'version'"),
        (write("theme.toml", MANIFEST.replace('"black"\n', '"red"\n')), "'red' is none of the"),
        (write("theme.toml", MANIFEST.replace("layouts.page", "layouts.pages")), "layout 'page'"),
        (remove("templates/shell.html"), "no templates/shell.html"),
        (remove("templates/list.html"), "no templates/list.html"),
        (remove("templates/404.html"), "no templates/404.html"),
        (remove("templates/500.html"), "no templates/500.html"),
        (write("templates/page.html", "{% if %}"), "templates/page.html"),
        (write("templates/page.html", "{{ page.title"), "templates/page.html"),
        (write("templates/page.html", "\xe9"), "templates/page.html"),
        (write("templates/shell.html", SHELL.replace("slot", "slut")), "templates/shell.html"),
        (write("templates/shell.html", SHELL.replace("plain.css", "no.css")), "asset 'no.css'"),
        (write("templates/shell.html", SHELL.replace("tagline", "tag")), "templates/shell.html"),
        (write("templates/shell.html", SHELL + '{{ slot("main") }}'), "each of the slots.*main"),
        (write("templates/shell.html", "<p>"), "it uses none"),
        (write("templates/shell.html", SHELL.replace('"head"', '"haed"')), "haed"),
        (write("assets/plain.css", "\xff"), "assets/plain.css"),
        (write("assets/plain.css", '@import "no.css";'), "assets/plain.css: it imports 'no.css'"),
        (write("assets/plain.css", '@import "plain.css";'), "assets/plain.css: .* imports it"),
    ],
)
def test_a_faulty_theme_is_named_with_its_file(
    plain: Path, harm: Callable[[Path], None], words: str
) -> None:
    harm(plain)
    with pytest.raises(ConfigurationError, match=rf"(?s)'plain'.*{words}"):
        Theme("plain", plain, {}).check()


BLOCKS = {
    "blocks/note": "<p>{{ block.words }}</p>",
    "blocks/_parts": "{% macro m() %}{% endmacro %}",
}


def test_a_blocks_template_is_the_themes_own_if_it_has_one(plain: Path) -> None:
    block = {"words": "a < b"}
    assert Theme("plain", plain, BLOCKS).render("blocks/note", block=block) == "<p>a &lt; b</p>"
    (plain / "templates" / "blocks").mkdir()
    own = plain / "templates" / "blocks" / "note.html"
    own.write_text('{% from "blocks/_parts.html" import m %}<b>{{ block.words }}</b>', "utf-8")
    assert Theme("plain", plain, BLOCKS).render("blocks/note", block=block) == "<b>a &lt; b</b>"


def test_a_kept_theme_is_what_it_was_whatever_is_made_of_its_files_now(
    plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theme = Theme("plain", plain, BLOCKS)
    packed = pack({"plain": theme.kept_files()}, theme.common)
    monkeypatch.delattr(Assets, "_add")
    shutil.rmtree(plain)
    folders, common = unpack(packed)
    kept = Theme("plain", folders["plain"], common, kept=theme.revision)
    assert kept.revision == theme.revision
    assert kept.assets == theme.assets
    assert kept.asset("plain.css") == theme.asset("plain.css")
    site = {"title": "A", "tagline": "", "ink": "blue"}
    around = {"title": "T", "head": "", "body_class": "c", "main": "<p>M</p>"}
    both = [x.shell(menu=[], footer_menu=[], site=site).around(**around) for x in (theme, kept)]
    assert both[0] == both[1]
    note = {"words": "a < b"}
    assert kept.render("blocks/note", block=note) == theme.render("blocks/note", block=note)


@pytest.mark.parametrize("harm", [b"", b"PK", b"no archive at all"])
def test_kept_themes_that_are_damaged_are_none(
    harm: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    assert _loaded({"plain": "1"}, harm) == {}
    assert "kept themes cannot be read" in caplog.text


def test_a_theme_has_another_revision_with_other_blocks(plain: Path) -> None:
    changed = BLOCKS | {"blocks/note": "<i>{{ block.words }}</i>"}
    revisions = {Theme("plain", plain, blocks).revision for blocks in ({}, BLOCKS, changed)}
    assert len(revisions) == 3


def test_a_faulty_block_template_is_named_with_who_wrote_it(plain: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"block type 'note' has a faulty .*note\.html"):
        Theme("plain", plain, {"blocks/note": "{% if %}"}).check()
    with pytest.raises(ConfigurationError, match=r"block type 'note' has a faulty .*'nothing'"):
        Theme("plain", plain, {"blocks/note": "{{ nothing }}"}).render("blocks/note")
    (plain / "templates" / "blocks").mkdir()
    (plain / "templates" / "blocks" / "note.html").write_text("{{ block.words", "utf-8")
    with pytest.raises(ConfigurationError, match=r"'plain' has a faulty templates/blocks/note"):
        Theme("plain", plain, BLOCKS).check()


def test_a_block_type_without_its_template_is_named(plain: Path) -> None:
    class Missing(Block):
        name = "missing"
        template = plain / "missing.html"

    with pytest.raises(ConfigurationError, match=r"missing\.html of the block type 'missing'"):
        block_templates(BlockTypes([Missing]))


def test_a_plugins_theme_can_be_chosen(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch, plain: Path
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.do(
            "sites.configure", theme="plain", theme_settings={"ink": "blue"}, title="Tiles"
        )
        page = await deployment.get("/visit/")
        assert "<title>Visit – Tiles</title>" in page.text
        assert '<body class="layout-page blue">' in page.text
        assert "the text of /visit/ at aurora." in page.text
        assert "<h1>Listing News</h1>" in (await deployment.get("/news/")).text
        assert "<h1>Aurora</h1>" in (await deployment.get("/")).text  # it has no layout 'home'
        assert "Plainly not here: /nothing/" in (await deployment.get("/nothing/")).text
        (sheet,) = re.findall(r"/-/assets/plain-[\w.-]+", page.text)
        assert (await deployment.get(sheet)).status_code == 200
        assert await projected(deployment, "aurora") == await rebuilt(deployment, "aurora")
        assert "Plainly" not in (await deployment.get("/nothing/", "bread.mosaic.test")).text

    offer = {"mosaic_themes": lambda: [ThemeFolder("plain", plain)]}
    deployments(scenario, plugins=plugins_with(monkeypatch, plain=offer))


def test_two_themes_cannot_have_one_name(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch, plain: Path
) -> None:
    async def scenario(deployment: Deployment) -> None:
        raise AssertionError("it opened")

    def offer(name: str) -> dict[str, Callable[[], list[ThemeFolder]]]:
        return {"mosaic_themes": lambda: [ThemeFolder(name, plain)]}

    with pytest.raises(PluginConflict, match=r"'iznik': from MOSAIC itself and from dist-one 1\.0"):
        deployments(scenario, plugins=plugins_with(monkeypatch, one=offer("iznik")))
    plugins = plugins_with(monkeypatch, one=offer("plain"), two=offer("plain"))
    with pytest.raises(PluginConflict, match=r"dist-one 1\.0 and from dist-two 1\.0"):
        deployments(scenario, plugins=plugins)


def test_a_site_whose_theme_is_gone_is_served_in_the_one_that_ships(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch, plain: Path
) -> None:
    async def scenario(deployment: Deployment) -> None:
        scope = deployment.scope()
        monkeypatch.delitem(deployment.product.themes._themes, "plain")
        await deployment.do("sites.configure", title="Aurora")
        for path in ("/", "/visit/", "/nothing/"):
            assert 'data-palette="cobalt"' in (await deployment.get(path)).text
        assert scope.tenant.slug == "aurora"

    async def chosen(deployment: Deployment) -> None:
        await deployment.do("sites.configure", theme="plain")
        await scenario(deployment)

    offer = {"mosaic_themes": lambda: [ThemeFolder("plain", plain)]}
    deployments(chosen, plugins=plugins_with(monkeypatch, plain=offer))


def test_a_newer_state_of_a_theme_reaches_pages_when_the_site_is_configured(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch, plain: Path, tmp_path: Path
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.do("sites.configure", theme="plain")
        newer = tmp_path / "newer"
        shutil.copytree(plain, newer)
        (newer / "templates" / "page.html").write_text("<h1>Newer {{ page.title }}</h1>", "utf-8")
        blocks = block_templates(deployment.product.blocks)
        theme = Theme("plain", newer, blocks)
        monkeypatch.setitem(deployment.product.themes._themes, "plain", theme)
        assert "Newer" not in (await deployment.get("/visit/")).text
        await deployment.do("sites.configure")
        assert "Newer Visit" in (await deployment.get("/visit/")).text
        assert await projected(deployment, "aurora") == await rebuilt(deployment, "aurora")

    offer = {"mosaic_themes": lambda: [ThemeFolder("plain", plain)]}
    deployments(scenario, plugins=plugins_with(monkeypatch, plain=offer))


def test_a_page_that_its_theme_cannot_render_is_logged_and_holds_up_no_other(
    deployments: Deployments,
    monkeypatch: pytest.MonkeyPatch,
    plain: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        before = (await deployment.get("/visit/")).text
        await deployment.do("sites.configure", theme="plain")
        assert "the text of /visit/ at aurora" in before
        assert "the text of /visit/ at aurora" in (await deployment.get("/visit/")).text
        assert "<article>" not in (await deployment.get("/visit/hours/")).text
        assert "<article>" in (await deployment.get("/visit/")).text  # as it was before
        assert "templates/page.html" in caplog.text
        with pytest.raises(ConfigurationError, match=r"'plain' has a faulty templates/page\.html"):
            await deployment.do("pages.publish", path="/visit/")

    (plain / "templates" / "page.html").write_text(
        "<h1>{{ page.title if page.title != 'Visit' else page.nothing }}</h1>{{ body }}", "utf-8"
    )
    offer = {"mosaic_themes": lambda: [ThemeFolder("plain", plain)]}
    deployments(scenario, plugins=plugins_with(monkeypatch, plain=offer))


def test_nothing_in_a_sites_own_words_is_taken_for_a_slot(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        words = '\x02main\x03 {{ slot("main") }} <b>'
        await deployment.do(
            "sites.configure",
            title=words[5:].strip("\x03 "),
            tagline=words,
            footer=words,
        )
        entry = {"title": words[5:].strip("\x03 "), "target": "/visit/"}
        await deployment.do("menus.set", place="header", items=[entry])
        answer = await deployment.get("/visit/")
        assert answer.status_code == 200
        assert answer.text.count("the text of /visit/ at aurora.") == 1
        assert "<b>" not in answer.text.replace("<b>MOSAIC</b>", "")

    deployments(scenario)


def test_until_its_job_is_done_a_page_is_shown_whole_in_the_theme_that_made_it(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dressed(text: str) -> tuple[bool, bool]:
        """Whether shell and page are in the theme Folio: its settings, and its openings."""
        return "data-accent=" in text, 'data-palette="' not in text

    async def scenario(deployment: Deployment) -> None:
        before = (await deployment.get("/visit/")).text
        assert dressed(before) == (False, False)
        settle = deployment.product.settle
        with monkeypatch.context() as held:

            async def later(*_: Any, **__: Any) -> int:
                return 0

            held.setattr(type(deployment.product), "settle", later)
            await deployment.do("sites.configure", theme="folio", tagline="Later")
        waiting = (await deployment.get("/visit/")).text
        assert dressed(waiting) == (False, False)
        assert "Later" in waiting  # what surrounds a page is always what it is now
        assert (
            waiting.partition("<main")[2].partition("</main>")[0]
            == (before.partition("<main")[2].partition("</main>")[0])
        )
        await settle(deployment.scope().tenant)
        assert dressed((await deployment.get("/visit/")).text) == (True, True)

    deployments(scenario)
