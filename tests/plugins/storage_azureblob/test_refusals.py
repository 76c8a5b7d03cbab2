"""What the service refuses, what it does not answer, and what it lets be switched on."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest
from azure.storage.blob.aio import BlobServiceClient

from mosaic_core.errors import (
    MosaicError,
    StorageBusy,
    StorageForbidden,
    StorageUnreachable,
)
from mosaic_core.testing.services import make_tenant
from mosaic_core.testing.storage.tools import chunked, content_of, digest_of
from tests.azurite import OWN, SHARED, Azurite
from tests.plugins.storage_azureblob.opening import opened
from tests.processes import free_port


class Refusing(BaseHTTPRequestHandler):
    """Answers each request with what its server was told, then with an empty file."""

    answers: ClassVar[list[tuple[int, str]]] = []
    asked: ClassVar[list[str]] = []

    def do_HEAD(self) -> None:
        self.asked.append(self.path)
        status, code = self.answers.pop(0) if self.answers else (200, "")
        self.send_response(status)
        if code:
            self.send_header("x-ms-error-code", code)
        else:
            self.send_header("ETag", '"0x1"')
            self.send_header("Last-Modified", "Fri, 27 Nov 2026 10:00:00 GMT")
            self.send_header("x-ms-meta-sha256", digest_of(b""))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(
    ("answers", "error", "words"),
    [
        ([(503, "ServerBusy")], None, ""),
        ([(500, "InternalError"), (503, "ServerBusy")], StorageBusy, "too busy"),
        ([(502, ""), (504, "")], StorageBusy, "too busy"),
        ([(403, "AuthorizationFailure")], StorageForbidden, "Storage Blob Data Contributor"),
        ([(409, "AccountBeingCreated")], MosaicError, "AccountBeingCreated"),
    ],
)
def test_what_the_service_answers_is_told_and_worth_another_try_or_not(
    azurite: Azurite,
    tmp_path: Path,
    answers: list[tuple[int, str]],
    error: type[MosaicError] | None,
    words: str,
) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    Thread(target=server.serve_forever, daemon=True).start()
    Refusing.answers, Refusing.asked = list(answers), []

    async def main() -> None:
        connection = azurite.connection(SHARED, port=server.server_port)
        settings = azurite.settings("container", connection_string=connection)
        async with opened(tmp_path, settings) as storage:
            if error is None:
                await storage.stat(make_tenant(), "a.txt")
                return
            with pytest.raises(error, match=words) as caught:
                await storage.stat(make_tenant(), "a.txt")
            assert type(caught.value) is not MosaicError
            assert azurite.keys[SHARED] not in str(caught.value)

    try:
        asyncio.run(main())
        assert len(Refusing.asked) == (2 if answers[0][0] >= 500 else 1)
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("seconds", [0.0, 3.0], ids=["cut off", "stalled"])
def test_an_answer_that_does_not_come_to_its_end_is_none(
    azurite: Azurite, tmp_path: Path, seconds: float
) -> None:
    class Halting(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(206)
            self.send_header("ETag", '"0x1"')
            self.send_header("Content-Range", "bytes 0-999/1000")
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"x" * 500)
            self.wfile.flush()
            time.sleep(seconds)
            self.connection.close()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Halting)
    Thread(target=server.serve_forever, daemon=True).start()

    async def main() -> None:
        connection = azurite.connection(SHARED, port=server.server_port)
        given = {"connection_string": connection, "timeout": 0.5, "retries": 0}
        async with opened(tmp_path, azurite.settings("container", **given)) as storage:
            with pytest.raises(StorageUnreachable, match=r"a\.txt"):
                await content_of(storage, make_tenant(), "a.txt")

    try:
        asyncio.run(main())
        with warnings.catch_warnings(action="ignore", category=ResourceWarning):
            gc.collect()  # the SDK leaves a connection that was cut off open
    finally:
        server.shutdown()
        server.server_close()


def test_no_key_and_no_answer_are_told_apart(azurite: Azurite, tmp_path: Path) -> None:
    async def fails(connection: str, error: type[MosaicError]) -> None:
        settings = azurite.settings("container", connection_string=connection, retries=0)
        async with opened(tmp_path, settings) as storage:
            for call in (storage.usage(make_tenant()), storage.stat(make_tenant(), "a.txt")):
                with pytest.raises(error) as caught:
                    await call
                assert "AccountKey" not in str(caught.value)

    wrong = azurite.connection(SHARED, key=azurite.keys[OWN[0]])
    asyncio.run(fails(wrong, StorageForbidden))
    asyncio.run(fails(azurite.connection(SHARED, port=free_port()), StorageUnreachable))


def test_what_can_be_is_switched_on_and_what_cannot_is_said(
    azurite: Azurite, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> bool:
        account = OWN[2]
        own = azurite.connection(account)
        async with opened(tmp_path, azurite.settings("account", accounts={"one": own})) as storage:
            await storage.write(make_tenant(slug="one"), "a", chunked(b"x"))
        async with BlobServiceClient.from_connection_string(own) as service:
            properties = await service.get_service_properties()
        return bool(properties["delete_retention_policy"].enabled)

    with caplog.at_level(logging.INFO, "mosaic.storage"):
        assert asyncio.run(main())
    assert "what is deleted can be restored for 7 days" in caplog.text
    assert "--enable-versioning true" in caplog.text
