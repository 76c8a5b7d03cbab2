"""Sites: what surrounds their pages."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from sqlalchemy import select

from mosaic_cms.actions import Model, Permission, action
from mosaic_cms.content.models import Redirect, Site
from mosaic_cms.content.paths import normalise_path
from mosaic_cms.content.tree import find_site
from mosaic_cms.scope import TenantScope
from mosaic_core.errors import InvalidInput
from mosaic_core.head import Write


def _page_path(path: str) -> str:
    normal = normalise_path(path)
    if normal is None:
        raise ValueError("it is no path of a page; write it as in '/visit/'")
    return normal


class MenuItem(Model):
    """An entry of a menu. It shows while the page at ``path`` is published."""

    title: Annotated[str, Field(min_length=1, max_length=100)]
    path: Annotated[str, AfterValidator(_page_path)]


class RedirectRule(Model):
    """An old address and where it leads; an empty target takes the redirect away."""

    source: str
    target: Annotated[str, Field(max_length=2000)]


class ConfigureSite(Model):
    """What to change; None leaves a thing as it is."""

    site: str | None = None
    title: Annotated[str, Field(min_length=1, max_length=300)] | None = None
    tagline: Annotated[str, Field(max_length=500)] | None = None
    language: Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] | None = None
    theme: str | None = None
    theme_settings: dict[str, str] | None = None
    footer: Annotated[str, Field(max_length=10_000)] | None = None
    menu: tuple[MenuItem, ...] | None = None
    footer_menu: tuple[MenuItem, ...] | None = None
    #: Those to add, change or take away; an import adds others, which stay.
    redirects: tuple[RedirectRule, ...] | None = None


class SiteView(Model):
    """A site."""

    key: str
    title: str
    tagline: str
    language: str
    theme: str
    theme_settings: dict[str, Any]


@action("sites.configure", needs=Permission("update", "settings"), http="PATCH /sites/{site}")
async def configure_site(scope: TenantScope, command: ConfigureSite) -> SiteView:
    """Changes what surrounds a site's pages: title, theme, menus, redirects."""
    if command.theme is not None and command.theme not in scope.product.themes:
        raise InvalidInput(f"There is no theme {command.theme!r}.", hint="Install its plugin.")

    async def fn(write: Write) -> SiteView:
        site = await find_site(write.session, command.site)
        given = command.model_dump(exclude={"site", "redirects"}, exclude_none=True, mode="json")
        before = (site.language, site.theme, site.title)
        for name, value in given.items():
            if getattr(site, name) != value:
                setattr(site, name, value)
        if command.redirects is not None:
            await _set_redirects(write, site, command.redirects)
        await write.session.flush()
        if site.language != before[0]:
            await scope.product.projection.translate(write.session, site, before[0])
        await scope.product.projection.place_site(write.session, site)
        await scope.product.projection.place_redirects(write.session, site)
        everything = before != (site.language, site.theme, site.title)
        await scope.product.publisher.renew(write, site, everything=everything)
        return SiteView(
            key=site.key,
            title=site.title,
            tagline=site.tagline,
            language=site.language,
            theme=site.theme,
            theme_settings=site.theme_settings,
        )

    return await scope.write(fn)


async def _set_redirects(write: Write, site: Site, rules: tuple[RedirectRule, ...]) -> None:
    rows = await write.session.scalars(select(Redirect).where(Redirect.site_id == site.id))
    there = {row.source: row for row in rows}
    wanted: dict[str, str] = {}
    for rule in rules:
        source = normalise_path(rule.source)
        target = _target(rule.target) if rule.target else ""
        if source is None or source == "/" or target == source:
            raise InvalidInput(
                f"{rule.source!r} cannot be redirected to {rule.target!r}.",
                hint="Write a path such as '/old/', and another one that it leads to.",
            )
        wanted[source] = target
    for source, target in wanted.items():
        row = there.get(source)
        if row is None and target:
            write.session.add(Redirect(site_id=site.id, source=source, target=target))
        elif row is not None and target:
            row.target = target
        elif row is not None:
            await write.session.delete(row)


def _target(target: str) -> str:
    plain = target.isprintable() and " " not in target
    if plain and target.startswith(("https://", "http://")):
        return target
    at = re.search("[?#]|$", target)
    path, rest = (target[: at.start()], target[at.start() :]) if plain and at else ("", "")
    normal = normalise_path(path) if not path.startswith("//") and "\\" not in path else None
    if normal is None:
        raise InvalidInput(
            f"{target[:80]!r} is no target of a redirect.",
            hint="Write a path such as '/new/', or an address that begins with https://.",
        )
    return normal + rest
