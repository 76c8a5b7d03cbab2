"""What only Azure's management can switch on: the versioning of an account's blobs."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azure.core import AsyncPipelineClient
from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.pipeline.policies import AsyncBearerTokenCredentialPolicy, AsyncRetryPolicy
from azure.core.pipeline.transport import AioHttpTransport
from azure.core.rest import HttpRequest

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

_log = logging.getLogger("mosaic.storage")
_MANAGEMENT = "https://management.azure.com"
_VERSION = "2023-05-01"


async def switch_versioning_on(
    account: str,
    resource_id: str | None,
    credential: AsyncTokenCredential | None,
    trusted: Path | None = None,
    *,
    base: str = _MANAGEMENT,
) -> bool:
    """Switches versioning on (Blob Services – Set Service Properties, REST reference); whether that
    was possible. If not, the log says what to do."""
    why = "it needs the account's resource id and an identity with the right to manage it"
    if resource_id is not None and resource_id.rpartition("/")[2] != account:
        why = f"the resource id is that of another account, {resource_id.rpartition('/')[2]!r}"
    elif resource_id is not None and credential is not None:
        policies = [
            AsyncRetryPolicy(retry_total=2),
            AsyncBearerTokenCredentialPolicy(credential, f"{_MANAGEMENT}/.default"),
        ]
        url = f"{base}{resource_id}/blobServices/default?api-version={_VERSION}"
        transport = AioHttpTransport(connection_verify=True if trusted is None else str(trusted))
        try:
            async with AsyncPipelineClient[HttpRequest, Any](
                base, policies=policies, transport=transport
            ) as client:
                found = await client.send_request(HttpRequest("GET", url))
                found.raise_for_status()
                # What is not named in a PUT would be set back.
                properties = found.json().get("properties", {}) | {"isVersioningEnabled": True}
                request = HttpRequest("PUT", url, json={"properties": properties})
                response = await client.send_request(request)
                response.raise_for_status()
        except HttpResponseError as error:
            why = f"Azure's management answered with {error.status_code}"
        except AzureError as error:
            why = f"Azure's management was not reached ({type(error).__name__})"
        else:
            _log.info("%s: versions of blobs are kept now", account)
            return True
    _log.warning(
        "%s: versioning was not switched on: %s. Do it once as the account's owner: "
        "az storage account blob-service-properties update --enable-versioning true",
        account,
        why,
    )
    return False
