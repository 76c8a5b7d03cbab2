"""Where a tenant's blobs are.

``shared``: in the shared account, in the containers ``images``, ``documents``, ``backups`` and
``media-assets``, below ``tenant-<id>/``. ``container``: in the shared account, in a container of
its own that is named like the prefix. ``account``: in an account of its own, in the container
``files``, below ``tenant-<id>/`` as well: two tenants never share a name, even where somebody gave
them one account. Below that a blob is named like its key, folders and all.

What a key is for decides its container: ``backups/…`` is a backup, otherwise the ending of the name
says it. So a key alone says where its blob is, on every machine.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from azure.storage.blob.aio import BlobClient, ContainerClient

from mosaic_core.errors import ConfigurationError
from mosaic_core.storage import normalise_key
from mosaic_core.tenants import TenantContext
from mosaic_storage_azureblob.accounts import Account, Accounts
from mosaic_storage_azureblob.plugin import AzureBlobSettings

IMAGES, DOCUMENTS, BACKUPS, ASSETS = SHARED = ("images", "documents", "backups", "media-assets")
_OWN = "files"
_ENDINGS: Mapping[str, tuple[str, ...]] = {
    IMAGES: (
        *("avif", "bmp", "gif", "heic", "heif", "ico", "jpe", "jpeg", "jpg", "jxl", "png", "svg"),
        *("tif", "tiff", "webp"),
    ),
    DOCUMENTS: (
        *("csv", "doc", "docx", "epub", "htm", "html", "json", "md", "odp", "ods", "odt", "pdf"),
        *("ppt", "pptx", "rtf", "txt", "xls", "xlsx", "xml"),
    ),
}
_CONTAINERS = {ending: name for name, endings in _ENDINGS.items() for ending in endings}
#: No key has a segment of this name (see normalise_key), so nothing of ours is ever a tenant's.
_ASIDE = "aux"
#: Names and Metadata of containers, REST reference.
_CONTAINER = re.compile(r"(?!.*--)[a-z0-9](?:[a-z0-9-]{1,61})[a-z0-9]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Space:
    """Where the blobs of one tenant are."""

    account: Account
    #: The containers, and what the names of blobs begin with in each of them.
    containers: tuple[str, ...]
    base: str

    @property
    def home(self) -> str:
        """The container of what is not a file: drafts, and what counts."""
        return self.containers[-1]

    def file(self, key: str) -> BlobClient:
        """The blob of a key in its one form."""
        return self._blob(_container_of(key) if len(self.containers) > 1 else self.home, key)

    def aside(self, name: str) -> BlobClient:
        """A blob that is no file of the tenant's."""
        return self._blob(self.home, f"{_ASIDE}/{name}")

    def container(self, name: str) -> ContainerClient:
        return self.account.service.get_container_client(name)

    def key_of(self, blob: str) -> str | None:
        """The key of a blob by its name; None of one that is no file."""
        key = blob.removeprefix(self.base)
        return None if key.startswith(f"{_ASIDE}/") else key

    def name_aside(self, blob: str) -> str:
        """The name that :meth:`aside` was given."""
        return blob.removeprefix(f"{self.base}{_ASIDE}/")

    def beginning(self, prefix: str = "") -> str:
        """What the names of files begin with whose keys begin with ``prefix``."""
        return f"{self.base}{prefix}"

    def beginning_aside(self, prefix: str = "") -> str:
        return f"{self.base}{_ASIDE}/{prefix}"

    def _blob(self, container: str, name: str) -> BlobClient:
        return self.account.service.get_blob_client(container, f"{self.base}{name}")


def space_of(settings: AzureBlobSettings, accounts: Accounts, tenant: TenantContext) -> Space:
    """Where a tenant's blobs are, by the layout of its tier.

    Raises:
        ConfigurationError: the tenant has no account, or a prefix that no container can have.
    """
    prefix = normalise_key(tenant.blob_storage_prefix)
    if "/" in prefix:  # it could be below another tenant's
        raise ConfigurationError(
            f"The prefix {prefix[:80]!r} of {tenant.slug!r} is not one name.",
            hint="Use one without a slash, such as 'tenant-' and the id.",
        )
    layout = settings.layouts.get(tenant.tier, settings.layout)
    if layout == "shared":
        return Space(accounts.shared(), SHARED, f"{prefix}/")
    if layout == "account":
        return Space(accounts.own(tenant), (_OWN,), f"{prefix}/")
    if not _CONTAINER.fullmatch(prefix) or prefix in SHARED:
        raise ConfigurationError(
            f"The prefix {prefix[:80]!r} of {tenant.slug!r} cannot be a container's name.",
            hint="Use 3 to 63 lower-case letters, digits and single hyphens.",
        )
    return Space(accounts.shared(), (prefix,), "")


def _container_of(key: str) -> str:
    if key.startswith("backups/"):
        return BACKUPS
    name = key.rpartition("/")[2]
    return _CONTAINERS.get(name.rpartition(".")[2].lower(), ASSETS)
