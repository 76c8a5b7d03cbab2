"""Manual redirects from CSV files: what can be used, and a remark on every other line."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mosaic_cms.content.paths import normalise_path
from mosaic_cms.importing.redirect_file import MAX_ROWS, RedirectFile, RedirectRow, read_redirects


def read(text: str | bytes) -> RedirectFile:
    return read_redirects("old.csv", text if isinstance(text, bytes) else text.encode())


def pairs(text: str | bytes) -> list[tuple[str, str]]:
    return [(row.source, row.target) for row in read(text).rows]


def problems(text: str | bytes) -> list[str]:
    return [str(line) for line in read(text).report.problems]


PLAIN = [("/old/", "/new/"), ("/a/b/", "https://example.org/x")]


@pytest.mark.parametrize(
    "text",
    [
        "/old,/new\n/a/b,https://example.org/x\n",
        "\ufeffsource,target\r\n/old,/new\r\n/a/b,https://example.org/x\r\n",
        "From;To;Remark\n/old;/new;it was, once\n/a/b;https://example.org/x;\n",
        "/old\t/new\n\n/a/b\thttps://example.org/x",
        '"/old", "/new/"\n"/a//b/","HTTPS://example.org/x"\n',
        "status,New URL,Old-URL\n301,/new,/old\n301,https://example.org/x,/a/b\n",
        "A,B\n/old,/new\n/a/b,https://example.org/x\n",
    ],
    ids=["plain", "mark and header", "semicolons", "tabs", "quoted", "columns", "other header"],
)
def test_files_of_many_programs_are_read(text: str) -> None:
    found = read(text)
    assert [(row.source, row.target) for row in found.rows] == PLAIN
    assert found.report.problems == ()


def test_sources_take_the_one_form_of_paths() -> None:
    assert pairs("/caf%C3%A9//men%75,/new?x=1#top\n/cafe\u0301/,/a\n") == [
        ("/café/menu/", "/new/?x=1#top"),
        ("/café/", "/a/"),
    ]


def test_a_delimiter_in_quotes_or_in_another_files_address_is_none() -> None:
    assert pairs('"/a,b";/c\n/d;/e,f\n') == [("/a,b/", "/c/"), ("/d/", "/e,f/")]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("old,/new", "'old' is no path of the site, such as '/old/'"),
        ("/a?x=1,/new", "has a query or fragment; redirects go by the path alone"),
        ("/%FF,/new", "encodes bytes that are not UTF-8"),
        ("/a/../b,/new", "can be no page's address"),
        ("/,/new", "'/' cannot be redirected"),
        ("/-/media,/new", "cannot be redirected"),
        ("/a,", "source or target is empty"),
        ("/a", "it has no two columns"),
        ('/a,"/b', "its quotation marks do not match"),
        ("/a,//evil.example", "neither a path such as '/new/' nor an http(s) address"),
        ("/a,javascript:alert(1)", "neither a path"),
        ("/a,https://", "neither a path"),
        ("/a,/b\\c", "has a character that no address has"),
        ("/a,https://example.org/\x1b[0m", "has a character that no address has"),
        ("/a,/A/../a", "neither a path"),
        ("/a,/a/", "/a/ would lead to itself"),
        ("/a,/a?x", "/a/ would lead to itself"),
        ("/é,/%C3%A9", "/é/ would lead to itself"),
        (f"/{'x' * 500},/new", "or is too long"),
        (f"/a,https://example.org/{'x' * 2000}", "characters, and 2,000 fit"),
        (f"/a,/b,{'x' * 20_000}", "the line has 20,006 characters"),
    ],
)
def test_a_line_that_cannot_be_used_is_named_and_spoils_no_other(line: str, problem: str) -> None:
    found = read(f"/one,/two\n{line}\n/three,/four\n")
    assert [row.source for row in found.rows] == ["/one/", "/three/"]
    (told,) = found.report.problems
    assert str(told).startswith("old.csv:2: ")
    assert problem in told.message
    assert told.message.endswith("left out")


def test_a_line_that_is_not_utf8_is_named() -> None:
    found = read(b"/one,/two\n/caf\xe9,/new\n/three,/four\n")
    assert [row.source for row in found.rows] == ["/one/", "/three/"]
    assert [str(line) for line in found.report.problems] == ["old.csv:2: it is not UTF-8; left out"]


def test_a_file_in_utf16_says_what_to_do() -> None:
    found = read("/a,/b".encode("utf-16"))
    assert found.rows == ()
    assert "save it as UTF-8" in str(found.report.problems[0])


def test_of_duplicates_the_first_stands() -> None:
    found = read("/a,/b\n/a/,/b/\n/a,/c\n")
    assert found.rows == (RedirectRow(1, "/a/", "/b/"),)
    assert [(line.line, line.level, line.message) for line in found.report][:2] == [
        (2, "note", "it says the same as line 1"),
        (3, "problem", "/a/ leads to /b/ by line 1 already; left out"),
    ]


def test_chains_lead_to_their_end_at_once() -> None:
    found = read("/a,/b\n/b,/c\n/c,https://example.org/\n/d,/b?x=1\n")
    assert [(row.source, row.target) for row in found.rows] == [
        ("/a/", "https://example.org/"),
        ("/b/", "https://example.org/"),
        ("/c/", "https://example.org/"),
        ("/d/", "/b/?x=1"),
    ]
    assert [line.line for line in found.report if line.level == "note"] == [2, 1, 4]


def test_circles_and_what_leads_into_them_are_left_out() -> None:
    found = read("/a,/b\n/b,/c#x\n/c,/a\n/in,/b\n/out,/x\n")
    assert [row.source for row in found.rows] == ["/out/"]
    assert [(line.line, line.message) for line in found.report.problems] == [
        (1, "it leads in a circle (/a/ → /b/ → /c/ → /a/); left out"),
        (2, "it leads in a circle (/a/ → /b/ → /c/ → /a/); left out"),
        (3, "it leads in a circle (/a/ → /b/ → /c/ → /a/); left out"),
        (4, "/in/ leads into a circle at /b/; left out"),
    ]


def test_there_is_a_most_of_rows() -> None:
    text = "source,target\n" + "".join(f"/r{n},/r{n + 1}\n" for n in range(MAX_ROWS + 1))
    began = time.process_time()
    found = read(text)
    assert time.process_time() - began < 8  # under two seconds on an idle core
    assert len(found.rows) == MAX_ROWS
    assert {row.target for row in found.rows} == {f"/r{MAX_ROWS}/"}
    (told,) = found.report.problems
    assert told.line == MAX_ROWS + 2
    assert "may have 50,000 redirects" in told.message


@given(st.binary(max_size=300) | st.text(st.sampled_from('/ab,;\t"\n.?#%é'), max_size=120))
def test_any_bytes_are_read_into_redirects_that_end(data: bytes | str) -> None:
    found = read(data)
    sources = [row.source for row in found.rows]
    assert len(sources) == len(set(sources))
    assert all(normalise_path(source) == source for source in sources)
    ends = {row.source: row.target.partition("?")[0].partition("#")[0] for row in found.rows}
    for source in sources:
        for _ in range(len(sources)):
            source = ends.get(source, "")
        assert source not in ends


def test_an_empty_file_holds_nothing() -> None:
    assert pairs("") == pairs("\n , \n") == pairs("source,target\n") == []
    assert problems("") == []
