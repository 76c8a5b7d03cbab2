"""What becomes of tenants: renamed, deleted, had back, removed with a certificate."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest
from mosaic_storage_local.folder import LocalFolder
from sqlalchemy import select, update

from mosaic_cms.identity.tables import ApiKey, KeyUse, Membership, SessionRow
from mosaic_cms.rights import Role
from mosaic_cms.scope import Actor
from mosaic_core.database import PlatformBase
from mosaic_core.database.clock import database_now
from mosaic_core.directory import Work, trusted_clock
from mosaic_core.directory.tables import DeletionRow, FormerSlugRow, LeaseRow
from mosaic_core.errors import (
    ConfigurationError,
    Conflict,
    InvalidInput,
    LeaseLost,
    LeaseTaken,
    NotFound,
)
from mosaic_core.head import PLATFORM, Write
from mosaic_core.head.log import verify
from mosaic_core.tenants import TenantContext
from tests.cms.access.people import People
from tests.cms.anywhere import deployments, place
from tests.cms.deployment import Deployment, Deployments, opened

__all__ = ["deployments", "place"]

OWNER = Actor("account", "olga", Role.OWNER)


async def rows_with(deployment: Deployment, text: str) -> dict[str, int]:
    """How many rows of each of the platform's tables have a text in them."""
    found: dict[str, int] = {}
    async with deployment.product.platform.directory.database.session() as session:
        for table in PlatformBase.metadata.sorted_tables:
            rows = (await session.execute(select(table))).all()
            number = sum(text in repr(tuple(row)) for row in rows)
            if number:
                found[table.name] = number
    return found


async def pass_time(deployment: Deployment, column: Any, by: timedelta) -> None:
    """What is noted for later is noted for so much earlier."""

    async def fn(write: Write) -> None:
        for row in (await write.session.scalars(select(column.class_))).all():
            setattr(row, column.key, getattr(row, column.key) - by)
            if hasattr(row, "changed"):
                row.changed = write.version

    await deployment.product.platform.directory.write(fn, actor="tester", action="test")


# Another slug


