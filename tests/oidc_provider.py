"""The real OpenID provider (``oidc-provider`` on Node.js), and a person at it."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx
import pytest

from tests.processes import free_port

#: Where ``tools/setup identity`` puts it.
_LIBRARY = (
    Path(__file__).parents[1] / ".cache/oidc-provider/node_modules/oidc-provider/lib/index.js"
)
_SCRIPT = Path(__file__).with_name("oidc_provider.mjs")
CLIENT, OTHER_CLIENT = "mosaic", "a-tenant"


def client(name: str, callbacks: Sequence[str], **more: Any) -> dict[str, Any]:
    """A client that the provider knows, as it has it. Its secret is made up, and nobody else's."""
    return {
        "client_id": name,
        "client_secret": secret_of(name),
        "redirect_uris": list(callbacks),
        **more,
    }


def secret_of(name: str) -> str:
    """A secret with characters that have to be encoded on their way."""
    return f"only for tests: {name}+%&"


@dataclass
class OpenIDProvider:
    """It, while it runs."""

    clients: Sequence[dict[str, Any]]
    port: int = field(default_factory=free_port)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def running(self) -> Iterator[OpenIDProvider]:
        """Starts it, with new keys each time. Without Node.js or the library the test is skipped,
        and fails in CI."""
        node = shutil.which("node")
        if node is None or not _LIBRARY.is_file():
            reason = "oidc-provider is not installed (tools/setup identity)"
            if os.environ.get("CI"):
                pytest.fail(reason)
            pytest.skip(reason)
        given = json.dumps({"port": self.port, "clients": list(self.clients)})
        process = subprocess.Popen(
            [node, str(_SCRIPT), str(_LIBRARY), given],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            for line in process.stdout:  # it warns that it is for development
                if line.startswith("listening"):
                    break
            else:
                pytest.fail("the OpenID provider did not start")
            yield self
        finally:
            process.stdin.close()
            process.wait(10)
            process.stdout.close()


async def signs_in(address: str, who: str = "ada", *, declines: bool = False) -> dict[str, str]:
    """What a browser comes back with from where it was sent, when a person does what they are asked
    there: they say who they are and agree, or decline."""
    return query_of(await returned(address, who, declines=declines))


async def returned(address: str, who: str = "ada", *, declines: bool = False) -> str:
    """The address with which a browser comes back."""
    there = urlsplit(address).netloc
    async with httpx.AsyncClient(follow_redirects=False) as browser:
        response = await browser.get(address)
        for _ in range(20):
            if response.is_redirect:
                target = urljoin(str(response.url), response.headers["location"])
                if urlsplit(target).netloc != there:
                    return target
                response = await browser.get(target)
                continue
            assert response.status_code == 200, response.text
            text = html.unescape(response.text)
            if declines:
                (abort,) = re.findall(r'href="([^"]+/abort)"', text)
                response = await browser.get(urljoin(str(response.url), abort))
                continue
            (action,) = re.findall(r'<form[^>]+action="([^"]+)"', text)
            fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="(\w+)"', text))
            if "login" in text and fields.get("prompt") == "login":
                fields |= {"login": who, "password": "anything"}
            response = await browser.post(urljoin(str(response.url), action), data=fields)
    raise AssertionError("the person did not come back")


def query_of(address: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(address).query, keep_blank_values=True))
