"""Signing in to Azure SQL as whoever the process runs as, without a password."""

from __future__ import annotations

from mosaic_core.database.odbc import SCOPE
from mosaic_core.errors import ConfigurationError


async def token() -> str:
    """An access token: of the host's managed identity, or of a developer who is signed in.

    The host's own service keeps one for a while, so nothing is kept here.

    Raises:
        ConfigurationError: nobody vouches for the process.
    """
    try:
        from azure.core.exceptions import AzureError
        from azure.identity.aio import DefaultAzureCredential
    except ImportError as error:
        raise ConfigurationError(
            "The URL of SQL Server names no user, and azure-identity is not installed.",
            hint="Name a user and a password, or install mosaic-tenancy-dedicated[mssql].",
        ) from error
    try:
        async with DefaultAzureCredential() as credential:
            return (await credential.get_token(SCOPE)).token
    except AzureError as error:
        raise ConfigurationError(
            "The URL of SQL Server names no user, and Azure knows no identity of this process.",
            hint="Give the host a managed identity, or name a user and a password.",
        ) from error
