"""Comments that an import kept: nobody sees them on a site, and whoever wrote one may have it
deleted."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import select

from mosaic_cms.actions import Model, Part, action
from mosaic_cms.content.erasing import delete_for_good
from mosaic_cms.content.models import Comment, Page
from mosaic_cms.content.paths import path_of
from mosaic_cms.content.tree import find_page, find_site
from mosaic_cms.rights import Permission
from mosaic_cms.scope import TenantScope
from mosaic_core.errors import NotFound
from mosaic_core.head import Write


class ListComments(Part):
    """Of a site, or of one page of it; those after a comment."""

    site: str | None = None
    path: str | None = None
    after: uuid.UUID | None = None


class CommentAt(Model):
    """One comment."""

    id: uuid.UUID


class CommentView(Model):
    """A comment; ``parent`` is the one that it answers. A page in the bin has no path of a site."""

    id: uuid.UUID
    path: str
    parent: uuid.UUID | None
    author: str
    email: str
    address: str
    at: datetime | None
    text: str
    approved: bool


@action(
    "comments.list",
    needs=Permission("read", "submissions"),
    effect="read",
    http="GET /comments",
    cursor="id",
)
async def list_comments(scope: TenantScope, command: ListComments) -> list[CommentView]:
    """The comments that imports kept, in the order in which they came."""
    async with scope.read() as session:
        site = await find_site(session, command.site)
        query = (
            select(Comment, Page.known_path)
            .join(Page, Page.id == Comment.page_id)
            .where(Page.site_id == site.id)
            .order_by(Comment.id)
            .limit(command.limit)
        )
        if command.path is not None:
            page = await find_page(session, site, path_of(command.path))
            query = query.where(Comment.page_id == page.id)
        if command.after is not None:
            query = query.where(Comment.id > command.after)
        return [_view(*row) for row in await session.execute(query)]


@action(
    "comments.delete",
    needs=Permission("delete", "submissions"),
    http="DELETE /comments/{id}",
    of=Comment,
)
async def delete_comment(scope: TenantScope, command: CommentAt) -> CommentView:
    """Deletes one comment for good, from the change log too; what answers it stays."""

    async def fn(write: Write) -> CommentView:
        session = write.session
        row = await session.get(Comment, command.id)
        if row is None:
            raise NotFound(
                f"There is no comment {command.id}.", hint="'mosaic comment list' shows them."
            )
        view = _view(row, (await session.get_one(Page, row.page_id)).known_path)
        for answer in await session.scalars(select(Comment).where(Comment.parent_id == row.id)):
            answer.parent_id = row.parent_id
        await delete_for_good(write, [row])
        return view

    return await scope.write(fn, reserve=True)


def _view(row: Comment, path: str) -> CommentView:
    return CommentView(
        id=row.id,
        path=path,
        parent=row.parent_id,
        author=row.author,
        email=row.email,
        address=row.address,
        at=row.at,
        text=row.text,
        approved=row.approved,
    )
