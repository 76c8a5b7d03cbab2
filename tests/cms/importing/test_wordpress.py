"""What an export's posts, pages, menus and comments become."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from mosaic_cms.importing.wordpress import WordPressPage, WordPressSite, read_wordpress
from mosaic_core.errors import InvalidInput
from tests.cms.importing import wxr


def read(tmp_path: Path, *parts: str, version: str = "1.2", **more: Path) -> WordPressSite:
    return read_wordpress(wxr.write(tmp_path, *parts, version=version), **more)


def page(site: WordPressSite, source: str) -> WordPressPage:
    return next(page for page in site.pages if page.source == source)


def said(site: WordPressSite, source: str) -> str:
    return "\n".join(line.message for line in site.report if line.source == source)


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_all_versions_of_the_format_are_read(tmp_path: Path, version: str) -> None:
    site = read(tmp_path, wxr.item(1, "First", "Words"), version=version)
    assert (site.title, site.tagline, site.language) == (
        "The Harbour Post",
        "News from the quay",
        "en-GB",
    )
    assert (site.version, site.address, site.whole) == (version, wxr.SITE, True)
    assert page(site, "wp:1").title == "First"


def test_the_oldest_exports_name_a_term_twice(tmp_path: Path) -> None:
    old = wxr.item(1, "First").replace(
        "<wp:post_id>",
        '<category>Boats</category><category domain="category" nicename="boats">Boats</category>'
        '<category domain="tag">wood</category><wp:post_id>',
    )
    details = page(read(tmp_path, old, version="1.0"), "wp:1").details
    assert details["categories"] == ["Boats"]
    assert details["tags"] == ["wood"]


def test_other_prefixes_mean_the_same_namespaces(tmp_path: Path) -> None:
    text = wxr.export(wxr.item(1, "First", "Words"))
    for usual, other in (("wp", "w"), ("dc", "who")):
        text = text.replace(f"{usual}:", f"{other}:").replace(f"xmlns:{usual}=", f"xmlns:{other}=")
    (tmp_path / "other.xml").write_text(text, "utf-8")
    site = read_wordpress(tmp_path / "other.xml")
    assert page(site, "wp:1").details["author"] == "ada"


def test_authors_and_terms_are_taken(tmp_path: Path) -> None:
    site = read(
        tmp_path,
        wxr.author("ada", "Ada Weaver", "ada@old.example"),
        wxr.category("craft", "Craft &amp; trade"),
        wxr.category("boats", "Boats", parent="craft"),
        wxr.tag("wood", "Wood"),
        wxr.item(1, "First", terms=[("category", "boats", "Boats"), ("post_tag", "wood", "Wood")]),
    )
    assert [(a.login, a.name, a.email) for a in site.authors] == [
        ("ada", "Ada Weaver", "ada@old.example")
    ]
    assert [(t.taxonomy, t.slug, t.name, t.parent) for t in site.terms] == [
        ("category", "craft", "Craft & trade", None),
        ("category", "boats", "Boats", "craft"),
        ("post_tag", "wood", "Wood", None),
    ]
    details = page(site, "wp:1").details
    assert details["author"] == "Ada Weaver"
    assert (details["categories"], details["tags"]) == (["Boats"], ["Wood"])


def test_pages_stand_in_their_tree_and_posts_below_the_blog(tmp_path: Path) -> None:
    site = read(
        tmp_path,
        wxr.item(4, "Hours", kind="page", parent=3, link=f"{wxr.SITE}/visit/hours/"),
        wxr.item(3, "Visit", "x", kind="page", order=2),
        wxr.item(2, "About", "x", kind="page", order=1),
        wxr.item(1, "Start", "x", kind="page", order=9, link=f"{wxr.SITE}/"),
        wxr.item(5, "Old news", date="2019-01-01 00:00:00"),
        wxr.item(6, "New news", date="2021-01-01 00:00:00"),
    )
    assert [(p.source, p.parent, p.path, p.position, p.layout) for p in site.pages] == [
        ("wp:1", None, "/", 0, "home"),
        ("wp:2", None, "/about/", 1, "page"),
        ("wp:3", None, "/visit/", 2, "page"),
        ("wp:4", "wp:3", "/visit/hours/", 0, "page"),
        ("wp:posts", None, "/blog/", 3, "list"),
        ("wp:6", "wp:posts", "/blog/new-news/", 0, "post"),
        ("wp:5", "wp:posts", "/blog/old-news/", 1, "post"),
    ]


def test_an_empty_page_called_blog_lists_the_posts(tmp_path: Path) -> None:
    site = read(tmp_path, wxr.item(1, "News", kind="page"), wxr.item(2, "First"))
    assert page(site, "wp:1").layout == "list"
    assert page(site, "wp:2").path == "/news/first/"


def test_parents_in_a_circle_and_missing_ones_lose_nothing(tmp_path: Path) -> None:
    site = read(
        tmp_path,
        wxr.item(1, "A", kind="page", parent=2),
        wxr.item(2, "B", kind="page", parent=1),
        wxr.item(3, "C", kind="page", parent=99),
    )
    assert {p.source for p in site.pages} == {"wp:1", "wp:2", "wp:3"}
    assert page(site, "wp:3").parent is None
    assert any("circle" in line.message for line in site.report.problems)


def test_old_addresses_lead_to_the_new_ones(tmp_path: Path) -> None:
    site = read(
        tmp_path,
        wxr.item(1, "First"),
        wxr.item(2, "Draft", status="draft", link=f"{wxr.SITE}/?p=2"),
        wxr.item(3, "About", kind="page"),
    )
    assert [(r.address, r.page, r.path) for r in site.redirects] == [
        ("/2020/05/first/", "wp:1", "/blog/first/")
    ]


def test_an_old_address_that_a_page_has_now_leads_nowhere_else(tmp_path: Path) -> None:
    site = read(
        tmp_path,
        wxr.item(1, "About", kind="page", link=f"{wxr.SITE}/us/"),
        wxr.item(2, "Us", kind="page", link=f"{wxr.SITE}/about/"),
        wxr.item(3, "A", link=f"{wxr.SITE}/old/"),
        wxr.item(4, "B", link=f"{wxr.SITE}/old/"),
    )
    assert [r.address for r in site.redirects] == ["/old/"]


def test_slugs_keep_their_letters(tmp_path: Path) -> None:
    site = read(
        tmp_path,
        wxr.item(1, "Привет", slug="%d0%bf%d1%80%d0%b8%d0%b2%d0%b5%d1%82"),
        wxr.item(2, "東京", slug=""),
        wxr.item(3, "Broken", slug="%ff%fe"),
        wxr.item(4, "Long", slug="s" * 5_000),
    )
    assert page(site, "wp:1").path == "/blog/привет/"
    assert page(site, "wp:2").slug == "東京"
    assert page(site, "wp:3").slug == "broken"
    assert len(page(site, "wp:4").path) < 500


def test_two_pages_never_have_one_address(tmp_path: Path) -> None:
    site = read(tmp_path, *(wxr.item(n, "Same", kind="page", slug="same") for n in (1, 2, 3)))
    assert sorted(p.path for p in site.pages) == ["/same-2/", "/same-3/", "/same/"]
    assert "another page has the address" in said(site, "wp:2")


@pytest.mark.parametrize(
    ("status", "draft", "word"),
    [
        ("publish", False, ""),
        ("draft", True, ""),
        ("pending", True, ""),
        ("private", True, "private"),
        ("acme-hold", True, "acme-hold"),
    ],
)
def test_what_was_not_public_becomes_a_draft(
    tmp_path: Path, status: str, draft: bool, word: str
) -> None:
    site = read(tmp_path, wxr.item(1, "First", status=status))
    assert page(site, "wp:1").draft is draft
    assert word in said(site, "wp:1")


def test_a_password_makes_a_draft_and_is_not_kept(tmp_path: Path) -> None:
    site = read(tmp_path, wxr.item(1, "First", password="opensesame"))
    assert page(site, "wp:1").draft
    assert "password" in said(site, "wp:1")
    assert "opensesame" not in repr(site)


def test_what_was_scheduled_stays_so(tmp_path: Path) -> None:
    site = read(
        tmp_path,
        wxr.item(1, "Later", status="future", date="2031-02-03 04:05:06"),
        wxr.item(2, "When", status="future", date="0000-00-00 00:00:00", local="never"),
    )
    assert page(site, "wp:1").scheduled == datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC)
    assert page(site, "wp:1").draft
    assert page(site, "wp:2").scheduled is None
    assert "no date" in said(site, "wp:2")


def test_the_bin_is_left_out(tmp_path: Path) -> None:
    site = read(tmp_path, wxr.item(1, "Gone", status="trash"), wxr.item(2, "Here"))
    assert [p.source for p in site.pages] == ["wp:posts", "wp:2"]
    assert "bin" in said(site, "wp:1")


def test_dates_fall_back_from_gmt_to_local_to_the_feed(tmp_path: Path) -> None:
    zero = "0000-00-00 00:00:00"
    feed = wxr.item(3, "Feed", date=zero, local=zero).replace(
        "<dc:creator>", "<pubDate>Fri, 01 May 2020 10:00:00 +0200</pubDate><dc:creator>"
    )
    site = read(tmp_path, wxr.item(1, "Gmt"), wxr.item(2, "Local", date=zero), feed)
    dates = {p.source: p.details.get("date") for p in site.pages}
    assert dates["wp:1"] == "2020-05-01T10:00:00+00:00"
    assert dates["wp:2"] == "2020-05-01T12:00:00+00:00"
    assert dates["wp:3"] == "2020-05-01T08:00:00+00:00"


def test_custom_fields_are_kept_and_the_editors_own_are_not(tmp_path: Path) -> None:
    meta = {"mood": "calm", "tide": ["low", "high"], "_edit_lock": "1:1", "huge": "x" * 30_000}
    site = read(tmp_path, wxr.item(1, "First", meta=meta, sticky=1))
    kept = page(site, "wp:1").details["wordpress"]
    assert kept["meta"] == {"mood": "calm", "tide": ["low", "high"]}
    assert kept["sticky"] is True
    assert page(site, "wp:1").sticky
    assert "'huge'" in said(site, "wp:1")


def test_the_excerpt_is_the_summary_or_else_the_first_paragraph(tmp_path: Path) -> None:
    site = read(
        tmp_path,
        wxr.item(1, "A", "Body", excerpt="Short <b>&amp;</b> good"),
        wxr.item(2, "B", "<h2>No</h2>\n\nThe opening words."),
    )
    assert page(site, "wp:1").summary == "Short & good"
    assert page(site, "wp:2").summary == "The opening words."


def test_titles_are_plain_words_that_fit(tmp_path: Path) -> None:
    site = read(
        tmp_path,
        wxr.item(1, "Fish &amp; <em>chips</em>"),
        wxr.item(2, "", slug="no-name"),
        wxr.item(3, "x" * 5_000, slug="long"),
    )
    assert page(site, "wp:1").title == "Fish & chips"
    assert page(site, "wp:2").title == "No name"
    assert len(page(site, "wp:3").title) == 300
    assert "5000 characters" in said(site, "wp:3")


def test_comments_are_kept_as_data(tmp_path: Path) -> None:
    comments = (
        wxr.comment(7, "Lovely <script>x</script>")
        + wxr.comment(8, "Indeed", parent=7, status="0")
        + wxr.comment(9, "Buy!", status="spam")
        + wxr.comment(10, "Linked", kind="pingback")
    )
    site = read(tmp_path, wxr.item(1, "First", comments=comments))
    assert [(c.id, c.page, c.parent, c.approved, c.kind) for c in site.comments] == [
        (7, "wp:1", None, True, "comment"),
        (8, "wp:1", 7, False, "comment"),
        (10, "wp:1", None, True, "pingback"),
    ]
    first = site.comments[0]
    assert (first.author, first.email) == ("Ada", "ada@visitor.example")
    assert first.date == datetime(2020, 5, 2, 8, 30, tzinfo=UTC)
    assert first.text == "Lovely <script>x</script>"
    assert "192.0.2.7" not in repr(site)
    assert "1 comments are spam" in said(site, "export.xml")


def entry(ident: int, order: int, title: str, parent: int = 0, **meta: str) -> str:
    fields = {f"_menu_item_{key}": value for key, value in meta.items()}
    return wxr.item(
        ident,
        title,
        kind="nav_menu_item",
        order=order,
        terms=[("nav_menu", "main", "Main")],
        meta={**fields, "_menu_item_menu_item_parent": str(parent)},
    )


def test_menus_are_trees_that_lead_to_pages(tmp_path: Path) -> None:
    site = read(
        tmp_path,
        wxr.menu("main", "Main"),
        wxr.category("boats", "Boats", ident=5),
        wxr.item(2, "About", kind="page"),
        entry(22, 2, "Us", type="post_type", object="page", object_id="2", parent=21),
        entry(21, 1, "", type="post_type", object="page", object_id="2"),
        entry(23, 3, "", type="taxonomy", object="category", object_id="5"),
        entry(24, 4, "Abroad", type="custom", url="https://other.example/x"),
        entry(25, 5, "Lost", type="post_type", object="page", object_id="99"),
        entry(26, 6, "Evil", type="custom", url="javascript:alert(1)"),
        entry(27, 7, "Loop", type="custom", url="/", parent=28),
        entry(28, 8, "Loop", type="custom", url="/", parent=27),
    )
    (menu,) = site.menus
    assert (menu.slug, menu.name) == ("main", "Main")
    assert [(e.title, e.target) for e in menu.entries] == [
        ("About", "page:wp:2"),
        ("Boats", "category:boats"),
        ("Abroad", "https://other.example/x"),
    ]
    assert [(e.title, e.target) for e in menu.entries[0].children] == [("Us", "page:wp:2")]
    assert "leads nowhere" in said(site, "wp:25")
    assert "leads nowhere" in said(site, "wp:26")
    assert "below itself" in said(site, "wp:27")


def test_other_post_types_become_pages_below_a_list(tmp_path: Path) -> None:
    site = read(
        tmp_path,
        wxr.item(1, "Regatta", "x", kind="boat_event"),
        wxr.item(2, "Styles", kind="wp_global_styles"),
    )
    assert [(p.source, p.path) for p in site.pages] == [
        ("wp:type:boat_event", "/boat-event/"),
        ("wp:1", "/boat-event/regatta/"),
    ]
    assert "1 of the type wp_global_styles" in said(site, "export.xml")


def test_the_featured_picture_is_the_pages_image(tmp_path: Path) -> None:
    folder = wxr.uploads(tmp_path, "2020/05/boat.png")
    site = read(
        tmp_path,
        wxr.item(1, "First", meta={"_thumbnail_id": "9"}),
        wxr.item(2, "Second", meta={"_thumbnail_id": "77"}),
        wxr.attachment(9, "2020/05/boat.png", alt="A boat", excerpt="At sea"),
        uploads=folder,
    )
    details = page(site, "wp:1").details
    assert (details["image"], details["image_alt"]) == ("media:upload:2020/05/boat.png", "A boat")
    assert "image" not in page(site, "wp:2").details
    assert "77" in said(site, "wp:2")
    (file,) = site.media
    assert (file.source, file.alt, file.caption) == (
        "upload:2020/05/boat.png",
        "A boat",
        "At sea",
    )
    assert file.path.read_bytes().startswith(b"\x89PNG")


def test_reading_twice_gives_the_same(tmp_path: Path) -> None:
    parts = [wxr.item(n, f"Post {n}", "One\n\n<pre>x</pre>\n\nTwo") for n in range(1, 30)]
    assert read(tmp_path, *parts) == read(tmp_path, *parts)


def test_ids_are_those_of_the_old_site_wherever_the_post_stands(tmp_path: Path) -> None:
    posts = [wxr.item(n, f"Post {n}", "One\n\n<pre>x</pre>") for n in range(1, 10)]
    first, second = read(tmp_path, *posts), read(tmp_path, *posts[::-1])
    blocks = {p.source: p.blocks for p in first.pages}
    assert blocks == {p.source: p.blocks for p in second.pages}


def test_no_folder_of_uploads_is_said_once(tmp_path: Path) -> None:
    site = read(
        tmp_path,
        *(wxr.item(n, f"P{n}", f'<img src="/wp-content/uploads/{n}.png" alt="x">') for n in (1, 2)),
    )
    assert sum("no folder of uploads" in line.message for line in site.report) == 1
    with pytest.raises(InvalidInput, match="not a folder"):
        read(tmp_path, uploads=tmp_path / "nowhere")
