"""Visitors get what the model says, after whatever was done."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.cms.projection import projected, rebuilt
from tests.cms.stateful.editing import Refusal
from tests.cms.stateful.expected import Site
from tests.cms.stateful.model import LANGUAGES, root_of
from tests.cms.stateful.visitor import Visitor
from tests.cms.stateful.world import World


class Compared(RuleBasedStateMachine):
    """A site of a new tenant, and its model.

    Attributes:
        piling: what writes leave to be done waits; what they show themselves shows at once.
        began: when the model's clock was at 0.
    """

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.site = Site()
        self.slug = world.new_tenant()
        self.began = datetime.now(UTC)
        self.piling = False
        self._peers = count()
        #: Addresses that there were at some time, and words that visitors could find.
        self._addresses = {root_of(language) + "nowhere/" for language in LANGUAGES}
        self._shown: set[str] = set()

    def teardown(self) -> None:
        vars(self.world.deployment.product).pop("settle", None)
        self.world.run(self.world.deployment.rule("tenants.suspend", slug=self.slug))

    def do(self, name: str, refusal: Refusal = None, /, **given: Any) -> Any:
        """Performs an action, or sees it refused."""
        work = self.world.deployment.do(name, self.slug, **given)
        if refusal is None:
            return self.world.run(work)
        with pytest.raises(refusal):
            self.world.run(work)
        return None

    @precondition(lambda self: not self.piling)
    @rule()
    def the_projection_is_what_it_would_be_if_made_anew(self) -> None:
        deployment, run = self.world.deployment, self.world.run
        assert run(projected(deployment, self.slug)) == run(rebuilt(deployment, self.slug))

    @invariant()
    def editors_see_the_tree_and_what_is_planned(self) -> None:
        pages = {page.id: page.path for page in self.do("pages.list")}
        assert pages == {page.id: page.path for page in self.site.there}
        plans = [(view.id, view.failure is not None) for view in self.do("pages.schedules")]
        expected = sorted(self.site.plans, key=lambda plan: plan.due)
        assert plans == [(plan.id, plan.failed) for plan in expected]

    @invariant()
    def visitors_see_what_is_published(self) -> None:
        self.world.run(self._visit())

    async def _visit(self) -> None:
        site, visitor = self.site, Visitor(self.world.deployment, self.slug, self._peers)
        public = site.words_in_public()
        self._shown |= public
        self._addresses |= {page.path for page in site.there} | site.redirects.keys()
        for path in sorted(self._addresses):
            seen, expected = await visitor.see(path), site.answer(path)
            self._agree(seen, expected, path)
            assert seen.at_once == expected.at_once, path
        self._agree(await visitor.sitemap(), site.sitemap())
        for language in LANGUAGES:
            self._agree(await visitor.see("/", accept=language), site.home(language), language)
            self._agree(await visitor.feed(language), site.feed(language), language)
        for language, word in sorted(site.words_there()):
            self._agree(await visitor.find(language, word), site.found(language, word), word)
            self._agree(await visitor.tagged(language, word), site.tagged(language, word), word)
        self._agree(visitor.words, public)
        assert visitor.words <= self._shown, "what was never published"

    def _agree(self, seen: Any, expected: Any, *about: str) -> None:
        assert self.piling or seen == expected, about
