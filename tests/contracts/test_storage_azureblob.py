"""Azure Blob Storage keeps the storage contract in each of its layouts (against the emulator).

All of it is tried with the shared containers; in the other layouts in the campaign, and a share of
it in ``tests/plugins/storage_azureblob``."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

import pytest
from mosaic_storage_azureblob.plugin import mosaic_storage
from pydantic import SecretStr

from mosaic_core.provider import PlatformServices
from mosaic_core.storage import Storage
from mosaic_core.testing.storage import DurableStorageContract
from tests.azurite import Azurite, OwnAccounts


class _AzureContract(DurableStorageContract):
    provider = mosaic_storage()
    rounds = 2
    layout: str

    @pytest.fixture(autouse=True)
    def _started(self, azurite: Azurite) -> None:
        type(self).settings = azurite.settings(self.layout)


class TestSharedContainers(_AzureContract):
    layout = "shared"


@pytest.mark.campaign
class TestContainerPerTenant(_AzureContract):
    layout = "container"


@pytest.mark.campaign
class TestAccountPerTenant(_AzureContract):
    layout = "account"

    @pytest.fixture(autouse=True)
    def _accounts(self, azurite: Azurite, _started: None) -> None:
        self.accounts = OwnAccounts(azurite, SecretStr)

    def open(self, services: PlatformServices) -> AbstractAsyncContextManager[Storage]:
        settings = self.provider.settings.model_validate(dict(self.settings))
        given = settings.model_copy(update={"accounts": self.accounts})
        return self.provider.open(given, services)
