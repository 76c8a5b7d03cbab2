"""Sites: what surrounds their pages."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.actions import Model, action
from mosaic_cms.content.conflicts import Revision, revision_of, settled
from mosaic_cms.content.due import find_zone
from mosaic_cms.content.languages import check_languages
from mosaic_cms.content.lines import line_of
from mosaic_cms.content.menus import unite_menus
from mosaic_cms.content.models import Menu, Page, Site
from mosaic_cms.content.published import PublishedPage, PublishedTerm
from mosaic_cms.content.redirects import Redirects, check_source, check_target
from mosaic_cms.content.tree import find_site
from mosaic_cms.rights import Permission
from mosaic_cms.scope import TenantScope
from mosaic_core.errors import InvalidInput
from mosaic_core.head import Write
from mosaic_core.resolution import normalise_host

#: What a command says that is not a column of the site.
_ELSEWHERE = {"site", "redirects", "based_on"}
Language = Annotated[str, Field(max_length=35, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]


class RedirectRule(Model):
    """An old address and where it leads; an empty target takes the redirect away."""

    source: str
    target: Annotated[str, Field(max_length=2000)]


def _origin(text: str) -> str:
    match = re.fullmatch(r"(https?)://([^/?#@\s:]+)(?::(\d{1,5}))?", text.strip().lower())
    if text == "*":
        return text
    if match is None:
        raise ValueError("it is no origin; write it as in 'https://app.example'")
    scheme, host, port = match.groups()
    return f"{scheme}://{normalise_host(host)}" + (f":{int(port)}" if port else "")


SiteTitle = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(line_of)]
Origin = Annotated[str, Field(max_length=300), AfterValidator(_origin)]


class ConfigureSite(Model):
    """What to change; None leaves a thing as it is."""

    site: str | None = None
    title: SiteTitle | None = None
    tagline: Annotated[str, Field(max_length=500)] | None = None
    language: Language | None = None
    #: An IANA name.
    time_zone: str | None = None
    #: The others, beside ``language``; the pages of each stand below ``/<tag>/``.
    languages: tuple[str, ...] | None = None
    theme: str | None = None
    theme_settings: dict[str, str] | None = None
    footer: Annotated[str, Field(max_length=10_000)] | None = None
    #: Those to add, change or take away; an import adds others, which stay.
    redirects: tuple[RedirectRule, ...] | None = None
    #: Whether anybody may read what is published over the API.
    api_public: bool | None = None
    #: Whose pages a browser lets do so, as in ``https://app.example``; ``*`` is everybody's.
    api_origins: Annotated[tuple[Origin, ...], Field(max_length=50)] | None = None
    #: The site's revision that was changed. It has to be said, here or with If-Match.
    based_on: Revision | None = None


class SiteView(Model):
    """A site."""

    key: str
    title: str
    tagline: str
    language: str
    languages: tuple[str, ...]
    time_zone: str
    theme: str
    theme_settings: dict[str, Any]
    footer: str
    api_public: bool
    api_origins: tuple[str, ...]
    #: What a change says it is based on.
    revision: str


@action("sites.configure", needs=Permission("update", "settings"), http="PATCH /sites/{site}")
async def configure_site(scope: TenantScope, command: ConfigureSite) -> SiteView:
    """Changes what surrounds a site's pages: title, theme, redirects.

    What others changed meanwhile stays; what both changed is refused, with both.
    """
    if command.theme is not None:
        if command.theme not in scope.product.themes:
            raise InvalidInput(f"There is no theme {command.theme!r}.", hint="Install its plugin.")
        scope.product.themes.get(command.theme).check()

    async def fn(write: Write) -> SiteView:
        site = await find_site(write.session, command.site)
        what, now = f"the site {site.key!r}", _settings(site)
        based_on = scope.base(command.based_on, revision_of(now), what)
        given = command.model_dump(exclude=_ELSEWHERE, exclude_none=True, mode="json")
        if command.time_zone is not None:
            given["time_zone"] = find_zone(command.time_zone).key
        before = (site.language, site.theme, site.title)
        after = now | settled(what, now, given, based_on)
        _require_settings(scope, site, after)
        after["languages"] = await check_languages(
            write.session, site, after["language"], after["languages"]
        )
        after["api"] = _api(public=after.pop("api_public"), origins=after.pop("api_origins"))
        for name, value in after.items():
            if getattr(site, name) != value:
                setattr(site, name, value)
        if site.language != before[0]:
            await _speak(write.session, site, before[0])
        if command.redirects is not None:
            await _set_redirects(write.session, site, command.redirects)
        await write.session.flush()
        await scope.product.publisher.place_around(write.session, site)
        everything = before != (site.language, site.theme, site.title)
        await scope.product.publisher.renew(write, site, everything=everything)
        return site_view(site)

    return await scope.write(fn)


def _require_settings(scope: TenantScope, site: Site, after: dict[str, Any]) -> None:
    """What a theme does not have is not chosen anew; what is left of another theme may stay."""
    if after["theme"] not in scope.product.themes:
        return
    before, chosen = site.theme_settings, after["theme_settings"]
    anew = {key: value for key, value in chosen.items() if before.get(key) != value}
    wrong = scope.product.themes.get(after["theme"]).no_settings(anew)
    if wrong:
        raise InvalidInput(
            f"The site {site.key!r} cannot be set so: {'; '.join(wrong.values())}.",
            hint="Nothing was changed; choose among what the theme has.",
            problems=tuple((f"theme_settings.{key}", why) for key, why in wrong.items()),
        )


def site_view(site: Site) -> SiteView:
    """A site as its editors see it."""
    settings = _settings(site)
    return SiteView(key=site.key, revision=revision_of(settings), **settings)


def _settings(site: Site) -> dict[str, Any]:
    """All that can be changed of a site, as JSON values."""
    api = site.api or {}
    return {
        "title": site.title,
        "tagline": site.tagline,
        "language": site.language,
        "languages": list(site.languages),
        "time_zone": site.time_zone,
        "theme": site.theme,
        "theme_settings": site.theme_settings,
        "footer": site.footer,
        "api_public": bool(api.get("public")),
        "api_origins": list(api.get("origins", ())),
    }


def _api(*, public: bool, origins: list[str]) -> dict[str, Any] | None:
    opened = {"public": public, "origins": list(dict.fromkeys(origins))}
    return opened if any(opened.values()) else None


async def _speak(session: AsyncSession, site: Site, before: str) -> None:
    """Gives what was in a site's language the one that it has now; until the pages are rendered
    again, the words on them stay as they were.

    Raises:
        Conflict: there are two menus for one place then.
    """
    # Where it was another of the site's languages until now, no page is in that, but menus may be.
    await unite_menus(session, site, before, site.language)
    kinds: tuple[Any, ...] = (Page, PublishedPage, PublishedTerm, Menu)
    for kind in kinds:
        rows = await session.scalars(
            select(kind).where(kind.site_id == site.id, kind.language == before)
        )
        for row in rows:
            row.language = site.language


async def _set_redirects(
    session: AsyncSession, site: Site, rules: tuple[RedirectRule, ...]
) -> None:
    pairs = {
        check_source(rule.source): check_target(rule.target) if rule.target else ""
        for rule in rules
    }
    redirects = await Redirects.of(session, site, [(x, y or x) for x, y in pairs.items()])
    for source, target in pairs.items():
        if target:
            redirects.put(source, target, beside_pages=True)
        elif redirects.there(source) is not None:
            await redirects.drop(source)
