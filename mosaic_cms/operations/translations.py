"""Translations: the same page in other languages."""

from __future__ import annotations

import uuid

from mosaic_cms.actions import Model, action
from mosaic_cms.content.languages import (
    link_translation,
    translate_page,
    translations_of,
    unlink_translation,
)
from mosaic_cms.content.models import Page
from mosaic_cms.content.paths import path_of
from mosaic_cms.content.tree import find_page, find_site
from mosaic_cms.rights import Permission
from mosaic_cms.scope import TenantScope
from mosaic_core.head import Write


class TranslatePage(Model):
    """A page and the language that it is wanted in."""

    path: str
    language: str
    #: Of the new page; by default that of the page, or made of the title.
    slug: str | None = None
    title: str | None = None
    site: str | None = None


class LinkTranslation(Model):
    """Two pages in different languages that say the same."""

    path: str
    other: str
    site: str | None = None


class TranslatedPage(Model):
    """A page, by its path."""

    path: str
    site: str | None = None


class Translation(Model):
    """A page in one language."""

    id: uuid.UUID
    language: str
    path: str
    title: str
    published: bool


@action(
    "pages.translations",
    needs=Permission("read", "content"),
    effect="read",
    http="GET /pages/{path}/translations",
)
async def list_translations(scope: TenantScope, command: TranslatedPage) -> list[Translation]:
    """A page in all its languages, itself first."""
    async with scope.read() as session:
        site = await find_site(session, command.site)
        page = await find_page(session, site, path_of(command.path))
        return [_seen(one) for one in [page, *await translations_of(session, page)]]


@action(
    "pages.translate", needs=Permission("create", "content"), http="POST /pages/{path}/translations"
)
async def translate(scope: TenantScope, command: TranslatePage) -> Translation:
    """Makes a page's translation as a draft with the page's content."""

    async def fn(write: Write) -> Translation:
        site = await find_site(write.session, command.site)
        page = await find_page(write.session, site, path_of(command.path))
        made = await translate_page(
            write, site, page, command.language, slug=command.slug, title=command.title
        )
        await write.session.flush()
        return _seen(made)

    return await scope.write(fn)


@action(
    "pages.link_translation",
    needs=Permission("update", "content"),
    http="POST /pages/{path}/translations/link",
)
async def link(scope: TenantScope, command: LinkTranslation) -> list[Translation]:
    """Links two pages as translations of each other."""

    async def fn(write: Write) -> list[Translation]:
        site = await find_site(write.session, command.site)
        page = await find_page(write.session, site, path_of(command.path))
        other = await find_page(write.session, site, path_of(command.other))
        linked = [page, other, *await translations_of(write.session, other)]
        await link_translation(write, page, other)
        await write.session.flush()
        await scope.product.publisher.readdress(write, site, linked)
        return [_seen(one) for one in [page, *await translations_of(write.session, page)]]

    return await scope.write(fn)


@action(
    "pages.unlink_translation",
    needs=Permission("update", "content"),
    http="POST /pages/{path}/translations/unlink",
)
async def unlink(scope: TenantScope, command: TranslatedPage) -> Translation:
    """Makes a page one that is no other's translation."""

    async def fn(write: Write) -> Translation:
        site = await find_site(write.session, command.site)
        page = await find_page(write.session, site, path_of(command.path))
        linked = [page, *await translations_of(write.session, page)]
        unlink_translation(page)
        await write.session.flush()
        await scope.product.publisher.readdress(write, site, linked)
        return _seen(page)

    return await scope.write(fn)


def _seen(page: Page) -> Translation:
    return Translation(
        id=page.id,
        language=page.language,
        path=page.path,
        title=page.title,
        published=page.live_version_id is not None,
    )
