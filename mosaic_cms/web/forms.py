"""Forms that visitors post to the page that shows them.

What is taken is what the published page asks: its forms are in the projection. A page is the same
for everybody and kept, so there is no token in it: a form counts when the browser says that it
comes from this site, nothing is in the field that people do not see, and it is not one of many.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote
from uuid import UUID

from sqlalchemy import bindparam, select

from mosaic_cms.blocks.standard.more import Form
from mosaic_cms.content.forms import check, is_trapped
from mosaic_cms.content.head_tags import UNLISTED, encoded
from mosaic_cms.content.projection import shown
from mosaic_cms.content.published import PublishedForm, PublishedPage
from mosaic_cms.scope import Actor
from mosaic_cms.web.form_body import Unreadable, of_this_site, read_form
from mosaic_cms.web.fragments import fragment, in_layout
from mosaic_cms.web.responses import Finished, Receive
from mosaic_cms.web.search_page import slower
from mosaic_cms.web.visit import Visit
from mosaic_cms.web.words import words
from mosaic_core.cache import Rate
from mosaic_core.errors import ConfigurationError, NotFound
from mosaic_core.tenants import TenantStatus

_log = logging.getLogger("mosaic.web")
#: Forms of one visitor, and those of all of a tenant's that are kept.
_RATE = Rate(limit=1, seconds=10, burst=10)
_TENANT_RATE = Rate(limit=2, seconds=1, burst=100)

_PAGES = PublishedPage.__table__.c
_FORMS = PublishedForm.__table__.c
# A constant: it is compiled once for each strategy.
_QUERY = (
    select(
        _FORMS.form_id,
        _FORMS.definition,
        _PAGES.page_id,
        _PAGES.path,
        _PAGES.title,
        _PAGES.summary,
        _PAGES.card,
        _PAGES.language,
        _PAGES.layout,
        _PAGES.head,
        _PAGES.html,
        _PAGES.theme,
        _PAGES.theme_revision,
    )
    .select_from(
        PublishedForm.__table__.join(PublishedPage.__table__, _PAGES.page_id == _FORMS.page_id)
    )
    .where(
        _PAGES.site_id == bindparam("site_id"),
        _PAGES.path == bindparam("path"),
        _PAGES.html.is_not(None),
    )
)


class _Shown(NamedTuple):
    """A form and the page that shows it."""

    form_id: str
    definition: dict[str, Any]
    page_id: UUID
    path: str
    title: str
    summary: str
    card: dict[str, Any]
    language: str
    layout: str
    head: str
    html: str
    theme: str
    theme_revision: str


class Forms:
    """Takes forms."""

    async def are_at(self, visit: Visit) -> bool:
        """Whether the page at a path shows a form."""
        return bool(await visit.rows(_QUERY, path=visit.path))

    async def thanked(self, visit: Visit, html: str) -> str | None:
        """A page's HTML with the message of the form that was sent in its place."""
        wanted = visit.fields.get("sent", "")
        found = await self._find(visit, wanted)
        return None if found is None else _instead(visit, found, html, sent=True)

    async def post(
        self, visit: Visit, host: bytes, headers: dict[bytes, bytes], receive: Receive
    ) -> Finished:
        """Checks and keeps a form. The page is shown again: by another address once it is sent, or
        with what is to be mended."""
        if not of_this_site(headers, host):
            return _told(visit, 403, "refused")
        tenant = visit.handle.tenant
        whose = f"{tenant.tenant_id} {visit.visitor}"
        wait = await visit.product.rates.wait("forms", _RATE, whose)
        if wait:
            return slower(visit, wait)
        try:
            given = await read_form(headers, receive)
        except Unreadable as error:
            return _told(visit, error.status, "unreadable")
        found = await self._find(visit, given.get("_form", ""))
        if found is None:
            return _told(visit, 400, "unreadable")
        if tenant.status is not TenantStatus.ACTIVE:
            return _told(visit, 503, "closed", (b"retry-after", b"3600"))
        if is_trapped(given):
            return _sent(visit, found.form_id)
        return await self._keep(visit, found, given)

    async def _keep(self, visit: Visit, found: _Shown, given: Mapping[str, str]) -> Finished:
        form = Form.model_validate(found.definition)
        filled, refused = check(form, given)
        if refused:
            values = {field["key"]: field["value"] for field in filled}
            errors = {fault.key: words(found.language)[fault.what] for fault in refused}
            around = await visit.around(found.language, found.theme, found.theme_revision)
            return _shown_again(around, found, values, errors)
        tenant_id = visit.handle.tenant.tenant_id
        wait = await visit.product.rates.wait("tenant's forms", _TENANT_RATE, tenant_id)
        if wait:
            return slower(visit, wait)
        actor = Actor("visitor", address=visit.visitor, client=visit.client)
        scope = visit.product.scope(visit.handle.tenant, actor)
        command = {"page_id": found.page_id, "form_id": found.form_id}
        values = {field["key"]: field["value"] for field in filled}
        try:
            await visit.product.actions.perform(
                "forms.submit", scope, {**command, "values": values}
            )
        except NotFound:  # it was taken from the page this very moment
            return _told(visit, 400, "unreadable")
        return _sent(visit, found.form_id)

    @staticmethod
    async def _find(visit: Visit, form_id: str) -> _Shown | None:
        rows = [_Shown(*row) for row in await visit.rows(_QUERY, path=visit.path)]
        return next((row for row in rows if row.form_id == form_id), None)


def _sent(visit: Visit, form_id: str) -> Finished:
    address = f"{encoded(visit.path)}?sent={quote(form_id)}#form-{quote(form_id)}"
    headers = [(b"location", address.encode("ascii")), (b"cache-control", b"no-store")]
    return Finished(303, "text/plain; charset=utf-8", b"", headers)


def _shown_again(
    visit: Visit, found: _Shown, values: dict[str, str], errors: dict[str, str]
) -> Finished:
    told = words(found.language)["mend"]
    html = _instead(visit, found, found.html, values=values, errors=errors, summary=told)
    if html is None:
        return _told(visit, 422, "mend")
    return visit.page(
        status=422,
        title=f"{told} – {found.title}",
        main=html,
        head=f"{found.head}\n{UNLISTED}",
        layout=found.layout,
    )


def _instead(visit: Visit, found: _Shown, html: str, **state: Any) -> str | None:
    """A page's HTML with a form of it shown in another state. The form is found by making it as
    it was made for the page; None when that is not to be found, since the theme is another now."""
    context = {
        "block": Form.model_validate(found.definition),
        "id": found.form_id,
        "page": shown(found, visit.surround.root),
    }
    theme = visit.surround.theme
    try:
        plain = theme.render("blocks/form", **context)
        other = theme.render("blocks/form", **context, **state)
    except ConfigurationError as error:
        _log.warning("the form %s of %s: %s", found.form_id, found.path, error)
        return None
    return html.replace(plain, other, 1) if plain in html else None


def _told(visit: Visit, status: int, what: str, *headers: tuple[bytes, bytes]) -> Finished:
    """A page of the theme that says what became of a form."""
    told = words(visit.surround.language)
    more = told.get(f"{what}_more", "")
    body = fragment("told", visit.surround.language, text=more)
    main = in_layout(visit.surround, "page", title=told[what], url=visit.path, body=body)
    return visit.page(
        status=status,
        title=told[what],
        main=main,
        head=UNLISTED,
        layout="page",
        headers=[(b"cache-control", b"no-store"), *headers],
    )
