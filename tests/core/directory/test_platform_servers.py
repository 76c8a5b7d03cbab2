"""The platform database where several machines share it: whoever comes, in whichever moment."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import select

from mosaic_core.database import History
from mosaic_core.directory import Directory, PlatformDatabase, TenantRow, open_directory
from mosaic_core.errors import (
    ConfigurationError,
    DatabaseBehind,
    DatabaseBusy,
    DatabaseError,
    DatabaseMissing,
    DatabaseNewer,
    MosaicError,
    UnloggedWrite,
)
from mosaic_core.head import PLATFORM, Write
from mosaic_core.head.log import verify
from mosaic_core.platform import platform_database, platform_history
from mosaic_core.settings import Settings, make_settings
from tests.core.head.toys import toy_tenant
from tests.platforms import Place, Schema
from tests.postgres import PostgreSQL

SECRET = "a-password-that-nobody-sees"


@asynccontextmanager
async def instances(place: Place, number: int) -> AsyncIterator[list[Directory]]:
    """What as many machines have of a platform that is made."""
    async with AsyncExitStack() as stack:
        directories = []
        for _ in range(number):
            database = place.database()
            stack.push_async_callback(database.close)
            await database.migrate()
            directories.append(
                await stack.enter_async_context(open_directory(database, "localhost", 0.2))
            )
        yield directories


def test_of_many_who_make_it_at_once_all_find_the_same_one(place: Place) -> None:
    async def main() -> None:
        databases = [place.database() for _ in range(6)]
        found = await asyncio.gather(*(database.migrate() for database in databases))
        assert set(found) == {platform_history().current}
        async with databases[0].session() as session:
            assert len((await session.execute(select(PLATFORM.head))).all()) == 1
        for database in databases:
            await database.require_current()
            assert await database.check() == []
            await database.close()

    asyncio.run(main())


def test_what_one_instance_writes_another_knows_within_the_freshness(place: Place) -> None:
    async def main() -> None:
        async with instances(place, 2) as (one, other):
            await one.add(toy_tenant(1), "r", actor="tester")
            await asyncio.sleep(0.25)
            await other.refresh()
            assert other.named("toy-1") == toy_tenant(1)
            await other.add_domain(toy_tenant(1).tenant_id, "toys.example", actor="tester")
            await asyncio.sleep(0.25)
            await one.refresh()
            assert one.tenant_of_domain("toys.example") is not None

    asyncio.run(main())


def test_writers_of_several_instances_take_turns_and_lose_nothing(place: Place) -> None:
    async def main() -> None:
        async with instances(place, 4) as directories:
            async with asyncio.TaskGroup() as group:
                for number in range(40):
                    writer = directories[number % 4]
                    group.create_task(writer.add(toy_tenant(number), "r", actor="tester"))
            for directory in directories:
                await directory.refresh(now=True)
                assert (len(directory), directory.version) == (40, 40)
            async with directories[0].database.session() as session:
                assert await verify(session, PLATFORM) == 40

    asyncio.run(main())


def test_a_reader_sees_one_snapshot_and_changes_nothing(place: Place) -> None:
    async def main() -> None:
        async with instances(place, 2) as (one, other):
            await one.add(toy_tenant(1), "r", actor="tester")
            slugs = select(TenantRow.slug)
            async with one.database.session() as session:
                assert list(await session.scalars(slugs)) == ["toy-1"]
                await other.add(toy_tenant(2), "r", actor="tester")
                assert list(await session.scalars(slugs)) == ["toy-1"]
                session.add(TenantRow(tenant_id="x"))
                with pytest.raises(UnloggedWrite):
                    await session.flush()

    asyncio.run(main())


def test_an_older_process_is_told_of_a_newer_platform(place: Place) -> None:
    older = History("platform", platform_history().folders)
    older.__dict__["applied"] = {"p0001": False}
    older.__dict__["current"] = "p0001"

    async def main() -> None:
        database, before = place.database(), place.database(older)
        with pytest.raises(DatabaseMissing) as missing:
            await before.require_current()
        assert "Run 'mosaic migrate'" in missing.value.hint
        assert before.where in missing.value.message
        await database.migrate()
        for attempt in (before.require_current(), before.migrate()):
            with pytest.raises(DatabaseNewer, match="platform database was made by a newer"):
                await attempt
        assert await database.revision() == platform_history().current
        await database.close()
        await before.close()

    asyncio.run(main())


def test_a_platform_that_was_not_migrated_says_so(place: Place) -> None:
    newer = platform_history()
    newer.__dict__["current"] = "p9999"

    async def main() -> None:
        database, later = place.database(), place.database(newer)
        await database.migrate()
        with pytest.raises(DatabaseBehind, match="mosaic migrate"):
            await later.require_current()
        await database.close()
        await later.close()

    asyncio.run(main())


# What a server does to its clients


@pytest.fixture
def schema(postgres: PostgreSQL) -> Schema:
    return Schema("postgresql", postgres.url())


def removed(schema: Schema, work: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await work()

    try:
        asyncio.run(main())
    finally:
        schema.remove()


def test_a_server_that_was_started_anew_costs_a_write_another_try(
    schema: Schema, postgres: PostgreSQL
) -> None:
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mosaic'"

    async def work() -> None:
        async with instances(schema, 1) as (directory,):
            tries = 0

            async def fn(write: Write) -> None:
                nonlocal tries
                tries += 1
                write.session.add(_row(write, tries))
                if tries == 1:
                    await asyncio.to_thread(postgres.run, end)

            await directory.write(fn, actor="tester", action="test")
            assert tries == 2
            assert directory.named("try-2").name == "x"
            await asyncio.to_thread(postgres.run, end)
            await asyncio.sleep(0.2)  # until the driver has seen it; reads are not tried again
            await directory.refresh(now=True)
            async with directory.database.session() as session:
                assert await verify(session, PLATFORM) == 1

    removed(schema, work)


def _row(write: Write, number: int) -> TenantRow:
    return TenantRow(
        tenant_id=f"{number}",
        slug=f"try-{number}",
        name="x",
        tier="free",
        status="active",
        reason="",
        epoch=1,
        revision="r",
        subscription_status="none",
        created_at=write.at,
        changed=write.version,
    )


def test_two_connections_are_enough_for_writes_that_read_beside_themselves(
    schema: Schema, tmp_path: Path
) -> None:
    settings = configured(tmp_path, schema.url, schema_name=schema.name, connections=2)

    async def work() -> None:
        database = platform_database(settings, platform_history())
        await database.migrate()
        async with open_directory(database, "localhost", 0.0) as directory:

            async def beside(write: Write) -> None:
                assert await directory.count() == write.version - 1

            async with asyncio.TaskGroup() as group:
                for number in range(20):
                    adding = directory.add(toy_tenant(number), "r", actor="tester", beside=beside)
                    group.create_task(adding)
                    group.create_task(directory.records())
            assert await directory.count() == 20
        await database.close()

    removed(schema, work)


def test_what_is_wrong_there_is_found(schema: Schema, postgres: PostgreSQL) -> None:
    async def work() -> None:
        database = schema.database()
        await database.migrate()
        broken = (
            f"ALTER TABLE {schema.name}.tenants ADD CONSTRAINT doubted CHECK (epoch > 0) NOT VALID"
        )
        await asyncio.to_thread(postgres.run, broken)
        (problem,) = await database.check()
        assert "doubted is not valid" in problem.what
        await database.close()

    removed(schema, work)


def test_a_schema_that_is_taken_away_is_missed_and_not_made_again(
    schema: Schema, postgres: PostgreSQL
) -> None:
    async def work() -> None:
        async with instances(schema, 1) as (directory,):
            await asyncio.to_thread(postgres.run, f"DROP SCHEMA {schema.name} CASCADE")
            for attempt in (
                directory.refresh(now=True),
                directory.add(toy_tenant(1), "r", actor="tester"),
            ):
                with pytest.raises(DatabaseMissing) as missed:
                    await attempt
                assert "mosaic migrate" in missed.value.hint
                assert "tenant should be here" not in missed.value.hint

    removed(schema, work)


# What an operator gets wrong


async def said(settings: Settings, ask: Callable[[PlatformDatabase], Awaitable[object]]) -> str:
    """What an operator is told, as an error that hides the password."""
    database = platform_database(settings, platform_history())
    try:
        with pytest.raises(MosaicError) as told:
            await ask(database)
    finally:
        await database.close()
    assert told.value.hint
    assert SECRET not in str(told.value)
    return f"{type(told.value).__name__}: {told.value}"


async def everything(settings: Settings) -> set[str]:
    """What whoever starts, migrates and looks is told, each once."""
    asks: list[Callable[[PlatformDatabase], Awaitable[object]]] = [
        lambda database: database.require_current(),
        lambda database: database.migrate(),
        lambda database: database.check(),
    ]
    return {await said(settings, ask) for ask in asks}


def configured(folder: Path, url: str, **more: object) -> Settings:
    return make_settings({"database": {"url": url, **more}}, root=folder)


def test_a_server_that_does_not_answer_is_named(tmp_path: Path) -> None:
    url = f"postgresql://mosaic:{SECRET}@127.0.0.1:1/mosaic"
    (told,) = asyncio.run(everything(configured(tmp_path, url)))
    assert told.startswith(f"{DatabaseBusy.__name__}: The platform database cannot be reached")
    assert "127.0.0.1:1" in told
    assert "URL in the settings" in told


def test_a_database_that_is_not_there_is_named(tmp_path: Path, postgres: PostgreSQL) -> None:
    (told,) = asyncio.run(everything(configured(tmp_path, postgres.url("nowhere"))))
    assert told.startswith(f"{DatabaseMissing.__name__}: The platform database is not there")
    assert "there is the database 'nowhere'" in told


def test_a_user_whom_the_server_does_not_know_is_told_to_look_at_the_settings(
    tmp_path: Path, postgres: PostgreSQL
) -> None:
    (told,) = asyncio.run(everything(configured(tmp_path, postgres.url(user="stranger"))))
    assert told.startswith(f"{DatabaseError.__name__}: The platform database is closed")
    assert "user and the password in the settings" in told


@pytest.fixture
def guest(postgres: PostgreSQL) -> Iterator[str]:
    """A user who may not make anything."""
    name = f"guest_{secrets.token_hex(4)}"
    postgres.run(f"CREATE ROLE {name} LOGIN")
    yield name
    postgres.run(f"DROP OWNED BY {name} CASCADE", f"DROP ROLE {name}")


def test_whoever_may_make_no_schema_uses_one_that_is_given_to_them(
    tmp_path: Path, postgres: PostgreSQL, guest: str
) -> None:
    name = Schema("postgresql", "").name
    settings = configured(tmp_path, postgres.url(user=guest), schema_name=name)
    told = asyncio.run(said(settings, lambda database: database.migrate()))
    assert "closed to this user: permission denied for database" in told
    postgres.run(f"CREATE SCHEMA {name} AUTHORIZATION {guest}")

    async def main() -> None:
        database = platform_database(settings, platform_history())
        await database.migrate()
        await database.require_current()
        await database.close()

    asyncio.run(main())


def test_whoever_may_only_read_is_refused_and_nothing_changes(
    tmp_path: Path, postgres: PostgreSQL, guest: str, schema: Schema
) -> None:
    async def work() -> None:
        async with instances(schema, 1) as (owner,):
            await owner.add(toy_tenant(1), "r", actor="tester")
            await asyncio.to_thread(
                postgres.run,
                f"GRANT USAGE ON SCHEMA {schema.name} TO {guest}",
                f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema.name} TO {guest}",
            )
            settings = configured(tmp_path, postgres.url(user=guest), schema_name=schema.name)
            database = platform_database(settings, platform_history())
            async with open_directory(database, "localhost", 0.2) as directory:
                assert directory.named("toy-1") == toy_tenant(1)
                with pytest.raises(DatabaseError, match="permission denied"):
                    await directory.add(toy_tenant(2), "r", actor="tester")
            await database.close()
            await owner.refresh(now=True)
            assert (len(owner), owner.version) == (1, 1)

    removed(schema, work)


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://mosaic:{SECRET}@db.example.com/mosaic",
        f"postgresql://mosaic:{SECRET}@db.example.com",
        f"postgresql://mosaic:{SECRET}@db.example.com:{SECRET}/mosaic",
        SECRET,
    ],
)
def test_a_url_that_is_none_is_refused_and_not_shown(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"\[database\] url is no URL") as refused:
        platform_database(configured(tmp_path, url), platform_history())
    assert "postgresql://USER:PASSWORD@HOST" in refused.value.hint
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("name", ["tenant_1", "Mosaic", "public; DROP", "", "x" * 41])
def test_a_schema_s_name_is_in_lower_case_letters(tmp_path: Path, name: str) -> None:
    """Those of tenants end in a number."""
    with pytest.raises(ConfigurationError, match=r"database\.schema_name"):
        configured(tmp_path, f"postgresql://x:{SECRET}@db/mosaic", schema_name=name)


def test_where_it_is_is_told_without_the_password(tmp_path: Path) -> None:
    settings = configured(tmp_path, f"postgresql://x:{SECRET}@db.example.com/mosaic")
    database = platform_database(settings, platform_history())
    assert database.where == (
        "in the schema mosaic_platform of the database 'mosaic' at db.example.com:5432"
    )
    assert SECRET not in repr(settings)


def test_what_it_takes_to_connect_is_named_where_it_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mosaic_core.database.postgresql.find_spec", lambda name: None)
    settings = configured(tmp_path, "postgresql://x@db.example.com/mosaic")
    with pytest.raises(ConfigurationError, match=r"mosaic-cms\[postgresql\]"):
        platform_database(settings, platform_history())


def test_whoever_has_it_in_a_file_imports_nothing_for_servers(tmp_path: Path) -> None:
    script = (
        "import sys, mosaic_cms.migrating as migrating, asyncio, pathlib\n"
        "from mosaic_core.settings import make_settings\n"
        "settings = make_settings({}, root=pathlib.Path(sys.argv[1]))\n"
        "asyncio.run(migrating.migrate_platform(settings))\n"
        "print(*sys.modules)"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    imported = set(done.stdout.split())
    assert "mosaic_core.directory.file" in imported
    strange = ("mosaic_core.server_databases", "mosaic_core.directory.server", "asyncpg", "pyodbc")
    assert imported.isdisjoint(strange)
