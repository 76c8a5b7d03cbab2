"""Storage accounts: one that tenants share, and those of single tenants; how each is opened, how it
signs addresses, and what is switched on where it is first used."""

from __future__ import annotations

import hashlib
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from azure.core.exceptions import AzureError, ResourceExistsError
from azure.storage.blob import BlobSasPermissions, RetentionPolicy, generate_blob_sas
from azure.storage.blob.aio import BlobClient, BlobServiceClient, ExponentialRetry

from mosaic_core.errors import ConfigurationError, InvalidInput
from mosaic_core.tenants import TenantContext
from mosaic_storage_azureblob import management
from mosaic_storage_azureblob.errors import translated
from mosaic_storage_azureblob.plugin import AzureBlobSettings

if TYPE_CHECKING:
    from azure.identity.aio import DefaultAzureCredential
    from azure.storage.blob import UserDelegationKey


_log = logging.getLogger("mosaic.storage")
#: A user delegation key, and what is signed with it, lives a week at most (Get User Delegation Key,
#: REST reference).
LONGEST = timedelta(days=7)
#: Clocks differ: an address is valid from a while ago.
_SKEW = timedelta(minutes=15)


class Account:
    """One storage account."""

    def __init__(
        self,
        settings: AzureBlobSettings,
        where: str,
        credential: DefaultAzureCredential | None,
        trusted: Path | None,
        resource: str | None,
    ) -> None:
        """``where`` is a connection string, or an address to which ``credential`` is shown;
        ``trusted`` are certificates to trust instead of the system's. ``resource`` is the account's
        resource id, with ``{account}`` for its name."""
        self._settings = settings
        self._resource = resource
        self._trusted = trusted
        self._credential = credential
        options: dict[str, Any] = {
            "retry_policy": ExponentialRetry(
                initial_backoff=1,
                increment_base=2,
                retry_total=settings.retries,
                random_jitter_range=1,
            ),
            "connection_timeout": settings.timeout,
            "read_timeout": settings.timeout,
            "connection_verify": True if trusted is None else str(trusted),
            # What is read comes in pieces of this size, the first one too.
            "max_single_get_size": 4 * 1024 * 1024,
            "max_chunk_get_size": 4 * 1024 * 1024,
            "max_single_put_size": 256 * 1024 * 1024,
        }
        if credential is None:
            self.service = BlobServiceClient.from_connection_string(where, **options)
        else:
            self.service = BlobServiceClient(where, credential=credential, **options)
        self._delegated: tuple[UserDelegationKey, datetime] | None = None
        self._provisioned = False

    async def close(self) -> None:
        await self.service.close()

    @property
    def key(self) -> str | None:
        """The account's key; None where an identity is used."""
        return getattr(self.service.credential, "account_key", None)

    async def signed(
        self,
        blob: BlobClient,
        permission: BlobSasPermissions,
        expires_in: timedelta,
        *,
        disposition: str | None = None,
        content_type: str | None = None,
    ) -> str:
        """The address of a blob with a shared access signature: of the account's key where there is
        one, else of a key that the identity was given for a while (user delegation)."""
        if not timedelta(0) < expires_in <= LONGEST:
            raise InvalidInput(
                "An address is signed for more than no time and for a week at most.",
                hint="Ask for another one when it is needed.",
            )
        now = datetime.now(UTC)
        key = self.key
        delegated = None if key else await self._delegation_key(now + expires_in)
        token = generate_blob_sas(
            str(blob.account_name),
            blob.container_name,
            blob.blob_name,
            account_key=key,
            user_delegation_key=delegated,
            permission=permission,
            start=now - _SKEW,
            expiry=now + expires_in,
            protocol="https" if blob.url.startswith("https:") else None,
            content_disposition=disposition,
            content_type=content_type,
        )
        return f"{blob.url}?{token}"

    async def _delegation_key(self, until: datetime) -> UserDelegationKey:
        if self._delegated is None or self._delegated[1] < until:
            now = datetime.now(UTC)
            # Longer than asked for, so that the next addresses need no other key.
            expiry = min(max(until, now + timedelta(days=1)), now + LONGEST)
            with translated(f"signing in {self.service.account_name}"):
                key = await self.service.get_user_delegation_key(now - _SKEW, expiry)
            self._delegated = key, expiry
        return self._delegated[0]

    async def make_container(self, name: str) -> None:
        """Makes a container that nobody may read without a signature, if there is none."""
        with translated(name):
            try:
                await self.service.create_container(name)
            except ResourceExistsError:
                return
        if not self._provisioned:
            self._provisioned = True
            await self._provision()

    async def _provision(self) -> None:
        """Switches soft delete and versioning on; says what could not be switched on."""
        days = self._settings.keep_deleted
        if not days:
            return
        name = self.service.account_name
        try:
            properties = await self.service.get_service_properties()
            if not properties["delete_retention_policy"].enabled:
                policy = RetentionPolicy(enabled=True, days=days)
                await self.service.set_service_properties(delete_retention_policy=policy)
                _log.info("%s: what is deleted can be restored for %s days now", name, days)
        except AzureError as error:
            _log.warning(
                "%s: soft delete could not be switched on (%s): this deployment has no right to. "
                "Do it once as the account's owner: az storage account blob-service-properties "
                "update --enable-delete-retention true --delete-retention-days %s",
                name,
                getattr(error, "error_code", None) or type(error).__name__,
                days,
            )
        resource = self._resource and self._resource.replace("{account}", str(name))
        await management.switch_versioning_on(str(name), resource, self._credential, self._trusted)


