"""Two machines that share a platform: its database and its tenants are on a server, and of what is
in their own folders neither needs the other's."""

from __future__ import annotations

import email
import re
import secrets
import time
from collections.abc import Iterator
from email.policy import default
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.platforms import Schema
from tests.postgres import PostgreSQL
from tests.processes import Deployment, Running

ADA = {"email": "ada@example.com", "password": "correct horse battery staple"}
PLUGINS = (
    *("host_resolvers", "tenancy_sqlschema", "tenancy_dedicated", "storage_local", "mail_folder"),
)


@pytest.fixture
def machines(tmp_path: Path, postgres: PostgreSQL) -> Iterator[list[Deployment]]:
    """As they are installed: by the same settings, in folders of their own."""
    schema = Schema("postgresql", postgres.url())
    prefix = f"s{secrets.token_hex(5)}"
    tiers = "".join(
        f'[tiers.{name}]\npersistence = "{strategy}"\nstorage = "storage_local"\n'
        for name, strategy in (("free", "tenancy_sqlschema"), ("paid", "tenancy_dedicated"))
    )
    environment = {
        "MOSAIC_DATABASE__URL": schema.url,
        "MOSAIC_DATABASE__SCHEMA_NAME": schema.name,
        "MOSAIC_PLUGINS__TENANCY_SQLSCHEMA__URL": schema.url,
        "MOSAIC_PLUGINS__TENANCY_DEDICATED__URL": schema.url,
        "MOSAIC_IDENTITY__SECRET": secrets.token_urlsafe(48),
    }
    made = []
    for name in ("one", "other"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "mosaic.toml").write_text(
            f"[platform]\nplugins = {list(PLUGINS)}\n{tiers}"
            f'[plugins.tenancy_sqlschema]\nprefix = "{prefix}"\n'
            f'[plugins.tenancy_dedicated]\nprefix = "{prefix}"\n'
        )
        made.append(Deployment(folder, dict(environment)))
    yield made
    schema.remove()
    postgres.remove_databases(f"{prefix}_")
    for (name,) in postgres.run(
        f"SELECT nspname FROM pg_namespace WHERE starts_with(nspname, '{prefix}_')"
    ):
        postgres.run(f'DROP SCHEMA "{name}" CASCADE')


def publish(machine: Deployment, title: str) -> None:
    notes = machine.folder / "notes"
    notes.mkdir(exist_ok=True)
    (notes / "news.md").write_text(f"---\ntitle: {title}\n---\n\nBody.\n")
    machine.run("import", "markdown", "notes", "--site", "press")


def title(server: Running) -> str:
    found = re.search(r"<h1>(.*?)</h1>", server.get("press.localhost", "/news/").text)
    return found[1] if found else ""


def ask(
    server: Running,
    method: str,
    path: str,
    *,
    host: str = "localhost",
    status: int = 200,
    **given: Any,
) -> httpx.Response:
    address = f"http://127.0.0.1:{server.port}/api/v1{path}"
    headers = {"host": host, **given.pop("headers", {})}
    answer = httpx.request(method, address, headers=headers, timeout=60, **given)
    assert answer.status_code == status, answer.text
    return answer


def test_two_machines_serve_one_platform(machines: list[Deployment], serve: Any) -> None:
    one, other = machines
    one.run("migrate")
    one.run("tenant", "create", "press")
    publish(one, "One")
    first, second = serve(one), serve(other)
    assert [title(server) for server in (first, second)] == ["One", "One"]
    publish(other, "Two")  # the command ends after the commit, so this is the upper bound
    time.sleep(1.0)
    assert [title(server) for server in (first, second)] == ["Two", "Two"]

    key = one.json("key", "create", "robot", "--tenant", "press")
    bearer = {"authorization": f"Bearer {key['key']}"}
    pages = ask(second, "GET", "/pages", host="press.localhost", headers=bearer)
    assert "/news/" in {page["path"] for page in pages.json()["items"]}
    one.run("key", "revoke", key["id"], "--tenant", "press")
    time.sleep(1.0)
    ask(second, "GET", "/pages", host="press.localhost", headers=bearer, status=401)

    cookie = _signed_in(machines, first, second)
    for server in (first, second):
        ask(server, "GET", "/account/tenants", headers={"cookie": cookie})

    moved = other.json("tenant", "move", "press", "--to", "paid")
    assert moved["state"] == "done"
    assert [title(server) for server in (first, second)] == ["Two", "Two"]
    publish(one, "Three")
    time.sleep(1.0)
    assert [title(server) for server in (first, second)] == ["Three", "Three"]

    first.kill()
    again = serve(one)
    assert [title(server) for server in (again, second)] == ["Three", "Three"]
    ask(again, "GET", "/account/tenants", headers={"cookie": cookie})
    for machine in machines:
        assert machine.json("doctor")["problems"] == []
        assert not (machine.folder / "data" / "platform.db").exists()


def _signed_in(machines: list[Deployment], first: Running, second: Running) -> str:
    """The cookie of somebody who signed up at one machine and in at the other."""
    ask(first, "POST", "/accounts", json={**ADA, "name": "Ada"}, status=201)
    ask(second, "POST", "/accounts/verify", json={"token": _token(machines), **_password()})
    signed = ask(second, "POST", "/sessions", json=ADA, status=201)
    return str(signed.headers["set-cookie"].partition(";")[0])


def _password() -> dict[str, str]:
    return {"password": ADA["password"]}


def _token(machines: list[Deployment]) -> str:
    """That of the mail, which either machine may have sent."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        for machine in machines:
            for path in (machine.folder / "data" / "mail").glob("*.eml"):
                mail = email.message_from_bytes(path.read_bytes(), policy=default)
                body = mail.get_body(("plain",))
                found = re.search(r"\?token=([\w-]+)", body.get_content() if body else "")
                if found:
                    return found[1]
        time.sleep(0.1)
    raise AssertionError("nobody sent the mail")
