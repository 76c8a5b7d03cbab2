"""What went wrong, as problem details (RFC 9457)."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse

from mosaic_cms.content.conflicts import EditConflict
from mosaic_core.errors import (
    InvalidInput,
    MosaicError,
    PreconditionRequired,
    RequestError,
    TooManyRequests,
    Unauthenticated,
)

MEDIA_TYPE = "application/problem+json"
#: What an installation may run into that no caller caused; only these are told as they are.
_OURS = frozenset({503, 507})


class HttpError(RequestError):
    """A request that is wrong as such, whatever it asks for.

    Args:
        headers: what the answer has besides.
    """

    code = "bad-request"

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        hint: str = "",
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status  # type: ignore[misc]
        self.code = code  # type: ignore[misc]
        self.headers = headers or {}


def answer(error: MosaicError, instance: str = "", reference: str = "") -> JSONResponse:
    """An error as its caller sees it.

    What is the operator's to mend is told without its details: they are in the log, at the
    reference. What is about the request is told as it is.
    """
    status, headers = error.status, {"cache-control": "no-store"}
    told: dict[str, Any] = {
        "type": f"urn:mosaic:problem:{error.code}",
        "title": error.code.replace("-", " ").capitalize(),
        "status": status,
        "detail": error.message,
    }
    if error.hint:
        told["hint"] = error.hint
    if status >= 500 and not isinstance(error, RequestError):
        if status not in _OURS:
            told["type"], told["title"] = "urn:mosaic:problem:error", "Error"
        told["detail"] = "This cannot be done at the moment. It has been noted."
        told.pop("hint", None)
    if isinstance(error, InvalidInput) and error.problems:
        told["problems"] = [{"where": where, "what": what} for where, what in error.problems]
    if isinstance(error, EditConflict | PreconditionRequired):
        told["revision"] = error.revision
    if isinstance(error, EditConflict):
        told["conflicts"] = [conflict.model_dump(mode="json") for conflict in error.conflicts]
    if instance:
        told["instance"] = instance
    if reference:
        told["reference"] = reference
    if isinstance(error, TooManyRequests):
        headers["retry-after"] = str(error.retry_after)
    elif status == 503:
        headers["retry-after"] = "30"
    if isinstance(error, Unauthenticated):
        headers["www-authenticate"] = 'Bearer realm="MOSAIC"'
    if isinstance(error, HttpError):
        headers |= error.headers
    return JSONResponse(told, status, headers, media_type=MEDIA_TYPE)
