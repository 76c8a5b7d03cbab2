"""Themes: which there are to choose, and what each leaves to choose."""

from __future__ import annotations

from sqlalchemy import select

from mosaic_cms.actions import Model, action
from mosaic_cms.content.models import Site
from mosaic_cms.rights import READ_TENANT
from mosaic_cms.scope import TenantScope
from mosaic_cms.theme_manifest import Manifest


class EveryTheme(Model):
    """All themes."""


class ThemeSetting(Model):
    """Something that a site chooses."""

    title: str
    choices: tuple[str, ...]
    default: str


class ThemeView(Model):
    """A theme that sites can have.

    Attributes:
        layouts: the titles of what a page can look like, by name.
        settings: by name; ``sites.configure`` takes the choices as ``theme_settings``.
        sites: the keys of the tenant's sites that have it.
    """

    name: str
    title: str
    version: str
    description: str
    author: str
    layouts: dict[str, str]
    settings: dict[str, ThemeSetting]
    sites: tuple[str, ...]


@action("themes.list", needs=READ_TENANT, effect="read", http="GET /themes")
async def list_themes(scope: TenantScope, command: EveryTheme) -> list[ThemeView]:
    """Lists the themes that a site can have; ``sites.configure`` gives it one."""
    async with scope.read() as session:
        readable = await scope.readable(session)
        rows = await session.execute(
            select(Site.theme, Site.key).where(Site.id.in_(readable)).order_by(Site.position)
        )
        used = [(theme, key) for theme, key in rows]
    themes = scope.product.themes
    return [
        _view(name, themes.get(name).manifest, tuple(key for theme, key in used if theme == name))
        for name in themes.revisions
    ]


def _view(name: str, told: Manifest, sites: tuple[str, ...]) -> ThemeView:
    return ThemeView(
        name=name,
        title=told.title,
        version=told.version,
        description=told.description,
        author=told.author,
        layouts={key: layout.title for key, layout in told.layouts.items()},
        settings={
            key: ThemeSetting(title=one.title, choices=one.choices, default=one.default)
            for key, one in told.settings.items()
        },
        sites=sites,
    )
