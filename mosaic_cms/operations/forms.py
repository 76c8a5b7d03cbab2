"""Forms: what visitors sent, and getting it out."""

from __future__ import annotations

import csv
import io
import uuid
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from mosaic_cms.actions import Instant, Model, action
from mosaic_cms.blocks.standard.more import Form
from mosaic_cms.content.erasing import delete_for_good
from mosaic_cms.content.forms import check
from mosaic_cms.content.models import Page, Submission
from mosaic_cms.content.paths import normalise_path
from mosaic_cms.content.published import PublishedForm
from mosaic_cms.content.tree import find_page, find_site
from mosaic_cms.mailing import form as form_letter
from mosaic_cms.mailing.letters import post
from mosaic_cms.rights import Permission
from mosaic_cms.scope import TenantScope
from mosaic_core.errors import InvalidInput, NotFound
from mosaic_core.head import TENANT, Write
from mosaic_core.types import new_id

#: A cell that begins with one of these is a formula to a spreadsheet.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_LOT = 500


class SubmitForm(Model):
    """What a visitor filled in, by the keys of the form's fields."""

    page_id: uuid.UUID
    form_id: Annotated[str, Field(max_length=36)]
    values: Annotated[dict[str, str], Field(max_length=200)]


class SubmissionView(Model):
    """A form that was filled in. ``fields`` are key, label and value of each, in its order."""

    id: uuid.UUID
    path: str
    form_id: str
    at: datetime
    fields: list[dict[str, str]]


class WhichSubmissions(Model):
    """Of a site, and of one page or form of it. A page in the bin is found by its site alone."""

    site: str | None = None
    path: str | None = None
    form_id: str | None = None


class ListSubmissions(WhichSubmissions):
    """The newest, or those before a time."""

    limit: Annotated[int, Field(ge=1, le=500)] = 100
    before: Instant | None = None


class SubmissionAt(Model):
    """One submission."""

    id: uuid.UUID


class CsvFile(Model):
    """A table as text, and how many rows it has below its head."""

    text: str
    rows: int


@action("forms.submit", needs=Permission("create", "submissions"))
async def submit(scope: TenantScope, command: SubmitForm) -> SubmissionView:
    """Keeps what a visitor filled into a published form, and has somebody told of it."""

    async def fn(write: Write) -> SubmissionView:
        session = write.session
        row = await session.get(PublishedForm, (command.page_id, command.form_id))
        page = await session.get(Page, command.page_id)
        if row is None or page is None:
            raise NotFound("There is no such form.", hint="Open the page again.")
        form = Form.model_validate(row.definition)
        filled, refused = check(form, command.values)
        if refused:
            problems = tuple((fault.key, fault.what) for fault in refused)
            told = "; ".join(f"{key}: {what}" for key, what in problems)
            raise InvalidInput(f"The form was not filled in as it asks: {told}.", problems=problems)
        submission = Submission(
            id=new_id(), page_id=page.id, form_id=command.form_id, at=write.at, fields=filled
        )
        session.add(submission)
        if form.notify is not None:
            await post(write, TENANT, form_letter.KIND, form_letter.about(form, submission))
        return _view(submission, page.path)

    return await scope.write(fn)


@action(
    "forms.submissions",
    needs=Permission("read", "submissions"),
    effect="read",
    http="GET /submissions",
)
async def submissions(scope: TenantScope, command: ListSubmissions) -> list[SubmissionView]:
    """Lists what visitors sent, the newest first."""
    async with scope.read() as session:
        query = await _query(session, command)
        if command.before is not None:
            query = query.where(Submission.at < command.before)
        newest = query.order_by(Submission.at.desc(), Submission.id.desc()).limit(command.limit)
        return [_view(*row) for row in await session.execute(newest)]


@action(
    "forms.export",
    needs=Permission("read", "submissions"),
    effect="read",
    http="GET /submissions/export",
)
async def export(scope: TenantScope, command: WhichSubmissions) -> CsvFile:
    """All that visitors sent as CSV, the oldest first; a column for each field."""
    found: list[SubmissionView] = []
    async with scope.read() as session:
        async for view in _all(session, await _query(session, command)):
            found.append(view)
            scope.progress("submissions", len(found), len(found))
    keys = dict.fromkeys(field["key"] for view in found for field in view.fields)
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["at", "page", "form", *keys])
    for view in found:
        values = {field["key"]: field["value"] for field in view.fields}
        cells = [view.at.isoformat(), view.path, view.form_id, *(values.get(k, "") for k in keys)]
        table.writerow([_cell(cell) for cell in cells])
    return CsvFile(text=text.getvalue(), rows=len(found))


@action(
    "forms.delete_submission",
    needs=Permission("delete", "submissions"),
    http="DELETE /submissions/{id}",
    of=Submission,
)
async def delete_submission(scope: TenantScope, command: SubmissionAt) -> SubmissionView:
    """Deletes one submission for good, from the change log too."""

    async def fn(write: Write) -> SubmissionView:
        row = await write.session.get(Submission, command.id)
        if row is None:
            raise NotFound(f"There is no submission {command.id}.")
        page = await write.session.get_one(Page, row.page_id)
        view = _view(row, page.known_path)
        await delete_for_good(write, [row])
        return view

    return await scope.write(fn, reserve=True)


async def _query(session: AsyncSession, command: WhichSubmissions) -> Any:
    site = await find_site(session, command.site)
    query = (
        select(Submission, Page.known_path)
        .join(Page, Page.id == Submission.page_id)
        .where(Page.site_id == site.id)
    )
    if command.path is not None:
        path = normalise_path(command.path)
        if path is None:
            raise InvalidInput(
                f"{command.path[:80]!r} is no path of a page.", hint="Write it as in '/contact/'."
            )
        query = query.where(Submission.page_id == (await find_page(session, site, path)).id)
    if command.form_id is not None:
        query = query.where(Submission.form_id == command.form_id)
    return query


async def _all(session: AsyncSession, query: Any) -> AsyncIterator[SubmissionView]:
    """Every submission in the order of their ids, which is that of time."""
    last: uuid.UUID | None = None
    while True:
        lot = query.order_by(Submission.id).limit(_LOT)
        if last is not None:
            lot = lot.where(Submission.id > last)
        rows = list(await session.execute(lot))
        for row in rows:
            yield _view(*row)
        if len(rows) < _LOT:
            return
        last = rows[-1][0].id
        session.expunge_all()


def _view(row: Submission, path: str) -> SubmissionView:
    return SubmissionView(id=row.id, path=path, form_id=row.form_id, at=row.at, fields=row.fields)


def _cell(value: str) -> str:
    return f"'{value}" if value.startswith(_FORMULA) else value
