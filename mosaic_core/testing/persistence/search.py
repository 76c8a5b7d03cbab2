"""Searching what is published."""

from __future__ import annotations

import uuid

import pytest
from sqlalchemy import select

from mosaic_core.errors import InvalidInput
from mosaic_core.head import Write
from mosaic_core.persistence import Persistence
from mosaic_core.search import CLOSE, MOST_HITS, OPEN, SearchQuery, SearchResults
from mosaic_core.tenants import TenantContext
from mosaic_core.testing.contract import Contract, contract_test
from mosaic_core.testing.persistence.tools import write
from mosaic_core.testing.services import make_tenant
from mosaic_core.testing.tables import ROOM, Leaflet, put_leaflet

#: What visitors type by accident and on purpose.
HOSTILE = (
    *("", " ", '"', "'", "''; DROP TABLE leaflets; --", "*", "^", "-", "(", ")", "{", "}", ":"),
    *("AND", "OR", "NOT", "tiles AND", "NOT tiles", "NEAR(tiles tulips, 5)", "title : tiles"),
    *('"tiles', "tiles*tulips", "{title} : x", "- {title} : x", "+ +", "a + b", "tiles^2"),
    *(
        "\0",
        "tiles\0tulips",
        "\ud800",
        "\U0001f40d",
        "🐍🐍",
        "?!…—",
        "%",
        "_",
        "\\",
        "\ue000\ue001",
    ),
    *("x" * 100_000, "tiles " * 20_000, '"' * 100_000, "(" * 50_000, "漢" * 50_000, "a " * 50_000),
    *("AND OR NOT NEAR " * 600, "^tiles* - {title text} : NEAR(tiles + tulips, 10) OR (tiles"),
    *(" ".join(f"word{n}" for n in range(5_000)), "tiles" + "q" * 10_000, "tilees " * 1_500),
    *(
        "👩‍👩‍👧‍👦" * 2_000,
        "tiles\u200dtulips",
        "\udc00\ud800tiles",
        "\ufeff\ufffe\uffff",
        "t\u0327\u0334\u035c" * 500,
    ),
    *(
        "ภาษาไทย" * 1_000,
        "ㅎㅏㄴ" * 1_000,
        "한 국 어 " * 1_000,
        "漢 " * 2_000,
        "مَرْحَبًا" * 1_000,
        "\u202e\u2066tiles\u2069",
    ),
    *("\u0301\u0302", "e" + "\u0301" * 500, "\u202etiles", "١٢٣", "ﷺ", "ǆ", "İ", "ß"),
)


#: Every kind of slip, in titles of a language: what somebody means, and how they type it.
SLIPS: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "Opening hours of the museum": ("openign", "musuem", "museeum", "musem", "muzeum hours"),
        "Restoring tiles from Iznik": ("restorign", "restoring tilse", "iznk tiles", "resotring"),
        "Workshops for children": ("workshps", "chidlren", "wrokshops", "workshopss", "childern"),
        "Getting here by train": ("geting here", "gettting", "trian", "gettign here by trainn"),
        "Accessibility statement": ("accesibility", "acessibility", "statment", "accessibillity"),
    },
    "de": {
        "Öffnungszeiten und Preise": ("öffnugnszeiten", "ofnungszeiten", "Priese", "preisse"),
        "Führungen durch die Werkstatt": ("fürhungen", "werkstadt", "wekrstatt", "Fuhrunngen"),
        "Barrierefreiheit": ("barierefreiheit", "barrierfreiheit", "Barrierefreihiet"),
    },
    "fr": {
        "Horaires d’ouverture": ("horraires", "ouvertrue", "horiares", "ouvreture"),
        "La bibliothèque du musée": ("bibliotheqe", "bibilothèque", "bibliothéquue"),
    },
    "es": {
        "Exposición de cerámica": ("exposicon", "expocision", "ceramcia", "cerrámica"),
        "Visitas guiadas": ("vistias", "visittas", "giuadas", "guidas"),
    },
    "tr": {
        "Çini atölyesi": ("atöylesi", "atolyessi", "atlyesi", "atolyasi"),
        "Ziyaret saatleri": ("ziyeret", "ziayret", "saatlari", "saattleri"),
    },
    "pl": {
        "Godziny otwarcia": ("godizny", "otwracia", "godziiny", "otwarca"),
        "Żółte kafelki z Łodzi": ("kafleki", "kafelkki", "zółlte", "kafelk Lodiz"),
    },
    "ru": {
        "Часы работы музея": ("рабтоы", "музейя", "рабботы", "часы музеа"),
        "Новая выставка": ("выствака", "выставкка", "выстовка", "вытавка"),
    },
    "el": {"Ωράριο λειτουργίας": ("λειτουγρίας", "λειτουργιασς", "ωραριιο", "λειτοργιας")},
    "ar": {"مواعيد الزيارة": ("مواعدي", "مواعييد", "الزياراة", "موعيد")},
}


