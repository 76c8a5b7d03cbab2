"""Addresses at which a stored file is read for a while by whoever has them.

Where the tenant's storage signs addresses of its own, they are those. Otherwise the platform does,
and serves the file itself: ``/-/file/<what>.<signature>``, at any host of the tenant's sites. What
is signed names tenant, key, end, and how the file is to be called; nothing is kept, so such an
address cannot be taken back, and lasts a week at most.
"""

from __future__ import annotations

import base64
import json
import re
import time
from dataclasses import asdict, dataclass
from datetime import timedelta

from mosaic_cms.identity.secrets import Secrets
from mosaic_core.errors import InvalidInput
from mosaic_core.storage import Storage, normalise_key
from mosaic_core.tenants import TenantContext

SIGNED_PREFIX = "/-/file/"
#: As long as any storage signs for.
LONGEST = timedelta(days=7)
_PURPOSE = "file address"
_TYPE = re.compile(r"[\w!#$&^.+-]{1,80}/[\w!#$&^.+-]{1,80}(; ?charset=[\w-]{1,40})?", re.ASCII)
#: Longer is no address of ours.
_MOST = 4_096


@dataclass(frozen=True, slots=True)
class SignedFile:
    """What an address is for; ``until`` is an instant in seconds."""

    tenant: str
    key: str
    until: int
    name: str | None = None
    content_type: str | None = None


async def address_of(
    storage: Storage,
    secrets: Secrets,
    tenant: TenantContext,
    key: str,
    *,
    expires_in: timedelta,
    name: str | None = None,
    content_type: str | None = None,
) -> str:
    """An address of a stored file: one of the storage, or a path at the tenant's hosts.

    Raises:
        InvalidKey: it is no key.
        InvalidInput: ``expires_in`` is not positive or more than a week, or the type is none.
    """
    if content_type is not None and not _TYPE.fullmatch(content_type):
        raise InvalidInput(f"{content_type[:80]!r} is no type of content.")
    if not timedelta(0) < expires_in <= LONGEST:
        raise InvalidInput("An address lasts for more than no time and for a week at most.")
    key = normalise_key(key)
    own = await storage.signed_url(
        tenant, key, expires_in=expires_in, name=name, content_type=content_type
    )
    if own is not None:
        return own
    until = int(time.time() + expires_in.total_seconds())
    meant = SignedFile(tenant.tenant_id, key, until, name, content_type)
    content = json.dumps(asdict(meant), ensure_ascii=False, separators=(",", ":")).encode()
    text = base64.urlsafe_b64encode(content).decode().rstrip("=")
    return f"{SIGNED_PREFIX}{text}.{secrets.signature(_PURPOSE, text)}"


def read_address(secrets: Secrets, path: str, tenant: TenantContext) -> SignedFile | None:
    """What an address at a host of a tenant is for; None when it is not (or not any more) valid
    there."""
    text, dot, signature = path.removeprefix(SIGNED_PREFIX).partition(".")
    if not dot or len(path) > _MOST or not secrets.signed(_PURPOSE, text, signature):
        return None
    meant = SignedFile(**json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))))
    valid = meant.tenant == tenant.tenant_id and time.time() < meant.until
    return meant if valid else None