def test_a_renamed_tenant_is_at_its_new_address_and_the_old_one_leads_there(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        assert (await deployment.get("/visit/", "bread.mosaic.test")).status_code == 200
        view = await deployment.rule("tenants.rename", slug="bread", new="bakery")
        assert (view.slug, view.host) == ("bakery", "bakery.mosaic.test")
        assert (await deployment.get("/visit/", "bakery.mosaic.test")).status_code == 200
        for path in ("/visit/?a=b&c=%0d%0a", "/", "/b%C3%BCcher/%23/", "//other.example/"):
            old = await deployment.get(path, "bread.mosaic.test:8000")
            assert old.status_code == 308
            # Bread has a domain of its own, by which it is known.
            where = str(old.headers["location"])
            assert where.startswith("http://[2001:db8::7]:8000/")
            assert where.isascii()
        assert where.removeprefix("http://[2001:db8::7]:8000") == "//other.example/"
        assert "bread" not in deployment.product.platform.directory._slugs

    deployments(scenario)


def test_an_old_slug_is_kept_for_its_tenant_for_a_while(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        await deployment.rule("tenants.rename", slug="steel", new="iron")
        await deployment.rule("tenants.rename", slug="iron", new="copper")
        for old in ("steel", "iron"):
            assert (await deployment.get("/", f"{old}.mosaic.test")).headers["location"] == (
                "http://copper.mosaic.test/"
            )
        for old in ("steel", "iron", "aurora"):
            with pytest.raises(Conflict, match="is taken"):
                await deployment.rule("tenants.create", slug=old, name="New")
            with pytest.raises(Conflict, match="is taken"):
                await deployment.rule("tenants.rename", slug="bread", new=old)
        await deployment.rule("tenants.rename", slug="copper", new="steel")  # its own, again
        assert (await deployment.get("/", "steel.mosaic.test")).status_code == 200
        assert (
            "steel.mosaic.test"
            in (await deployment.get("/", "copper.mosaic.test")).headers["location"]
        )
        await pass_time(deployment, FormerSlugRow.until, timedelta(days=90))
        assert (await deployment.get("/", "copper.mosaic.test")).status_code == 404
        await deployment.rule("tenants.rename", slug="bread", new="copper")
        await deployment.rule("tenants.create", slug="iron", name="New")
        assert (await deployment.get("/", "iron.mosaic.test")).status_code == 200

    deployments(scenario)


def test_a_tenant_whose_files_are_named_by_its_slug_keeps_it(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would not be found under another one."""

    def by_slug(folder: LocalFolder, tenant: TenantContext) -> str:
        if tenant.slug == "unknown":
            raise ConfigurationError("No storage account is configured for 'unknown'.")
        return f"https://{tenant.slug}.example"

    async def scenario(deployment: Deployment) -> None:
        monkeypatch.setattr(LocalFolder, "place", by_slug)
        for new in ("bakery", "unknown"):
            with pytest.raises(Conflict, match="files would not be found") as refusal:
                await deployment.rule("tenants.rename", slug="bread", new=new)
            assert "by the id" in str(refusal.value.hint)
        monkeypatch.undo()
        await deployment.rule("tenants.rename", slug="bread", new="bakery")

    deployments(scenario)


def test_other_instances_learn_of_it(deployments: Deployments) -> None:
    root = deployments.copy()

    async def both() -> None:
        async with opened(root) as one, opened(root) as two:
            await one.rule("tenants.rename", slug="steel", new="iron")
            await two.product.platform.directory.refresh(now=True)
            assert (await two.get("/", "iron.mosaic.test")).status_code == 200
            assert (await two.get("/", "steel.mosaic.test")).status_code == 308
            await one.rule("tenants.delete", slug="iron")
            await one.rule("tenants.remove", slug="iron", confirm="iron")
            await one.rule("tenants.create", slug="steel", name="New")  # kept for nobody any more
            await one.rule("tenants.delete", slug="steel")
            await two.product.platform.directory.refresh(now=True)  # it saw neither step
            for host in ("iron", "steel"):
                assert (await two.get("/", f"{host}.mosaic.test")).status_code == 404

    asyncio.run(both())


def test_what_a_removed_tenant_had_is_free_at_once_everywhere(deployments: Deployments) -> None:
    root = deployments.copy()

    async def both() -> None:
        late = {"platform": {"freshness": 60.0}}
        async with opened(root) as one, opened(root, **late) as two:
            directory = two.product.platform.directory
            await one.rule("tenants.rename", slug="bread", new="bakery")
            with pytest.raises(Conflict, match="is taken"):  # which it has not heard of
                await two.rule("tenants.create", slug="bread", name="New")
            await directory.refresh(now=True)
            assert directory.tenant_of_domain("[2001:db8::7]") is not None
            await one.rule("tenants.delete", slug="bakery")
            await one.rule("tenants.remove", slug="bakery", confirm="bakery")
            await directory.refresh(now=True)
            assert directory.tenant_of_domain("[2001:db8::7]") is None
            await two.rule("tenants.create", slug="bread", name="New")
            assert "New" in (await two.get("/", "bread.mosaic.test")).text

    asyncio.run(both())


@pytest.mark.parametrize("slug", ["", "Not a slug", "www", "a" * 64, "-x", "../x"])
def test_a_slug_that_is_none_is_refused(deployments: Deployments, slug: str) -> None:
    async def scenario(deployment: Deployment) -> None:
        with pytest.raises(InvalidInput, match="slug"):
            await deployment.rule("tenants.rename", slug="bread", new=slug)
        with pytest.raises(NotFound):
            await deployment.rule("tenants.rename", slug="nobody", new="somebody")
        assert (await deployment.get("/", "bread.mosaic.test")).status_code == 200

    deployments(scenario)


# Deleted, and had back


def test_a_deleted_tenant_is_not_there_for_anybody(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        deleted = await deployment.rule("tenants.delete", slug="aurora")
        assert deleted.due - deleted.at == timedelta(days=30)
        for host in ("aurora.mosaic.test", "museum.example", "bücher.example".encode("idna")):
            name = host if isinstance(host, str) else host.decode()
            assert (await deployment.get("/visit/", name)).status_code == 404
        assert [view.slug for view in await deployment.rule("tenants.list")] == ["bread", "steel"]
        for name in ("show", "suspend", "resume", "delete", "rename"):
            more = {"new": "other"} if name == "rename" else {}
            with pytest.raises(NotFound):
                await deployment.rule(f"tenants.{name}", slug="aurora", **more)
        with pytest.raises(Conflict, match="taken"):
            await deployment.rule("tenants.create", slug="aurora", name="Another")
        with pytest.raises(Conflict, match="taken"):
            await deployment.rule("tenants.rename", slug="steel", new="aurora")
        (shown,) = await deployment.rule("tenants.deleted")
        assert (shown.slug, shown.by, shown.begun) == ("aurora", "operator:test", False)
        assert await deployment.product.remover.remove_due() == 0

    deployments(scenario)


@pytest.mark.parametrize("status", ["active", "read-only", "closed"])
def test_a_recovered_tenant_is_as_it_was(deployments: Deployments, status: str) -> None:
    async def scenario(deployment: Deployment) -> None:
        if status != "active":
            await deployment.rule("tenants.suspend", slug="aurora", status=status, reason="unpaid")
        before = deployment.product.platform.directory.named("aurora")
        answer = await deployment.get("/visit/", "museum.example")
        await deployment.rule("tenants.delete", slug="aurora")
        view = await deployment.rule("tenants.recover", slug="aurora")
        assert view.status == status
        assert deployment.product.platform.directory.named("aurora") == before
        again = await deployment.get("/visit/", "museum.example")
        assert (again.status_code, again.text) == (answer.status_code, answer.text)
        assert await deployment.rule("tenants.deleted") == []
        with pytest.raises(NotFound, match="no deleted tenant 'aurora'"):
            await deployment.rule("tenants.recover", slug="aurora")

    deployments(scenario)


def test_an_owner_deletes_their_own_tenant_and_names_it(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        perform = deployment.product.actions.perform
        with pytest.raises(InvalidInput, match="not what is to go"):
            await perform("tenant.delete", deployment.scope(actor=OWNER), {"confirm": "bread"})
        assert (await deployment.get("/")).status_code == 200
        await deployment.rule("tenants.suspend", slug="aurora", reason="unpaid")
        deleted = await perform(
            "tenant.delete", deployment.scope(actor=OWNER), {"confirm": "aurora"}
        )
        assert deleted.by == "account:olga"
        assert (await deployment.get("/")).status_code == 404

    deployments(scenario)


def test_what_is_moved_or_migrated_is_not_deleted_meanwhile(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        directory = deployment.product.platform.directory
        tenant = directory.named("aurora")
        for work in (Work.MOVE, Work.MIGRATION):
            async with directory.leases.held(tenant, work, holder="somebody"):
                with pytest.raises(LeaseTaken, match="somebody"):
                    await deployment.rule("tenants.delete", slug="aurora")
        assert (await deployment.get("/")).status_code == 200

    deployments(scenario)


# Removed


async def lived_in(deployment: Deployment) -> str:
    """Aurora with people, keys, a session, files, a former slug; its id."""
    people = People(deployment)
    await people.add("anna", Role.OWNER)
    await deployment.do("keys.create", name="shop", role="editor")
    await deployment.do("invitations.create", email="new@example.com", role="viewer")
    await deployment.rule("tenants.rename", slug="aurora", new="night")
    await deployment.rule("tenants.rename", slug="night", new="aurora")
    tenant = deployment.product.platform.directory.named("aurora")

    async def chunks() -> Any:
        yield b"A file"

    storage = deployment.product.platform.storage(tenant)
    await storage.write(tenant, "images/a.txt", chunks())

    async def fn(write: Write) -> None:
        key = (await write.session.scalars(select(ApiKey))).one()
        use = KeyUse(key_id=key.id, at=write.at, address="192.0.2.1")
        await write.session.execute(
            KeyUse.__table__.insert().values(  # type: ignore[attr-defined]
                key_id=use.key_id, at=use.at, address=use.address
            )
        )

    await deployment.product.platform.directory.write(fn, actor="t", action="t")
    return tenant.tenant_id


def test_nothing_of_a_removed_tenant_is_left_but_its_certificate(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mosaic_core.directory.deletions._BATCH", 9)

    async def scenario(deployment: Deployment) -> None:
        platform = deployment.product.platform
        tenant_id = await lived_in(deployment)
        others = {slug: await deployment.get("/", f"{slug}.mosaic.test") for slug in ("steel",)}
        before = await rows_with(deployment, tenant_id)
        assert before.keys() >= {"memberships", "api_keys", "invitations", "domains", "rendered"}
        await deployment.rule("tenants.delete", slug="aurora")
        with pytest.raises(InvalidInput):
            await deployment.rule("tenants.remove", slug="aurora", confirm="bread")
        await pass_time(deployment, DeletionRow.due, timedelta(days=30))
        assert await deployment.product.remover.remove_due() == 1
        assert await deployment.product.remover.remove_due() == 0

        left = await rows_with(deployment, tenant_id)
        assert left.keys() == {"tenants", "deletions", "changes"}
        assert left["tenants"] == 1
        async with platform.directory.database.session() as session:
            images = await session.scalars(select(PLATFORM.changes.c.image))
            told = json.dumps([image for image in images if image])
            assert not [name for name in ("museum.example", "new@example.com") if name in told]
            await verify(session, PLATFORM)
        data = platform.settings.data_dir
        assert [path for path in data.rglob("*") if tenant_id in path.name] == []

        (found,) = await deployment.rule("tenants.certificate", tenant_id=tenant_id)
        content = found.content
        assert content["slug"] == "aurora"
        assert content["deleted_by"] == "operator:test"
        assert content["found"]["files"]["count"] >= 1
        assert content["found"]["database"]["rows"]["pages"] >= 4
        assert len(content["found"]["database"]["digest"]) == 64
        assert content["found"]["databases"] == [{"persistence": "tenancy_sqlite", "epoch": 1}]
        assert content["platform_rows"]["memberships"] == 1
        assert content["platform_rows"]["key_uses"] == 1
        assert content["platform_rows"]["mails"] == 1
        assert await rows_with(deployment, "new@example.com") == {}
        assert content["erased_images"] > 10
        assert "erased" not in content["found"]

        for slug, answer in others.items():
            assert (await deployment.get("/", f"{slug}.mosaic.test")).text == answer.text
        await deployment.rule("tenants.create", slug="aurora", name="Another", domains=())
        assert "Another" in (await deployment.get("/")).text
        assert (await deployment.get("/", "museum.example")).status_code == 404

    deployments(scenario)


def test_what_is_removed_now_cannot_be_had_back(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        tenant_id = deployment.product.platform.directory.named("steel").tenant_id
        await deployment.rule("tenants.delete", slug="steel")
        done = await deployment.rule("tenants.remove", slug="steel", confirm="steel")
        assert done.content["tenant_id"] == tenant_id
        for name in ("recover", "remove"):
            more = {"confirm": "steel"} if name == "remove" else {}
            with pytest.raises(NotFound):
                await deployment.rule(f"tenants.{name}", slug="steel", **more)
        with pytest.raises(NotFound, match="No tenant 'nobody' was removed"):
            await deployment.rule("tenants.certificate", tenant_id="nobody")

    deployments(scenario)


def test_whoever_worked_there_stays_signed_in(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        directory = deployment.product.platform.directory
        people = People(deployment)
        account = await people.add("anna", Role.OWNER)
        tenant = directory.named("aurora")

        async def sign_in(write: Write) -> None:
            later = write.at + timedelta(days=1)
            values = {
                "id": account,
                "digest": b"d",
                "account_id": account,
                "tenant_id": tenant.tenant_id,
                "remembered": False,
                "created_at": write.at,
                "seen_at": write.at,
                "expires_at": later,
                "address": "",
                "agent": "",
            }
            table = SessionRow.__table__
            await write.session.execute(table.insert().values(**values))  # type: ignore[attr-defined]

        await directory.write(sign_in, actor="t", action="t")
        await deployment.rule("tenants.delete", slug="aurora")
        await deployment.rule("tenants.remove", slug="aurora", confirm="aurora")
        async with directory.database.session() as session:
            assert (await session.scalars(select(SessionRow.tenant_id))).all() == [None]
            assert (await session.scalars(select(Membership))).all() == []

    deployments(scenario)


def test_a_tenant_whose_database_is_gone_can_be_removed(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        platform = deployment.product.platform
        tenant = platform.directory.named("steel")
        await platform.persistence(tenant).drop(tenant)
        await deployment.rule("tenants.delete", slug="steel")
        done = await deployment.rule("tenants.remove", slug="steel", confirm="steel")
        assert "unreadable" in done.content["found"]["database"]
        assert done.content["found"]["databases"] == []  # none is certified

    deployments(scenario)


def test_a_bundle_of_a_removed_tenant_can_be_imported_again_and_again(
    deployments: Deployments, tmp_path: Path
) -> None:
    async def scenario(deployment: Deployment) -> None:
        file = tmp_path / "steel.mosaic"
        await deployment.do("tenants.export", "steel", file=file)
        ids = set()
        for life in ("first", "second"):
            view = await deployment.rule("tenants.import", file=file, slug="copy")
            ids.add(view.tenant_id)
            before = await deployment.get("/visit/", "copy.mosaic.test")
            assert (before.status_code, "first life" in before.text) == (200, False)
            await deployment.do("pages.edit", "copy", path="/visit/", body=f"In its {life} life.")
            await deployment.do("pages.publish", "copy", path="/visit/")
            assert f"{life} life" in (await deployment.get("/visit/", "copy.mosaic.test")).text
            await deployment.rule("tenants.delete", slug="copy")
            await deployment.rule("tenants.remove", slug="copy", confirm="copy")
        assert len(ids) == 2  # what anybody remembers of the first is not the second's
        for tenant_id in ids:
            (_,) = await deployment.rule("tenants.certificate", tenant_id=tenant_id)

    deployments(scenario)


def test_a_bundle_of_a_deleted_tenant_is_not_imported_over_it(
    deployments: Deployments, tmp_path: Path
) -> None:
    async def scenario(deployment: Deployment) -> None:
        file = tmp_path / "steel.mosaic"
        await deployment.do("tenants.export", "steel", file=file)
        await deployment.rule("tenants.import", file=file, slug="copy")
        await deployment.rule("tenants.rename", slug="copy", new="moved")
        await deployment.add("/since/", "moved", body="Since then.")
        await deployment.rule("tenants.delete", slug="moved")
        with pytest.raises(Conflict, match="'moved' is deleted") as refused:
            await deployment.rule("tenants.import", file=file, slug="moved")
        assert "mosaic tenant recover moved" in refused.value.hint
        with pytest.raises(Conflict, match="'copy' is taken"):  # it is kept for it
            await deployment.rule("tenants.import", file=file, slug="copy")
        await deployment.rule("tenants.recover", slug="moved")
        assert "Since then." in (await deployment.get("/since/", "moved.mosaic.test")).text

    deployments(scenario)


def test_a_deleted_tenant_is_not_opened_by_who_does_not_know_that_it_is(
    deployments: Deployments,
) -> None:
    root = deployments.copy()

    async def both() -> None:
        late = {"platform": {"freshness": 60.0}}
        async with opened(root) as one, opened(root, **late) as two:
            directory = two.product.platform.directory
            tenant = directory.named("steel")
            await one.rule("tenants.delete", slug="steel")
            with pytest.raises(NotFound):
                await directory.change(tenant.tenant_id, actor="t", action="t", status="active")
            with pytest.raises(NotFound):
                await directory.rename(tenant.tenant_id, "iron", actor="t")
            (shown,) = await one.rule("tenants.deleted")
            assert shown.slug == "steel"
            assert (await one.get("/", "steel.mosaic.test")).status_code == 404

    asyncio.run(both())


def test_a_clock_that_is_far_ahead_removes_nothing(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    root = deployments.copy()

    async def process(work: Callable[[Deployment], Awaitable[None]]) -> None:
        async with opened(root) as deployment:
            await work(deployment)

    async def delete(deployment: Deployment) -> None:
        await deployment.rule("tenants.delete", slug="steel")

    async def look(deployment: Deployment) -> None:
        assert await deployment.product.remover.remove_due() == 0
        assert (await deployment.rule("tenants.recover", slug="steel")).status == "active"

    asyncio.run(process(delete))
    ahead = 1000 * int(timedelta(days=400).total_seconds())
    monkeypatch.setattr(trusted_clock, "database_now", lambda: database_now() + ahead)
    asyncio.run(process(look))
    assert "what is to be removed for good waits" in caplog.text


def test_a_clock_that_is_behind_removes_nothing(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Behind(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime.now(tz) - timedelta(days=400)

    async def scenario(deployment: Deployment) -> None:
        with monkeypatch.context() as patch:
            patch.setattr("mosaic_core.head.write.datetime", Behind)
            deleted = await deployment.rule("tenants.delete", slug="steel")
        assert deleted.at < datetime.now(UTC) - timedelta(days=399)
        assert deleted.due > datetime.now(UTC) + timedelta(days=29)
        assert await deployment.product.remover.remove_due() == 0
        await deployment.rule("tenants.recover", slug="steel")

    deployments(scenario)


def test_a_tenant_that_was_made_again_is_not_removed_by_who_comes_late(
    deployments: Deployments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        file, product = tmp_path / "steel.mosaic", deployment.product
        await deployment.do("tenants.export", "steel", file=file)
        await deployment.rule("tenants.import", file=file, slug="copy")
        tenant = product.platform.directory.named("copy")
        await deployment.rule("tenants.delete", slug="copy")
        deletion = await product.platform.directory.deletions.named("copy")
        strategy = type(product.platform.persistence(tenant))
        original, stands, goes = strategy.drop, asyncio.Event(), asyncio.Event()

        async def drop(self: Any, home: TenantContext) -> None:
            if not stands.is_set():  # the first one is held up, and its lease with it
                stands.set()
                await goes.wait()
            await original(self, home)

        async def forget(write: Any) -> None:
            await write.session.execute(update(LeaseRow).values(renewed=0))

        monkeypatch.setattr(strategy, "drop", drop)
        late = asyncio.create_task(product.remover.remove(deletion))
        await stands.wait()
        await product.platform.directory.note(forget, actor="t", action="t")
        await deployment.rule("tenants.remove", slug="copy", confirm="copy")
        await deployment.rule("tenants.import", file=file, slug="copy")
        goes.set()
        with pytest.raises((LeaseLost, NotFound)):
            await late
        assert (await deployment.get("/visit/", "copy.mosaic.test")).status_code == 200
        again = product.platform.directory.named("copy")
        assert await product.platform.persistence(again).check(again) == []

    deployments(scenario)


def test_a_removal_that_fails_goes_on_later(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        product = deployment.product
        tenant = product.platform.directory.named("steel")
        storage = type(product.platform.storages["storage_local"])

        async def refuse(*args: Any) -> None:
            raise OSError("no")

        await deployment.rule("tenants.delete", slug="steel")
        await pass_time(deployment, DeletionRow.due, timedelta(days=30))
        with monkeypatch.context() as patch:
            patch.setattr(storage, "drop", refuse)
            assert await product.remover.remove_due() == 0
        (shown,) = await deployment.rule("tenants.deleted")
        assert shown.begun
        with pytest.raises(Conflict, match="removal of 'steel' has begun"):
            await deployment.rule("tenants.recover", slug="steel")
        assert await product.remover.remove_due() == 0  # not at once again
        product.remover._troubled.clear()
        assert await product.remover.remove_due() == 1
        (found,) = await deployment.rule("tenants.certificate", tenant_id=tenant.tenant_id)
        assert found.content["found"]["database"]["rows"]["pages"] >= 1  # from before it failed

    deployments(scenario)
