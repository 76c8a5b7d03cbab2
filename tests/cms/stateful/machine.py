"""Whatever editors do to a site, and time and restarts, in whatever order."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.cms.stateful.comparing import Compared
from tests.cms.stateful.model import LANGUAGES, MENUS, NO_ID, THEMES, Page, Release, Text
from tests.cms.stateful.world import World

MOST_PAGES = 10

numbers = st.integers(0, 60)
slugs = st.sampled_from(["a", "b", "c", "ü", "a/b"])
contents = st.fixed_dictionaries(
    {
        "day": st.sampled_from([0, 0, 1, 2]),
        "links": st.lists(numbers, max_size=2),
        "lists": st.none() | numbers,
        "shared": st.booleans(),
    }
)


class SiteMachine(Compared):
    """A site of which anything becomes."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.shared = NO_ID

    def pick(self, number: int, pages: list[Page] | None = None) -> Page:
        pages = self.site.there if pages is None else pages
        return pages[number % len(pages)]

    def text(self, content: dict[str, Any]) -> Text:
        """A text with a word of its own."""
        keys = {n: self.pick(n).key for n in content["links"]}
        lists = None if content["lists"] is None else self.pick(content["lists"]).key
        word, links = self.site.new_word(), tuple(keys.values())
        return Text(word, content["day"], links, lists, content["shared"])

    def written(self, text: Text) -> dict[str, Any]:
        """A text as an editor gives it to the product."""
        ids = [str(self.site.page(key).id) for key in text.links]
        links = " ".join(f"[see](page:{key})" for key in ids)
        data: dict[str, dict[str, Any]] = {"markdown": {"text": f"About {text.word}. {links}"}}
        if text.lists is not None:
            parent = f"page:{self.site.page(text.lists).id}"
            data["page_list"] = {"parent": parent, "order": "tree", "limit": 100}
        if text.shared:
            data["shared"] = {"reference": f"shared:{self.shared}"}
        blocks = [{"id": kind, "type": kind, "data": value} for kind, value in data.items()]
        date = {"date": f"2031-01-{text.day:02}"} if text.day else {}
        return {
            "title": f"On {text.word}",
            "summary": f"In short, {text.word}",
            "regions": {"main": blocks},
            "details": {"tags": [text.word], **date},
        }

    @initialize()
    def begin(self) -> None:
        """A site in three languages with some pages, most of them published."""
        self.do("sites.configure", languages=LANGUAGES[1:])
        (home,) = self.do("pages.list")
        word = self.site.shared = self.site.new_word()
        self.shared = self.do("shared.create", name="Shared", blocks=_shared(word)).id
        self.site.pages.append(Page(0, None, "", 0, Text(self.site.new_word()), 0, id=home.id))
        self.site.page(0).versions.append(Text(""))
        self.edit_to(self.site.page(0), self.site.page(0).draft)
        self.publish(0)
        plain = {"day": 0, "links": [0], "lists": None, "shared": True}
        for parent, slug in ((0, "a"), (1, "b"), (0, "c")):
            self.create(parent, slug, plain)
        self.publish_shared()
        for page in (1, 2):
            self.publish(page)
        self.translate(0, "de")
        self.publish(4)

    # The tree

    @precondition(lambda self: len(self.site.there) < MOST_PAGES)
    @rule(parent=numbers, slug=slugs, content=contents)
    def create(self, parent: int, slug: str, content: dict[str, Any]) -> None:
        above, text = self.pick(parent), self.text(content)
        given = {"parent": above.path, "slug": slug, "layout": "page", **self.written(text)}
        refusal = self.site.create(above, slug, text)
        made = self.do("pages.create", refusal, **given)
        if made is not None:
            self.site.pages[-1].id = made.id

    @rule(page=numbers, content=contents)
    def edit(self, page: int, content: dict[str, Any]) -> None:
        self.edit_to(self.pick(page), self.text(content))

    def edit_to(self, page: Page, text: Text) -> None:
        page.draft = text
        self.do("pages.edit", path=page.path, layout="page", **self.written(text))

    @rule(page=numbers, parent=numbers, slug=slugs)
    def move(self, page: int, parent: int, slug: str) -> None:
        moved, above = self.pick(page), self.pick(parent)
        given = {"path": moved.path, "parent": above.path, "slug": slug}
        refusal = self.site.move(moved, above, slug)
        self.do("pages.move", refusal, **given)

    @rule(page=numbers, slug=slugs)
    def rename(self, page: int, slug: str) -> None:
        moved = self.pick(page)
        given = {"path": moved.path, "slug": slug}
        refusal = self.site.move(moved, moved.parent, slug)
        self.do("pages.move", refusal, **given)

    @rule(parent=numbers, first=st.lists(numbers, max_size=3))
    def reorder(self, parent: int, first: list[int]) -> None:
        above = self.pick(parent)
        children = [page for page in self.site.there if page.parent is above]
        pages = list(dict.fromkeys(self.pick(n, children) for n in first)) if children else []
        self.do("pages.reorder", parent=above.path, order=[page.path for page in pages])
        self.site.reorder(above, pages)

    @rule(page=numbers, parent=st.none() | numbers, deep=st.booleans())
    def copy(self, page: int, parent: int | None, deep: bool) -> None:
        original = self.pick(page)
        above = original.parent if parent is None else self.pick(parent)
        size = len(self.site.below(original)) if deep else 1
        if not original.slug or len(self.site.there) + size > MOST_PAGES:
            return
        place = above.path if above is not None and parent is not None else None
        copies = self.site.copy(original, above, deep=deep)
        made = self.do("pages.copy", path=original.path, parent=place, with_children=deep)
        for one, view in zip(copies, made, strict=True):
            one.id = view.id

    # Content

    @rule(page=numbers)
    def publish(self, page: int) -> None:
        self.site.publish(self.pick(page))
        self.do("pages.publish", path=self.pick(page).path)

    @rule(page=numbers)
    def unpublish(self, page: int) -> None:
        going = self.pick(page)
        self.do("pages.unpublish", self.site.unpublish(going), path=going.path)

    @rule(page=numbers, number=numbers)
    def restore_version(self, page: int, number: int) -> None:
        restored = self.pick(page)
        if restored.versions:
            number = 1 + number % len(restored.versions)
            if restored.versions[number - 1].word:
                self.site.restore_version(restored, number)
                self.do("pages.restore", path=restored.path, number=number)

    @rule()
    def edit_shared(self) -> None:
        self.site.shared = self.site.new_word()
        self.do("shared.edit", id=self.shared, blocks=_shared(self.site.shared))

    @rule()
    def publish_shared(self) -> None:
        self.site.shared_live = self.site.shared
        self.do("shared.publish", id=self.shared)

    # The bin

    @rule(page=numbers, force=st.booleans())
    def delete(self, page: int, force: bool) -> None:
        """All but the first page, wherever that has gone: a site without any has no rule left."""
        going = self.pick(page)
        if all(one.key != 0 for one in self.site.below(going)):
            path = going.path
            self.do("pages.delete", self.site.delete(going, force=force), path=path, force=force)

    @precondition(lambda self: self.site.binned)
    @rule(page=numbers, parent=st.none() | numbers, slug=st.none() | slugs)
    def restore(self, page: int, parent: int | None, slug: str | None) -> None:
        back = self.pick(page, self.site.binned)
        above = None if parent is None else self.pick(parent)
        given = {"id": back.id, "parent": above.path if above else None, "slug": slug}
        self.do("pages.restore_from_bin", self.site.restore(back, above, slug), **given)

    # Languages

    @precondition(lambda self: len(self.site.there) < MOST_PAGES)
    @rule(page=numbers, language=st.sampled_from(LANGUAGES))
    def translate(self, page: int, language: str) -> None:
        original = self.pick(page)
        refusal = self.site.translate(original, language)
        made = self.do("pages.translate", refusal, path=original.path, language=language)
        if made is not None:
            self.site.pages[-1].id = made.id

    @rule(page=numbers, other=numbers)
    def link(self, page: int, other: int) -> None:
        one, two = self.pick(page), self.pick(other)
        refusal = self.site.link(one, two)
        self.do("pages.link_translation", refusal, path=one.path, other=two.path)

    @rule(page=numbers)
    def unlink(self, page: int) -> None:
        self.site.unlink(self.pick(page))
        self.do("pages.unlink_translation", path=self.pick(page).path)

    # What surrounds the pages

    @rule(
        place=st.sampled_from(MENUS),
        language=st.sampled_from(LANGUAGES),
        pages=st.lists(numbers, max_size=3),
    )
    def menu(self, place: str, language: str, pages: list[int]) -> None:
        """The last of the entries stands below the first."""
        entries = [(f"{place} {n}", self.pick(page)) for n, page in enumerate(pages)]
        items: list[dict[str, Any]] = [
            {"title": title, "target": f"page:{page.id}", "items": []} for title, page in entries
        ]
        if len(entries) > 1:
            items[0]["items"].append(items.pop())
            entries.insert(1, entries.pop())
        self.site.menus[place, language] = entries
        self.do("menus.set", place=place, language=language, items=items)

    @rule(source=st.sampled_from(["/a/", "/b/", "/a/b/", "/old/"]), page=numbers)
    def redirect(self, source: str, page: int) -> None:
        target = self.pick(page)
        refusal = self.site.redirect(source, target)
        self.do("redirects.set", refusal, source=source, target=target.path)

    @rule(theme=st.sampled_from(THEMES))
    def theme(self, theme: str) -> None:
        self.site.theme = theme
        self.do("sites.configure", theme=theme)

    @rule(title=st.sampled_from(["Site", "Another"]))
    def title(self, title: str) -> None:
        self.site.title = title
        self.do("sites.configure", title=title)

    # Releases and time

    @rule(pages=st.dictionaries(numbers, st.sampled_from(["publish", "unpublish"]), max_size=4))
    def prepare(self, pages: dict[int, str]) -> None:
        release = Release({self.pick(n): what for n, what in pages.items()})
        release.id = self.do("releases.create", title="Release").id
        for page, what in release.pages.items():
            self.do("releases.add", id=release.id, paths=[page.path], action=what)
        self.site.releases.append(release)

    @precondition(lambda self: self.site.releases)
    @rule(number=numbers)
    def release(self, number: int) -> None:
        release = self.site.releases[number % len(self.site.releases)]
        self.do("releases.publish", self.site.release(release), id=release.id)

    @precondition(lambda self: any(not release.released for release in self.site.releases))
    @rule(number=numbers, hours=st.integers(1, 6))
    def plan_release(self, number: int, hours: int) -> None:
        unreleased = [release for release in self.site.releases if not release.released]
        release = unreleased[number % len(unreleased)]
        plan = self.site.plan(release, "publish", self.site.now + hours)
        plan.id = self.do("releases.schedule", id=release.id, at=self.at(plan.due)).id

    @rule(page=numbers, what=st.sampled_from(["publish", "unpublish"]), hours=st.integers(1, 6))
    def plan(self, page: int, what: str, hours: int) -> None:
        about = self.pick(page)
        plan = self.site.plan(about, what, self.site.now + hours)
        given = {"path": about.path, "action": what, "at": self.at(plan.due)}
        plan.id = self.do("pages.schedule", **given).id

    @precondition(lambda self: self.site.plans)
    @rule(number=numbers)
    def take_back(self, number: int) -> None:
        plan = self.site.plans.pop(number % len(self.site.plans))
        self.do("pages.unschedule", id=plan.id)

    @rule(hours=st.integers(-3, 6))
    def wait(self, hours: int) -> None:
        """Time passes, or somebody sets the clock back."""
        self.site.now += max(hours, 0) if self.piling else hours
        self.world.clock.move_to(self.began + timedelta(hours=self.site.now))
        keeper = self.world.deployment.product.timekeeper
        assert self.world.run(keeper.keep()) == self.site.carry_out()

    def at(self, hours: int) -> str:
        return (self.began + timedelta(hours=hours)).isoformat()

    # Work and restarts

    @rule()
    def pile_up(self) -> None:
        """From now on, what writes leave to be done waits."""
        self.piling = True
        product: Any = self.world.deployment.product
        product.settle = _nothing

    @rule()
    def restart(self) -> None:
        """The process ends, and the next one does what was left."""
        self.world.close()
        self.world.open()
        self.piling = False
        self.world.run(self.world.deployment.product.settle_all())


def _shared(word: str) -> list[dict[str, Any]]:
    return [{"type": "markdown", "data": {"text": f"Everywhere {word}."}}]


async def _nothing(*args: Any, **options: Any) -> int:
    return 0
