"""A deployment is brought to another version: a page that the old one rendered is shown whole, in
the old themes, until the new one has rendered it again, whichever process a visitor asks."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from mosaic_cms.content.published import PublishedPage
from mosaic_core.directory import theme_sets
from mosaic_core.directory.tables import RenderedRow, ThemeSetRow
from mosaic_core.head import Write
from mosaic_core.hooks import ThemeFolder
from tests.cms.deployment import PAGES, TENANTS, Deployment, Deployments, opened
from tests.cms.plugs import plugins_with
from tests.cms.projection import projected, rebuilt
from tests.cms.versions import make_version, opened_as, seen, serving

#: Renders a tenant's pages again in batches of one, and is killed after the second.
KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
import pytest
from mosaic_cms.content import publishing
from mosaic_cms.product import Product
from tests.cms.versions import opened_as

async def main():
    async with opened_as(Path(sys.argv[1]), Path(sys.argv[2])) as deployment:
        publishing.BATCH = 1
        render, done = Product.render, []
        async def killed(self, tenant, page_ids):
            if len(done) == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            await render(self, tenant, page_ids)
            done.append(page_ids)
        Product.render = killed
        await deployment.product.kept.keep(serving=True)
        while await deployment.product.renewal.renew_one():
            pass

asyncio.run(main())
"""


class Versions:
    """Runs scenarios with processes of two versions on one deployment."""

    def __init__(self, deployments: Deployments, folder: Path) -> None:
        self.root = deployments.copy()
        self.old = make_version(folder, "old")
        self.new = make_version(folder, "new")

    def __call__(self, scenario: Callable[[Deployment, Deployment], Awaitable[None]]) -> None:
        """The old one serves first, and all its pages are its own; then the new one starts."""

        async def main() -> None:
            async with AsyncExitStack() as stack:
                old = await stack.enter_async_context(opened_as(self.old, self.root))
                await start(old)
                new = await stack.enter_async_context(opened_as(self.new, self.root))
                await scenario(old, new)

        asyncio.run(main())


@pytest.fixture
def versions(deployments: Deployments, tmp_path: Path) -> Versions:
    return Versions(deployments, tmp_path)


async def start(deployment: Deployment) -> None:
    """Does what a server does that starts, until nothing is left to do."""
    await deployment.product.kept.keep(serving=True)
    while await deployment.product.renewal.renew_one():
        pass


async def marks(*deployments: Deployment, slug: str = "aurora") -> list[str]:
    """The versions of all pages of a tenant, as several processes show them."""
    await asyncio.sleep(0.25)  # what another process wrote is known after this
    host = f"{slug}.mosaic.test"
    return [await seen(deployment, path, host) for deployment in deployments for path in PAGES]


def sets(deployment: Deployment) -> theme_sets.ThemeSets:
    return deployment.product.platform.directory.theme_sets


async def kept(deployment: Deployment) -> set[str]:
    return set(await sets(deployment).revisions())


async def needed(deployment: Deployment, slug: str = "aurora") -> set[str]:
    return await sets(deployment).needed(deployment.scope(slug).tenant.tenant_id)


async def note(deployment: Deployment, statement: Any) -> None:
    """Changes what the platform noted, as time does."""

    async def fn(write: Write) -> None:
        await write.session.execute(statement)

    await deployment.product.platform.directory.write(fn, actor="test", action="test")


async def a_day_passes(deployment: Deployment) -> None:
    before = datetime.now(UTC) - theme_sets.KEPT - timedelta(minutes=1)
    await note(deployment, update(ThemeSetRow).values(seen=before))
    await note(deployment, update(RenderedRow).values(again=before))


async def shows(deployment: Deployment, path: str, text: str) -> None:
    """Waits until a page has a text: other processes learn of a change a moment later."""
    async with asyncio.timeout(10):
        while text not in (await deployment.get(path)).text:
            await asyncio.sleep(0.02)


def test_a_page_is_shown_in_the_themes_that_it_was_rendered_in(versions: Versions) -> None:
    async def scenario(old: Deployment, new: Deployment) -> None:
        both = 2 * len(PAGES)
        assert await marks(old, new) == ["old"] * both
        await new.do("pages.edit", path="/visit/", body="Now from nine.")
        await new.do("pages.publish", path="/visit/")
        await new.product.settle_all()
        now = await marks(old, new)
        assert now[: len(PAGES)] == now[len(PAGES) :]
        assert dict(zip(PAGES, now, strict=False))["/visit/"] == "new"
        assert now.count("old") > 0
        # What surrounds a page is what it is now, in whichever version.
        await old.do("sites.configure", tagline="By the old one")
        for deployment in (old, new):
            await shows(deployment, "/news/", "By the old one")
        await start(new)
        assert await marks(old, new) == ["new"] * both
        assert await projected(new, "aurora") == await rebuilt(new, "aurora")
        for slug in TENANTS:
            assert await needed(new, slug) == {new.product.kept.key}
            assert set(await marks(old, slug=slug)) == {"new"}

    versions(scenario)


