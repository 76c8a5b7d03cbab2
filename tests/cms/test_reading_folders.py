"""A folder of Markdown becomes pages in a tree, and a report says what was made of it."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mosaic_cms.content.markup import Markup, Picture
from mosaic_cms.content.paths import check_slug, normalise_path
from mosaic_cms.content.slugs import slugify
from mosaic_cms.importing.document import cut_summary
from mosaic_cms.importing.folder import SourceFolder, SourcePage, read_folder
from mosaic_cms.importing.slugs import expand_permalink, written_path
from mosaic_core.errors import InvalidInput

DEMO = Path(__file__).parents[2] / "sites" / "demo" / "tenants"


def read(root: Path, files: dict[str, str | bytes]) -> SourceFolder:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_folder(root)


def by_path(folder: SourceFolder) -> dict[str, SourcePage]:
    return {page.path: page for page in folder.pages}


def problems(folder: SourceFolder) -> list[str]:
    return [str(line) for line in folder.report.problems]


def remarks(folder: SourceFolder) -> list[str]:
    return [str(line) for line in folder.report if line.level == "note"]


def yaml(body: str = "", **keys: object) -> str:
    return "---\n" + "".join(f"{key}: {value}\n" for key, value in keys.items()) + f"---\n{body}"


# ---- the demo --------------------------------------------------------------------------------


@pytest.mark.parametrize("tenant", ["aurora", "wheatsheaf", "nightshift"])
def test_the_demo_reads_without_a_problem(tenant: str) -> None:
    root = DEMO / tenant / "content"
    folder = read_folder(root)
    assert problems(folder) == []
    assert remarks(folder) == []
    assert {page.source for page in folder.pages} == {
        path.relative_to(root).as_posix() for path in root.rglob("*.md")
    }
    assert {file.source for file in folder.media} == {
        path.relative_to(root).as_posix() for path in root.rglob("*.webp")
    }
    pages = {page.source for page in folder.pages}
    files = {file.source for file in folder.media}

    class Strict:
        def link(self, target: str) -> str | None:
            kind, _, rest = target.partition(":")
            if kind in {"page", "media"}:
                assert unquote(rest.partition("#")[0]) in (pages if kind == "page" else files)
            else:
                assert re.match(r"https?|mailto|tel|#", kind), target
            return "/"

        def picture(self, target: str) -> Picture | None:
            assert unquote(target.removeprefix("media:")) in files
            return Picture("/x", None, None)

    for page in folder.pages:
        assert page.title
        assert page.summary
        assert "{%" not in re.sub(r"`[^`]*`", "", page.body)
        Markup().render(page.body, Strict())
        assert page.image is None or page.image.removeprefix("media:") in files


@pytest.mark.parametrize(
    ("tenant", "style"),
    [("aurora", "Hugo"), ("wheatsheaf", "plain"), ("nightshift", "Jekyll")],
)
def test_conventions_are_recognised_and_named(tenant: str, style: str) -> None:
    first = next(iter(read_folder(DEMO / tenant / "content").report))
    assert first.level == "understood"
    assert first.message.startswith(f"{style} conventions; 3")


def test_redirects_of_the_demo_lead_to_pages() -> None:
    paths = by_path(read_folder(DEMO / "nightshift" / "content"))
    assert "/blog/2024/03/skip-locked-is-the-whole-queue/" in paths
    assert paths["/blog/2025/03/the-pool-is-a-queue/"].parent == "blog/index.md"


# ---- the tree ---------------------------------------------------------------------------------


def test_folders_become_a_tree_parents_first_and_siblings_in_order(tmp_path: Path) -> None:
    folder = read(
        tmp_path,
        {
            "index.md": "# Home",
            "b/index.md": "# B",
            "b/old.md": yaml(title="Old", date="2020-01-01"),
            "b/new.md": yaml(title="New", date="2024-01-01"),
            "b/undated.md": "# Apples",
            "b/also-undated.md": "# Pears",
            "b/first.md": yaml(title="First", weight=1),
            "b/zero.md": yaml(title="Zero", weight=0),
            "b/deep/er/leaf.md": "# Leaf",
            "a.md": "# A",
        },
    )
    assert [(p.path, p.parent, p.slug, p.position) for p in folder.pages] == [
        ("/", None, "", 0),
        ("/a/", "index.md", "a", 0),
        ("/b/", "index.md", "b", 1),
        ("/b/first/", "b/index.md", "first", 0),
        ("/b/new/", "b/index.md", "new", 1),
        ("/b/old/", "b/index.md", "old", 2),
        ("/b/undated/", "b/index.md", "undated", 3),
        ("/b/deep/er/leaf/", "b/index.md", "deep/er/leaf", 4),
        ("/b/also-undated/", "b/index.md", "also-undated", 5),
        ("/b/zero/", "b/index.md", "zero", 6),
    ]
    assert [by_path(folder)[p].layout for p in ("/", "/b/", "/b/new/", "/a/")] == [
        "home", "list", "post", "page",
    ]  # fmt: skip


def test_without_a_home_page_the_tree_has_several_roots(tmp_path: Path) -> None:
    folder = read(tmp_path, {"a.md": "# A", "c/b.md": "# B"})
    assert [(p.path, p.parent, p.slug) for p in folder.pages] == [
        ("/a/", None, "a"),
        ("/c/b/", None, "c/b"),
    ]


def test_a_readme_stands_for_its_folder_unless_there_is_an_index(tmp_path: Path) -> None:
    folder = read(
        tmp_path,
        {"README.md": "# Home", "a/README.md": "# A", "b/index.md": "# B", "b/README.md": "# R"},
    )
    assert {p.path: p.source for p in folder.pages} == {
        "/": "README.md",
        "/a/": "a/README.md",
        "/b/": "b/index.md",
        "/b/readme/": "b/README.md",
    }


def test_a_slug_moves_a_page_and_all_below_it(tmp_path: Path) -> None:
    folder = read(
        tmp_path,
        {
            "visit/_index.md": yaml(slug="Besuch uns"),
            "visit/hours/index.md": "# Hours",
            "visit/Öffnung & mehr.md": "# O",
        },
    )
    assert set(by_path(folder)) == {
        "/besuch-uns/",
        "/besuch-uns/hours/",
        "/besuch-uns/öffnung-mehr/",
    }


def test_addresses_may_be_written_in_front_matter(tmp_path: Path) -> None:
    folder = read(
        tmp_path,
        {
            "a.md": yaml(url="/x/y/", aliases="[/old/, ../older]"),
            "b.md": yaml(permalink="/:year/:title.html", date="2024-05-06"),
            "c.md": yaml(permalink="/about.html", redirect_from="/who"),
            "d.md": yaml("See [c](/about.html), [a](/old/) and [b](/2024/b/).", url="http://x/y"),
        },
    )
    pages = by_path(folder)
    assert set(pages) == {"/x/y/", "/2024/b/", "/about/", "/d/"}
    assert pages["/x/y/"].aliases == ("/old/", "/older/")
    assert pages["/about/"].aliases == ("/who/", "/about.html/")
    assert pages["/d/"].body == "See [c](page:c.md), [a](page:a.md) and [b](page:b.md)."
    assert problems(folder) == ["d.md: url: 'http://x/y' makes no address; not used"]


def test_a_parent_may_be_named(tmp_path: Path) -> None:
    folder = read(
        tmp_path,
        {
            "index.md": "# Home",
            "a.md": yaml(parent="section/b"),
            "section/b.md": yaml(parent="../index.md"),
            "section/c.md": yaml(parent="nowhere"),
        },
    )
    assert {p.source: (p.parent, p.path) for p in folder.pages} == {
        "index.md": (None, "/"),
        "section/b.md": ("index.md", "/b/"),
        "a.md": ("section/b.md", "/b/a/"),
        "section/c.md": ("index.md", "/section/c/"),
    }
    assert problems(folder) == ["section/c.md: parent: there is no page 'nowhere'"]


def test_a_circle_of_parents_is_left_out_and_its_children_move_up(tmp_path: Path) -> None:
    folder = read(
        tmp_path,
        {
            "index.md": "# Home",
            "a/index.md": yaml(parent="b.md"),
            "b.md": yaml(parent="a/index.md"),
            "self.md": yaml(parent="self.md"),
            "a/below.md": "# Below",
            "c.md": yaml(parent="b.md"),
        },
    )
    assert {p.path: p.parent for p in folder.pages} == {
        "/": None,
        "/a/below/": "index.md",
        "/c/": "index.md",
    }
    told = problems(folder)
    assert len(told) == 3
    assert "a/index.md → b.md → a/index.md" in told[0]
    assert "b.md → a/index.md → b.md" in told[1] or "a/index.md → b.md" in told[1]
    assert "self.md → self.md" in told[2]


def test_two_pages_with_one_address_are_both_named(tmp_path: Path) -> None:
    folder = read(tmp_path, {"Visit Us.md": "# 1", "visit-us.md": "# 2", "visit-us/x.md": "# 3"})
    assert {p.source for p in folder.pages} == {"Visit Us.md", "visit-us/x.md"}
    assert problems(folder) == [
        "visit-us.md: its address /visit-us/ is that of Visit Us.md already; left out"
    ]
    assert by_path(folder)["/visit-us/x/"].parent == "Visit Us.md"


def test_an_address_is_neither_too_long_nor_reserved(tmp_path: Path) -> None:
    name = "x" * 200
    folder = read(tmp_path, {f"{name}/{name}/{name}.md": "# A", "b.md": yaml(url="/-/x/")})
    assert [p.path for p in folder.pages] == [f"/{slugify('-')}/x/"]
    assert problems(folder) == [
        f"{name}/{name}/{name}.md: its address has 604 characters, and 500 fit; left out"
    ]


# ---- Jekyll --------------------------------------------------------------------------------


def test_jekyll_posts_stand_below_the_blog(tmp_path: Path) -> None:
    folder = read(
        tmp_path,
        {
            "_posts/2024-03-09-Hello World.md": yaml(
                "To [next]({% post_url 2024-04-01-next %}#part) and "
                "[about]({{ site.baseurl }}/about/) and [me]({% link about.md %}).",
                tags="a b",
                categories="[News]",
                excerpt="Short.",
            ),
            "_posts/2024-04-01-next.md": yaml(date="2025-01-01 10:00:00 +0200"),
            "_posts/2024-05-01-moved.md": yaml(permalink="/:categories/:i_day/:title/",
                                               categories="[News, Old Stuff]"),
            "_posts/2024-13-45-odd.md": "# Odd",
            "_drafts/idea.md": "# Idea",
            "about.md": "# About",
            "notes/_posts/2024-06-01-note.md": "# Note",
            "_config.yml": "title: x",
        },
    )  # fmt: skip
    pages = by_path(folder)
    assert set(pages) == {
        "/blog/2024/03/hello-world/",
        "/blog/2025/01/next/",
        "/news/old-stuff/1/moved/",
        "/blog/2024-13-45-odd/",
        "/blog/idea/",
        "/about/",
        "/notes/2024/06/note/",
    }
    first = pages["/blog/2024/03/hello-world/"]
    assert first.body == (
        "To [next](page:_posts/2024-04-01-next.md#part) and [about](page:about.md) "
        "and [me](page:about.md)."
    )
    assert (first.title, first.tags, first.summary) == ("Hello World", ("a", "b"), "Short.")
    assert (first.categories, first.extra) == (("News",), {})
    assert first.date is not None
    assert first.date.isoformat() == "2024-03-09T00:00:00+00:00"
    assert first.layout == "post"
    assert pages["/blog/idea/"].draft
    assert problems(folder) == []
    assert "_config.yml: belongs to a site generator; skipped" in remarks(folder)


def test_a_permalink_that_asks_for_what_is_not_there_makes_no_address() -> None:
    def expand(pattern: str) -> str | None:
        return expand_permalink(pattern, slug="a", date=None, categories=())

    assert expand("/:year/:title/") is None
    assert expand("/:collection/:title/") is None
    assert expand("/x/:title:output_ext") == "/x/a/"
    assert expand("none") == "/a/"


# ---- words ------------------------------------------------------------------------------------


def test_the_title_is_the_front_matters_or_the_headings_or_the_files(tmp_path: Path) -> None:
    folder = read(
        tmp_path,
        {
            "a.md": yaml("# Other\n\nText", title="Given"),
            "b.md": "# The *real* title\r\n\r\nText",
            "c.md": "Intro\n\nThe title\n=========\n\nMore",
            "opening-hours.md": "Text\n\n## Part\n\n# Late",
            "same.md": yaml("\n# same\n\nText", title="Same"),
            "section/index.md": "Text",
        },
    )
    found = {p.source: (p.title, p.body) for p in folder.pages}
    assert found == {
        "a.md": ("Given", "# Other\n\nText"),
        "b.md": ("The real title", "Text"),
        "c.md": ("The title", "Intro\n\nMore"),
        "opening-hours.md": ("Opening hours", "Text\n\n## Part\n\n# Late"),
        "same.md": ("Same", "Text"),
        "section/index.md": ("Section", "Text"),
    }


def test_the_summary_is_the_first_paragraph_up_to_a_sentence(tmp_path: Path) -> None:
    sentence = "The fire goes in at two in the afternoon, three barrows of it, ash and oak. "
    folder = read(
        tmp_path,
        {
            "a.md": "![A picture](https://x.example/y.png)\n\n> A quote\n\n" + sentence * 5,
            "b.md": "Short *text* with [a link](https://x.example).\nAnd a line.",
            "c.md": yaml("Body", description="Given."),
        },
    )
    pages = by_path(folder)
    assert pages["/a/"].summary == (sentence * 2).strip()
    assert pages["/b/"].summary == "Short text with a link. And a line."
    assert pages["/c/"].summary == "Given."


@given(st.text(max_size=500))
def test_a_summary_is_a_beginning_of_its_text_and_not_too_long(text: str) -> None:
    summary = cut_summary(text)
    assert len(summary) <= 180
    assert text.startswith(summary.removesuffix("…"))


def test_what_stays_as_text_is_told_with_its_line(tmp_path: Path) -> None:
    folder = read(
        tmp_path,
        {
            "a.md": yaml(
                "Text\n\n<!--more-->\n\nMore\nand <b>bold</b>\n\n{{< figure src=x >}}\n\n"
                "`<i>` and `{{ x }}`\n",
                title="A",
            )
        },
    )
    assert remarks(folder) == [
        "a.md:6: the mark <!--more--> is taken out",
        "a.md:9: HTML is not taken over; it is shown as text",
        "a.md:11: a template tag is not understood and stays as text",
    ]
    assert "<!--more-->" not in folder.pages[0].body
    assert "{{< figure src=x >}}" in folder.pages[0].body


# ---- links ------------------------------------------------------------------------------------


def test_links_in_every_form_lead_to_their_pages(tmp_path: Path) -> None:
    links = {
        "b.md": "page:sub/b.md",
        "./b.md#part": "page:sub/b.md#part",
        "../c%20d.md": "page:c%20d.md",
        "<../c d.md>": "page:c%20d.md",
        "/c%20d": "page:c%20d.md",
        "/c-d/": "page:c%20d.md",
        "../": "page:index.md",
        "..": "page:index.md",
        "/": "page:index.md",
        "/sub/": "page:sub/index.md",
        "index.md": "page:sub/index.md",
        "b": "page:sub/b.md",
        "b.html": "page:sub/b.md",
        "../b/": "page:sub/b.md",
        "pic.png": "media:sub/pic.png",
        "/sub/pic.png": "media:sub/pic.png",
        "caf%C3%A9.pdf": "media:sub/café.pdf",
        "#here": "#here",
        "https://x.example/b.md": "https://x.example/b.md",
        "//x.example/b.md": "//x.example/b.md",
        "mailto:a@b.example": "mailto:a@b.example",
    }
    folder = read(
        tmp_path,
        {
            "index.md": "# Home",
            "c d.md": "# C D",
            "sub/index.md": "# Sub",
            "sub/b.md": "# B",
            "sub/pic.png": b"png",
            "sub/caf\u0065\u0301.pdf": b"pdf",
            "sub/a.md": "\n\n".join(f"[x]({target})" for target in links)
            + "\n\n`[x](b.md)`\n\n    [x](b.md)\n",
        },
    )
    body = next(p.body for p in folder.pages if p.source == "sub/a.md")
    assert problems(folder) == []
    assert re.findall(r"^\[x\]\((.*)\)$", body, re.MULTILINE) == list(links.values())
    assert body.endswith("`[x](b.md)`\n\n    [x](b.md)\n")
    assert {file.source for file in folder.media} == {"sub/pic.png", "sub/café.pdf"}


def test_hugo_references_are_followed(tmp_path: Path) -> None:
    folder = read(
        tmp_path,
        {
            "_index.md": 'To [b]({{< ref "b.md" >}}), [c]({{< relref "sub/c#x" >}}) and '
            '[c]({{% ref "c" %}}).',
            "b.md": "# B",
            "sub/c.md": "# C",
        },
    )
    assert folder.pages[0].body == (
        "To [b](page:b.md), [c](page:sub/c.md#x) and [c](page:sub/c.md)."
    )


def test_a_link_that_leads_nowhere_is_told_with_its_line(tmp_path: Path) -> None:
    body = (
        "[a](gone.md)\n\n[b](../../etc/passwd)\n![c](no.png)\n\n[d](broken.md)\n\n"
        "[e]({% include x %})\n\n[r]: lost.md\n"
    )
    folder = read(tmp_path, {"a.md": yaml(body, title="A"), "broken.md": b"\xff"})
    assert problems(folder) == [
        "a.md:4: there is no page or file 'gone.md'; the link stays as it is",
        "a.md:6: '../../etc/passwd' leads out of the folder; the link stays as it is",
        "a.md:7: there is no page or file 'no.png'; the link stays as it is",
        "a.md:9: the page broken.md was left out; the link stays as it is",
        "a.md:11: the template tag in '{% include x %}' is not understood; the link stays as it is",
        "a.md:13: there is no page or file 'lost.md'; the link stays as it is",
        "broken.md:1: it is not UTF-8 (byte 0 is 0xff); left out: save it as UTF-8",
    ]
    assert folder.pages[0].body == body


def test_pictures_in_front_matter_are_found(tmp_path: Path) -> None:
    folder = read(
        tmp_path,
        {
            "sub/a.md": yaml(image="pic one.png", image_alt="A picture"),
            "sub/b.md": yaml(image="/sub/pic one.png"),
            "sub/c.md": yaml(image="{path: root.png, alt: The root}"),
            "sub/d.md": yaml(image="https://x.example/y.png"),
            "sub/e.md": yaml(title="E", image="none.png"),
            "sub/f.md": yaml(image="a.md"),
            "sub/pic one.png": b"",
            "root.png": b"",
        },
    )
    assert {p.source: (p.image, p.image_alt) for p in folder.pages} == {
        "sub/a.md": ("media:sub/pic%20one.png", "A picture"),
        "sub/b.md": ("media:sub/pic%20one.png", ""),
        "sub/c.md": ("media:root.png", "The root"),
        "sub/d.md": ("https://x.example/y.png", ""),
        "sub/e.md": (None, ""),
        "sub/f.md": (None, ""),
    }
    assert problems(folder) == [
        "sub/e.md:3: image: there is no page or file 'none.png'",
        "sub/f.md:2: image: 'a.md' is no picture",
    ]


# ---- what cannot be used ------------------------------------------------------------------


def test_a_broken_file_is_left_out_and_the_rest_goes_on(tmp_path: Path) -> None:
    folder = read(
        tmp_path,
        {
            "index.md": "# Home",
            "bad/index.md": b"# Bad\n\n\xe9t\xe9",
            "bad/below.md": "# Below",
            "big.md": "x" * 1_000_001,
            "huge.md": b"x" * 10_000_000,
            "matter.md": "---\ntitle: a\nb: [\n---\n",
            "nul.md": "---\na: b\n---\nText\n\0",
            "bom.md": b"\xef\xbb\xbf# With a mark",
            "late.md": b"\xef\xbb\xbfabc\xff",
        },
    )
    assert {p.path: p.parent for p in folder.pages} == {
        "/": None,
        "/bom/": "index.md",
        "/bad/below/": "index.md",
    }
    assert by_path(folder)["/bom/"].title == "With a mark"
    assert problems(folder) == [
        "bad/index.md:3: it is not UTF-8 (byte 7 is 0xe9); left out: save it as UTF-8",
        "big.md: its text has 1,000,001 bytes, and 1,000,000 fit; left out",
        "huge.md: it has 10,000,000 bytes, and 1,000,000 fit; left out",
        "late.md:1: it is not UTF-8 (byte 6 is 0xff); left out: save it as UTF-8",
        "matter.md:4: the YAML front matter is broken: expected the node content, but found "
        "'<stream end>'; left out",
        "nul.md:5: its text has a NUL character; left out",
    ]


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-16-be", "mac-roman"])
def test_a_file_in_another_encoding_is_left_out_whole(tmp_path: Path, encoding: str) -> None:
    text = "---\ntitle: Bücher\n---\nÉté – “oui”\n"
    folder = read(tmp_path, {"a.md": text.encode(encoding), "b.md": text})
    assert [page.title for page in folder.pages] == ["Bücher"]
    (problem,) = problems(folder)
    assert problem.startswith("a.md:")
    assert problem.endswith(("save it as UTF-8", "its text has a NUL character; left out"))


@pytest.mark.parametrize("space", ["", "\n  "])
def test_front_matter_in_json_is_told(tmp_path: Path, space: str) -> None:
    text = f'{{{space}"title": "Ours",{space} "tags": ["a"]}}\n\nText.\n'
    folder = read(tmp_path, {"a.md": text, "b.md": 'Text with {"a": 1}.\n', "c.md": "{ref}\n"})
    assert [page.body for page in folder.pages if page.source == "a.md"] == [text]
    told = "front matter in JSON is not read, and stays as text"
    assert [remark for remark in remarks(folder) if "JSON" in remark] == [f"a.md:1: {told}"]


def test_what_is_no_content_is_passed_over_with_a_word(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.md").write_text("# Secret")
    root = tmp_path / "content"
    root.mkdir()
    (root / "leak.md").symlink_to(outside / "secret.md")
    (root / "leaks").symlink_to(outside)
    (root / "dangling.md").symlink_to(root / "nothing.md")
    (root / "circle.md").symlink_to(root / "circle.md")
    (root / "round").symlink_to(root)
    (root / "alias.md").symlink_to(root / "a.md")
    os.mkfifo(root / "pipe.md")
    folder = read(
        root,
        {
            "a.md": "# A",
            ".git/config": "x",
            ".DS_Store": b"",
            "_layouts/x.html": "",
            "unused.png": b"",
        },
    )
    assert {p.source for p in folder.pages} == {"a.md", "alias.md"}
    assert not folder.media
    assert problems(folder) == [
        "circle.md: a symbolic link that leads in a circle, or to what cannot be read; refused",
        "dangling.md: a symbolic link that leads nowhere; refused",
        "leak.md: a symbolic link that leads out of the folder; refused",
        "leaks: a symbolic link that leads out of the folder; refused",
    ]
    assert remarks(folder) == [
        ".DS_Store: hidden; skipped",
        ".git: hidden; skipped",
        "_layouts: belongs to a site generator; skipped",
        "pipe.md: neither a file nor a folder; skipped",
        "round: a symbolic link to a folder, which is read where it stands",
        "unused.png: no page refers to this file; it is not taken",
    ]


def test_a_name_that_is_not_utf8_is_reported(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.md")).write_text("# A")
    folder = read_folder(tmp_path)
    assert problems(folder) == ["caf\\xe9.md: its name is not UTF-8; left out"]


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is not a folder"):
        read_folder(tmp_path / "nothing")


def test_an_old_address_belongs_to_one_page_only(tmp_path: Path) -> None:
    folder = read(
        tmp_path,
        {
            "a.md": yaml(aliases="[/x/, /b/, /a/, /x]"),
            "b.md": yaml(aliases="[/x/]"),
        },
    )
    assert [p.aliases for p in folder.pages] == [("/x/",), ()]
    assert problems(folder) == [
        "a.md: aliases: '/b/' belongs to b.md already",
        "b.md: aliases: '/x/' belongs to a.md already",
    ]


def test_reading_twice_gives_the_same(tmp_path: Path) -> None:
    first = read(tmp_path, {"b.md": "# B", "a.md": "# A\n\n[b](b.md)", "c/index.md": "# C"})
    assert read_folder(tmp_path) == first


# ---- addresses ----------------------------------------------------------------------------------


@given(st.text(max_size=60))
@settings(max_examples=300)
def test_a_slug_is_one_safe_segment_and_a_fixed_point(name: str) -> None:
    slug = slugify(name)
    assert slugify(slug) == slug
    assert check_slug(slug) == slug
    assert "/" not in slug
    assert slug == unicodedata.normalize("NFC", slug)
    assert normalise_path(f"/{slug}/") == f"/{slug}/"


@given(st.text("abÄ .-_/\\%?#:é\u0301'", max_size=40))
def test_a_written_address_is_a_fixed_point(text: str) -> None:
    path = written_path(text)
    if path is not None:
        assert normalise_path(path) == path
        check_slug(path)


SEGMENTS = st.sampled_from(["a", "b", "B", "index", "_index", "README", "x y", "ü"])


@given(
    st.dictionaries(
        st.lists(SEGMENTS, min_size=1, max_size=3).map(lambda parts: "/".join(parts) + ".md"),
        st.tuples(
            st.sampled_from(["", "a", "/b.md", "..", "index.md"]),
            st.sampled_from(["", "s", "x/y"]),
            st.sampled_from(["", "/a/", "/deep/a/"]),
        ),
        max_size=8,
    )
)
@settings(max_examples=150, deadline=None)
def test_any_folder_becomes_a_tree_whose_addresses_are_sound(
    tmp_path_factory: pytest.TempPathFactory, pages: dict[str, tuple[str, str, str]]
) -> None:
    root = tmp_path_factory.mktemp("folder")
    folder = read(
        root,
        {
            name: yaml(parent=parent or '""', slug=slug or '""', url=url or '""')
            for name, (parent, slug, url) in pages.items()
        },
    )
    seen: dict[str, SourcePage] = {}
    for page in folder.pages:
        assert page.path == normalise_path(page.path)
        base = seen[page.parent].path if page.parent else "/"
        assert page.path == (f"{base}{page.slug}/" if page.slug else base)
        assert page.position == sum(other.parent == page.parent for other in seen.values())
        seen[page.source] = page
    assert len({page.path for page in folder.pages}) == len(folder.pages)
    left_out = {line.source for line in folder.report.problems if "left out" in line.message}
    assert set(seen) | left_out == set(pages)
    assert not set(seen) & left_out
