"""Where is this used: the answer is exact after whatever was done, and deleting asks for it."""

from __future__ import annotations

import json
import re
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from mosaic_cms.content.models import Media, Menu, Page, PageVersion, SharedBlock, Site
from mosaic_cms.content.published import ContentReference
from mosaic_cms.rights import Role
from mosaic_cms.scope import Actor
from mosaic_core.errors import Conflict, InvalidInput, MosaicError, NotFound
from mosaic_core.head import Write
from mosaic_core.types import new_id
from tests.cms.commands import command_line, invoke
from tests.cms.deployment import Deployment, Deployments

_NAMED = re.compile(r"(?:page|media|shared):[0-9a-f-]{36}")


def text(body: str) -> dict[str, Any]:
    return {"type": "markdown", "data": {"text": body}}


async def noted(deployment: Deployment, slug: str) -> dict[tuple[str, str], str]:
    async with deployment.scope(slug).read() as session:
        rows = await session.scalars(select(ContentReference))
        return {(row.source, row.target): row.state for row in rows}


async def from_nothing(deployment: Deployment, slug: str) -> dict[tuple[str, str], str]:
    """What the content says, read as plain text."""
    drafts: dict[str, str] = {}
    live: dict[str, str] = {}
    async with deployment.scope(slug).read() as session:
        for page in await session.scalars(select(Page)):
            drafts[f"page:{page.id}"] = json.dumps([page.regions, page.details])
            if page.live_version_id is not None:
                version = await session.get_one(PageVersion, page.live_version_id)
                live[f"page:{page.id}"] = json.dumps([version.regions, version.details])
        for block in await session.scalars(select(SharedBlock)):
            drafts[f"shared:{block.id}"] = json.dumps(block.blocks)
            live[f"shared:{block.id}"] = json.dumps(block.live)
        for menu in await session.scalars(select(Menu)):
            drafts[f"menu:{menu.id}"] = live[f"menu:{menu.id}"] = json.dumps(menu.items)
    found: dict[tuple[str, str], str] = {}
    for state, contents in (("draft", drafts), ("live", live)):
        for source, content in contents.items():
            for target in set(_NAMED.findall(content)):
                found[source, target] = "both" if (source, target) in found else state
    return found


async def assert_exact(deployment: Deployment, slug: str = "aurora") -> None:
    assert await noted(deployment, slug) == await from_nothing(deployment, slug)


async def add_media(deployment: Deployment) -> str:
    """A file's row, without its content."""

    async def fn(write: Write) -> str:
        site = (await write.session.scalars(select(Site))).first()
        assert site is not None
        media_id = new_id()
        write.session.add(
            Media(
                id=media_id,
                site_id=site.id,
                source=None,
                key=f"media/{media_id}",
                name="lamp.jpg",
                content_type="image/jpeg",
                size=1,
                digest=media_id.hex,
                width=None,
                height=None,
            )
        )
        return f"media:{media_id}"

    return await deployment.scope().write(fn)


