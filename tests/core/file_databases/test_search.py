"""What a search of one file finds, and how much of it; and words, slips and excerpts."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from mosaic_core.head import Write
from mosaic_core.persistence import Persistence
from mosaic_core.search import CLOSE, MOST_FOUND, OPEN, SearchQuery, segments
from mosaic_core.search.excerpts import excerpt
from mosaic_core.search.spelling import distance
from mosaic_core.search.words import FOLDS, fold, words_of
from mosaic_core.tenants import TenantContext
from mosaic_core.testing.persistence.tools import add_toy, write
from mosaic_core.testing.tables import ROOM, Leaflet, put_leaflet
from tests.core.file_databases.searching import contents, file_of, found, publish, run, spelled


def test_a_word_that_is_everywhere_is_counted_up_to_a_bound_and_titles_come_first(
    tmp_path: Path,
) -> None:
    async def test(persistence: Persistence, tenant: TenantContext) -> None:
        async def fn(writing: Write) -> None:
            for n in range(MOST_FOUND + 100):
                await put_leaflet(writing, f"Number {n}", "common words")

        await publish(persistence, tenant, "A common title")
        await write(persistence, tenant, fn)
        result = await persistence.search(tenant, SearchQuery("common", (ROOM, "en")))
        assert (result.total, result.more) == (MOST_FOUND, True)
        assert result.hits[0].key[1] == "A common title"
        assert result.hits[1].key[1] == f"Number {MOST_FOUND + 99}"

    run(tmp_path, test)


def test_a_word_is_no_longer_looked_for_when_its_last_page_is_gone(tmp_path: Path) -> None:
    async def test(persistence: Persistence, tenant: TenantContext) -> None:
        async def remove(writing: Write) -> None:
            for leaflet in await writing.session.scalars(select(Leaflet)):
                if leaflet.title == "Mosque":
                    await writing.session.delete(leaflet)

        await publish(persistence, tenant, "Mosque", "mosques")
        assert await found(persistence, tenant, "mosqeu") == 1
        await write(persistence, tenant, remove)
        (hit,) = (await persistence.search(tenant, SearchQuery("mosqeu", (ROOM, "en")))).hits
        assert hit.key[1] == "mosques"
        path = file_of(tmp_path, tenant)
        assert "mosque" in spelled(path)
        await persistence.compact(tenant)
        assert spelled(path) == {"iznik", "tiles", "mosques"}
        assert await found(persistence, tenant, "mosqeu") == 1

    run(tmp_path, test)


def test_of_many_words_that_are_as_near_the_most_frequent_are_looked_for(tmp_path: Path) -> None:
    async def test(persistence: Persistence, tenant: TenantContext) -> None:
        near = [f"tul{letter}p" for letter in "abcdefgh"]
        await publish(persistence, tenant, *near, *(near[-4:] * 2), near[-1])
        result = await persistence.search(tenant, SearchQuery("tulip", (ROOM, "en")))
        assert result.instead == {"tulip": ("tulhp", "tulep", "tulfp", "tulgp")}
        assert result.total == 13

    run(tmp_path, test)


def test_what_is_not_searched_moves_nothing(tmp_path: Path) -> None:
    async def test(persistence: Persistence, tenant: TenantContext) -> None:
        await found(persistence, tenant, "tiles")
        before = contents(file_of(tmp_path, tenant))
        await add_toy(persistence, tenant, "a toy of tiles")
        assert contents(file_of(tmp_path, tenant)) == before
        assert await found(persistence, tenant, "toy") == 0

    run(tmp_path, test)


@pytest.mark.parametrize(
    ("one", "other", "slips"),
    [
        *[("tulip", "tulip", 0), ("tulip", "tulips", 1), ("tulip", "tupil", 2), ("ab", "ba", 1)],
        *[
            ("mosque", "mosqe", 1),
            ("mosque", "msoqe", 2),
            ("mosque", "garden", 3),
            ("aa", "aaa", 1),
        ],
        *[("tile", "xtile", 1), ("tiles", "tile", 1), ("abab", "ab", 2)],
    ],
)
def test_slips_are_counted_both_ways(one: str, other: str, slips: int) -> None:
    assert distance(one, other, 2) == distance(other, one, 2) == slips


def test_folding_a_text_keeps_its_words_apart_as_they_were() -> None:
    assert all(plain == "" or plain.isalpha() for plain in FOLDS.values())
    assert [fold(word) for word in words_of("Straße, ŁÓDŹ & İstanbul!")] == [
        "strasse",
        "lodz",
        "istanbul",
    ]
    assert words_of("\0 '\" \u0301 ـ \ud800") == []


def test_a_marked_text_comes_in_pieces_whatever_is_in_it() -> None:
    assert list(segments(f"a {OPEN}b{CLOSE} c")) == [("a ", False), ("b", True), (" c", False)]
    assert list(segments("")) == []
    assert all(not marked for _, marked in segments(f"a{CLOSE}b"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        (" short and bare  ", "short and bare"),
        ("none of it is marked here", "none of it is…"),
        ("ab [cd] ef gh ij kl mn op", "ab [cd] ef gh…"),
        ("ab cd ef gh ij [kl] mn op", "…gh ij [kl] mn op"),
        ("[ab] cd ef gh ij [kl] [mn] op qr st", "…ij [kl] [mn] op…"),
        ("[ab] cd ef gh [kl] [KL] [kl] op qr", "[ab] cd ef gh…"),
        ("[abcdefghijklmnopqrstuvwxyz]", "[abcdefghijklmno]…"),
        ("abcdefghijklmnopqrstuvwxyz", "abcdefghijklmnop…"),
    ],
)
def test_an_excerpt_is_where_most_of_what_was_looked_for_stands(text: str, shown: str) -> None:
    marks = str.maketrans("[]", OPEN + CLOSE)
    assert excerpt(text.translate(marks), 16) == shown.translate(marks)


def test_an_excerpt_of_a_text_that_is_full_of_what_was_looked_for_is_as_long() -> None:
    for text in (f"{OPEN}a{CLOSE} " * 50_000, f"{OPEN}{'a' * 50_000}{CLOSE}", OPEN * 50_000):
        assert 0 < len(excerpt(text, 200)) <= 203
