"""What a write leaves to be done is done: by this process, or by the next one."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from mosaic_cms.app import Application
from mosaic_cms.content.projection import Projection
from mosaic_cms.content.tree import find_page, find_site
from mosaic_cms.product import Product
from mosaic_core.head import TENANT, Write
from mosaic_core.head.outbox import messages
from tests.cms.deployment import Deployment, Deployments, ask, opened, settings_for
from tests.cms.projection import projected, rebuilt

#: Publishes a new title of /visit/ and is killed before what shows it is rendered.
KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from mosaic_cms.product import Product
from tests.cms.deployment import opened

async def main():
    async with opened(Path(sys.argv[1])) as deployment:
        await deployment.do("pages.edit", path="/visit/", title="Plan your visit")
        async def killed(*args):
            os.kill(os.getpid(), signal.SIGKILL)
        Product.settle = killed
        await deployment.do("pages.publish", path="/visit/")

asyncio.run(main())
"""


async def left(deployment: Deployment, slug: str = "aurora") -> int:
    async with deployment.scope(slug).read() as session:
        return len(await messages(session, TENANT, 100))


async def leave_work(deployment: Deployment, slug: str, title: str) -> None:
    """Publishes as a process does that stops before it settles."""
    await deployment.do("pages.edit", slug, path="/visit/", title=title)
    await publish(deployment, slug, "/visit/")
    deployment.product.platform.writing.pending.clear()


async def publish(deployment: Deployment, slug: str, path: str) -> None:
    """Publishes, and leaves the rest to whoever settles."""

    async def fn(write: Write) -> None:
        site = await find_site(write.session)
        page = await find_page(write.session, site, path)
        await deployment.product.publisher.publish(write, site, page)

    await deployment.scope(slug).write(fn)


async def assert_as_made_anew(deployment: Deployment, slug: str = "aurora") -> None:
    assert await projected(deployment, slug) == await rebuilt(deployment, slug)


def test_the_next_process_finishes_what_a_killed_one_left(deployments: Deployments) -> None:
    root = deployments.copy()
    run = subprocess.run(
        [sys.executable, "-c", KILLED, str(root)], capture_output=True, timeout=60, check=False
    )
    assert run.returncode == -signal.SIGKILL, run.stderr.decode()

    async def next_process() -> None:
        async with opened(root) as deployment:
            assert "Plan your visit" in (await deployment.get("/visit/")).text
            assert "Plan your visit" not in (await deployment.get("/visit/hours/")).text
            assert await left(deployment) == 1
            assert await deployment.product.settle_all() == 1
            assert "Plan your visit" in (await deployment.get("/visit/hours/")).text
            assert (await left(deployment), await deployment.product.settle_all()) == (0, 0)
            assert await deployment.product.platform.directory.hinted() == []
            await assert_as_made_anew(deployment)

    asyncio.run(next_process())


