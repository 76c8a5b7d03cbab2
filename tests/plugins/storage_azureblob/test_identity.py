"""With an identity instead of a key: addresses are signed by a user delegation key."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import ssl
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import azure.identity.aio
import httpx
import pytest
import trustme
from azure.core.credentials import AccessToken
from mosaic_storage_azureblob import management
from mosaic_storage_azureblob.plugin import AzureBlobSettings, mosaic_storage

from mosaic_core.testing.services import make_services, make_tenant
from mosaic_core.testing.storage.tools import chunked, content_of
from mosaic_core.testing.storage.uploads import begun
from tests.azurite import OWN, SHARED, Azurite, running

SOON = timedelta(minutes=5)


class Identity:
    """The identity of a machine: its tokens look like those that the service takes."""

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        now = int(time.time())
        claims = {
            "aud": "https://storage.azure.com",
            "iss": "https://sts.windows.net/ab1f708d-50f6-404c-a006-d71b2ac7a606/",
            "iat": now,
            "nbf": now,
            "exp": now + 3_600,
            "oid": "23657296-5cd5-45b0-a809-d972a7f4dfe1",
            "tid": "dd0d0df1-06c3-436c-8034-4b9a153097ce",
        }
        parts = ({"alg": "none", "typ": "JWT"}, claims, "signature")
        encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()) for part in parts]
        return AccessToken(b".".join(part.rstrip(b"=") for part in encoded).decode(), now + 3_600)

    async def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority's certificate, and one of 127.0.0.1 with its key."""
    folder, made = tmp_path_factory.mktemp("authority"), trustme.CA()
    server = made.issue_cert("127.0.0.1")
    made.cert_pem.write_to_path(str(folder / "authority.pem"))
    server.private_key_pem.write_to_path(str(folder / "key.pem"))
    server.cert_chain_pems[0].write_to_path(str(folder / "certificate.pem"))
    return folder


@pytest.fixture(scope="module")
def emulator(authority: Path) -> Iterator[Azurite]:
    options = ["--oauth", "basic", "--cert", str(authority / "certificate.pem")]
    options += ["--key", str(authority / "key.pem")]
    # It copies by speaking to itself, and has no way to be told whom to trust then.
    itself = {"NODE_TLS_REJECT_UNAUTHORIZED": "0"}
    with running(*options, environment=itself) as started:
        yield started


def test_an_identity_writes_reads_copies_and_signs(
    emulator: Azurite, authority: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(azure.identity.aio, "DefaultAzureCredential", Identity)
    trusting = ssl.create_default_context(cafile=str(authority / "authority.pem"))
    settings = AzureBlobSettings(
        account_url=f"https://127.0.0.1:{emulator.port}/{SHARED}",
        block_size=64 * 1024,
        ca_file=authority / "authority.pem",
    )

    async def main() -> None:
        tenant = make_tenant()
        async with mosaic_storage().open(settings, make_services(tmp_path)) as storage:
            await storage.write(tenant, "a.txt", chunked(b"x" * 150_000))
            await storage.copy(tenant, "a.txt", "b.txt")
            assert await content_of(storage, tenant, "b.txt") == b"x" * 150_000
            url = str(await storage.signed_url(tenant, "b.txt", expires_in=SOON))
            assert "skoid=" in url  # signed by a user delegation key
            upload, content = await begun(storage, tenant, "c.bin", parts=1)
            put = str(await storage.signed_part_url(tenant, upload.id, 1, expires_in=SOON))
            with httpx.Client(verify=trusting) as client:
                assert client.get(url).content == b"x" * 150_000
                assert client.get(url.replace("sig=", "sig=A")).status_code == 403
                assert client.put(put, content=content).status_code == 201
            assert (await storage.finish_upload(tenant, upload.id)).size == len(content)

    asyncio.run(main())


class Management(BaseHTTPRequestHandler):
    """Azure's management: the properties of one account."""

    properties: ClassVar[dict[str, Any]] = {}
    asked: ClassVar[list[tuple[str, str, str]]] = []
    status: ClassVar[int] = 200

    def do_GET(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        length = int(self.headers["content-length"])
        given = json.loads(self.rfile.read(length))
        if self.status == 200:
            type(self).properties = given["properties"]
        self._answer()

    def _answer(self) -> None:
        self.asked.append((self.command, self.path, self.headers["authorization"][:7]))
        body = json.dumps({"properties": self.properties}).encode()
        self.send_response(self.status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(("account", "status"), [("files", 200), ("files", 403), ("other", 200)])
def test_versions_are_switched_on_by_who_may_and_nothing_else_is_changed(
    authority: Path,
    caplog: pytest.LogCaptureFixture,
    account: str,
    status: int,
) -> None:
    Management.status, Management.asked = status, []
    Management.properties = {"deleteRetentionPolicy": {"enabled": True, "days": 7}}
    server = ThreadingHTTPServer(("127.0.0.1", 0), Management)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "certificate.pem", authority / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, daemon=True).start()
    resource = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/files"
    base = f"https://127.0.0.1:{server.server_port}"
    credential: Any = Identity()
    try:
        with caplog.at_level(logging.INFO, "mosaic.storage"):
            done = asyncio.run(
                management.switch_versioning_on(
                    account, resource, credential, authority / "authority.pem", base=base
                )
            )
    finally:
        server.shutdown()
        server.server_close()
    assert done is (account == "files" and status == 200)
    kept = {"deleteRetentionPolicy": {"enabled": True, "days": 7}}
    if done:
        assert Management.properties == kept | {"isVersioningEnabled": True}
        assert [asked[0] for asked in Management.asked] == ["GET", "PUT"]
    else:
        assert Management.properties == kept
        why = "answered with 403" if status == 403 else "is that of another account, 'files'"
        assert why in caplog.text
        assert f"{account}: versioning was not switched on" in caplog.text
        assert "--enable-versioning true" in caplog.text
    if account == "other":
        assert Management.asked == []
        return
    assert all(
        path.startswith(f"{resource}/blobServices/default?") for _, path, _ in Management.asked
    )
    assert {sent for _, _, sent in Management.asked} == {"Bearer "}


def test_an_account_of_a_tenants_own_has_its_own_versions_switched_on(
    azurite: Azurite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str | None]] = []

    async def noted(account: str, resource: str | None, *_: object) -> bool:
        asked.append((account, resource))
        return True

    monkeypatch.setattr(management, "switch_versioning_on", noted)
    accounts = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts"
    settings = azurite.settings(
        "account",
        accounts={"own": azurite.connection(OWN[0])},
        resource_template=f"{accounts}/{{account}}",
    )

    async def main() -> None:
        given = AzureBlobSettings.model_validate(settings)
        async with mosaic_storage().open(given, make_services(tmp_path)) as storage:
            account = storage._accounts.own(make_tenant(slug="own"))  # type: ignore[attr-defined]
            await account._provision()

    asyncio.run(main())
    assert asked == [(OWN[0], f"{accounts}/{OWN[0]}")]
