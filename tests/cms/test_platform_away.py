"""The server of the platform database goes away while a platform is served, and comes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from mosaic_cms.app import Application
from mosaic_core.errors import DatabaseBusy
from tests.cms.deployment import OPERATOR, Deployment, Deployments, settings_for
from tests.platforms import Schema
from tests.postgres import PostgreSQL

#: The name of a server's socket, whatever its folder.
_SOCKET = ".s.PGSQL.5432"
_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE application_name = 'mosaic' AND pid <> pg_backend_pid()"
)


@pytest.fixture
def shared(made_deployment: Path, tmp_path: Path, postgres: PostgreSQL) -> Iterator[Deployments]:
    schema = Schema("postgresql", postgres.url())
    yield Deployments(made_deployment, tmp_path, schema)
    schema.remove()


@asynccontextmanager
async def served(root: Path) -> AsyncIterator[tuple[Application, Deployment]]:
    """All that a server runs, and how it is asked."""
    application = Application(settings_for(root))
    await application.start()
    try:
        assert application.product is not None
        assert application.site is not None
        deployment = Deployment(application.product, application.site)
        async with deployment.client:
            yield application, deployment
    finally:
        await application.stop()


@asynccontextmanager
async def away(postgres: PostgreSQL) -> AsyncIterator[None]:
    """Nobody reaches the server, and whoever did has lost it."""
    socket = postgres.folder / _SOCKET
    own = await asyncpg.connect(host=str(postgres.folder), user="postgres", database="postgres")
    aside = socket.with_name("aside")
    socket.rename(aside)
    try:
        await own.execute(_OTHERS)
        yield
    finally:
        aside.rename(socket)
        await own.close()


def test_it_answers_503_meanwhile_and_then_as_before(
    shared: Deployments, postgres: PostgreSQL, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with served(shared.copy()) as (application, deployment):
            rule = deployment.product.actions.perform
            scope = deployment.product.platform_scope(OPERATOR)
            assert (await deployment.get("/visit/")).status_code == 200
            async with away(postgres):
                await asyncio.sleep(0.5)  # for as long as it believes what it knows
                answer = await deployment.get("/visit/")
                assert answer.status_code == 503
                assert int(answer.headers["retry-after"]) > 0
                assert "Back in a moment" in answer.text
                assert "no PostgreSQL answers at" in caplog.text
                began = time.monotonic()
                with pytest.raises(DatabaseBusy):
                    await rule("tenants.create", scope, {"slug": "late", "name": "Late"})
                assert time.monotonic() - began < 30
                assert "PostgreSQL" not in answer.text
                await asyncio.sleep(2.5)  # what runs by itself finds nobody either
            assert (await deployment.get("/visit/")).status_code == 200
            await rule("tenants.create", scope, {"slug": "late", "name": "Late"})
            assert (await deployment.get("/", "late.mosaic.test")).status_code == 200
            gone = [task for task in application._tasks if task.done() and task.exception()]
            assert gone == []

    asyncio.run(main())
