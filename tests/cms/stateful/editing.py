"""What editors do, to the model: each method changes it and returns None, or leaves it as it is
and returns the class of the error that they get."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mosaic_core.errors import Conflict, InvalidInput, MosaicError, NotFound
from tests.cms.stateful.model import Model, Page, Plan, Redirect, Release, Text, root_of

Refusal = type[MosaicError] | None


class Editing(Model):
    """A site that is edited."""

    # The tree

    def create(self, parent: Page | None, slug: str, text: Text) -> Refusal:
        page = Page(len(self.pages), parent, slug, self._last(parent), text, len(self.pages))
        if self.taken(page.path):
            return Conflict
        self.pages.append(page)
        return None

    def move(self, page: Page, parent: Page | None, slug: str) -> Refusal:
        if parent is not None and parent.within(page):
            return InvalidInput
        was = page.parent, page.slug
        with self._leaving():
            page.parent, page.slug = parent, slug
            refusal = self._twice()
            if refusal is not None:
                page.parent, page.slug = was
            else:
                self._part(self.below(page))
        return refusal

    def reorder(self, parent: Page, first: Sequence[Page]) -> None:
        """Puts some of the pages right below another one first."""
        children = [page for page in self.below(parent) if page.parent is parent]
        rest = [page for page in children if page not in first]
        for position, page in enumerate([*first, *rest]):
            page.position = position

    def copy(self, page: Page, parent: Page | None, *, deep: bool) -> list[Page]:
        originals = self.below(page) if deep else [page]
        keys = {one.key: len(self.pages) + n for n, one in enumerate(originals)}
        copies: dict[Page, Page] = {}
        for one in originals:
            above = parent if one is page else copies[one.parent] if one.parent else None
            position = self._last(parent) if one is page else one.position
            key = keys[one.key]
            copies[one] = Page(key, above, one.slug, position, one.draft.among(keys), key)
            number = 1
            while self.taken(copies[one].path):
                number += 1
                copies[one].slug = f"{one.slug}-{number}"
            self.pages.append(copies[one])
        return list(copies.values())

    # Content

    def publish(self, page: Page) -> None:
        if page.live != page.draft:
            self._version(page)
            page.live = page.draft

    def unpublish(self, *pages: Page) -> Refusal:
        if any(page.live is None for page in pages):
            return NotFound
        if any(p.live and p.parent in pages and p not in pages for p in self.there):
            return InvalidInput
        with self._leaving():
            for page in pages:
                page.live = None
        return None

    def restore_version(self, page: Page, number: int) -> None:
        version = page.versions[number - 1]
        if page.draft not in (version, page.live):
            self._version(page)
        page.draft = version

    # The bin

    def delete(self, page: Page, *, force: bool) -> Refusal:
        going = self.below(page)
        if self._used(going) and not force:
            return Conflict
        self.unpublish(*(one for one in going if one.live))
        for one in going:
            one.bin = page
        return None

    def restore(self, page: Page, parent: Page | None, slug: str | None) -> Refusal:
        """Takes a page out of the bin; to where it was, unless another place is given."""
        was = page.parent, page.slug
        page.parent, page.slug = parent or page.parent, slug or page.slug
        back = [one for one in self.pages if one.bin is page]
        for one in back:
            one.bin = None
        refusal = Conflict if page.parent and page.parent.bin else self._twice()
        if refusal is not None:
            page.parent, page.slug = was
            for one in back:
                one.bin = page
            return refusal
        page.position = self._last(page.parent)
        self._part(self.below(page))
        return None

    # Languages

    def translate(self, page: Page, language: str) -> Refusal:
        if self.in_language(page, language) is not None:
            return Conflict
        above = None
        if page.parent is not None:
            above = self.in_language(page.parent, language)
            if above is None:
                return InvalidInput
        slug = page.slug
        if page.parent is None:  # its language stands in its own slug
            slug = (root_of(language) + page.path.removeprefix(root_of(page.language))).strip("/")
        refusal = self.create(above, slug, page.draft)
        if refusal is None:
            self.pages[-1].position, self.pages[-1].family = page.position, page.family
        return refusal

    def link(self, page: Page, other: Page) -> Refusal:
        others = list(self.family(other))
        if page.family != other.family:
            if any(self.in_language(page, one.language) for one in others):
                return Conflict
        elif page.language == other.language:
            return Conflict
        for one in others:
            one.family = page.family
        return None

    def unlink(self, page: Page) -> None:
        page.family = self._new_family()

    # Redirects

    def redirect(self, source: str, page: Page) -> Refusal:
        if self.taken(source):
            return Conflict
        self.redirects[source] = Redirect(page, automatic=False)
        return None

    # Releases and schedules

    def release(self, release: Release) -> Refusal:
        if release.released:
            return Conflict
        publish = [page for page, what in release.pages.items() if what == "publish"]
        leaving = [page for page, what in release.pages.items() if what == "unpublish"]
        stay = [p for p in self.published if p.parent in leaving and p not in leaving]
        if not release.pages or any(page.bin for page in release.pages) or stay:
            return InvalidInput
        self.unpublish(*(page for page in leaving if page.live))
        for page in publish:
            self.publish(page)
        release.released = True
        self.plans = [plan for plan in self.plans if plan.about is not release]
        return None

    def plan(self, about: Page | Release, action: str, due: int) -> Plan:
        """The same thing at the same hour is planned once."""
        for plan in self.plans:
            if (plan.about, plan.action, plan.due, plan.failed) == (about, action, due, False):
                return plan
        self.plans.append(Plan(about, action, due))
        return self.plans[-1]

    def carry_out(self) -> int:
        """Does what is due, in the order in which it is due; returns how much was done."""
        done = 0
        due = [plan for plan in self.plans if plan.due <= self.now and not plan.failed]
        for plan in sorted(due, key=lambda plan: plan.due):
            if plan not in self.plans:
                continue  # its release is published
            if self._do(plan) is None:
                self.plans = [one for one in self.plans if one is not plan]
                done += 1
            else:
                plan.failed = True
        return done

    def _do(self, plan: Plan) -> Refusal:
        if isinstance(plan.about, Release):
            return self.release(plan.about)
        if plan.about.bin:
            return NotFound
        if plan.action == "publish":
            self.publish(plan.about)
            return None
        return self.unpublish(plan.about) if plan.about.live else None

    # What all of them need

    @contextmanager
    def _leaving(self) -> Iterator[None]:
        """The addresses that published pages leave lead to them, wherever they go. Those that an
        editor redirected stay; those to which published pages went lead nowhere else."""
        before = {page: page.path for page in self.published}
        yield
        moved = {page for page, path in before.items() if page.live and page.path != path}
        arrived = {page.path for page in moved}
        for path in arrived:
            if path in self.redirects and self.redirects[path].automatic:
                del self.redirects[path]
        for page, path in before.items():
            kept = self.redirects.get(path)
            gone = page in moved or page.live is None
            if gone and path not in arrived and (kept is None or kept.automatic):
                self.redirects[path] = Redirect(page, automatic=True)

    def _twice(self) -> Refusal:
        paths = [page.path for page in self.there]
        return Conflict if len(set(paths)) < len(paths) else None

    def _last(self, parent: Page | None) -> int:
        """The position behind all that is or was right below a page."""
        return max((p.position + 1 for p in self.pages if p.parent is parent), default=0)

    def _version(self, page: Page) -> None:
        if page.versions[-1:] != [page.draft]:
            page.versions.append(page.draft)

    def _used(self, pages: list[Page]) -> bool:
        """Whether anything else names one of these pages."""
        keys = {page.key for page in pages}
        others = [page for page in self.there if page not in pages]
        texts = [text for page in others for text in (page.draft, page.live) if text]
        entries = [page for menu in self.menus.values() for _, page in menu]
        return any(text.names & keys for text in texts) or any(p in pages for p in entries)

    def _part(self, pages: list[Page]) -> None:
        """Where pages came to a language in which others say the same, they stand alone."""
        for page in pages:
            same = [one for one in self.family(page) if one.language == page.language]
            if len(same) > 1:
                page.family = self._new_family()

    def _new_family(self) -> int:
        """One that is no page's key: a page that is made later has its key as its family."""
        return min(0, *(page.family for page in self.pages)) - 1
