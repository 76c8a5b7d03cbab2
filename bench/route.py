"""A Starlette route that answers what the API answers: the same queries, and nothing around them.

`python -m bench.route PORT` serves it with the server and the options of `mosaic serve`.
"""

from __future__ import annotations

import os
import sys
import uuid
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.deployment import ROOT
from bench.process import Command
from mosaic_cms.blocks.registry import BlockTypes
from mosaic_cms.blocks.standard import STANDARD
from mosaic_cms.cli.serving import run_server
from mosaic_cms.content.models import Page, PageVersion, Site
from mosaic_cms.content.published import PublishedPage
from mosaic_cms.operations.page_views import PageDetail, detailed
from mosaic_cms.operations.published import PublishedDetail
from mosaic_core.settings import ServeSettings

_FILE = "BENCH_TENANT"
DRAFT, PUBLISHED, READY = "/draft", "/published", "/ready"


def create_app() -> Any:
    """The application for the tenant's file that the environment names."""
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{os.environ[_FILE]}",
        execution_options={"schema_translate_map": {"tenant": None}},
    )
    types = BlockTypes(STANDARD)

    async def draft(request: Request) -> Response:
        path = request.query_params["path"]
        async with AsyncSession(engine) as session:
            site = (await session.scalars(select(Site).order_by(Site.position))).first()
            assert site is not None
            found = select(Page).where(
                Page.site_id == site.id, Page.binned_at.is_(None), Page.path == path
            )
            page = (await session.scalars(found)).one()
            live = await session.get_one(PageVersion, page.live_version_id)
            view = PageDetail(**detailed(types, page, live))
        return Response(view.model_dump_json(), media_type="application/json")

    async def published(request: Request) -> Response:
        path = request.query_params["path"]
        table = PublishedPage.__table__
        async with engine.connect() as connection:
            found = await connection.execute(select(table).where(table.c.path == path))
            row = found.one()
        start = row.body_start
        view = PublishedDetail(
            id=uuid.UUID(str(row.page_id)),
            path=row.path,
            language=row.language,
            layout=row.layout,
            title=row.title,
            summary=row.summary,
            card=row.card,
            date=row.dated,
            changed_at=row.changed_at,
            translation_id=row.translation_id,
            html=row.html[start - 1 : start - 1 + row.body_length],
        )
        return Response(view.model_dump_json(), media_type="application/json")

    async def ready(request: Request) -> Response:
        return Response("ready")

    return Starlette(routes=[Route(DRAFT, draft), Route(PUBLISHED, published), Route(READY, ready)])


def serve(file: Path) -> Command:
    """The command that serves a tenant's file."""
    return Command(
        (sys.executable, "-m", "bench.route", "{port}"),
        env={_FILE: str(file), "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
    )


if __name__ == "__main__":
    run_server("bench.route:create_app", ServeSettings(port=int(sys.argv[1])))
