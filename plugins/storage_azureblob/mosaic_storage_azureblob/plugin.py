"""What the plugin declares."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ByteSize,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from mosaic_core.errors import ConfigurationError
from mosaic_core.hooks import hookimpl
from mosaic_core.provider import PlatformServices, Provider
from mosaic_core.storage import Storage

HOOK_API = ">=1,<2"

Layout = Literal["shared", "container", "account"]
_MB = 1024 * 1024
_RESOURCE = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Storage/storageAccounts/[^/]+",
    re.IGNORECASE,
)


class AzureBlobSettings(BaseModel):
    """``[plugins.storage_azureblob]``."""

    # What is wrong is told without what was given: it may be a key.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    #: The account that tenants share: a connection string, which belongs into the environment, or
    #: its address, and then the identity of this machine is used.
    connection_string: SecretStr | None = None
    account_url: str | None = None
    #: Where tenants' files are, by tier; ``layout`` is that of all other tiers.
    layout: Layout = "container"
    layouts: Mapping[str, Layout] = {"free": "shared", "enterprise": "account"}
    #: Accounts of single tenants, by slug or id: connection strings or addresses.
    accounts: Mapping[str, SecretStr] = Field(default_factory=dict)
    #: The address or connection string of the account of any other tenant that has one of its own,
    #: with {id}, {slug} or {short} in it (16 digits made of the id).
    account_template: SecretStr | None = None
    #: Bytes that are sent at once; files that are larger come in blocks of this size.
    block_size: Annotated[ByteSize, Field(ge=64 * 1024, le=100 * _MB)] = ByteSize(8 * _MB)
    #: Further attempts, with growing and random pauses.
    retries: Annotated[int, Field(ge=0, le=10)] = 4
    #: Seconds after which an answer that does not come is given up.
    timeout: Annotated[float, Field(gt=0, le=300)] = 30.0
    #: Certificates to trust instead of the system's; PEM, relative to the data folder.
    ca_file: Path | None = None
    #: Days for which what was deleted can be restored; 0 leaves the account as it is.
    keep_deleted: Annotated[int, Field(ge=0, le=365)] = 7
    #: The shared account's resource id, by which versioning is switched on.
    resource_id: str | None = None
    #: The same of accounts of single tenants, with {account} for the account's name.
    resource_template: str | None = None

    @field_validator("account_url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("https://", "http://127.0.0.1:")):
            raise ValueError("account_url is an https address, such as https://NAME.blob.…")
        return value

    @field_validator("resource_id")
    @classmethod
    def _resource(cls, value: str | None) -> str | None:
        if value is not None and not _RESOURCE.fullmatch(value):
            raise ValueError("resource_id is that of a storage account, as its properties show it")
        return value

    @field_validator("resource_template")
    @classmethod
    def _resource_of_each(cls, value: str | None) -> str | None:
        if value is not None and not (_RESOURCE.fullmatch(value) and value.endswith("/{account}")):
            raise ValueError("resource_template is a storage account's resource id to {account}")
        return value

    @field_validator("account_template")
    @classmethod
    def _one_each(cls, value: SecretStr | None) -> SecretStr | None:
        named = ("{id}", "{slug}", "{short}")
        if value is not None and not any(name in value.get_secret_value() for name in named):
            raise ValueError("account_template has {id}, {slug} or {short} in it")
        return value

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if self.connection_string is not None and self.account_url is not None:
            raise ValueError("give connection_string or account_url, not both")
        shared = {self.layout, *self.layouts.values()} & {"shared", "container"}
        if shared and self.connection_string is None and self.account_url is None:
            raise ValueError("give connection_string (in the environment) or account_url")
        if self.resource_id is not None and self.account_url is None:
            raise ValueError("resource_id needs account_url: a key cannot switch versioning on")
        return self


@asynccontextmanager
async def open_azure(
    settings: AzureBlobSettings, services: PlatformServices
) -> AsyncIterator[Storage]:
    from mosaic_storage_azureblob.accounts import Accounts
    from mosaic_storage_azureblob.blobs import AzureBlobs

    trusted = None if settings.ca_file is None else services.data_dir / settings.ca_file
    if trusted is not None and not trusted.is_file():
        raise ConfigurationError(
            f"[plugins.storage_azureblob] ca_file: there is no {trusted}.",
            hint="Put the certificates there, or take ca_file out.",
        )
    async with Accounts(settings, trusted) as accounts:
        yield AzureBlobs(settings, accounts, services.tiers)


@hookimpl
def mosaic_storage() -> Provider[Storage]:
    return Provider(name="storage_azureblob", settings=AzureBlobSettings, open=open_azure)
