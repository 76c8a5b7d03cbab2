"""The ledger: what was refused and what was used is counted at once and written soon."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event, select

from mosaic_cms import ledger as ledgers
from mosaic_cms.ledger import _MOST, Entry, Ledger
from mosaic_cms.platform_tables import AuditEntry, Usage
from mosaic_cms.rights import Role
from mosaic_cms.scope import Actor
from mosaic_core.errors import DatabaseError, Denied, InvalidInput
from tests.cms.anywhere import deployments, place
from tests.cms.deployment import TENANTS, Deployment, Deployments

__all__ = ["deployments", "place"]

VERA = Actor("account", "vera", Role.VIEWER, address="192.0.2.9")


def entry(number: int = 0) -> Entry:
    return Entry(None, "account:vera", f"pages.{number}", "refused", "why", "192.0.2.9")


async def rows(deployment: Deployment, table: type) -> list[object]:
    async with deployment.product.platform.directory.database.session() as session:
        return list(await session.scalars(select(table)))


def test_the_same_within_a_few_seconds_is_one_entry(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        ledger = deployment.product.ledger
        for _ in range(3):
            ledger.note(entry())
        ledger.note(entry(1))
        await ledger.flush()
        found = {row.action: row.times for row in await rows(deployment, AuditEntry)}  # type: ignore[attr-defined]
        assert found == {"pages.0": 3, "pages.1": 1}
        before = deployment.product.platform.directory.version
        await ledger.flush()
        assert deployment.product.platform.directory.version == before, "nothing is no write"

    deployments(scenario)


def test_a_flood_of_different_entries_is_bounded_and_not_forgotten(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        ledger = deployment.product.ledger
        for number in range(_MOST + 500):
            ledger.note(entry(number))
        await ledger.flush()
        found = await rows(deployment, AuditEntry)
        assert len(found) == _MOST + 1
        assert sum(row.times for row in found) == _MOST + 500  # type: ignore[attr-defined]

    deployments(scenario)


def test_processes_count_together(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        directory = deployment.product.platform.directory
        one, other = Ledger(directory), Ledger(directory)
        steel = directory.named("steel").tenant_id
        for _ in range(3):
            await one.spend(steel, "api_requests")
        await one.flush()
        assert await other.spend(steel, "api_requests") == 4
        await other.flush()
        await one.spend(steel, "api_requests")
        await one.flush()
        assert await one.spend(steel, "api_requests") == 6
        (row,) = await rows(deployment, Usage)
        assert row.amount == 5  # type: ignore[attr-defined]

    deployments(scenario)


@contextmanager
def statements() -> Iterator[list[str]]:
    """What is sent to databases."""
    sent: list[str] = []

    def hear(connection: Any, cursor: Any, statement: str, *args: Any) -> None:
        sent.append(statement)

    event.listen(Engine, "before_cursor_execute", hear)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", hear)


def test_of_many_tenants_it_is_written_in_as_few_statements_as_of_one(
    deployments: Deployments,
) -> None:
    async def scenario(deployment: Deployment) -> None:
        ledger, directory = deployment.product.ledger, deployment.product.platform.directory
        every = [directory.named(slug).tenant_id for slug in TENANTS]
        sent = []
        for some in (every[:1], every):
            for tenant_id in every:  # all have rows
                ledger.traffic.count(tenant_id, 1_000)
            await ledger.flush()
            for tenant_id in some:
                ledger.traffic.count(tenant_id, 10)
            with statements() as heard:
                await ledger.flush()
            sent.append(len(heard))
        assert sent[0] == sent[1]
        amounts = {row.tenant_id: row.amount for row in await rows(deployment, Usage)}  # type: ignore[attr-defined]
        assert amounts == dict(zip(every, (2_020, 2_010, 2_010), strict=True))
        assert {tenant_id: ledger.served(tenant_id) for tenant_id in every} == amounts
        assert ledger.served_lately() == set(every)
        assert ledger.served_lately() == set()

    deployments(scenario)


def test_it_is_written_a_part_after_the_other(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledgers, "_TOGETHER", 2)

    async def scenario(deployment: Deployment) -> None:
        ledger, directory = deployment.product.ledger, deployment.product.platform.directory
        every = [directory.named(slug).tenant_id for slug in TENANTS]
        for _ in range(2):
            for number, tenant_id in enumerate(every, 1):
                await ledger.spend(tenant_id, "api_requests")
                ledger.traffic.count(tenant_id, number)
            await ledger.flush()
        found = {
            (row.tenant_id, row.what): row.amount  # type: ignore[attr-defined]
            for row in await rows(deployment, Usage)
        }
        expected = {(tenant_id, "api_requests"): 2 for tenant_id in every}
        expected |= {(tenant_id, "bandwidth"): 2 * n for n, tenant_id in enumerate(every, 1)}
        assert found == expected

    deployments(scenario)


def test_what_cannot_be_written_waits(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        ledger, directory = deployment.product.ledger, deployment.product.platform.directory
        ledger.note(entry())
        await ledger.spend(directory.named("steel").tenant_id, "api_requests")

        async def full(*args: object, **options: object) -> None:
            raise DatabaseError("The disk is full.")

        with monkeypatch.context() as patched:
            patched.setattr(directory, "write", full)
            with pytest.raises(DatabaseError):
                await ledger.flush()
        await ledger.flush()
        assert len(await rows(deployment, AuditEntry)) == 1
        assert len(await rows(deployment, Usage)) == 1

    deployments(scenario)


def test_nothing_is_written_of_a_tenant_that_is_gone(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        ledger, directory = deployment.product.ledger, deployment.product.platform.directory
        gone, there = (directory.named(slug).tenant_id for slug in ("steel", "bread"))
        for tenant_id in (gone, there):
            ledger.note(dataclasses.replace(entry(), tenant_id=tenant_id))
            await ledger.spend(tenant_id, "api_requests")
        await deployment.rule("tenants.delete", slug="steel")
        await deployment.rule("tenants.remove", slug="steel", confirm="steel")
        await ledger.flush()
        for table in (AuditEntry, Usage):
            found = {row.tenant_id for row in await rows(deployment, table)}  # type: ignore[attr-defined]
            assert (gone in found, there in found) == (False, True)

    deployments(scenario)


def test_nor_of_one_whose_traffic_was_known(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        ledger, directory = deployment.product.ledger, deployment.product.platform.directory
        gone, there = (directory.named(slug).tenant_id for slug in ("steel", "bread"))

        async def served(*tenant_ids: str) -> None:
            for tenant_id in tenant_ids:
                ledger.traffic.count(tenant_id, 100)
            await ledger.flush()

        await served(gone, there)
        await served(gone, there)
        await deployment.rule("tenants.delete", slug="steel")
        await deployment.rule("tenants.remove", slug="steel", confirm="steel")
        before = {row.tenant_id: row.amount for row in await rows(deployment, Usage)}  # type: ignore[attr-defined]
        await served(gone, there)
        found = {row.tenant_id: row.amount for row in await rows(deployment, Usage)}  # type: ignore[attr-defined]
        assert found == before | {there: 300}
        assert ledger.served(there) == 300

    deployments(scenario)


def test_traffic_of_other_processes_is_learned_of_in_a_while(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(deployment: Deployment) -> None:
        directory = deployment.product.platform.directory
        one, other = Ledger(directory), Ledger(directory)
        steel = directory.named("steel").tenant_id
        for ledger in (one, other, one, one):
            ledger.traffic.count(steel, 100)
            await ledger.flush()
        assert one.served(steel) >= 300
        assert [row.amount for row in await rows(deployment, Usage)] == [400]  # type: ignore[attr-defined]
        monkeypatch.setattr(ledgers, "_TRUSTED", 0.0)
        one.traffic.count(steel, 100)
        await one.flush()
        assert one.served(steel) == 500

    deployments(scenario)


def test_what_was_done_and_what_was_refused_are_one_audit_log(deployments: Deployments) -> None:
    async def scenario(deployment: Deployment) -> None:
        product = deployment.product
        scope = deployment.scope(actor=VERA)
        with pytest.raises(Denied):
            await product.actions.perform("pages.publish", scope, {"path": "/"})
        may = deployment.scope(actor=dataclasses.replace(VERA, role=Role.EDITOR))
        with pytest.raises(InvalidInput):
            await product.actions.perform("pages.publish", may, {"secret": "hunter2 hunter2"})
        await deployment.do("pages.edit", path="/", title="Welcome")
        log = await deployment.do("audit.list", limit=10)
        newest, *_ = log
        assert (newest.action, newest.outcome, newest.entity) == ("pages.edit", "done", "pages")
        refused = [line for line in log if line.outcome == "refused"]
        assert {line.actor for line in refused} == {"account:vera"}
        assert {line.address for line in refused} == {"192.0.2.9"}
        assert any("Viewer lacks publish on content; Editor has it." in x.reason for x in refused)
        assert "hunter2" not in repr(log)
        other = await deployment.do("audit.list", "bread")
        assert "account:vera" not in repr(other), "nobody sees another tenant's log"

    deployments(scenario)
