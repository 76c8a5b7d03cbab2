"""Renditions as a visitor gets them: made once, kept beside the picture, and never more than pages
ask for."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import select

from mosaic_cms.content.models import Media
from mosaic_cms.content.published import PublishedPage
from mosaic_cms.media.checks import Checked, Rules
from mosaic_cms.media.inspector import Inspector
from mosaic_cms.media.kinds import KINDS
from mosaic_cms.pictures.library import ImageLibrary
from mosaic_cms.pictures.picture import Wanted
from mosaic_core.errors import InvalidInput
from mosaic_core.testing.hostile.pictures import bomb
from tests.cms.deployment import Deployment, Deployments
from tests.cms.pictures.files import encoded, moving, opened, photograph
from tests.cms.projection import projected, rebuilt

FOREVER = "public, max-age=31536000, immutable"
#: Sites of the tier that the tenants have here.
TIERS = {"open": {"persistence": "tenancy_sqlite", "storage": "storage_local"}}


async def bring(
    deployment: Deployment,
    content: bytes,
    name: str = "kiln.jpg",
    *,
    slug: str = "aurora",
    unseen: bool = False,
) -> str:
    """Imports a page that shows a picture; the page's HTML.

    Args:
        unseen: it is stored as files were before anybody looked into them.
    """
    if unseen:
        deployment.product.inspector = Blind(deployment.product.inspector)  # type: ignore[assignment]
    folder = deployment.product.platform.settings.root / "source"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / name).write_bytes(content)
    (folder / "kiln.md").write_text(f"---\ntitle: Kiln\n---\n\nHere.\n\n![A kiln]({name})\n")
    report = await deployment.do("content.import_markdown", slug, folder=str(folder))
    assert report.published or report.unchanged
    return (await deployment.get("/kiln/", f"{slug}.mosaic.test")).text


class Blind:
    """Lets everything in that says how large it is."""

    def __init__(self, inspector: Inspector) -> None:
        self._inspector = inspector

    async def look_at(self, path: Path, size: int, digest: str, rules: Rules) -> Checked:
        width, height = 60_000, 60_000
        if "bomb" not in path.name:
            with Image.open(path) as image:
                width, height = image.size
        kind = next(kind for kind in KINDS.values() if path.suffix in kind.endings)
        return Checked(kind, path.name, size, digest, None, width, height)


def offered(html: str) -> list[str]:
    """The addresses of the renditions in a page, each once."""
    found = re.findall(r"/-/media/[0-9a-f]{24}/[a-z0-9-]+/\d+\.\w+", html)
    return list(dict.fromkeys(found))


async def stored(deployment: Deployment, slug: str = "aurora") -> list[str]:
    """The keys of what is stored for a tenant."""
    tenant = deployment.scope(slug).tenant
    storage = deployment.product.platform.storage(tenant)
    return [info.key async for info in storage.list(tenant)]


@pytest.fixture
def renders(monkeypatch: pytest.MonkeyPatch) -> list[Wanted]:
    """What the image library was asked for."""
    asked: list[Wanted] = []
    render = ImageLibrary.render

    def noted(library: ImageLibrary, content: bytes, wanted: Wanted) -> bytes:
        asked.append(wanted)
        return render(library, content, wanted)

    monkeypatch.setattr(ImageLibrary, "render", noted)
    return asked


def test_a_rendition_is_made_when_it_is_first_asked_for_and_kept_beside_its_picture(
    deployments: Deployments, renders: list[Wanted]
) -> None:
    async def scenario(deployment: Deployment) -> None:
        html = await bring(deployment, photograph("JPEG", 2100, 1400))
        assert renders == [], "nothing is made before it is asked for"
        assert len(await stored(deployment)) == 1
        addresses = offered(html)
        assert sum(address.endswith(".avif") for address in addresses) == len(addresses) / 2 > 6
        for address in addresses:
            answer = await deployment.get(address)
            assert answer.status_code == 200
            assert answer.headers["cache-control"] == FOREVER
            assert answer.headers["content-type"] == f"image/{address.rpartition('.')[2]}"
            assert answer.headers["content-length"] == str(len(answer.content))
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
            width = int(address.rpartition("/")[2].partition(".")[0])
            assert opened(answer.content).size == (width, round(width * 1400 / 2100))
            again = await deployment.get(address)
            assert again.content == answer.content
            head = await deployment.get(address, method="HEAD")
            assert (head.headers, head.content) == (answer.headers, b"")
            kept = await deployment.get(address, if_none_match=answer.headers["etag"])
            assert (kept.status_code, kept.content) == (304, b"")
        assert len(renders) == len(addresses)
        (original, *made) = sorted(await stored(deployment), key=lambda key: "renditions" in key)
        folder = original.removesuffix("kiln.jpg")
        assert all(key.startswith(f"{folder}renditions-") for key in made)
        assert len(made) == len(addresses)

    deployments(scenario)


def test_whoever_asks_at_the_same_time_gets_the_same_one(
    deployments: Deployments, renders: list[Wanted]
) -> None:
    async def scenario(deployment: Deployment) -> None:
        address = offered(await bring(deployment, photograph()))[0]
        waiting = [asyncio.create_task(deployment.get(address)) for _ in range(20)]
        await asyncio.sleep(0)
        waiting.pop().cancel()  # whoever goes away does not stop it for the others
        answers = await asyncio.gather(*waiting)
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.content for answer in answers}) == 1
        assert len(renders) == 1
        assert (await deployment.get(address)).content == answers[0].content
        assert len(renders) == 1

    deployments(scenario)


def test_a_process_finds_what_another_has_made(
    deployments: Deployments, renders: list[Wanted]
) -> None:
    async def scenario(deployment: Deployment) -> list[str]:
        addresses = offered(await bring(deployment, photograph()))
        await deployment.get(addresses[0])
        return addresses

    async def later(deployment: Deployment) -> None:
        assert (await deployment.get(addresses[0])).status_code == 200
        assert len(renders) == 1
        assert (await deployment.get(addresses[1])).status_code == 200
        assert len(renders) == 2

    from tests.cms.deployment import opened as deployed

    addresses = deployments(scenario)

    async def reopened() -> None:
        async with deployed(deployments.root) as deployment:
            await later(deployment)

    asyncio.run(reopened())


def test_only_what_a_page_gave_out_can_be_asked_for(
    deployments: Deployments, renders: list[Wanted]
) -> None:
    async def scenario(deployment: Deployment) -> None:
        address = offered(await bring(deployment, photograph()))[0]
        found = re.fullmatch(r"(/-/media/\w+)/(whole)-(\w+)/(\d+)\.(\w+)", address)
        assert found
        start, shape, mark, width, format = found.groups()
        wrong = "0" * 12
        for path in (
            f"{start}/{shape}-{wrong}/{width}.{format}",
            f"{start}/16x9-50-50-{mark}/{width}.{format}",
            f"{start}/1x1-1-1-{mark}/320.webp",
            f"{start}/{shape}-{mark}/321.webp",
            f"{start}/{shape}-{mark}/1440.webp",
            f"{start}/{shape}-{mark}/1200.avif.webp",
            f"{start}/{shape}-{mark}/{width}.png",
            f"{start}/{shape}-{mark}/0{width}.webp",
            f"{start}/{shape}-{mark}/{width}.webp/",
            f"{start}/{shape}-{mark}/",
            f"{start[:-1]}{'1' if start.endswith('0') else '0'}/{shape}-{mark}/{width}.{format}",
            f"{start}/renditions-1/whole/{width}.{format}",
        ):
            answer = await deployment.get(path)
            assert answer.status_code == 404, path
        for host in ("bread.mosaic.test", "steel.mosaic.test"):
            assert (await deployment.get(address, host)).status_code == 404
        assert renders == []
        assert len(await stored(deployment)) == 1

    deployments(scenario)


def test_the_same_picture_of_two_tenants_has_addresses_of_its_own_in_each(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        here = offered(await bring(deployment, photograph()))[0]
        there = offered(await bring(deployment, photograph(), slug="bread"))[0]
        assert here != there
        assert here.split("/")[3] == there.split("/")[3], "the digest is of the content"
        assert (await deployment.get(here)).status_code == 200
        assert (await deployment.get(here, "bread.mosaic.test")).status_code == 404
        assert (await deployment.get(there, "bread.mosaic.test")).status_code == 200

    deployments(scenario)


@pytest.mark.parametrize(
    ("content", "name", "why"),
    [
        pytest.param(bomb(), "bomb.png", "60000 × 60000 pixels", id="bomb"),
        pytest.param(photograph()[:9_000], "cut.jpg", "cannot read it", id="cut off"),
        pytest.param(moving("WEBP"), "moving.webp", "It moves", id="moving"),
        pytest.param(encoded(opened(photograph()), "GIF"), "lie.jpg", "no JPEG", id="a lie"),
    ],
)
def test_where_none_can_be_made_the_page_shows_the_original_and_the_log_says_why(
    deployments: Deployments,
    renders: list[Wanted],
    caplog: pytest.LogCaptureFixture,
    content: bytes,
    name: str,
    why: str,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        html = await bring(deployment, content, name, unseen=True)
        addresses = offered(html)
        assert addresses
        for address in addresses:
            answer = await deployment.get(address)
            assert answer.status_code == 302
            assert "max-age=0" in answer.headers["cache-control"]
            original = await deployment.get(answer.headers["location"])
            assert (original.status_code, original.content) == (200, content)
        assert len(renders) == 1, "what cannot be made is not tried again and again"
        assert caplog.text.count("no renditions of") == 1
        assert why in caplog.text
        assert (await deployment.get("/kiln/")).status_code == 200
        assert len(await stored(deployment)) == 1

    deployments(scenario)


def test_a_gif_is_served_as_it_is(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        html = await bring(deployment, moving("GIF"), "moving.gif")
        assert offered(html) == []
        assert 'width="400" height="300"' in html
        found = re.search(r'src="(/-/media/[^"]+\.gif)"', html)
        assert found
        assert (await deployment.get(found[1])).content == moving("GIF")

    deployments(scenario)


def test_a_fault_in_the_library_is_not_the_visitors(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def missing(*arguments: Any) -> bytes:
        raise OSError("libvips.so.42: cannot open shared object file")

    monkeypatch.setattr(ImageLibrary, "render", missing)

    async def scenario(deployment: Deployment) -> None:
        address = offered(await bring(deployment, photograph()))[0]
        assert (await deployment.get(address)).status_code == 302
        assert "cannot open shared object file" in caplog.text

    deployments(scenario)


def test_a_tenant_at_its_limit_shows_originals_and_stores_nothing_more(
    deployments: Deployments, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(deployment: Deployment) -> None:
        address = offered(await bring(deployment, photograph()))[-1]
        answer = await deployment.get(address)
        assert answer.status_code == 302
        assert (await deployment.get(answer.headers["location"])).status_code == 200
        assert "limit" in caplog.text
        assert len(await stored(deployment)) == 1

    tier = TIERS["open"] | {"limits": {"files": len(photograph()) + 500}}
    deployments(scenario, tiers={"open": tier})


def test_renditions_count_among_what_is_stored_and_go_with_their_site(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        scope = deployment.scope()
        storage = deployment.product.platform.storage(scope.tenant)
        kept = offered(await bring(deployment, photograph()))[0]
        await deployment.get(kept)
        before = await stored(deployment)
        assert len(before) == 2
        await deployment.do("sites.create", key="shop", title="Shop")
        folder = deployment.product.platform.settings.root / "shop"
        folder.mkdir()
        for name, kind in (("same.jpg", "JPEG"), ("other.png", "PNG")):
            (folder / name).write_bytes(photograph(kind))
        (folder / "a.md").write_text("---\ntitle: A\n---\n\n![a](same.jpg)\n\n![b](other.png)\n")
        await deployment.do("content.import_markdown", folder=str(folder), site="shop")
        async with scope.read() as session:
            html = await session.scalar(
                select(PublishedPage.html).where(PublishedPage.path == "/a/")
            )
        for address in offered(str(html)):  # a tenant's files are those of all its sites
            assert (await deployment.get(address)).status_code == 200
        size = await storage.usage(scope.tenant)
        assert size == sum([info.size async for info in storage.list(scope.tenant)])
        assert len(await stored(deployment)) > 12
        await deployment.do("sites.delete", site="shop")
        assert {key for key in await stored(deployment) if "renditions" not in key} <= set(before)
        assert (await deployment.get(kept)).status_code == 200, "made again, if it must be"
        assert set(await stored(deployment)) == set(before)

    deployments(scenario, tiers=TIERS)


def test_a_file_that_is_deleted_while_it_is_rendered_leaves_nothing(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    render = ImageLibrary.render

    async def scenario(deployment: Deployment) -> None:
        address = offered(await bring(deployment, photograph()))[0]
        (key,) = await stored(deployment)
        path = next(Path(deployments.root).rglob("content/media/*/*/kiln.jpg"))

        def slow(library: ImageLibrary, content: bytes, wanted: Wanted) -> bytes:
            path.unlink()
            return render(library, content, wanted)

        monkeypatch.setattr(ImageLibrary, "render", slow)
        assert (await deployment.get(address)).status_code == 200, "it was asked for before"
        assert await stored(deployment) == []
        assert key

    deployments(scenario)


def test_another_content_or_focal_point_has_other_addresses(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        first = await bring(deployment, photograph())
        async with deployment.scope().read() as session:
            row = (await session.scalars(select(Media))).one()
        await deployment.do("media.focus", media=f"media:{row.id}", x=10, y=90)
        focused = (await deployment.get("/kiln/")).text
        assert "object-position:10% 90%" in focused
        assert await projected(deployment, "aurora") == await rebuilt(deployment, "aurora")
        second = await bring(deployment, photograph("JPEG", 1300, 800))
        assert not set(offered(first)) & set(offered(second))
        assert "object-position" not in second, "the point was that of another picture"

    deployments(scenario)


def test_a_focal_point_is_a_place_in_a_picture_of_the_site(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await bring(deployment, photograph())
        (view,) = await deployment.do("media.list")
        assert (view.name, view.width, view.height) == ("kiln.jpg", 1200, 800)
        assert view.url.endswith("/kiln.jpg")
        focused = await deployment.do("media.focus", media=view.reference, x=0, y=100)
        assert (focused.focal_x, focused.focal_y) == (0, 100)
        again = await deployment.do("media.focus", media=view.reference)
        assert (again.focal_x, again.focal_y) == (None, None)
        for given, message in (
            ({"media": view.reference, "x": 101, "y": 1}, "x"),
            ({"media": view.reference, "x": 1}, "has two numbers"),
            ({"media": "media:none", "x": 1, "y": 1}, "has no file"),
        ):
            with pytest.raises(Exception, match=message) as caught:
                await deployment.do("media.focus", **given)
            assert isinstance(caught.value, InvalidInput) or "media list" in str(caught.value)
        with pytest.raises(Exception, match="has no file"):
            await deployment.do("media.focus", "bread", media=view.reference, x=1, y=1)

    deployments(scenario)


def test_an_export_says_where_the_focal_point_is(deployments: Deployments, tmp_path: Path) -> None:
    async def scenario(deployment: Deployment) -> None:
        await bring(deployment, photograph())
        (view,) = await deployment.do("media.list")
        await deployment.do("media.focus", media=view.reference, x=20, y=30)
        await deployment.do("content.export_markdown", folder=str(tmp_path / "markdown"))
        assert "focal = [20, 30]" in (tmp_path / "markdown" / "site.toml").read_text()
        await deployment.do("content.export_json", file=str(tmp_path / "site.json"))
        (kept,) = json.loads((tmp_path / "site.json").read_text())["media"]
        assert (kept["focal_x"], kept["focal_y"]) == (20, 30)

    deployments(scenario)