def test_uses_say_which_page_and_block_in_draft_or_live(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        media = await add_media(deployment)
        target = await deployment.add("/target/")
        named = f"page:{target.id}"
        quote = {"type": "quote", "data": {"text": "See", "link": named}}
        columns = {"type": "columns", "data": {"left": [text(f"[there]({named})")]}}
        await deployment.add("/one/", regions={"main": [text(f"[a]({named}#top)"), quote]})
        await deployment.add(
            "/two/", publish=False, regions={"main": [columns]}, details={"image": media}
        )
        await deployment.do("pages.edit", path="/one/", regions={"main": [quote]})
        await deployment.do(
            "menus.set", place="footer", items=[{"title": "There", "target": "/target/"}]
        )
        uses = await deployment.do("references.of", target="/target/")
        assert [(use.path, use.title, use.state, use.within) for use in uses] == [
            ("/one/", "One", "both", ("quote", "markdown")),
            ("/two/", "Two", "draft", ("markdown",)),
            (None, "footer menu (en)", "both", ("menu",)),
        ]
        (use,) = await deployment.do("references.of", target=media)
        assert (use.path, use.within) == ("/two/", ("details.image",))
        await deployment.do("pages.publish", path="/one/")
        await assert_exact(deployment)
        with pytest.raises(NotFound):
            await deployment.do("references.of", target="/gone/")
        with pytest.raises(InvalidInput):
            await deployment.do("references.of", target="what?")

    deployments(scenario)


def test_deleting_what_is_used_says_where(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        parent = await deployment.add("/a/")
        child = await deployment.add("/a/b/", body=f"[up](page:{parent.id})")
        await deployment.do("pages.edit", path="/a/", body=f"[down](page:{child.id})")
        await deployment.add("/user/", body=f"[b](page:{child.id})")
        with pytest.raises(Conflict, match=r"/a/b/ by 'User' \(/user/\): markdown, in draft and l"):
            await deployment.do("pages.delete", path="/a/")
        assert (await deployment.get("/a/b/")).status_code == 200
        await deployment.do("pages.delete", path="/user/")  # one in the bin counts for nothing
        await deployment.do("pages.delete", path="/a/")  # and what they use of one another
        await assert_exact(deployment)
        (use, _) = await deployment.do("references.of", target=f"page:{child.id}")
        assert use.binned
        await deployment.do("pages.empty_bin")
        await assert_exact(deployment)
        assert await noted(deployment, "aurora") == {}

    deployments(scenario)


def test_who_insists_deletes_what_is_used(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        target = await deployment.add("/target/")
        await deployment.add("/user/", body=f"[A word](page:{target.id})")
        await deployment.do("pages.delete", path="/target/", force=True)
        answer = await deployment.get("/user/")
        assert "A word" in answer.text
        assert "/target/" not in answer.text
        await assert_exact(deployment)

    deployments(scenario)


def test_uses_on_the_command_line(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    command_line(deployments, monkeypatch)
    invoke("menu", "add", "footer", "Visit", "/visit/", "-s", "aurora")
    (use,) = json.loads(invoke("page", "uses", "/visit/", "-s", "aurora", "--json"))
    assert use["title"] == "footer menu (en)"
    assert "footer menu" in invoke("page", "uses", "/visit/", "-s", "aurora")


_ANY = st.integers(0, 9)
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), _ANY, _ANY),
        st.tuples(st.just("edit"), _ANY, st.lists(_ANY, max_size=3)),
        st.tuples(st.just("image"), _ANY, _ANY),
        st.tuples(st.just("page"), _ANY, st.sampled_from(["publish", "unpublish", "delete"])),
        st.tuples(st.just("restore"), _ANY, _ANY),
        st.tuples(st.just("purge"), _ANY, _ANY),
        st.tuples(st.just("move"), _ANY, _ANY),
        st.tuples(st.just("menu"), st.just(0), st.lists(_ANY, max_size=3)),
        st.tuples(st.just("share"), _ANY, st.lists(_ANY, max_size=2)),
        st.tuples(st.just("shared"), _ANY, st.sampled_from(["publish", "delete"])),
    ),
    min_size=3,
    max_size=12,
)


