"""The page tree against a plain model: whatever is done in whatever order, addresses follow the
slugs, visitors see what is published, and the projection is what it would be if made anew."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mosaic_core.errors import Conflict, InvalidInput, MosaicError, NotFound
from tests.cms.deployment import Deployment, Deployments
from tests.cms.projection import projected, rebuilt

MARK = re.compile(r"mark-\d+-")
SLUGS = ["a", "b", "c", "a/b", "b/a", "a/a", ""]
DATES = ["2024-05-01", "2024-05-02T10:00:00+02:00", "1969-07-20", ""]


@dataclass
class Node:
    """A page of the model."""

    parent: Node | None
    slug: str
    id: uuid.UUID
    mark: str
    live: str | None = None

    @property
    def path(self) -> str:
        above = self.parent.path if self.parent else "/"
        return f"{above}{self.slug}/" if self.slug else above

    def within(self, other: Node) -> bool:
        return self is other or (self.parent is not None and self.parent.within(other))


@dataclass
class Model:
    """What the tree should be, and what should be refused."""

    nodes: list[Node] = field(default_factory=list)
    #: Addresses at which visitors found a page before it moved.
    left: dict[str, Node] = field(default_factory=dict)

    def pick(self, n: int) -> Node:
        return self.nodes[n % len(self.nodes)]

    def paths(self) -> list[str]:
        return sorted(node.path for node in self.nodes)

    def left_behind(self, before: dict[int, str]) -> None:
        """Notes what published pages left, given the addresses that all had before a move."""
        went = [n for n in self.nodes if n.live is not None and n.path != before[id(n)]]
        self.left |= {before[id(n)]: n for n in went}
        for n in went:
            self.left.pop(n.path, None)

    def moved(self, node: Node, parent: Node | None, slug: str) -> type[MosaicError] | None:
        """Moves a node, or says with what it is refused."""
        if parent is not None and parent.within(node):
            return InvalidInput
        before = (node.parent, node.slug)
        node.parent, node.slug = parent, slug
        if len(set(self.paths())) == len(self.nodes):
            return None
        node.parent, node.slug = before
        return Conflict


numbers = st.integers(0, 30)
layouts = st.sampled_from(["home", "page", "post", "post", "list"])
operations = st.lists(
    st.one_of(
        st.tuples(st.just("create"), st.none() | numbers, st.sampled_from(SLUGS), layouts),
        st.tuples(st.just("create"), numbers, st.sampled_from(SLUGS[:3]), layouts),
        st.tuples(st.just("edit"), numbers, st.lists(numbers, max_size=3), st.sampled_from(DATES)),
        st.tuples(st.just("layout"), numbers, layouts),
        st.tuples(
            st.just("move"), numbers, st.none() | numbers, st.none() | st.sampled_from(SLUGS)
        ),
        st.tuples(st.just("order"), numbers, st.integers(-3, 3)),
        st.tuples(st.just("publish"), numbers),
        st.tuples(st.just("publish"), numbers),
        st.tuples(st.just("unpublish"), numbers),
        st.tuples(st.just("menu"), st.lists(numbers, max_size=3)),
        st.tuples(st.just("site"), st.sampled_from(["title", "language"]), st.booleans()),
    ),
    min_size=4,
    max_size=16,
)


class Run:
    """Does operations to a tenant and to its model."""

    def __init__(self, deployment: Deployment, slug: str) -> None:
        self.deployment = deployment
        self.slug = slug
        self.model = Model()
        self.marks = map("mark-{}-".format, count())

    async def begin(self) -> None:
        await self.deployment.rule("tenants.create", slug=self.slug, name="Tree", tier="open")
        (home,) = await self.do("pages.list")
        self.model.nodes.append(Node(None, "", home.id, "", ""))
        await self.create(0, "a", "list")
        for slug, date in (("b", DATES[0]), ("c", DATES[1]), ("d", DATES[3])):
            await self.create(1, slug, "post")
            await self.edit(-1, [0, -1, 3], date)
        for n in (1, 3, 2):
            await self.publish(n)

    async def do(self, name: str, **given: Any) -> Any:
        return await self.deployment.do(name, self.slug, **given)

    async def refused(self, error: type[MosaicError], name: str, **given: Any) -> None:
        with pytest.raises(error):
            await self.do(name, **given)

    async def create(self, at: int | None, slug: str, layout: str) -> None:
        parent = None if at is None else self.model.pick(at)
        if not slug and parent is not None:
            return  # pages.create puts a page without a slug at the root
        mark = next(self.marks)
        node = Node(parent, slug, uuid.UUID(int=0), mark)
        given = {
            "parent": parent.path if parent else None,
            "slug": slug,
            "layout": layout,
            "title": f"Title {mark}",
            "body": mark,
        }
        if node.path in self.model.paths():
            await self.refused(Conflict, "pages.create", **given)
        else:
            node.id = (await self.do("pages.create", **given)).id
            self.model.nodes.append(node)

    async def edit(self, at: int, targets: list[int], date: str) -> None:
        node = self.model.pick(at)
        node.mark = next(self.marks)
        links = " ".join(f"[to](page:{self.model.pick(n).id}#there)" for n in targets)
        await self.do(
            "pages.edit",
            path=node.path,
            title=f"Title {node.mark}",
            summary=f"Summary {node.mark}",
            body=f"{node.mark} {links}",
            details={"date": date} if date else {},
        )

    async def layout(self, at: int, layout: str) -> None:
        await self.do("pages.edit", path=self.model.pick(at).path, layout=layout)

    async def move(self, at: int, below: int | None, slug: str | None) -> None:
        node = self.model.pick(at)
        path = node.path
        parent = node.parent if below is None else self.model.pick(below)
        given = {"path": path, "slug": slug, "parent": parent.path if below is not None else None}
        before = {id(n): n.path for n in self.model.nodes}
        error = self.model.moved(node, parent, node.slug if slug is None else slug)
        if error is None:
            self.model.left_behind(before)
            assert (await self.do("pages.move", **given)).path == node.path
        else:
            await self.refused(error, "pages.move", **given)

    async def order(self, at: int, position: int) -> None:
        await self.do("pages.move", path=self.model.pick(at).path, position=position)

    async def publish(self, at: int) -> None:
        node = self.model.pick(at)
        await self.do("pages.publish", path=node.path)
        node.live = node.mark

    async def unpublish(self, at: int) -> None:
        node = self.model.pick(at)
        if node.live is None:
            await self.refused(NotFound, "pages.unpublish", path=node.path)
        elif any(n.live is not None and n.parent is node for n in self.model.nodes):
            await self.refused(InvalidInput, "pages.unpublish", path=node.path)
        else:
            await self.do("pages.unpublish", path=node.path)
            node.live = None

    async def menu(self, at: list[int]) -> None:
        paths = dict.fromkeys(self.model.pick(n).path for n in at)
        items = [{"title": "To", "target": path} for path in paths]
        await self.do("menus.set", place="header", items=items)

    async def site(self, what: str, first: bool) -> None:
        values = {"title": ("One", "Two"), "language": ("en", "de")}[what]
        await self.do("sites.configure", **{what: values[first]})

    async def check(self) -> None:
        """Compares everything with the model."""
        pages = await self.do("pages.list")
        assert [page.path for page in pages] == sorted(page.path for page in pages)
        assert {page.id: page.path for page in pages} == {n.id: n.path for n in self.model.nodes}
        for page in pages:
            node = next(n for n in self.model.nodes if n.id == page.id)
            assert (page.state == "draft") == (node.live is None)
        assert await projected(self.deployment, self.slug) == await rebuilt(
            self.deployment, self.slug
        )

    async def visit(self) -> None:
        """Asks for every address: what is published is there, and nothing else is anywhere."""
        live = {node.live for node in self.model.nodes if node.live}
        for node in self.model.nodes:
            answer = await self.deployment.get(node.path, f"{self.slug}.mosaic.test")
            moved = self.model.left.get(node.path)
            if node.live is None and moved is not None and moved.live is not None:
                # Visitors know the page that was here, and nothing of the draft that is.
                assert (answer.status_code, answer.headers["location"]) == (301, quote(moved.path))
                continue
            assert answer.status_code == (404 if node.live is None else 200)
            assert set(MARK.findall(answer.text)) <= live
            assert node.live is None or node.live in answer.text


def grow(deployments: Deployments, examples: int) -> None:
    numbers = count()
    with deployments.held(platform={"freshness": 0.0}) as (deployment, runner):

        async def one(steps: list[tuple[Any, ...]]) -> None:
            run = Run(deployment, f"tree-{next(numbers)}")
            await run.begin()
            for name, *given in steps:
                await getattr(run, name)(*given)
                await run.check()
            await run.visit()

        @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
        @given(steps=operations)
        def search(steps: list[tuple[Any, ...]]) -> None:
            runner.run(one(steps))

        search()


def test_a_tree_that_grows_in_any_order_is_what_the_model_says(deployments: Deployments) -> None:
    grow(deployments, 9)


@pytest.mark.campaign
def test_a_tree_that_grows_in_any_order_in_the_long_run(deployments: Deployments) -> None:
    grow(deployments, 1000)
