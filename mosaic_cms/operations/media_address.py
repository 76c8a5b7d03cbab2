"""Addresses of files that last for a while: for whoever has no account, or no page shows them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import Field

from mosaic_cms.actions import Model, action
from mosaic_cms.content.tree import find_site
from mosaic_cms.media import shelf
from mosaic_cms.media.signed import LONGEST, address_of
from mosaic_cms.operations.media import Reference
from mosaic_cms.rights import Permission
from mosaic_cms.scope import TenantScope
from mosaic_core.resolution import TenantMatch

_MINUTE = timedelta(minutes=1)


class AddressMedia(Model):
    """A file, ``media:<id>``, and the minutes that its address is to last: a week at most."""

    media: Reference
    minutes: Annotated[int, Field(ge=1, le=LONGEST // _MINUTE)] = 60
    site: str | None = None


class MediaAddress(Model):
    """Where whoever has the address reads the file, and until when; nobody can take it back."""

    address: str
    expires_at: datetime


@action(
    "media.address",
    needs=Permission("read", "media"),
    effect="read",
    http="GET /media/{media}/address",
)
async def address_media(scope: TenantScope, command: AddressMedia) -> MediaAddress:
    """An address at which whoever has it reads this content of a file, until it expires."""
    async with scope.read() as session:
        site = await find_site(session, command.site)
        row = await shelf.find(session, site, command.media)
    platform, lasts = scope.product.platform, command.minutes * _MINUTE
    expires_at = datetime.now(UTC) + lasts
    address = await address_of(
        platform.storage(scope.tenant),
        scope.product.identity.secrets,
        scope.tenant,
        row.key,
        expires_in=lasts,
        name=row.name,
        content_type=row.content_type,
    )
    if address.startswith("/"):  # one of the platform's own, for the tenant's hosts
        host = platform.directory.host_of(TenantMatch(scope.tenant.tenant_id))
        address = f"{platform.origin(host)}{address}"
    else:  # what is read there does not pass here: it counts as if it were read once
        scope.product.ledger.traffic.count(scope.tenant.tenant_id, row.size)
    return MediaAddress(address=address, expires_at=expires_at)
