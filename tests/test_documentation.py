"""The documentation's examples run, and what it lists is what there is."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from mosaic_cms.identity.key_format import PATTERN, make_key
from mosaic_cms.themes import Theme
from mosaic_core.resolution import TenantMatch
from mosaic_core.settings import (
    DatabaseSettings,
    IdentitySettings,
    MailSettings,
    MigrateSettings,
    PlatformSettings,
    RateSettings,
    ServeSettings,
    make_settings,
)
from mosaic_core.testing.fakes import MemoryStorage
from mosaic_core.testing.services import make_tenant
from mosaic_core.testing.storage.tools import chunked

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(document: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", document.read_text("utf-8"), re.M | re.S)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_its_commands_do_what_it_says(document: Path, tmp_path: Path) -> None:
    """Lines after `$ ` are run one after the other; the lines below are in what they print."""
    found = blocks(document, "console")
    if not found:
        return
    script, expected = ["set -e"], []
    for line in "".join(found).splitlines():
        if line.startswith("$ "):
            script.append(line[2:])
        elif line.strip():
            expected.append(line.strip())
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MOSAIC_") and k != "PORT"}
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=tmp_path,
        env=clean | {"PATH": path, "COLUMNS": "300", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for line in expected:
        assert line in done.stdout


def test_the_example_theme_works(tmp_path: Path) -> None:
    document = ROOT / "docs" / "themes.md"
    (manifest,), (style,) = blocks(document, r"toml theme\.toml"), blocks(document, "css")
    for folder in ("templates", "assets"):
        (tmp_path / folder).mkdir()
    (tmp_path / "theme.toml").write_text(manifest, "utf-8")
    (tmp_path / "assets" / "style.css").write_text(style, "utf-8")
    for text in blocks(document, r"html\+jinja"):
        named = re.match(r"\{#- (\S+) -#\}", text)
        assert named is not None
        (tmp_path / named[1]).write_text(text, "utf-8")
    theme = Theme("plain", tmp_path, {})
    site = {"title": "A & B", "tagline": "", "language": "de", "direction": "ltr", "root": "/"}
    site |= {"languages": [], "footer": "", "branding": False, **theme.settings({})}
    shell = theme.shell(site=site, menu=[], footer_menu=[], side_menu=[])
    page = theme.render("page", page={"title": "Hours"}, body="Always.", children=[])
    whole = shell.around(title="T", head="", body_class="c", main=page).decode()
    assert "A &amp; B" in whole
    assert "Zum Inhalt springen" in whole
    assert "Always." in whole
    (sheet,) = theme.assets.values()
    text = sheet.content.decode()
    places = [text.index(rule) for rule in ("box-sizing", "--ink: #111", "@media print")]
    assert places == sorted(places)


def test_the_example_plugin_works(tmp_path: Path) -> None:
    code, routes = blocks(ROOT / "docs" / "plugins.md", "python")
    serving: dict[str, object] = {"__name__": "example"}
    exec(compile(routes, "docs/plugins.md", "exec"), serving)
    (route,) = serving["mosaic_routes"]()  # type: ignore[operator]
    assert route.path == "/api/titles/all.txt"
    space: dict[str, object] = {"__name__": "example"}
    exec(compile(code, "docs/plugins.md", "exec"), space)

    class Hosts:
        platform_domain = "example.com"

        def tenant_of_domain(self, host: str) -> TenantMatch | None:
            return None

        def tenant_of_slug(self, slug: str) -> TenantMatch | None:
            return TenantMatch("t1") if slug == "blue" else None

    resolver = space["PreviewDomain"](Hosts(), "preview.example.com")  # type: ignore[operator]
    assert resolver.resolve("blue.preview.example.com") == TenantMatch("t1")
    assert resolver.resolve("blue.example.com") is None
    (provider,) = space["mosaic_tenant_resolvers"]()  # type: ignore[operator]
    assert provider.name == "preview_domain"


def test_a_large_file_is_sent_on_where_it_stopped(tmp_path: Path) -> None:
    (code,) = blocks(ROOT / "docs" / "storage.md", "python")
    space: dict[str, Any] = {}
    exec(compile(code, "docs/storage.md", "exec"), space)
    path = tmp_path / "film.mp4"
    path.write_bytes(b"film" * 5_000)

    async def main() -> None:
        storage, tenant = MemoryStorage(), make_tenant()
        upload = await space["begin"](storage, tenant, "film.mp4", path)
        await storage.write_part(tenant, upload.id, 2, chunked(path.read_bytes()[4096:8192]))
        made = await space["go_on"](storage, tenant, upload.id, path)
        assert made == await storage.stat(tenant, "film.mp4")
        assert made.size == 20_000

    asyncio.run(main())


def test_the_settings_of_plugins_are_what_their_documents_say() -> None:
    import tomllib

    from mosaic_storage_azureblob.plugin import AzureBlobSettings

    readme = ROOT / "plugins" / "storage_azureblob" / "README.md"
    for document in (readme, ROOT / "docs" / "storage.md"):
        (block,) = blocks(document, "toml")
        AzureBlobSettings.model_validate(tomllib.loads(block)["plugins"]["storage_azureblob"])


def test_a_scanner_that_does_what_it_says_finds_keys() -> None:
    text = (ROOT / "docs" / "access.md").read_text("utf-8")
    assert f"```\n{PATTERN}\n```" in text
    (code,) = blocks(ROOT / "docs" / "access.md", "python")
    space: dict[str, Any] = {}
    exec(compile(code, "docs/access.md", "exec"), space)
    key, _ = make_key()
    assert space["has_its_checksum"](key)
    assert not space["has_its_checksum"](key.swapcase())


def test_the_client_of_the_api_renames_a_page_whatever_others_do() -> None:
    rename, harness = blocks(ROOT / "docs" / "api.md", "python")
    space: dict[str, Any] = {}
    exec(compile(rename, "docs/api.md", "exec"), space)
    tags = iter(['"1"', '"2"'])

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, headers={"etag": next(tags)})
        stale = request.headers["if-match"] == '"1"'
        return httpx.Response(412 if stale else 200, json={"title": "New"})

    with httpx.Client(transport=httpx.MockTransport(answer), base_url="https://a.test") as client:
        assert space["rename"](client, "%2Fvisit%2F", "New") == {"title": "New"}
    exec(compile(harness, "docs/api.md", "exec"), space)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_its_configuration_is_valid(document: Path, tmp_path: Path) -> None:
    import tomllib

    for block in blocks(document, "toml"):
        content = tomllib.loads(block)
        if "project" not in content:
            make_settings(content, root=tmp_path)


@pytest.mark.parametrize(
    ("heading", "model"),
    [
        ("platform", PlatformSettings),
        ("database", DatabaseSettings),
        ("serve", ServeSettings),
        ("mail", MailSettings),
        ("rates", RateSettings),
        ("migrate", MigrateSettings),
        ("identity", IdentitySettings),
    ],
)
def test_every_key_is_documented(heading: str, model: type[BaseModel]) -> None:
    text = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    section = text.split(f"## `[{heading}]`")[1].split("\n## ")[0]
    documented = set(re.findall(r"^\| (.*?) \|", section, re.M))
    names = {name for cell in documented for name in re.findall(r"`(\w+)`", cell)}
    assert names == set(model.model_fields)


def test_links_between_documents_lead_somewhere() -> None:
    for document in [*DOCUMENTS, ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text("utf-8")):
            assert (document.parent / target).exists(), f"{document.name} → {target}"


def test_the_sites_that_ship_are_valid_deployments() -> None:
    from mosaic_core.plugins import Plugins
    from mosaic_core.settings import load_settings

    found = sorted(path.parent for path in (ROOT / "sites").glob("*/mosaic.toml"))
    assert [folder.name for folder in found] == ["demo", "platform", "selfhost"]
    for folder in found:
        assert Plugins(load_settings(folder).platform.plugins).names
    assert shutil.which("git") is None or not list((ROOT / "sites").rglob("*.py"))
