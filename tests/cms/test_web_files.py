"""Assets and media: immutable, typed, and nobody else's."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mosaic_cms.content.models import Media
from mosaic_cms.content.tree import find_site
from mosaic_core.head import Write
from tests.cms.deployment import Deployment, Deployments

FOREVER = "public, max-age=31536000, immutable"
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4000


async def store(
    deployment: Deployment, slug: str, name: str, content: bytes, kind: str = "image/png"
) -> str:
    """Stores a file as media of a tenant; returns its address."""
    digest = hashlib.sha256(content).hexdigest()
    scope = deployment.scope(slug)

    async def chunks() -> AsyncIterator[bytes]:
        yield content

    key = f"media/{digest[:2]}/{digest[2:24]}/{name}"
    await deployment.product.platform.storage(scope.tenant).write(scope.tenant, key, chunks())

    async def note(write: Write) -> None:
        site = await find_site(write.session)
        facts: dict[str, Any] = {"name": name, "key": key, "digest": digest, "size": len(content)}
        write.session.add(Media(site_id=site.id, source=name, content_type=kind, **facts))

    await scope.write(note)
    return f"/-/media/{digest[:24]}/{name}"


def test_assets_have_the_hash_of_their_content_in_their_names(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        page = (await deployment.get("/")).text
        found = re.findall(r"/-/assets/[\w.-]+", page)
        assert len(found) >= 2
        sheet = next(path for path in found if path.endswith(".css"))
        style = (await deployment.get(sheet)).text
        found += [f"/-/assets/{name}" for name in re.findall(r'url\("?([\w.-]+)"?\)', style)]
        kinds = {"css": "text/css; charset=utf-8", "svg": "image/svg+xml"}
        for path in set(found):
            for host in ("aurora.mosaic.test", "steel.mosaic.test"):
                answer = await deployment.get(path, host, accept_encoding="identity")
                assert answer.status_code == 200, path
                assert answer.headers["cache-control"] == FOREVER
                assert answer.headers["content-type"] == kinds[path.rpartition(".")[2]]
                assert answer.headers["x-content-type-options"] == "nosniff"
                digest = re.search(r"-([0-9a-f]{12})\.", path)
                assert digest
                assert hashlib.sha256(answer.content).hexdigest().startswith(digest[1])
                again = await deployment.get(
                    path, host, accept_encoding="identity", if_none_match=answer.headers["etag"]
                )
                assert (again.status_code, again.content) == (304, b"")
        assert {path.rpartition(".")[2] for path in found} == {"css", "svg"}

    deployments(scenario)


@pytest.mark.parametrize(
    "path",
    [
        "/-/assets/",
        "/-/assets/theme.css",
        "/-/assets/theme-000000000000.css",
        "/-/assets/../theme.toml",
        "/-/assets/%2e%2e/templates/shell.html",
        "/-/nothing",
        "/-/media/",
        "/-/media/000000000000000000000000/a.png",
        "/-/media/000000000000000000000000/",
        "/-/media/%25%25%25%25%25%25%25%25%25%25%25%25%25%25%25%25%25%25%25%25%25%25%25%25/a.png",
        "/-/media/________________________/a.png",
    ],
)
def test_an_unknown_file_is_404_in_the_theme(deployments: Deployments, path: str) -> None:
    async def scenario(deployment: Deployment) -> None:
        await store(deployment, "aurora", "a.png", PICTURE)
        answer = await deployment.get(path)
        assert answer.status_code == 404
        assert answer.headers["cache-control"] == "no-store"
        assert "This page is not here" in answer.text

    deployments(scenario)


def test_media_are_streamed_and_kept_for_ever(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        path = await store(deployment, "aurora", "ägäis.png", PICTURE)
        answer = await deployment.get(path)
        assert (answer.status_code, answer.content) == (200, PICTURE)
        expected = {
            "cache-control": FOREVER,
            "content-type": "image/png",
            "content-length": str(len(PICTURE)),
            "x-content-type-options": "nosniff",
            "content-security-policy": "default-src 'none'; sandbox",
        }
        assert {name: answer.headers[name] for name in expected} == expected
        head = await deployment.get(path, method="HEAD")
        assert (head.headers, head.content) == (answer.headers, b"")
        tag = answer.headers["etag"]
        for value in (tag, f"W/{tag}", f'"a", {tag}'):
            again = await deployment.get(path, if_none_match=value)
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["cache-control"] == FOREVER
        empty = await store(deployment, "aurora", "empty.txt", b"", "text/plain; charset=utf-8")
        answer = await deployment.get(empty)
        assert (answer.status_code, answer.content) == (200, b"")
        assert len(deployment.app.cache) == 0

    deployments(scenario)


def test_media_are_never_another_tenants(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        path = await store(deployment, "aurora", "a.png", PICTURE)
        assert (await deployment.get(path, "museum.example")).status_code == 200
        for host in ("bread.mosaic.test", "steel.mosaic.test", "gone.mosaic.test"):
            assert (await deployment.get(path, host)).status_code == 404
        other = await store(deployment, "bread", "a.png", b"other")
        assert (await deployment.get(other, "bread.mosaic.test")).content == b"other"
        assert (await deployment.get(path, "bread.mosaic.test")).status_code == 404
        assert (await deployment.get(path.replace("a.png", "a.exe"))).status_code == 404

    deployments(scenario)


def test_a_file_that_is_gone_from_its_folder_is_503_with_a_reference(
    deployments: Deployments, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(deployment: Deployment) -> None:
        path = await store(deployment, "aurora", "a.png", PICTURE)
        for file in Path(deployments.root).rglob("a.png"):
            file.unlink()
        answer = await deployment.get(path)
        assert answer.status_code == 503
        reference = re.search(r"Reference: (\w+)", answer.text)
        assert reference
        assert reference[1] in caplog.text
        assert (await deployment.get("/")).status_code == 200

    deployments(scenario)


def test_branding_is_the_tiers_choice(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.rule("tenants.create", slug="white", name="White", tier="white")
        shown = {}
        for slug in ("steel", "aurora", "white"):
            for path in ("/", "/nothing/"):
                text = (await deployment.get(path, f"{slug}.mosaic.test")).text
                shown[slug, path] = "Powered by <b>MOSAIC</b>" in text
        assert {slug for (slug, _), there in shown.items() if there} == {"steel"}
        assert shown["steel", "/nothing/"]

    deployments(scenario)
