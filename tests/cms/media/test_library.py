"""A site's library: files come in, are found, described, replaced, and go."""

from __future__ import annotations

import asyncio
import hashlib
import re
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from mosaic_cms.content.models import Media, MediaUpload
from mosaic_cms.incoming import Incoming
from mosaic_core.errors import Conflict, InvalidInput, NotFound, QuotaExceeded
from mosaic_core.head import Write
from tests.cms.deployment import Deployment, Deployments
from tests.cms.media.hostile import located, located_film
from tests.cms.media.sending import send, stored
from tests.cms.pictures.files import photograph

RED, BLUE = photograph("JPEG", 800, 600), photograph("PNG", 640, 480)


async def show(deployment: Deployment, media: str, path: str = "/pictured/", **data: Any) -> None:
    """Publishes a page that shows a file."""
    block = {"id": "shown", "type": "image", "data": {"media": media, **data}}
    await deployment.add(path, regions={"main": [block]})


async def html(deployment: Deployment, path: str = "/pictured/") -> str:
    return (await deployment.get(path)).text


def test_a_file_is_found_by_its_folder_its_tags_and_its_words(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        said: dict[str, Any] = {
            "folder": "kilns/2024",
            "tags": ["Fire"],
            "caption": "Am ÖFEN",
            "credit": "A. Lens",
        }
        kiln = (await send(deployment, RED, "Çini.jpg", **said)).media
        jug = (await send(deployment, BLUE, "jug.png", folder="kilns", alt="A jug")).media
        text = (await send(deployment, b"words", "a.txt")).media

        async def names(**asked: Any) -> list[str]:
            return [view.name for view in await deployment.do("media.list", **asked)]

        assert await names() == sorted([kiln.name, jug.name, text.name])
        assert await names(folder="kilns") == ["jug.png"]
        assert await names(folder="kilns", below=True) == ["jug.png", "Çini.jpg"]
        assert await names(folder="") == ["a.txt"]
        assert await names(tag="fire") == await names(query="öfen LENS") == ["Çini.jpg"]
        assert await names(query="çini") == await names(kind="jpeg") == ["Çini.jpg"]
        assert await names(query="100%") == []
        assert await names(without_alt=True) == ["Çini.jpg"], "the text is no picture"
        with pytest.raises(InvalidInput, match="no kind of file 'exe'"):
            await names(kind="exe")
        await show(deployment, jug.reference)
        assert await names(unused=True) == ["a.txt", "Çini.jpg"]
        folders = {view.folder: view.files for view in await deployment.do("media.folders")}
        assert folders == {"": 1, "kilns": 1, "kilns/2024": 1}
        assert (await deployment.do("media.move_folder", folder="kilns", to="fire")).files == 2
        assert await names(folder="fire/2024") == ["Çini.jpg"]
        assert await deployment.do("media.list", "bread") == []

    deployments(scenario)


def test_a_list_goes_on_after_a_file_and_reads_no_more_than_it_is_asked_for(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mosaic_cms.media.listing._ROWS", 3)

    async def scenario(deployment: Deployment) -> None:
        sent = {}
        for number, name in enumerate(("b.txt", "a.txt", "b.txt", "c.txt", "b.txt", "d.txt")):
            content = f"words {number}".encode()
            view = (await send(deployment, content, name, tags=["odd"] * (number % 2))).media
            sent[view.reference] = (view.name, view.reference)
        everything = await deployment.do("media.list")
        references = [view.reference for view in everything]
        assert [view.name for view in everything] == sorted(name for name, _ in sent.values())
        assert sorted(references) == sorted(sent)
        pages: list[str] = []
        after = ""
        while page := await deployment.do("media.list", limit=2, after=after):
            assert len(page) <= 2
            pages += [view.reference for view in page]
            after = pages[-1]
        assert pages == references
        odd = [view.reference for view in everything if view.tags]
        assert [v.reference for v in await deployment.do("media.list", tag="odd", limit=2)] == odd[
            :2
        ]
        assert [
            v.reference for v in await deployment.do("media.list", tag="odd", after=odd[0])
        ] == odd[1:]
        await deployment.do("media.delete", media=references[1])
        (there, *_) = await deployment.do("media.list", after=references[1])
        assert there.reference == references[2], "also after one that is in the bin"
        for gone in ("media:x", f"media:{uuid.uuid4()}", "\0"):
            with pytest.raises(InvalidInput, match="after which the list could go on"):
                await deployment.do("media.list", after=gone)

    deployments(scenario)


def test_what_comes_is_told_what_is_missing_and_what_was_there(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        first = await send(deployment, located("JPEG"))
        assert first.media.needs_alt
        assert first.media.credit == "Ada Lens", "as it says itself"
        assert any("alternative text" in note for note in first.notes)
        assert any("where it was taken" in note for note in first.notes)
        again = await send(deployment, located("JPEG"), "copy.jpg", alt="A kiln", credit="B. Lens")
        assert again.duplicates == (first.media.reference,)
        assert again.media.credit == "B. Lens"
        assert first.media.reference in " ".join(again.notes)
        (same,) = await deployment.do("media.duplicates")
        assert [view.name for view in same.files] == ["kiln.jpg", "copy.jpg"]
        assert (await send(deployment, located("JPEG"), slug="bread")).duplicates == ()
        kept = await send(deployment, located("JPEG"), keep_metadata=True)
        assert b"4711" in (await deployment.get(kept.media.url)).content
        assert b"4711" not in (await deployment.get(first.media.url)).content

    deployments(scenario)


def test_a_film_does_not_tell_where_it_was_taken(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        film = located_film()
        sent = await send(deployment, film, "kiln.mp4")
        assert any("where it was taken" in note for note in sent.notes)
        shown = (await deployment.get(sent.media.url)).content
        assert hashlib.sha256(shown).hexdigest() == sent.media.digest
        assert (len(shown), b"4711" in shown, b"xyz" in shown) == (len(film), False, False)
        for kept in (b"mvhd", b"tkhd", b"DRM", b"4712" * 50_000):
            assert film.index(kept) == shown.index(kept), "nothing that points to it has to change"
        assert shown.count(b"free") == 5
        again = await send(deployment, shown, "again.mp4")
        assert again.media.digest == sent.media.digest, "nothing is left to be done"
        kept_all = await send(deployment, film, "kept.mp4", keep_metadata=True)
        assert (await deployment.get(kept_all.media.url)).content == film
        assert (await deployment.do("media.usage")).stored == 3 * len(film)

    deployments(scenario)


def test_what_is_refused_leaves_nothing(deployments: Deployments) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield RED[:1000]
        raise ConnectionError("gone")

    async def scenario(deployment: Deployment) -> None:
        for content, error in (
            (Incoming.of(b"MZ"), InvalidInput),
            (Incoming.of(b""), InvalidInput),
            (Incoming(broken()), ConnectionError),
        ):
            with pytest.raises(error):
                await deployment.do("media.upload", content=content, name="a.png")
        slow: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        async def waiting() -> AsyncIterator[bytes]:
            yield RED[:1000]
            yield await slow

        task = asyncio.create_task(
            deployment.do("media.upload", content=Incoming(waiting()), name="a.jpg")
        )
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(NotFound):
            await send(deployment, RED, site="nowhere")
        with pytest.raises(NotFound):
            await deployment.do("media.replace", media="media:x", content=Incoming.of(RED))
        assert await deployment.do("media.list") == []
        assert await stored(deployment) == []
        async with deployment.scope().read() as session:
            assert list(await session.scalars(select(MediaUpload))) == []

    deployments(scenario)


def test_a_tenant_decides_what_it_lets_in(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        assert (await deployment.do("media.settings")).kinds is None
        with pytest.raises(InvalidInput, match="no kind of file 'jpg'"):
            await deployment.do("media.configure", kinds=["jpg"])
        await deployment.do("media.configure", kinds=["jpeg"], keep_metadata=True)
        kept = await send(deployment, located("JPEG"))
        assert b"4711" in (await deployment.get(kept.media.url)).content
        with pytest.raises(InvalidInput, match="a PNG picture, and no such files are let in"):
            await send(deployment, BLUE, "a.jpg")
        await send(deployment, BLUE, slug="bread")
        bare = await send(deployment, located("JPEG"), keep_metadata=False)
        assert b"4711" not in (await deployment.get(bare.media.url)).content

    deployments(scenario)


def test_a_replaced_picture_shows_on_its_pages_and_comes_back(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        kiln = (await send(deployment, RED, alt="A kiln")).media
        await deployment.do("media.focus", media=kiln.reference, x=20, y=30)
        await show(deployment, kiln.reference)
        assert kiln.digest[:24] in await html(deployment)
        shared = await deployment.do(
            "shared.create",
            name="Foot",
            blocks=[{"id": "i", "type": "image", "data": {"media": kiln.reference}}],
        )
        await deployment.do("shared.publish", id=shared.id)
        block = {"id": "s", "type": "shared", "data": {"reference": f"shared:{shared.id}"}}
        await deployment.add("/shared/", regions={"main": [block]})
        details = {"image": kiln.reference}
        await deployment.add("/news/post/", layout="post", details=details)

        new = Incoming.of(BLUE)
        jug = (await deployment.do("media.replace", media=kiln.reference, content=new)).media
        assert (jug.reference, jug.version, jug.alt) == (kiln.reference, 2, "A kiln")
        assert (jug.name, jug.focal_x) == ("kiln.png", None)
        for path in ("/pictured/", "/shared/", "/news/post/", "/news/"):
            shown = await html(deployment, path)
            assert jug.digest[:24] in shown, path
            assert kiln.digest[:24] not in shown, path
        assert (await deployment.get(kiln.url)).content == RED, "for pages that were kept elsewhere"
        (version,) = await deployment.do("media.versions", media=kiln.reference)
        assert (version.number, version.url, version.actor) == (1, kiln.url, "operator:test")

        back = await deployment.do("media.restore", media=kiln.reference, number=1)
        assert (back.version, back.digest, back.name) == (3, kiln.digest, "kiln.jpg")
        assert kiln.digest[:24] in await html(deployment)
        with pytest.raises(NotFound, match="no version 9"):
            await deployment.do("media.restore", media=kiln.reference, number=9)
        gone = await deployment.do("media.forget_versions", media=kiln.reference)
        assert gone.versions == 2
        assert (await deployment.get(jug.url)).status_code == 404
        assert (await deployment.get(kiln.url)).content == RED, "it is the one that is shown"
        assert len([key for key in await stored(deployment) if "renditions" not in key]) == 1

    deployments(scenario)


def test_a_content_that_was_brought_back_is_stored_and_counted_once(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        kiln = (await send(deployment, RED)).media
        for content in (BLUE, RED):
            await deployment.do("media.replace", media=kiln.reference, content=Incoming.of(content))
        for number in (1, 2, 1):
            await deployment.do("media.restore", media=kiln.reference, number=number)
        usage = await deployment.do("media.usage")
        assert usage.stored == len(RED) * 2 + len(BLUE)
        assert usage.originals + usage.versions == usage.stored

    deployments(scenario)


def test_a_renamed_file_is_still_at_its_old_address(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        kiln = (await send(deployment, RED, "kiln.jpg")).media
        named = await deployment.do("media.edit", media=kiln.reference, name="Brennofen.jpg")
        assert named.url.endswith("/Brennofen.jpg")
        for url in (named.url, kiln.url):
            answer = await deployment.get(url)
            assert (answer.content, answer.headers["content-type"]) == (RED, "image/jpeg")
        folder = kiln.url.rpartition("/")[0]
        for other in ("kiln.exe", "kiln", "", ".jpg", "a/kiln.jpg", "800.webp"):
            answer = await deployment.get(f"{folder}/{other}")
            assert answer.status_code == 404, "nobody calls it what it is not"

    deployments(scenario)


def test_a_picture_needs_words_before_it_is_published(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        kiln = (await send(deployment, RED)).media
        with pytest.raises(InvalidInput, match="no alternative text"):
            await show(deployment, kiln.reference)
        await deployment.do("media.edit", media=kiln.reference, alt="A kiln\nat night")
        await deployment.do("pages.publish", path="/pictured/")
        assert 'alt="A kiln at night"' in await html(deployment)
        await deployment.do("media.edit", media=kiln.reference, alt="A jug")
        assert 'alt="A jug"' in await html(deployment), "rendered again"
        block = {"id": "b", "type": "image", "data": {"media": kiln.reference, "decorative": True}}
        await deployment.add("/plain/", regions={"main": [block]})
        assert 'alt=""' in await html(deployment, "/plain/")

    deployments(scenario)


def test_a_file_goes_to_the_bin_and_after_thirty_days_for_good(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        kiln = (await send(deployment, RED, alt="A kiln")).media
        jug = (await send(deployment, BLUE, "jug.png", alt="A jug")).media
        await show(deployment, kiln.reference)
        found = re.search(r'src="(/-/media/[^"]+webp)"', await html(deployment))
        assert found is not None
        rendition = found[1]
        assert (await deployment.get(rendition)).status_code == 200
        with pytest.raises(Conflict, match=r"It is used: 'kiln.jpg' by 'Pictured' \(/pictured/\)"):
            await deployment.do("media.delete", media=kiln.reference)
        binned = await deployment.do("media.delete", media=kiln.reference, force=True)
        assert binned.until - binned.binned_at == timedelta(days=30)
        for gone in (kiln.url, rendition):
            assert (await deployment.get(gone)).status_code == 404
        assert "/-/media/" not in await html(deployment)
        for name in ("media.show", "media.versions", "media.delete"):
            with pytest.raises(NotFound, match="no file"):
                await deployment.do(name, media=kiln.reference)
        await deployment.do("media.restore_from_bin", media=kiln.reference)
        assert (await deployment.get(kiln.url)).content == RED
        assert kiln.digest[:24] in await html(deployment)

        await deployment.do("media.delete", media=jug.reference)
        timekeeper = deployment.product.timekeeper
        later = timekeeper.now() + timedelta(days=30, minutes=1)
        assert await timekeeper.keep() == 0
        assert [view.media.name for view in await deployment.do("media.bin")] == ["jug.png"]
        monkeypatch.setattr(timekeeper, "now", lambda: later)
        assert await timekeeper.keep() == 1
        assert await deployment.do("media.bin") == []
        assert not any(key.endswith("jug.png") for key in await stored(deployment))
        assert await timekeeper.keep() == 0

        await deployment.do("media.delete", media=kiln.reference, force=True)
        assert (await deployment.do("media.purge", media=kiln.reference)).files == 1
        assert await stored(deployment) == []

    deployments(scenario)


def test_the_limit_for_files_holds_whoever_sends_at_the_same_time(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        size = len(BLUE)

        async def one(number: int) -> str:
            try:
                await send(deployment, BLUE, f"{number}.png", slug="steel")
            except QuotaExceeded:
                return "full"
            return "stored"

        results = await asyncio.gather(*(one(number) for number in range(8)))
        assert sorted(results) == ["full"] * 5 + ["stored"] * 3
        usage = await deployment.do("media.usage", "steel")
        assert (usage.stored, usage.files, usage.uploads) == (3 * size, 3, 0)
        with pytest.raises(QuotaExceeded, match=f"at most {size + 9:,} bytes on the free tier"):
            await send(deployment, b"x" * (size + 10), "a.txt", slug="steel")

    limits = {"files": 3 * len(BLUE) + 100, "file": len(BLUE) + 9}
    free = {"persistence": "tenancy_sqlite", "storage": "storage_local", "limits": limits}
    deployments(scenario, tiers={"free": free})


def test_a_file_of_another_site_is_nowhere(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.do("sites.create", key="shop", title="Shop")
        kiln = (await send(deployment, RED)).media
        for name in ("media.show", "media.delete", "media.versions", "media.forget_versions"):
            with pytest.raises(NotFound):
                await deployment.do(name, media=kiln.reference, site="shop")
            with pytest.raises(NotFound):
                await deployment.do(name, "bread", media=kiln.reference)
        await send(deployment, BLUE, "shop.png", site="shop")
        await deployment.do("sites.delete", site="shop")
        assert [key.rpartition("/")[2] for key in await stored(deployment)] == ["kiln.jpg"]

    deployments(scenario)


def test_files_of_before_stay_as_they_were(deployments: Deployments) -> None:
    """Two sites may have one object; it goes with the last of them."""

    async def scenario(deployment: Deployment) -> None:
        await deployment.do("sites.create", key="shop", title="Shop")
        kiln = (await send(deployment, RED)).media
        shop = (await send(deployment, RED, site="shop")).media
        scope = deployment.scope()

        async def share(write: Write) -> None:
            rows = list(await write.session.scalars(select(Media).order_by(Media.id)))
            rows[1].key = rows[0].key

        await scope.write(share)
        await deployment.do("media.sweep")
        assert len(await stored(deployment)) == 1
        await deployment.do("media.delete", media=shop.reference, site="shop")
        await deployment.do("media.empty_bin", site="shop")
        assert (await deployment.get(kiln.url)).content == RED

    deployments(scenario)
