"""`mosaic audit` shows what was done and what was refused."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from mosaic_cms.scope import Actor
from mosaic_core.errors import Denied
from tests.cms.commands import command_line, invoke
from tests.cms.deployment import Deployments, opened

HOME = "192.0.2.1"


def test_the_audit_log_of_a_tenant_and_of_the_platform(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    command_line(deployments, monkeypatch)

    async def refuse() -> None:
        """A stranger tries something, there and on the platform."""
        stranger = Actor("visitor", address=HOME)
        async with opened(deployments.root) as deployment:
            perform, product = deployment.product.actions.perform, deployment.product
            for scope, action in (
                (deployment.scope("aurora", stranger), "pages.list"),
                (product.platform_scope(stranger), "tenants.list"),
            ):
                with pytest.raises(Denied):
                    await perform(action, scope, {"drafts": True} if "pages" in action else {})
            await product.ledger.flush()

    asyncio.run(refuse())
    invoke("page", "publish", "/visit/", "--site", "aurora")

    def listed(*words: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(invoke("audit", *words, "--json"))
        return found

    of_tenant = listed("-t", "aurora", "--limit", "200")
    assert {"pages.publish", "pages.create"} <= {one["action"] for one in of_tenant}
    (refused,) = [one for one in of_tenant if one["outcome"] == "refused"]
    assert (refused["action"], refused["address"]) == ("pages.list", HOME)
    assert not any(one["action"] == "pages.list" for one in listed("-t", "bread"))
    assert [one["action"] for one in listed("--actor", "visitor")] == ["tenants.list"]

    invoke("account", "create", "ada@example.com", "--name", "Ada")
    invoke("account", "deactivate", "ada@example.com")
    closed, *more = listed("--limit", "200")
    assert (closed["action"], closed["outcome"]) == ("accounts.deactivate", "done")
    assert (closed["entity"], closed["operation"]) == ("accounts", "update")
    assert {"accounts.create", "tenants.create", "tenants.list"} <= {one["action"] for one in more}
    assert not any(one["action"] == "pages.publish" for one in more), "that is the tenant's"
    paged, after = [closed], closed["id"]
    while step := listed("--limit", "3", "--after", after):
        paged += step
        after = step[-1]["id"]
    assert paged == [closed, *more], "nothing is left out or told twice"

    first, second = listed("-t", "aurora", "--limit", "2")
    (after,) = listed("-t", "aurora", "--limit", "1", "--after", first["id"])
    assert after == second
    assert listed("-t", "aurora", "--before", "2001-01-01T00:00:00Z") == []

    shown = invoke("audit", "-t", "aurora", "--limit", "200")
    assert "refused" in shown
    assert HOME in shown
    assert "There is nothing." in invoke("audit", "--actor", "nobody")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("-t", "nowhere"), "'nowhere'"),
        (("--limit", "0"), "limit"),
        (("--limit", "201"), "limit"),
        (("--before", "yesterday"), "before"),
        (("--after", "x"), "after"),
        (("--after", "0" * 32), "after"),
        (("-t", "aurora", "--after", "'; drop"), "after"),
    ],
)
def test_what_cannot_be_asked_is_said(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], named: str
) -> None:
    command_line(deployments, monkeypatch)
    assert named in invoke("audit", *words, code=1)