class SearchContract(Contract[Persistence]):
    """Searching."""

    async def leaflets(self, persistence: Persistence, *titles: str) -> TenantContext:
        """A tenant with leaflets of these titles, in :data:`ROOM` and in English."""
        tenant = make_tenant()
        await persistence.provision(tenant)

        async def fn(writing: Write) -> None:
            for title in titles:
                await put_leaflet(writing, title)

        await write(persistence, tenant, fn)
        return tenant

    async def search(
        self,
        persistence: Persistence,
        tenant: TenantContext,
        text: str,
        *,
        room: uuid.UUID = ROOM,
        language: str = "en",
        limit: int = 10,
        offset: int = 0,
    ) -> SearchResults:
        query = SearchQuery(text, (room, language), limit=limit, offset=offset)
        return await persistence.search(tenant, query)

    async def titles(self, persistence: Persistence, tenant: TenantContext, text: str) -> list[str]:
        """The titles of what is found, best first."""
        return [hit.key[1] for hit in (await self.search(persistence, tenant, text)).hits]

    @contract_test
    async def test_all_words_are_found_in_any_order_and_the_last_by_its_beginning(
        self, persistence: Persistence
    ) -> None:
        tenant = await self.leaflets(persistence, "Blue tiles of Iznik", "Red tiles", "Tulips")
        assert await self.titles(persistence, tenant, "iznik TILES") == ["Blue tiles of Iznik"]
        assert await self.titles(persistence, tenant, "tiles izn") == ["Blue tiles of Iznik"]
        assert await self.titles(persistence, tenant, "izn tiles") == []
        assert await self.titles(persistence, tenant, "tul") == ["Tulips"]

    @contract_test
    async def test_a_title_counts_more_than_a_summary_and_that_more_than_a_text(
        self, persistence: Persistence
    ) -> None:
        tenant = await self.leaflets(persistence, "Nothing of it", "Nor here", "At all")

        async def fn(writing: Write) -> None:
            await put_leaflet(writing, "Third", "A tulip stands here")
            await put_leaflet(writing, "First tulip stands", "")
            await put_leaflet(writing, "Second", summary="A tulip stands here")

        await write(persistence, tenant, fn)
        found = await self.search(persistence, tenant, "tulip")
        assert [hit.key[1] for hit in found.hits] == ["First tulip stands", "Second", "Third"]
        assert [hit.score for hit in found.hits] == sorted(
            (hit.score for hit in found.hits), reverse=True
        )

    @contract_test
    async def test_accents_and_ways_of_writing_do_not_matter(
        self, persistence: Persistence
    ) -> None:
        tenant = await self.leaflets(
            persistence, "Straße nach Łódź", "Kısa İstanbul", "Η Αθήνα", "أحمد", "École naïve"
        )
        for text, title in {
            "STRASSE lodz": "Straße nach Łódź",
            "straße": "Straße nach Łódź",
            "kisa istanbul": "Kısa İstanbul",
            "KISA": "Kısa İstanbul",
            "αθηνα": "Η Αθήνα",
            "ΑΘΉΝΑ": "Η Αθήνα",
            "احمد": "أحمد",
            "e\u0301cole NAIVE": "École naïve",
        }.items():
            assert await self.titles(persistence, tenant, text) == [title], text

    @contract_test
    async def test_scripts_without_spaces_are_searched_by_their_letters(
        self, persistence: Persistence
    ) -> None:
        tenant = await self.leaflets(persistence, "日本語の検索", "東京タワー", "서울은 수도이다")
        for text in ("検索", "本語の", "索", "日本"):
            assert await self.titles(persistence, tenant, text) == ["日本語の検索"], text
        assert await self.titles(persistence, tenant, "タワー 東京") == ["東京タワー"]
        assert await self.titles(persistence, tenant, "서울") == ["서울은 수도이다"]
        (hit,) = (await self.search(persistence, tenant, "検索")).hits
        assert hit.title == f"日本語の{OPEN}検索{CLOSE}"

    @contract_test
    async def test_a_word_that_is_nowhere_is_looked_for_as_the_nearest(
        self, persistence: Persistence
    ) -> None:
        tenant = await self.leaflets(persistence, "Mosque", "Museum garden", "Garten")
        for text in ("mosqe", "mosqque", "msoque", "mosqeu", "nosque"):
            found = await self.search(persistence, tenant, text)
            assert [hit.key[1] for hit in found.hits] == ["Mosque"], text
            assert found.instead == {text: ("mosque",)}
        assert await self.titles(persistence, tenant, "musem gardn") == ["Museum garden"]
        assert await self.titles(persistence, tenant, "garden") == ["Museum garden"]
        assert await self.titles(persistence, tenant, "xylophone") == []

    @contract_test
    async def test_what_people_type_by_accident_finds_what_they_mean_first(
        self, persistence: Persistence
    ) -> None:
        tenant = await self.leaflets(persistence)

        async def fn(writing: Write) -> None:
            for language, titles in SLIPS.items():
                for title in titles:
                    await put_leaflet(writing, title, f"x {title} x", language=language)
                    others = [other for other in titles if other != title]
                    await put_leaflet(writing, "-", " ".join(others), language=language)

        await write(persistence, tenant, fn)
        for language, titles in SLIPS.items():
            for title, slips in titles.items():
                for text in (title, *slips):
                    found = await self.search(persistence, tenant, text, language=language)
                    assert [hit.key[1] for hit in found.hits][:1] == [title], text
                    assert bool(found.instead) == (text != title), text

    @contract_test
    async def test_what_was_found_is_marked_and_the_rest_is_as_it_was_written(
        self, persistence: Persistence
    ) -> None:
        tenant = await self.leaflets(persistence)

        async def fn(writing: Write) -> None:
            await put_leaflet(
                writing, f"<b>Straße</b> {OPEN}&", "word " * 500 + "die Straße " + "word " * 500
            )

        await write(persistence, tenant, fn)
        (hit,) = (await self.search(persistence, tenant, "strasse")).hits
        assert hit.title == f"<b>{OPEN}Straße{CLOSE}</b>  &"
        assert f"die {OPEN}Straße{CLOSE} word" in hit.snippet
        assert len(hit.snippet) < 500

    @contract_test
    async def test_one_room_and_one_language_are_searched_and_nothing_else(
        self, persistence: Persistence
    ) -> None:
        tenant, other = await self.leaflets(persistence, "Tiles here"), uuid.uuid4()

        async def fn(writing: Write) -> None:
            await put_leaflet(writing, "Tiles elsewhere", room=other)
            await put_leaflet(writing, "Tiles in American", language="en-US")
            await put_leaflet(writing, "Mosque elsewhere", room=other)
            await put_leaflet(writing, "東京タワー elsewhere", room=other)

        await write(persistence, tenant, fn)
        assert await self.titles(persistence, tenant, "tiles") == ["Tiles here"]
        found = await self.search(persistence, tenant, "tiles", room=other)
        assert [hit.key[1] for hit in found.hits] == ["Tiles elsewhere"]
        found = await self.search(persistence, tenant, "tiles", language="en-US")
        assert [hit.key[1] for hit in found.hits] == ["Tiles in American"]
        for text in ("mosque", "mosqe", "東京", "東京タワー"):
            assert await self.search(persistence, tenant, text) == SearchResults(), text
        for language in ("EN", "en%", "", "en' OR 1"):
            found = await self.search(persistence, tenant, "tiles", language=language)
            assert found.total == 0, language

    @contract_test
    async def test_no_text_is_an_error_or_finds_what_is_elsewhere(
        self, persistence: Persistence
    ) -> None:
        tenant = await self.leaflets(persistence, "Tiles", "Tulips", "漢字")

        async def fn(writing: Write) -> None:
            for text in ("secret tiles and or not near title a x tulips", "漢漢漢漢 secret", "s"):
                await put_leaflet(writing, text, text, room=uuid.uuid4())

        await write(persistence, tenant, fn)
        for text in HOSTILE:
            found = await self.search(persistence, tenant, text)
            assert all("secret" not in repr(hit) for hit in found.hits), text[:50]
            assert found.total <= 1, text[:50]

    @contract_test
    async def test_a_search_sees_each_change_once_it_is_written(
        self, persistence: Persistence
    ) -> None:
        tenant = await self.leaflets(persistence, "Tiles", "漢字")

        async def change(writing: Write) -> None:
            for leaflet in await writing.session.scalars(select(Leaflet)):
                leaflet.title, leaflet.text = f"{leaflet.title} 変更", "changed"

        async def move(writing: Write) -> None:
            for leaflet in await writing.session.scalars(select(Leaflet)):
                leaflet.language = "de"

        async def remove(writing: Write) -> None:
            for leaflet in await writing.session.scalars(select(Leaflet)):
                await writing.session.delete(leaflet)

        async def fails(writing: Write) -> None:
            await put_leaflet(writing, "Ghost")
            raise RuntimeError("changed my mind")

        await write(persistence, tenant, change)
        assert (await self.search(persistence, tenant, "changed")).total == 2
        assert (await self.search(persistence, tenant, "変更")).total == 2
        with pytest.raises(RuntimeError, match="my mind"):
            await write(persistence, tenant, fails)
        assert (await self.search(persistence, tenant, "ghost")).total == 0
        await persistence.compact(tenant)
        await write(persistence, tenant, move)
        assert (await self.search(persistence, tenant, "tiles")).total == 0
        assert (await self.search(persistence, tenant, "tiles", language="de")).total == 1
        assert (await self.search(persistence, tenant, "漢字", language="de")).total == 1
        await write(persistence, tenant, remove)
        for text in ("tiles", "changed", "漢字", "変更"):
            assert (await self.search(persistence, tenant, text, language="de")).total == 0
        assert await persistence.check(tenant) == []

    @contract_test
    async def test_hits_come_page_by_page(self, persistence: Persistence) -> None:
        tenant = await self.leaflets(persistence, *(f"Tile {n}" for n in range(25)), "Other")
        pages = [
            await self.search(persistence, tenant, "tile", limit=10, offset=offset)
            for offset in (0, 10, 20, 30)
        ]
        assert [len(page.hits) for page in pages] == [10, 10, 5, 0]
        assert {page.total for page in pages} == {25}
        assert len({hit.key for page in pages for hit in page.hits}) == 25
        for limit, offset in ((0, 0), (MOST_HITS + 1, 0), (10, -1), (10, 1_001)):
            with pytest.raises(InvalidInput):
                await self.search(persistence, tenant, "tile", limit=limit, offset=offset)