def test_what_an_old_process_still_renders_is_rendered_again(versions: Versions) -> None:
    async def scenario(old: Deployment, new: Deployment) -> None:
        await start(new)
        await old.do("pages.edit", path="/visit/", title="By the old one")
        await old.do("pages.publish", path="/visit/")
        assert set(await marks(old, new)) == {"old", "new"}
        assert len(await needed(new)) == 2
        await start(old)  # again: the last one that starts is the one that counts
        assert set(await marks(old, new)) == {"old"}
        await start(new)
        assert set(await marks(old, new)) == {"new"}
        assert not await old.product.renewal.renew_one()
        assert await needed(new) == {new.product.kept.key}

    versions(scenario)


def test_themes_are_dropped_a_day_after_the_last_page_was_rendered_again(
    versions: Versions,
) -> None:
    async def scenario(old: Deployment, new: Deployment) -> None:
        was, now = old.product.kept.key, new.product.kept.key
        sheet = old.product.themes.get("iznik").asset("theme.css")
        await new.rule("tenants.suspend", slug="bread")
        await start(new)
        await a_day_passes(new)
        await start(new)
        assert await kept(new) == {was, now}
        assert await marks(new, slug="bread") == ["old"] * len(PAGES)
        await new.rule("tenants.resume", slug="bread")
        await a_day_passes(new)
        await start(new)
        assert await kept(new) == {was, now}  # caches may have a page of it
        assert (await new.get(sheet)).status_code == 200
        await a_day_passes(new)
        await start(new)
        assert await kept(new) == {now}
        assert set(await marks(old, new, slug="bread")) == {"new"}
        # A process that is still there keeps its own again before it renders a page.
        await a_day_passes(new)
        old.product.kept._noted_until = 0.0
        await old.do("pages.edit", path="/visit/", body="By the old one.")
        await old.do("pages.publish", path="/visit/")
        assert await kept(new) == {was, now}
        assert "old" in await marks(new)

    versions(scenario)


def test_a_new_tenant_and_a_new_site_need_the_themes_of_their_maker(versions: Versions) -> None:
    async def scenario(old: Deployment, new: Deployment) -> None:
        await old.rule("tenants.create", slug="fresh", name="Fresh", tier="open")
        await new.product.platform.directory.refresh(now=True)
        assert await needed(new, "fresh") == {old.product.kept.key}
        assert await seen(new, "/", "fresh.mosaic.test") == "old"
        await old.do("sites.create", "fresh", key="second", title="Second")
        await start(new)
        assert await needed(new, "fresh") == {new.product.kept.key}
        await old.do("sites.create", "fresh", key="third", title="Third")
        assert await needed(new, "fresh") == {old.product.kept.key, new.product.kept.key}

    versions(scenario)


def test_a_killed_renewal_is_finished_by_the_next_process(versions: Versions) -> None:
    async def scenario(old: Deployment, new: Deployment) -> None:
        script = [sys.executable, "-c", KILLED, str(versions.new), str(versions.root)]
        run = await asyncio.to_thread(
            subprocess.run, script, capture_output=True, timeout=120, check=False
        )
        assert run.returncode == -signal.SIGKILL, run.stderr.decode()
        now = [mark for slug in TENANTS for mark in await marks(old, new, slug=slug)]
        assert now.count("new") == 2 * 2
        await note(new, update(RenderedRow).values(again=datetime.now(UTC)))  # the claim ends
        await start(new)
        for slug in TENANTS:
            assert set(await marks(old, new, slug=slug)) == {"new"}
            assert await needed(new, slug) == {new.product.kept.key}
            assert await projected(new, slug) == await rebuilt(new, slug)

    versions(scenario)


