"""The service's errors as ours: the one place for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceModifiedError,
)

from mosaic_core.errors import (
    FileMissing,
    StorageBusy,
    StorageError,
    StorageForbidden,
    StorageUnreachable,
)

#: No such blob, or not even the container that it would be in.
_MISSING = frozenset({"BlobNotFound", "ContainerNotFound", "ResourceNotFound"})


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raises the service's errors as ours, naming ``what`` was asked for. None of them says what a
    request was signed with."""
    try:
        yield
    except AzureError as error:
        raise _ours(error, what) from error


def code_of(error: HttpResponseError) -> str:
    """The service's own name for an error, such as ``BlobNotFound``; "" where it gives none."""
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code) or "")


def is_missing(error: HttpResponseError) -> bool:
    return code_of(error) in _MISSING or (error.status_code == 404 and not code_of(error))


def _ours(error: AzureError, what: str) -> StorageError:
    code = code_of(error) if isinstance(error, HttpResponseError) else ""
    status = error.status_code if isinstance(error, HttpResponseError) else None
    told = f" ({code})" if code else f" (status {status})" if status else ""
    if isinstance(error, HttpResponseError) and is_missing(error):
        return FileMissing(f"There is no file {what!r}.")
    if status in {401, 403} or isinstance(error, ClientAuthenticationError):
        return StorageForbidden(
            f"Azure Blob Storage does not let this deployment at {what!r}{told}.",
            hint="Check the connection string, or give the identity the role "
            "'Storage Blob Data Contributor', and look at the account's firewall.",
        )
    if status == 429 or (status is not None and status >= 500):
        return StorageBusy(
            f"Azure Blob Storage is too busy for {what!r}{told}.", hint="Try again in a while."
        )
    if isinstance(error, ResourceModifiedError):
        return StorageError(f"{what!r} was replaced meanwhile.", hint="Do it again.")
    if status is None:  # there was no answer, or not all of it came
        return StorageUnreachable(
            f"Azure Blob Storage does not answer for {what!r}.",
            hint="Check the account's address, its firewall and the network.",
        )
    return StorageError(f"Azure Blob Storage refused {what!r}{told}.")
