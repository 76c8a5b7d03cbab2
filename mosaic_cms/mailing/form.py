"""The letter that tells of a form which a visitor filled in."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from mosaic_cms.blocks.standard.more import Form
from mosaic_cms.content.due import shown
from mosaic_cms.content.head_tags import encoded
from mosaic_cms.content.models import Page, Site, Submission
from mosaic_cms.content.tree import find_site
from mosaic_cms.mailing.letters import Letter, Render
from mosaic_cms.mailing.words import words
from mosaic_cms.scope import TenantScope
from mosaic_core.errors import InvalidMail
from mosaic_core.mail import check_address, one_line
from mosaic_core.resolution import TenantMatch

KIND = "form"
#: Characters of an answer that a letter shows.
_SHOWN = 5_000


def about(form: Form, submission: Submission) -> dict[str, Any]:
    """What the message says: nothing of what the visitor wrote."""
    asked = (field.key for field in form.fields if field.kind == "email")
    return {
        "to": form.notify,
        "submission": str(submission.id),
        "form": form.heading,
        "reply_to": next(asked, None),
    }


async def compose(scope: TenantScope, about: Mapping[str, Any], render: Render) -> Letter | None:
    """Which form on which page, and what was filled in, in the site's language."""
    async with scope.read() as session:
        submission = await session.get(Submission, uuid.UUID(about["submission"]))
        if submission is None:  # it was deleted
            return None
        page = await session.get_one(Page, submission.page_id)
        site = await session.get_one(Site, page.site_id)
        first = await find_site(session)
    said = words(site.language)
    answers = {field["key"]: field["value"] for field in submission.fields}
    reply_to = _address(answers.get(about["reply_to"] or ""))
    who = reply_to or said["visitor"]
    facts = {
        "who": who,
        "form": one_line(about["form"]),
        "page": one_line(page.title),
        "site": one_line(site.title),
        "to": one_line(about["to"]),
    }
    fields = [
        (one_line(field["label"]), _cut(field["value"], said["cut"])) for field in submission.fields
    ]
    text, html = render(
        "form",
        {
            "language": site.language,
            "words": {key: text.format(**facts) for key, text in said.items()},
            "heading": facts["form"],
            "fields": fields,
            "at": shown(submission.at, site.time_zone),
            "address": _page_address(scope, site, page, is_first=site.id == first.id),
            "reply_to": reply_to,
        },
    )
    subject = one_line(f"{about['form']} – {reply_to or site.title}")
    # Not every server takes an address that is not ASCII; it is among the answers.
    usable = reply_to if reply_to is not None and reply_to.isascii() else None
    return Letter(about["to"], subject, text, html, usable)


def _address(answer: str | None) -> str | None:
    try:
        return check_address(answer) if answer else None
    except InvalidMail:
        return None


def _cut(value: str, cut: str) -> str:
    return value if len(value) <= _SHOWN else f"{value[:_SHOWN]}… {cut}"


def _page_address(scope: TenantScope, site: Site, page: Page, *, is_first: bool) -> str | None:
    """Where visitors find the page, if they do."""
    platform, tenant = scope.product.platform, scope.tenant.tenant_id
    host = platform.directory.domain_of(TenantMatch(tenant, site.key))
    if host is None and is_first:
        host = platform.directory.host_of(TenantMatch(tenant))
    if host is None or page.live_version_id is None:
        return None
    return platform.origin(host) + encoded(page.path)