def test_servers_of_both_versions_serve_whole_pages_until_all_are_new(
    deployments: Deployments, tmp_path: Path
) -> None:
    """As in a rolling restart: two old servers, a new one beside them, then the old ones go."""
    root = deployments.copy()
    old, new = make_version(tmp_path, "old"), make_version(tmp_path, "new")

    async def visit(servers: list[Deployment], found: list[str]) -> None:
        while servers:
            for slug in TENANTS:
                for path in PAGES:
                    for deployment in list(servers):
                        found.append(await seen(deployment, path, f"{slug}.mosaic.test"))
            await asyncio.sleep(0)

    async def all_of(deployment: Deployment) -> bool:
        key = deployment.product.kept.key
        return all([await needed(deployment, slug) == {key} for slug in TENANTS])

    async def until(what: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(60):
            while not await what():
                await asyncio.sleep(0.05)

    async def main() -> None:
        found: list[str] = []
        async with AsyncExitStack() as stack:
            servers = [await stack.enter_async_context(serving(old, root)) for _ in range(2)]
            await until(lambda: all_of(servers[0]))
            await asyncio.sleep(0.25)
            async with asyncio.TaskGroup() as visitors:
                for _ in range(2):
                    visitors.create_task(visit(servers, found))
                newest = await stack.enter_async_context(serving(new, root))
                servers.append(newest)
                await until(lambda: all_of(newest))
                before = len(found)
                await until(lambda: asyncio.sleep(0, len(found) > before + 40))
                del servers[:2]  # no visitor is sent to them any more
                before = len(found)
                await until(lambda: asyncio.sleep(0, len(found) > before + 20))
                servers.clear()
        assert found[0] == "old"
        assert set(found[-10:]) == {"new"}

    asyncio.run(main())


def test_a_kept_theme_that_does_not_work_here_leaves_its_pages_readable(
    deployments: Deployments, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    versions = Versions(deployments, tmp_path)
    shell = versions.new / "iznik" / "templates" / "shell.html"
    shell.write_text("{{ ''.__class__.__mro__ }}" + shell.read_text("utf-8"), "utf-8")

    async def scenario(old: Deployment, new: Deployment) -> None:
        await start(new)
        assert await marks(new) == ["new"] * len(PAGES)
        for path in PAGES:
            answer = await old.get(path)
            assert answer.status_code == 200
            assert "the text of" in answer.text
        assert "does not work here" in caplog.text

    versions(scenario)


def test_pages_whose_themes_nobody_kept_are_rendered_again_once_they_are_visited(
    versions: Versions, caplog: pytest.LogCaptureFixture
) -> None:
    """As after a tenant's file, or the platform's, was restored from a backup."""

    async def scenario(old: Deployment, new: Deployment) -> None:
        await start(new)

        async def forget(write: Write) -> None:
            await write.session.execute(update(PublishedPage).values(theme_revision="long ago"))

        await new.product.platform.write(new.scope().tenant, forget, actor="test", action="test")
        assert not await new.product.renewal.renew_one()
        assert "the text of /visit/" in (await new.get("/visit/")).text
        assert "nobody kept the theme 'iznik'" in caplog.text
        assert await new.product.renewal.renew_one()
        assert await marks(new) == ["new"] * len(PAGES)

    versions(scenario)


def test_a_page_that_cannot_be_rendered_again_stays_as_it_was(
    deployments: Deployments, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    versions = Versions(deployments, tmp_path)
    page = versions.new / "iznik" / "templates" / "page.html"
    faulty = "{% if page.title == 'Visit' %}{{ page.nothing }}{% endif %}"
    page.write_text(faulty + page.read_text("utf-8"), "utf-8")

    async def scenario(old: Deployment, new: Deployment) -> None:
        await start(new)
        now = dict(zip(PAGES, await marks(new), strict=True))
        assert now == {path: "old" if path == "/visit/" else "new" for path in PAGES}
        assert "templates/page.html" in caplog.text
        assert await needed(new) == {old.product.kept.key, new.product.kept.key}

    versions(scenario)


def test_visited_tenants_come_first(versions: Versions) -> None:
    async def scenario(old: Deployment, new: Deployment) -> None:
        await new.product.kept.keep(serving=True)
        await seen(new, "/visit/", "steel.mosaic.test")
        assert await new.product.renewal.renew_one()
        done = [slug for slug in TENANTS if await needed(new, slug) == {new.product.kept.key}]
        assert done == ["steel"]

    versions(scenario)


def test_a_theme_whose_plugin_is_gone_stays_around_its_pages_until_they_are_rendered_again(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = make_version(tmp_path, "plugged") / "folio"

    async def main() -> None:
        root = deployments.copy()
        offer = {"mosaic_themes": lambda: [ThemeFolder("plugged", folder)]}
        async with opened(root, plugins=plugins_with(monkeypatch, plugged=offer)) as before:
            await before.do("sites.configure", theme="plugged")
            assert await marks(before) == ["plugged"] * len(PAGES)
        async with opened(root) as after:
            assert await marks(after) == ["plugged"] * len(PAGES)
            await start(after)
            assert 'data-palette="cobalt"' in (await after.get("/visit/")).text
            assert await needed(after) == {after.product.kept.key}

    asyncio.run(main())
