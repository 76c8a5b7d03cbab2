"""The OpenAPI document says all there is, and the API does what it says, whatever is sent."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mosaic_cms.api.callers import CSRF_HEADER
from mosaic_cms.api.cookies import SESSION
from mosaic_cms.migrating import migrate_platform
from mosaic_cms.product import open_product
from mosaic_core.settings import load_settings
from tests.api.conftest import Service, Services
from tests.cms.deployment import OPERATOR
from tests.processes import Deployment, Running, free_port, stop, wait_for

#: Nobody, a key of each role, and an owner who is signed in with a browser.
WHO = ("nobody", "viewer", "editor", "owner", "session")
#: What ends the session of whoever tries it: then there would be nobody to try the rest.
LEAVING = (
    "sessions.end",
    "sessions.end_others",
    "members.leave",
    "members.transfer",
    "accounts.change_password",
)
CONFIGURATION = """
[platform]
plugins = ["host_resolvers", "tenancy_sqlite", "storage_local"]

[rates]
tenant = 1000000
actor = 1000000

[tiers.free.limits]
api_requests_per_month = 100000000
sites = 100
"""
#: What fits a schema may still be wrong for what is there: no such page, no such language.
CHECKS = """
[checks.positive_data_acceptance]
expected-statuses = [
    "2xx", "304", "400", "401", "402", "403", "404", "409", "412", "422", "428", "429",
]
[checks.negative_data_rejection]
expected-statuses = ["400", "401", "402", "403", "404", "405", "406", "409", "413", "415", "422"]
"""


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Running, dict[str, dict[str, str]]]]:
    """A server with a tenant that has some content, and what each one shows of who they are."""
    folder = tmp_path_factory.mktemp("served")
    deployment = Deployment(folder)
    (folder / "mosaic.toml").write_text(CONFIGURATION, "utf-8")
    (folder / "schemathesis.toml").write_text(CHECKS, "utf-8")
    shown = asyncio.run(filled(folder))
    port = free_port()
    log = folder / "log"
    process = deployment.start("serve", "--port", str(port), log=log)
    yield wait_for(process, port), shown
    stop(process)
    said = log.read_text("utf-8")
    assert "Traceback" not in said, said
    secret = {value.rpartition("=")[2] for headers in shown.values() for value in headers.values()}
    assert not any(value in said for value in secret)


async def filled(folder: Path) -> dict[str, dict[str, str]]:
    """Makes a tenant, a key of it for each role, and an owner; what each sends with a request."""
    settings = load_settings(folder)
    await migrate_platform(settings)
    async with open_product(settings) as product:
        perform, rules = product.actions.perform, product.platform_scope(OPERATOR)
        await perform("tenants.create", rules, {"slug": "aurora", "name": "Aurora"})
        scope = product.scope(product.platform.directory.named("aurora"), OPERATOR)
        shown = {}
        for role in ("viewer", "editor", "owner"):
            made = await perform("keys.create", scope, {"name": role, "role": role})
            shown[role] = {"X-API-Key": made.key}
        identity = product.identity
        account = await identity.account_admin.create("ada@example.com", "Ada", OPERATOR)
        await perform("members.add", scope, {"email": account.email, "role": "owner"})
        started = await identity.store.write(
            lambda write: identity.sessions.start(write, account.id), actor="test", action="test"
        )
        csrf = identity.secrets.token("csrf", str(started.id))
        shown["session"] = {"Cookie": f"{SESSION}={started.cookie}", CSRF_HEADER: csrf}
        return shown


def examine(
    folder: Path, served: tuple[Running, dict[str, dict[str, str]]], who: str, *options: str
) -> None:
    """Has schemathesis try every operation with every check."""
    running, shown = served
    headers = ["-H", "Host: aurora.localhost"]
    for name, value in shown.get(who, {}).items():
        headers += ["-H", f"{name}: {value}"]
    left_out = LEAVING if who == "session" else ()
    for name in left_out:
        headers += ["--exclude-operation-id", name]
    (folder / "schemathesis.toml").write_text(CHECKS, "utf-8")
    done = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("st")), "--config-file", "schemathesis.toml"),
            *("run", f"http://127.0.0.1:{running.port}/api/v1/openapi.json", "--no-color"),
            *("--checks", "all", "--continue-on-failure", "--generation-deterministic"),
            *(*headers, *options),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr


@pytest.mark.parametrize(("who", "times"), [("nobody", 1), ("editor", 1), ("session", 1)])
def test_whatever_is_sent_the_answer_is_one_that_the_document_has(
    served: tuple[Running, dict[str, dict[str, str]]], who: str, times: int, tmp_path: Path
) -> None:
    examine(tmp_path, served, who, "--phases", "fuzzing", "-n", str(times))


@pytest.mark.campaign
@pytest.mark.parametrize("who", WHO)
def test_however_much_is_sent_the_answer_is_one_that_the_document_has(
    served: tuple[Running, dict[str, dict[str, str]]], who: str, tmp_path: Path
) -> None:
    examine(tmp_path, served, who, "--phases", "examples,coverage,fuzzing,stateful", "-n", "40")


def test_the_document_is_openapi_and_says_what_may_go_wrong(services: Services) -> None:
    async def scenario(service: Service) -> None:
        from openapi_spec_validator import validate

        answer = await service.get("/openapi.json")
        document: dict[str, Any] = answer.json()
        validate(document)
        assert document["openapi"] == "3.1.0"
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                assert {"401", "403", "404", "429"} <= operation["responses"].keys(), (path, method)
                assert operation["summary"], (path, method)
        assert document["paths"]["/api/v1/pages/{path}"]["patch"]["operationId"] == "pages.edit"
        assert "tenants.create" not in json.dumps(document), "what only operators may do"

    services(scenario)


def test_the_reference_is_one_page_without_scripts_and_other_hosts(services: Services) -> None:
    async def scenario(service: Service) -> None:
        answer = await service.get("/docs")
        assert answer.status_code == 200
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "<script" not in answer.text
        assert "http://" not in answer.text
        assert "https://" not in answer.text
        for shape in service.api.shapes:
            assert f'id="{shape.action.name}"' in answer.text

    services(scenario)
