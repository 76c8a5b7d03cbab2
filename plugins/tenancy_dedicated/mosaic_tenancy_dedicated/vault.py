"""URLs of databases that are kept in Azure Key Vault: a setting has the address of the secret."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from mosaic_core.errors import ConfigurationError
from mosaic_tenancy_dedicated.plugin import DedicatedSettings

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

#: A secret's identifier. The identity's token is sent to these hosts and nowhere else.
_ADDRESS = re.compile(
    r"(https://[a-zA-Z0-9-]{3,24}\.(vault\.azure\.net|vault\.azure\.cn|vault\.usgovcloudapi\.net))"
    r"(/secrets/[a-zA-Z0-9-]{1,127}(?:/[0-9a-fA-F]{32})?)/?"
)
#: Get Secret, REST reference.
_VERSION = "7.4"


async def revealed(settings: DedicatedSettings) -> DedicatedSettings:
    """The settings, with URLs in the place of the addresses of secrets. Nothing of Azure is needed
    where there is none.

    Raises:
        ConfigurationError: a secret cannot be read; it names the setting and the secret.
    """
    given = {f"given.{slug}": url for slug, url in settings.given.items()}
    addresses = {
        setting: text
        for setting, secret in ({"url": settings.url} | given).items()
        if _ADDRESS.fullmatch(text := secret.get_secret_value())
    }
    if not addresses:
        return settings
    try:
        import aiohttp  # noqa: F401 - what azure.identity.aio speaks through
        from azure.identity.aio import DefaultAzureCredential
    except ImportError as error:
        raise ConfigurationError(
            "A URL of tenancy_dedicated is in Key Vault, and azure-identity is not installed.",
            hint="Install mosaic-tenancy-dedicated[keyvault].",
        ) from error
    async with DefaultAzureCredential() as credential:
        reads = (read(address, name, credential) for name, address in addresses.items())
        found = dict(zip(addresses, await asyncio.gather(*reads), strict=True))
    return settings.model_copy(
        update={
            "url": found.get("url", settings.url),
            "given": {
                slug: found.get(f"given.{slug}", url) for slug, url in settings.given.items()
            },
        }
    )


async def read(
    address: str,
    setting: str,
    credential: AsyncTokenCredential,
    *,
    base: str | None = None,
    trusted: Path | None = None,
) -> SecretStr:
    """What a secret says.

    Args:
        setting: has the address, for an error.
        base: another host than the address has, and ``trusted`` certificates to trust there.

    Raises:
        ConfigurationError: there is none, or this process may not read it.
    """
    from azure.core import AsyncPipelineClient
    from azure.core.exceptions import AzureError, ClientAuthenticationError
    from azure.core.pipeline.policies import AsyncBearerTokenCredentialPolicy, AsyncRetryPolicy
    from azure.core.pipeline.transport import AioHttpTransport
    from azure.core.rest import HttpRequest

    found = _ADDRESS.fullmatch(address)
    assert found is not None
    host, resource, path = base or found[1], found[2], found[3]
    policies = [
        AsyncRetryPolicy(retry_total=2),
        AsyncBearerTokenCredentialPolicy(credential, f"https://{resource}/.default"),
    ]
    transport = AioHttpTransport(connection_verify=True if trusted is None else str(trusted))
    try:
        async with AsyncPipelineClient[HttpRequest, Any](
            host, policies=policies, transport=transport
        ) as client:
            request = HttpRequest("GET", f"{host}{path}?api-version={_VERSION}")
            answer = await client.send_request(request)
            if answer.status_code == 200:
                return SecretStr(str(answer.json()["value"]))
            why = f"the vault answers with {answer.status_code}"
    except ClientAuthenticationError:
        why = "Azure knows no identity of this process"
    except AzureError as error:
        why = f"the vault was not reached ({type(error).__name__})"
    except (KeyError, TypeError, ValueError):
        why = "what answers is no vault"
    raise ConfigurationError(
        f"[plugins.tenancy_dedicated] {setting}: {address} cannot be read: {why}.",
        hint="Check the address, and give the host's managed identity the role Key Vault Secrets "
        "User there.",
    )
