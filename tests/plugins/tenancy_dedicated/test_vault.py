"""URLs that are kept in Azure Key Vault, and read as the identity of the machine."""

from __future__ import annotations

import asyncio
import functools
import json
import secrets
import ssl
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import azure.identity.aio
import pytest
import trustme
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from mosaic_tenancy_dedicated import vault
from mosaic_tenancy_dedicated.plugin import DedicatedSettings, open_databases

from mosaic_core.errors import ConfigurationError
from mosaic_core.testing.persistence.tools import first, names_of
from mosaic_core.testing.services import make_services, make_tenant
from tests.postgres import PostgreSQL

HERE = "https://our-vault.vault.azure.net/secrets"


class Identity:
    """The identity of a machine, which nobody but a vault is told."""

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        assert scopes == ("https://vault.azure.net/.default",)
        return AccessToken("who-i-am", int(time.time()) + 3_600)

    async def __aenter__(self) -> Identity:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


class Nobody(Identity):
    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        raise ClientAuthenticationError("none")


class Vault:
    """A vault on this machine, with some secrets."""

    def __init__(self, folder: Path) -> None:
        self.secrets: dict[str, str] = {}
        self.trusted = folder / "authority.pem"
        made = trustme.CA()
        made.cert_pem.write_to_path(str(self.trusted))
        here = self

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path, _, query = self.path.partition("?")
                assert query == "api-version=7.4"
                assert self.headers["authorization"] == "Bearer who-i-am"
                name = path.removeprefix("/secrets/")
                body = json.dumps({"value": here.secrets.get(name), "id": path}).encode()
                self.send_response(200 if name in here.secrets else 404)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.issue_cert("127.0.0.1").configure_cert(context)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.base = f"https://127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vault]:
    found = Vault(tmp_path)
    read = functools.partial(vault.read, base=found.base, trusted=found.trusted)
    monkeypatch.setattr(vault, "read", read)
    monkeypatch.setattr(azure.identity.aio, "DefaultAzureCredential", Identity)
    yield found
    found.close()


def test_a_database_is_where_a_secret_says(
    there: Vault, postgres: PostgreSQL, tmp_path: Path
) -> None:
    prefix = f"t{secrets.token_hex(5)}"
    name, tenant = f"{prefix}_given", make_tenant(slug="acme")
    version = "0" * 32
    there.secrets = {
        "server": postgres.url(),
        f"acme-database/{version}": postgres.url(name),
    }
    settings = DedicatedSettings.model_validate(
        {
            "url": f"{HERE}/server",
            "given": {"acme": f"{HERE}/acme-database/{version}"},
            "prefix": prefix,
        }
    )

    async def main() -> None:
        async with open_databases(settings, make_services(tmp_path)) as strategy:
            await strategy.provision(tenant, await first(tenant, "ours"))
            assert await names_of(strategy, tenant) == ["ours"]

    postgres.run(f'CREATE DATABASE "{name}"')
    try:
        asyncio.run(main())
        found = postgres.run(
            f'SELECT owner FROM "{prefix}_{tenant.tenant_id}_1".head', database=name
        )
        assert found == [(tenant.tenant_id,)]
    finally:
        postgres.remove_databases(prefix)


@pytest.mark.parametrize("wrong", ["no secret", "no identity", "no URL", "no vault"])
def test_what_cannot_be_read_is_named(
    there: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    there.secrets = {"server": "s3cret words"}
    says = {"no secret": "answers with 404", "no URL": "is no URL", "no vault": "was not reached"}
    if wrong == "no identity":
        monkeypatch.setattr(azure.identity.aio, "DefaultAzureCredential", Nobody)
    if wrong == "no vault":
        nowhere = functools.partial(vault.read, base="https://127.0.0.1:9")
        monkeypatch.setattr(vault, "read", nowhere)
    settings = DedicatedSettings.model_validate(
        {"url": f"{HERE}/{'missing' if wrong == 'no secret' else 'server'}"}
    )

    async def main() -> None:
        async with open_databases(settings, make_services(tmp_path)):
            pass

    with pytest.raises(ConfigurationError, match=says.get(wrong, "knows no identity")) as refused:
        asyncio.run(main())
    assert "[plugins.tenancy_dedicated] url" in refused.value.message
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    "address",
    [
        "https://vault.azure.net.example/secrets/server",
        "https://our-vault.vault.azure.net.example/secrets/server",
        "http://our-vault.vault.azure.net/secrets/server",
        "https://our-vault.vault.azure.net@example.org/secrets/server",
    ],
)
def test_nobody_but_a_vault_is_told_who_asks(there: Vault, tmp_path: Path, address: str) -> None:
    settings = DedicatedSettings.model_validate({"url": address})

    async def main() -> None:
        async with open_databases(settings, make_services(tmp_path)):
            pass

    with pytest.raises(ConfigurationError, match="no URL of a PostgreSQL or SQL Server"):
        asyncio.run(main())