class Run:
    """Random edits of one tenant; what is refused changes nothing."""

    def __init__(self, deployment: Deployment, slug: str) -> None:
        self.deployment = deployment
        self.slug = slug
        self.names = count()
        self.pages: list[Any] = []
        self.shared: list[Any] = []

    async def do(self, action: str, /, **given: Any) -> Any:
        try:
            return await self.deployment.do(action, self.slug, **given)
        except MosaicError:
            return None

    async def path(self, at: int) -> str:
        views = await self.deployment.do("pages.list", self.slug)
        return str(views[at % len(views)].path) if views else "/"

    def words(self, at: list[int]) -> str:
        targets = [f"page:{page.id}" for page in self.pages]
        targets += [f"shared:{block.id}" for block in self.shared] or ["media:1"]
        return " ".join(f"[x]({targets[n % len(targets)]})" for n in at) or "Nothing."

    async def step(self, what: str, at: int, more: Any) -> None:
        path = await self.path(at)
        if what == "add":
            slug = f"p{next(self.names)}"
            made = await self.do("pages.create", title=slug, slug=slug, body=self.words([more]))
            self.pages += [made] if made else []
        elif what == "edit":
            await self.do("pages.edit", path=path, body=self.words(more))
        elif what == "image" and self.pages:
            image = f"media:{self.pages[more % len(self.pages)].id}"
            await self.do("pages.edit", path=path, details={"image": image})
        elif what == "page":
            extra = {"force": at % 2 == 0} if more == "delete" else {}
            await self.do(f"pages.{more}", path=path, **extra)
        elif what == "restore":
            binned = await self.deployment.do("pages.bin", self.slug)
            if binned:
                await self.do("pages.restore_from_bin", id=binned[at % len(binned)].id)
        elif what == "purge" and more % 3 == 0:
            await self.do("pages.empty_bin")
        elif what == "move":
            await self.do("pages.move", path=path, parent=await self.path(more))
        elif what == "menu":
            items = [{"title": "To", "target": await self.path(n)} for n in more]
            await self.do("menus.set", place="header", items=items)
        elif what == "share":
            blocks = [text(self.words(more))]
            if self.shared and at % 2:
                block = self.shared[at % len(self.shared)]
                await self.do("shared.edit", id=block.id, blocks=blocks)
            else:
                made = await self.do("shared.create", name="Shared", blocks=blocks)
                self.shared += [made] if made else []
        elif what == "shared" and self.shared:
            block = self.shared[at % len(self.shared)]
            extra = {"force": at % 2 == 0} if more == "delete" else {}
            await self.do(f"shared.{more}", id=block.id, **extra)


def edit_at_random(deployments: Deployments, examples: int) -> None:
    numbers = count()
    with deployments.held(platform={"freshness": 0.0}) as (deployment, runner):

        async def one(steps: list[tuple[str, int, Any]]) -> None:
            slug = f"uses-{next(numbers)}"
            await deployment.rule("tenants.create", slug=slug, name=slug, tier="open")
            run = Run(deployment, slug)
            for step in steps:
                await run.step(*step)
                await assert_exact(deployment, slug)

        @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
        @given(steps=_STEPS)
        def search(steps: list[tuple[str, int, Any]]) -> None:
            runner.run(one(steps))

        search()


def test_who_reads_one_site_learns_nothing_of_what_another_uses(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.do("sites.create", key="shop", title="Shop")
        target = (await deployment.do("pages.show", path="/visit/")).id
        here, there = text(f"[Here](page:{target})"), text(f"[Secret](page:{target})")
        await deployment.do("pages.edit", path="/", regions={"main": [here]})
        await deployment.do(
            "pages.create",
            site="shop",
            title="Secret plans",
            slug="plans",
            regions={"main": [there]},
        )
        perform = deployment.product.actions.perform
        edith = Actor("account", "edith", None, (("main", Role.EDITOR),))
        given = {"target": f"page:{target}", "site": "main"}
        found = await perform("references.of", deployment.scope(actor=edith), given)
        assert [use.path for use in found] == ["/"]
        assert len(await deployment.do("references.of", **given)) == 2
        with pytest.raises(Conflict) as caught:
            await perform(
                "pages.delete", deployment.scope(actor=edith), {"path": "/visit/", "site": "main"}
            )
        assert "something at another site" in str(caught.value)
        assert "plans" not in str(caught.value).lower()

    deployments(scenario)


def test_the_table_is_what_the_content_says_after_random_edits(deployments: Deployments) -> None:
    edit_at_random(deployments, 12)


@pytest.mark.campaign
def test_the_table_is_what_the_content_says_in_the_long_run(deployments: Deployments) -> None:
    edit_at_random(deployments, 1000)
