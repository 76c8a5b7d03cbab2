"""Exports that are cut, damaged, hostile or large."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from mosaic_cms.importing.wordpress import WordPressSite, read_wordpress
from mosaic_core.errors import InvalidInput
from tests.cms.importing import wxr


def read_bytes(tmp_path: Path, data: bytes) -> WordPressSite:
    path = tmp_path / "export.xml"
    path.write_bytes(data)
    return read_wordpress(path)


def test_a_cut_file_gives_what_was_whole_and_nothing_else(tmp_path: Path) -> None:
    body = "<!-- wp:paragraph --><p>Words to the end</p><!-- /wp:paragraph -->"
    data = wxr.export(*(wxr.item(n, f"Post {n}", body) for n in range(1, 41))).encode()
    for twentieth in range(20):
        part = data[: len(data) * twentieth // 20]
        if b"<channel>" not in part:
            with pytest.raises(InvalidInput, match="no WordPress export"):
                read_bytes(tmp_path, part)
            continue
        site = read_bytes(tmp_path, part)
        posts = [page for page in site.pages if page.layout == "post"]
        whole = part.count(b"</item>")
        assert sorted(int(post.source[3:]) for post in posts) == list(range(1, whole + 1))
        assert all(post.blocks[0]["data"]["text"].endswith("end</p>") for post in posts)
        assert not site.whole
        (problem,) = site.report.problems
        assert "cut off" in problem.message
        assert problem.line == part.count(b"\n") + 1
    assert read_bytes(tmp_path, data).whole


def test_damage_in_the_middle_keeps_what_was_before(tmp_path: Path) -> None:
    text = wxr.export(wxr.item(1, "One"), "<item><title>a & b</title></item>", wxr.item(2, "Two"))
    site = read_bytes(tmp_path, text.encode())
    assert [page.source for page in site.pages] == ["wp:posts", "wp:1"]
    assert not site.whole


BOMBS = {
    "billion laughs": '<!DOCTYPE rss [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;">]>',
    "quadratic blow-up": f'<!DOCTYPE rss [<!ENTITY d "{"x" * 100_000}">]>',
    "external entity": '<!DOCTYPE rss [<!ENTITY d SYSTEM "file://{secret}">]>',
    "external document type": '<!DOCTYPE rss SYSTEM "file://{secret}">',
    "parameter entity": '<!DOCTYPE rss [<!ENTITY % d SYSTEM "file://{secret}"> %d;]>',
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_entities_are_refused_before_they_do_anything(tmp_path: Path, bomb: str) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret words")
    declared = BOMBS[bomb].replace("{secret}", str(secret))
    text = wxr.export(wxr.item(1, "A").replace("<title>A", "<title>" + "&d;" * 1_000))
    start = time.perf_counter()
    with pytest.raises(InvalidInput, match="document type") as caught:
        read_bytes(tmp_path, text.replace("<rss", f"{declared}<rss", 1).encode())
    assert time.perf_counter() - start < 2
    assert "secret words" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "no element"),
        (b"PK\x03\x04 a zip file", "syntax error"),
        (b"just words", "syntax error"),
        (b"<feed><entry/></feed>", "root is <feed>"),
        (b'<rss version="2.0"><channel><title>x</title></channel></rss>', "feed"),
        (b"<rss" + b" a" * 3_000_000, ""),
        (b"<x>" * 1_000, "root is <x>"),
    ],
)
def test_what_is_no_export_is_refused_with_what_to_do(
    tmp_path: Path, data: bytes, word: str
) -> None:
    with pytest.raises(InvalidInput, match=r"export\.xml") as caught:
        read_bytes(tmp_path, data)
    assert word in caught.value.message
    assert "Tools → Export" in caught.value.hint


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_wordpress(tmp_path / "none.xml")


def test_an_undeclared_entity_ends_the_reading_there(tmp_path: Path) -> None:
    text = wxr.export(wxr.item(1, "One"), wxr.item(2, "Two").replace("Two", "a&nbsp;b", 1))
    site = read_bytes(tmp_path, text.encode())
    assert "undefined entity" in site.report.problems[0].message
    assert [page.source for page in site.pages] == ["wp:posts", "wp:1"]


def test_control_characters_are_taken_out_and_counted(tmp_path: Path) -> None:
    text = wxr.export(wxr.item(1, "A\0B", "x\x0by\x1bz &#3; end")).replace(
        "A\0B</t", "A\0B&#x1F;</t"
    )
    site = read_bytes(tmp_path, text.encode())
    page = site.pages[-1]
    assert page.title == "AB"
    assert page.blocks[0]["data"]["text"] == "<p>xyz  end</p>"
    assert any("7 characters" in line.message for line in site.report)


def test_what_is_taken_out_never_ends_a_text(tmp_path: Path) -> None:
    for between in ("\0", "\x7f", "&#3;", "\0\0"):
        data = wxr.export(wxr.item(1, "A", f"a]]{between}>b")).encode()
        site = read_bytes(tmp_path, data)
        assert site.whole
        assert site.pages[-1].blocks[0]["data"]["text"] == "<p>a]] &gt;b</p>"


def test_a_control_character_reference_across_two_reads_is_found(tmp_path: Path) -> None:
    head = wxr.HEAD.format(version="1.2", site=wxr.SITE)
    references = wxr.item(1, "A" + "&#3;" * 9).replace("&amp;#3;", "&#3;")
    for extra in range(12):
        filler = f"<!--{'x' * (65_536 - len(head) - 60 + extra)}-->"
        site = read_bytes(tmp_path, wxr.export(filler, references).encode())
        assert site.whole
        assert site.pages[-1].title == "A"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1"])
def test_the_files_encoding_is_understood(tmp_path: Path, encoding: str) -> None:
    named = encoding.removesuffix("-sig")
    text = wxr.export(wxr.item(1, "Café", slug="cafe")).replace("UTF-8", named, 1)
    assert read_bytes(tmp_path, text.encode(encoding)).pages[-1].title == "Café"


def test_bytes_in_another_encoding_do_not_end_the_reading(tmp_path: Path) -> None:
    data = wxr.export(wxr.item(1, "One", "caf#")).encode().replace(b"#", b"\xe9")
    site = read_bytes(tmp_path, data)
    assert site.pages[-1].blocks[0]["data"]["text"] == "<p>caf\ufffd</p>"
    assert any("1 characters" in line.message for line in site.report)


def test_items_without_an_id_or_with_a_second_one_are_reported(tmp_path: Path) -> None:
    site = read_bytes(
        tmp_path,
        wxr.export(
            wxr.item(1, "One"),
            wxr.item(1, "Twin"),
            wxr.item(2, "None").replace("<wp:post_id>2", "<wp:post_id>two"),
            wxr.item(10**30, "Huge"),
        ).encode(),
    )
    assert [page.title for page in site.pages] == ["Blog", "One"]
    assert len(site.report.problems) == 3


def test_a_text_beyond_all_bounds_is_left_out_alone(tmp_path: Path) -> None:
    data = wxr.export(wxr.item(1, "One", "x" * 3_000_000), wxr.item(2, "Two")).encode()
    site = read_bytes(tmp_path, data)
    assert [page.source for page in site.pages] == ["wp:posts", "wp:2"]
    assert "too long" in site.report.problems[0].message


def test_elements_without_end_in_one_another_stop_the_reading(tmp_path: Path) -> None:
    site = read_bytes(tmp_path, wxr.export(wxr.item(1, "One"), "<x>" * 100_000).encode())
    assert not site.whole
    assert "levels deep" in site.report.problems[0].message
    assert site.pages[-1].title == "One"


def test_thousands_of_posts_take_bounded_time_and_memory(tmp_path: Path) -> None:
    body = "<!-- wp:paragraph --><p>" + "Some words of it. " * 100 + "</p><!-- /wp:paragraph -->"
    path = tmp_path / "export.xml"
    with path.open("w", encoding="utf-8") as file:
        file.write(wxr.HEAD.format(version="1.2", site=wxr.SITE))
        for number in range(1, 5_001):
            file.write(wxr.item(number, f"Post {number}", body))
        file.write(wxr.TAIL)
    size = path.stat().st_size
    assert size > 10_000_000
    script = (
        "import resource, sys, time, pathlib\n"
        "from mosaic_cms.importing.wordpress import read_wordpress\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "site = read_wordpress(pathlib.Path(sys.argv[1]))\n"
        "print(len(site.pages), time.process_time(),\n"
        "      (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)\n"
    )
    # In a process of its own, so that no other test has made this one large already.
    output = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
    ).stdout.split()
    assert int(output[0]) == 5_001
    assert float(output[1]) < 30
    assert int(output[2]) < 8 * size, output