class Accounts:
    """Every account, opened when it is first needed."""

    def __init__(self, settings: AzureBlobSettings, trusted: Path | None) -> None:
        self._settings = settings
        self._trusted = trusted
        self._opened: dict[str, Account] = {}
        self._credential: DefaultAzureCredential | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for account in self._opened.values():
            await account.close()
        if self._credential is not None:
            await self._credential.close()

    def shared(self) -> Account:
        """The account that tenants share."""
        given = self._settings.connection_string
        where = self._settings.account_url if given is None else given.get_secret_value()
        return self._account(str(where), "connection_string", self._settings.resource_id)

    def own(self, tenant: TenantContext) -> Account:
        """The account of one tenant.

        Raises:
            ConfigurationError: none is configured for it.
        """
        accounts, template = self._settings.accounts, self._settings.account_template
        resource = self._settings.resource_template
        given = accounts.get(tenant.tenant_id) or accounts.get(tenant.slug)
        if given is not None:
            return self._account(given.get_secret_value(), "accounts", resource)
        if template is None:
            raise ConfigurationError(
                f"No storage account is configured for {tenant.slug!r}.",
                hint="Add it to accounts in [plugins.storage_azureblob], or set account_template.",
            )
        short = hashlib.sha256(tenant.tenant_id.encode()).hexdigest()[:16]
        where = (
            template.get_secret_value()
            .replace("{id}", tenant.tenant_id)
            .replace("{slug}", tenant.slug)
            .replace("{short}", short)
        )
        return self._account(where, "account_template", resource)

    def _account(self, where: str, key: str, resource: str | None) -> Account:
        account = self._opened.get(where)
        if account is None:
            is_address = where.startswith(("https://", "http://"))
            credential = self._identity() if is_address else None
            try:
                account = Account(self._settings, where, credential, self._trusted, resource)
            except ValueError:
                # Not the error's own words: they may have the key in them.
                raise ConfigurationError(
                    f"[plugins.storage_azureblob] {key} is no connection string or address.",
                    hint="Copy it from the account's access keys, and keep it in the environment.",
                ) from None
            if credential is None and account.key is None:
                raise ConfigurationError(
                    f"[plugins.storage_azureblob] {key} has no AccountKey in it.",
                    hint="Copy it from the account's access keys; with an identity, give the "
                    "account's address instead.",
                )
            self._opened[where] = account
        return account

    def _identity(self) -> DefaultAzureCredential:
        if self._credential is None:
            from azure.identity.aio import DefaultAzureCredential

            self._credential = DefaultAzureCredential()
        return self._credential
