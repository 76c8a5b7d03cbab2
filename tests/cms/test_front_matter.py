"""Front matter is read safely, and what is wrong in it is shown with its line."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mosaic_cms.importing.fields import read_date, read_fields
from mosaic_cms.importing.front_matter import BrokenFrontMatter, split
from mosaic_cms.importing.report import Report


@pytest.mark.parametrize(
    ("text", "kind", "data", "body", "line"),
    [
        ("# Hello\n", None, {}, "# Hello\n", 1),
        ("---\na: 1\n---\n\nBody\n", "YAML", {"a": 1}, "Body\n", 5),
        ("---\r\na: [x, y]\r\n...\r\nBody\r\n", "YAML", {"a": ["x", "y"]}, "Body\r\n", 4),
        ('+++\na = "b"\n[c]\nd = 1\n+++\nBody', "TOML", {"a": "b", "c": {"d": 1}}, "Body", 6),
        ("---\n---\n", "YAML", {}, "", 3),
        ("----\n\nA rule\n", None, {}, "----\n\nA rule\n", 1),
        ("--- not front matter", None, {}, "--- not front matter", 1),
    ],
)
def test_a_file_is_split_in_its_two_parts(
    text: str, kind: str | None, data: dict[str, object], body: str, line: int
) -> None:
    front = split(text)
    assert (front.kind, front.data, front.body, front.body_line) == (kind, data, body, line)


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("---\na: 1\n", 1, "never closed"),
        ("+++\na = 1\n---\n", 1, "never closed"),
        ("---\na: 1\nb: [2\n---\n", 4, "expected"),
        ("---\na: 1\nb: 2024-13-45\n---\n", 3, "month"),
        ("---\na: 1\na: 2\n---\n", 3, "'a' stands twice"),
        ("---\na: &x [1]\nb: *x\n---\n", 3, "aliases"),
        ("---\n- a\n---\n", 2, "key: value"),
        ("---\na: 1\nb: !!python/object/apply:os.system [x]\n---\n", 3, "python/object"),
        ('---\nx: y\na: "\x07"\n---\n', 3, "not allowed"),
        ("---\na: !!binary aGk=\n---\n", 1, "bytes"),
        ('---\na: "\\ud800"\n---\n', 1, "no text"),
        ("---\na: " + "[" * 60_000 + "\n---\n", 2, "nested"),
        ("---\na: " + "9" * 5_000 + "\n---\n", 2, "999"),
        ("---\n? [a]\n: b\n---\n", 2, "no text"),
        ("+++\na = 1\nb = = 2\n+++\n", 3, "Invalid value"),
        ("+++\na = 1\na = 2\n+++\n", 3, "overwrite"),
        ("+++\na = " + "[" * 60_000 + "\n+++\n", 1, "nested"),
        ("+++\na = " + "9" * 5_000 + "\n+++\n", 1, "limit"),
        ("---\na: " + "x" * 66_000 + "\n---\n", 1, "64 KB"),
    ],
)
def test_broken_front_matter_is_refused_with_its_line(text: str, line: int, told: str) -> None:
    with pytest.raises(BrokenFrontMatter) as caught:
        split(text)
    assert caught.value.line == line
    assert told in str(caught.value)


def test_a_bomb_of_aliases_goes_off_nowhere() -> None:
    bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
    )
    start = time.process_time()
    with pytest.raises(BrokenFrontMatter, match="aliases"):
        split(f"---\n{bomb}---\n")
    assert time.process_time() - start < 1


@given(st.text(max_size=200), st.sampled_from(["---", "+++"]))
@settings(deadline=None)
def test_any_front_matter_is_read_or_refused(text: str, mark: str) -> None:
    try:
        front = split(f"{mark}\n{text}\n{mark}\nBody")
    except BrokenFrontMatter as refused:
        line = refused.line
    else:
        line = front.body_line
        read_fields("x.md", front, Report())
        assert front.body in f"{text}\n{mark}\nBody"
    assert 1 <= line <= text.count("\n") + text.count("\r") + 5


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2024-03-19 07:30:00 +0100", "2024-03-19T07:30:00+01:00"),
        ("2024-03-19T07:30:00Z", "2024-03-19T07:30:00+00:00"),
        ("2024-03-19", "2024-03-19T00:00:00+00:00"),
        (datetime(2024, 3, 19, 7, 30), "2024-03-19T07:30:00+00:00"),
        (datetime(2024, 3, 19, tzinfo=UTC).date(), "2024-03-19T00:00:00+00:00"),
    ],
)
def test_a_date_without_a_zone_is_utc(written: object, moment: str) -> None:
    found = read_date(written)
    assert found is not None
    assert found.isoformat() == moment


def fields_of(yaml: str) -> tuple[object, list[str]]:
    report = Report()
    fields = read_fields("x.md", split(f"---\n{yaml}\n---\n"), report)
    return fields, [str(line) for line in report]


def test_words_may_be_a_list_or_a_line() -> None:
    for written in ("[a, b]", "a b", "'a, b'", "\n- a\n- b\n- a"):
        fields, remarks = fields_of(f"tags: {written}")
        assert fields.tags == ("a", "b")  # type: ignore[attr-defined]
        assert not remarks


def test_what_is_not_understood_is_kept_and_told_with_its_line() -> None:
    fields, remarks = fields_of(
        "title: [a]\nshade: {dark: 2024-01-01}\nweight: heavy\ndraft: perhaps\nlayout: poster\n"
        "date: soon"
    )
    assert fields.extra == {  # type: ignore[attr-defined]
        "title": ["a"],
        "shade": {"dark": "2024-01-01"},
        "weight": "heavy",
        "draft": "perhaps",
        "layout": "poster",
        "date": "soon",
    }
    assert sorted(remarks) == [
        "x.md:2: title: is not text; kept as it is",
        "x.md:3: shade: is not understood; kept as it is",
        "x.md:4: weight: is not a number; kept as it is",
        "x.md:5: draft: is neither true nor false; kept as it is",
        "x.md:6: layout: 'poster' is none of home, page, post, list; kept as it is",
        "x.md:7: date: 'soon' is not a date",
    ]
