"""Where an account keeps versions of blobs: what is removed for good has none left.

The emulator keeps none. So a server of our own answers what is asked for, and keeps them as the
service does (Blob versioning): a blob that is deleted becomes a version, and a version goes when it
is deleted by its id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest
from mosaic_storage_azureblob import leases, placing
from mosaic_storage_azureblob.blobs import AzureBlobs

from mosaic_core.testing.services import make_tenant
from tests.azurite import SHARED, Azurite
from tests.plugins.storage_azureblob.opening import opened

_BLOB = """<Blob><Name>{}</Name><VersionId>{}</VersionId>{}<Properties>
<Last-Modified>Fri, 27 Nov 2026 10:00:00 GMT</Last-Modified><Etag>0x1</Etag>
<Content-Length>1</Content-Length><BlobType>BlockBlob</BlobType></Properties></Blob>"""
_CURRENT = "<IsCurrentVersion>true</IsCurrentVersion>"


class Versioning(BaseHTTPRequestHandler):
    """One container of an account that keeps versions."""

    #: The blobs by name and version; whether it is the current one.
    blobs: ClassVar[dict[tuple[str, str], bool]] = {}

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        every = "versions" in query.get("include", [""])[0].split(",")
        prefix = query.get("prefix", [""])[0]
        found = [
            _BLOB.format(escape(name), version, _CURRENT if current else "")
            for (name, version), current in sorted(self.blobs.items())
            if name.startswith(prefix) and (every or current)
        ]
        self._answer(
            200,
            '<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs>'
            f"{''.join(found)}</Blobs><NextMarker/></EnumerationResults>",
        )

    def do_DELETE(self) -> None:
        parts = urlsplit(self.path)
        name, query = unquote(parts.path).split("/", 3)[3], parse_qs(parts.query)
        if "versionid" in query:
            gone = self.blobs.pop((name, query["versionid"][0]), None)
            self._answer(404 if gone is None else 202)
            return
        current = [key for key, is_it in self.blobs.items() if key[0] == name and is_it]
        self.blobs.update(dict.fromkeys(current, False))
        self._answer(202 if current else 404)

    def _answer(self, status: int, body: str = "") -> None:
        content = body.encode()
        self.send_response(status)
        if status == 404:
            self.send_header("x-ms-error-code", "BlobNotFound")
        self.send_header("content-type", "application/xml")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Versioning)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_what_is_dropped_and_what_was_a_draft_or_a_lease_leave_no_version(
    azurite: Azurite, tmp_path: Path, port: int
) -> None:
    draft = placing.new_draft()
    Versioning.blobs = {
        ("a.txt", "1"): False,
        ("a.txt", "2"): True,
        ("gone & forgotten.txt", "3"): False,
        (f"aux/drafts/{draft}", "4"): False,
        (f"aux/drafts/{draft}", "5"): True,
        ("aux/drafts/another", "6"): False,
        ("aux/leases/left", "7"): False,
        ("aux/leases/left", "8"): True,
    }

    async def main() -> None:
        tenant = make_tenant()
        connection = azurite.connection(SHARED, port=port)
        settings = azurite.settings("container", connection_string=connection)
        async with opened(tmp_path, settings) as storage:
            assert isinstance(storage, AzureBlobs)
            await placing.discard(storage._space(tenant), draft)
            assert await leases.clear(storage._space(tenant)) == 1
            left = {version for _, version in Versioning.blobs}
            assert left == {"1", "2", "3", "6"}
            await storage.drop(tenant)
            assert Versioning.blobs == {}

    asyncio.run(main())
