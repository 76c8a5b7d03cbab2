"""A site leaves over the API as an archive, and comes back from it."""

from __future__ import annotations

import base64
import io
import json
import tempfile
import zipfile
from pathlib import Path

import httpx
import pytest

from tests.api.conftest import Service, Services, problem

EXPORT = "/sites/main/export"


def unzipped(answer: httpx.Response) -> dict[str, bytes]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    assert int(answer.headers["content-length"]) == len(answer.content)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_site_goes_to_another_tenant_as_an_archive(
    services: Services, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(work))

    async def scenario(service: Service) -> None:
        do = service.deployment.do
        await do("sites.configure", api_public=True, api_origins=["https://app.example"])
        key = {"x_api_key": await service.key("admin")}
        answer = await service.get(EXPORT, **key)
        files = unzipped(answer)
        assert (
            "attachment; filename*=UTF-8''aurora-main.markdown.zip"
            in (answer.headers["content-disposition"])
        )
        assert b"This is the text of /visit/ at aurora." in b"".join(files.values())
        assert b"api_public = true" in files["site.toml"]
        archive = base64.b64encode(answer.content).decode()
        other = {"x_api_key": await service.key("owner", "steel"), "host": "steel.mosaic.test"}
        done = await service.ask("POST", "/imports/markdown", json={"archive": archive}, **other)
        assert done.status_code == 200, done.text
        pages = [page.path for page in await do("pages.list")]
        assert [page.path for page in await do("pages.list", "steel")] == pages
        site = await do("sites.show", "steel", site="main")
        assert (site.api_public, site.api_origins) == (True, ("https://app.example",))
        assert list(work.iterdir()) == [], "nothing is left on the disk"

    services(scenario)


def test_all_of_a_site_is_in_the_other_archive(services: Services) -> None:
    async def scenario(service: Service) -> None:
        key = {"x_api_key": await service.key("owner")}
        params = {"format": "json", "versions": "true"}
        files = unzipped(await service.get(EXPORT, params=params, **key))
        found = json.loads(files["aurora-main.json"])
        assert found["format"] == "mosaic-site"
        assert {page["draft"]["title"] for page in found["pages"]} >= {"Hours", "News"}
        head = await service.ask("HEAD", EXPORT, **key)
        assert (head.status_code, head.content) == (200, b"")
        assert int(head.headers["content-length"]) > 500

    services(scenario)


def test_who_may_not_export_and_what_is_not_there_is_said(services: Services) -> None:
    async def scenario(service: Service) -> None:
        editor = {"x_api_key": await service.key("editor")}
        assert "Admin has it" in problem(await service.get(EXPORT, **editor), 403)["detail"]
        problem(await service.get(EXPORT), 401)
        owner = {"x_api_key": await service.key("owner")}
        problem(await service.get("/sites/nothing/export", **owner), 404)
        problem(await service.get(EXPORT, params={"format": "tar"}, **owner), 422)
        problem(await service.get(EXPORT, params={"fields": "name"}, **owner), 400)
        elsewhere = await service.get(EXPORT, host="bread.mosaic.test", **owner)
        problem(elsewhere, 403)
        # By now nothing was exported; five are at once, and then it takes a while.
        for _ in range(5):
            assert (await service.ask("HEAD", EXPORT, **owner)).status_code == 200
        refused = await service.get(EXPORT, **owner)
        problem(refused, 429)
        assert int(refused.headers["retry-after"]) > 60

    services(scenario)