def test_a_server_finishes_it_by_itself(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await leave_work(deployment, "aurora", "Plan your visit")
        settle_all = Product.settle_all
        failed = []

        async def at_once(self: Product, *, older_than: float = 0.0) -> int:
            if not failed:  # the sweep outlives whatever goes wrong
                failed.append(older_than)
                raise RuntimeError("a sweep that fails")
            return await settle_all(self)

        monkeypatch.setattr(Product, "settle_all", at_once)
        monkeypatch.setattr("mosaic_cms.app.SWEEP", 0.05)
        application = Application(settings_for(deployments.root))
        await application.start()
        try:
            for _ in range(100):
                answer = await ask(application, "/visit/hours/", [(b"host", b"aurora.mosaic.test")])
                if "Plan your visit" in answer.text:
                    break
                await asyncio.sleep(0.05)
            else:
                raise AssertionError("it was not finished")
        finally:
            await application.stop()
        assert failed == [5.0]

    deployments(scenario)


def test_one_tenants_trouble_does_not_hold_up_anothers_work(
    deployments: Deployments, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(deployment: Deployment) -> None:
        for slug in ("aurora", "bread", "steel"):
            await leave_work(deployment, slug, "Plan your visit")
        tenants = deployments.root / "data" / "tenants"
        for file in tenants.glob(f"{deployment.scope('aurora').tenant.tenant_id}.db*"):
            file.unlink()
        assert await deployment.product.settle_all() == 2
        assert "aurora could not be dealt with" in caplog.text
        for slug in ("bread", "steel"):
            await assert_as_made_anew(deployment, slug)
        hinted = await deployment.product.platform.directory.hinted()
        assert [tenant.slug for tenant in hinted] == ["aurora"]

    deployments(scenario)


def test_what_was_written_counts_even_when_the_work_it_left_fails(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(deployment: Deployment) -> None:
        async def broken(*args: Any) -> None:
            raise OSError("the disk hangs")

        with monkeypatch.context() as patch:
            patch.setattr(Product, "render", broken)
            await deployment.do("pages.edit", path="/visit/", title="Plan your visit")
            page = await deployment.do("pages.publish", path="/visit/")
            assert page.state == "published"
        assert "the disk hangs" in caplog.text
        assert await left(deployment) == 1
        assert await deployment.product.settle_all() == 1
        await assert_as_made_anew(deployment)

    deployments(scenario)


def test_work_of_a_tenant_that_is_read_only_waits(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await leave_work(deployment, "aurora", "Plan your visit")
        await deployment.rule("tenants.suspend", slug="aurora")
        assert await deployment.product.settle_all() == 0
        await deployment.rule("tenants.resume", slug="aurora")
        assert await deployment.product.settle_all() == 1
        await assert_as_made_anew(deployment)

    deployments(scenario)


def test_a_job_renders_what_publishing_renders(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        for n, date in enumerate(("2024-05-01", "2024-05-02", "")):
            details = {"date": date, "tags": ["a", "b"], "author": "Zoe"} if date else {}
            await deployment.add(
                f"/news/n{n}/", layout="post", details=details, body="# One\n\n[Two](/visit/)"
            )
        before = await projected(deployment, "aurora")
        pages = await deployment.do("pages.list")
        await deployment.product.render(deployment.scope().tenant, [page.id for page in pages])
        assert await projected(deployment, "aurora") == before
        assert before == await rebuilt(deployment, "aurora")

    deployments(scenario)


def test_a_job_does_not_store_what_a_write_overtook(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        render = Projection.render
        overtaken = []

        async def slow(self: Projection, session: Any, page_id: uuid.UUID) -> Any:
            rendered = await render(self, session, page_id)
            if not overtaken:
                overtaken.append(page_id)
                await publish(deployment, "aurora", "/visit/hours/")
            return rendered

        await leave_work(deployment, "aurora", "Plan your visit")
        await deployment.do("pages.edit", path="/visit/hours/", body="From nine.")
        with monkeypatch.context() as patch:
            patch.setattr(Projection, "render", slow)
            await deployment.product.settle_all()
        assert overtaken
        text = (await deployment.get("/visit/hours/")).text
        assert "From nine." in text
        assert "Plan your visit" in text
        await assert_as_made_anew(deployment)

    deployments(scenario)


def test_a_page_that_went_meanwhile_is_not_brought_back(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        page = await deployment.do("pages.show", path="/visit/hours/")
        await deployment.do("pages.unpublish", path="/visit/hours/")
        await deployment.product.render(deployment.scope().tenant, [page.id, uuid.uuid4()])
        assert (await deployment.get("/visit/hours/")).status_code == 404
        await assert_as_made_anew(deployment)

    deployments(scenario)


@pytest.mark.parametrize("removal", ["pages.delete", "pages.unpublish"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_page_that_goes_while_its_job_runs_is_gone(
    deployments: Deployments,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    removal: str,
    moment: str,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await leave_work(deployment, "aurora", "Plan your visit")  # /visit/hours/ shows its title
        render, store = Projection.render, Projection.store
        removed = []

        async def remove() -> None:
            if not removed:
                removed.append(True)
                await deployment.do(removal, path="/visit/hours/")

        async def rendering(self: Projection, session: Any, page_id: uuid.UUID) -> Any:
            if moment == "before":
                await remove()
            rendered = await render(self, session, page_id)
            if moment == "after":
                await remove()
            return rendered

        async def storing(self: Projection, session: Any, rendered: Any) -> None:
            assert removed
            await store(self, session, rendered)

        with monkeypatch.context() as patch:
            patch.setattr(Projection, "render", rendering)
            patch.setattr(Projection, "store", storing)
            await deployment.product.settle_all()
        await deployment.product.settle_all()
        assert removed
        assert await left(deployment) == 0
        assert await deployment.product.platform.directory.hinted() == []
        assert (await deployment.get("/visit/hours/")).status_code == 404
        assert "/visit/hours/" not in (await deployment.get("/visit/")).text
        rows = await projected(deployment, "aurora")
        assert "/visit/hours/" not in [row.get("path") for row in rows.values()]
        await assert_as_made_anew(deployment)
        assert not [record for record in caplog.records if record.levelname == "ERROR"]

    deployments(scenario)


def test_a_message_that_names_a_page_that_has_gone_is_dealt_with(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.add("/visit/gone/", body="[To the hours](/visit/hours/)")
        await leave_work(deployment, "aurora", "Plan your visit")
        await deployment.do("pages.delete", path="/visit/gone/")
        await deployment.product.settle_all()
        assert await left(deployment) == 0
        assert (await deployment.get("/visit/gone/")).status_code == 404
        for path in ("/visit/", "/visit/hours/", "/"):
            assert "/visit/gone/" not in (await deployment.get(path)).text
        await assert_as_made_anew(deployment)

    deployments(scenario)


def test_two_processes_write_to_one_tenant_and_both_see_it_all(deployments: Deployments) -> None:
    async def scenario(here: Deployment) -> None:
        async with opened(deployments.root) as there:

            async def work(deployment: Deployment, name: str) -> None:
                for n in range(5):
                    await deployment.add(f"/{name}-{n}/", layout="post", body=f"By {name}.")

            await asyncio.gather(work(here, "here"), work(there, "there"))
            await here.product.settle_all()
            await asyncio.sleep(0.25)
            for deployment in (here, there):
                for name in ("here", "there"):
                    for n in range(5):
                        answer = await deployment.get(f"/{name}-{n}/")
                        assert f"By {name}." in answer.text
            await assert_as_made_anew(there)

    deployments(scenario)


# Importing again


def markdown(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder


def test_a_changed_file_reaches_all_that_shows_its_page(
    deployments: Deployments, tmp_path: Path
) -> None:
    async def scenario(deployment: Deployment) -> None:
        folder = markdown(
            tmp_path / "content",
            guide__index="---\ntitle: The guide\n---\nText.",
            guide__one="---\ntitle: One\n---\nText.",
            linking="---\ntitle: Linking\n---\n[There](guide/one.md)",
        )

        async def run() -> Any:
            report = await deployment.do("content.import_markdown", folder=folder)
            await assert_as_made_anew(deployment)
            return report

        first = await run()
        assert (first.created, first.published, first.problems) == (3, 3, 0), first.lines
        again = await run()
        assert (again.created, again.updated, again.published) == (0, 0, 0)
        assert again.unchanged == 3
        markdown(folder, guide__index="---\ntitle: The new guide\n---\nText.")
        assert ((await run()).updated) == 1
        assert "The new guide" in (await deployment.get("/guide/one/")).text
        markdown(folder, guide__two="---\ntitle: Two\n---\nText.")
        assert ((await run()).created) == 1
        assert "Two" in (await deployment.get("/guide/")).text
        markdown(folder, guide__one="---\ntitle: One\ndraft: true\n---\nText.")
        report = await run()
        assert [line.source for line in report.lines if "it is a draft now" in line.message] == [
            "guide/one.md"
        ]
        assert (await deployment.get("/guide/one/")).status_code == 200

    deployments(scenario)


def test_a_changed_post_reaches_the_posts_that_were_beside_it(
    deployments: Deployments, tmp_path: Path
) -> None:
    async def scenario(deployment: Deployment) -> None:
        def post(day: int, layout: str = "post") -> str:
            return f"---\ntitle: Post\nlayout: {layout}\ndate: 2024-05-{day:02}\n---\nText."

        folder = tmp_path / "content"
        markdown(folder, **{f"log__n{n}": post(n) for n in range(1, 6)})
        await deployment.do("content.import_markdown", folder=folder)
        assert 'rel="next" href="/log/n2/"' in (await deployment.get("/log/n1/")).text
        markdown(folder, log__n2=post(9))
        await deployment.do("content.import_markdown", folder=folder)
        assert 'rel="next" href="/log/n3/"' in (await deployment.get("/log/n1/")).text
        await assert_as_made_anew(deployment)
        markdown(folder, log__n4=post(4, "page"))
        await deployment.do("content.import_markdown", folder=folder)
        assert 'rel="next" href="/log/n5/"' in (await deployment.get("/log/n3/")).text
        await assert_as_made_anew(deployment)

    deployments(scenario)


def test_a_file_whose_address_is_taken_is_reported_and_the_rest_is_imported(
    deployments: Deployments, tmp_path: Path
) -> None:
    async def scenario(deployment: Deployment) -> None:
        folder = markdown(
            tmp_path / "content",
            visit__index="---\ntitle: Visit\n---\nText.",
            visit__below="---\ntitle: Below\n---\nText.",
            fine="---\ntitle: Fine\n---\nText.",
        )
        report = await deployment.do("content.import_markdown", folder=folder)
        problems = {line.source: line.message for line in report.lines if line.level == "problem"}
        assert set(problems) == {"visit/index.md", "visit/below.md"}
        assert "'/visit/' already" in problems["visit/index.md"]
        assert "visit/index.md, was not imported" in problems["visit/below.md"]
        assert (report.created, report.published) == (1, 1)
        assert "the text of /visit/ at aurora" in (await deployment.get("/visit/")).text
        assert (await deployment.get("/fine/")).status_code == 200

    deployments(scenario)
